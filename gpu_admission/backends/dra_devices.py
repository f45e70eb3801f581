"""The ``devices`` of a claim for a portable request, and the name of its template.

Shares of a card are requested by consumable capacity (KEP-5075, on by default since Kubernetes 1.36): a device that
several claims may share then reserves the amount, and one that is allocated whole must have it. API servers before that
drop the amount silently, so a selector requires it too. Only a constraint on a distinct attribute keeps two requests of
a claim off one shared device. A count is allocated from several devices by the scheduler of Kubernetes 1.36
(k8s.io/dynamic-resource-allocation structured/internal/incubating/allocator_incubating.go), but the API does not
promise it, and the constraint compares requests, not the devices of one: so each share is a request.
"""

from __future__ import annotations

from gpu_admission.core.byte_amounts import exact_bytes
from gpu_admission.core.quantity import MIB

from .dra_drivers import NVIDIA
from .portable import WHOLE, ceil_div
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .dra_settings import DraSettings
    from .portable import GpuShare

# Kubernetes does not limit the claims of a pod (pkg/apis/core/validation: validatePodResourceClaims); we do.
MOST_CLAIMS = 64  # of one container: each is an entry of the pod, and no node has as many GPUs
MOST_DEVICES = 32  # of one claim; kubernetes/api resource/v1: AllocationResultsMaxSize
_NAME = "gpu"  # of a request in a claim
_LONGEST_NAME = 253


def devices(request: GpuShare, settings: DraSettings, users: int = 1) -> dict[str, Any]:
    """Return the ``devices`` of a claim for one request, or for the requests of several ``users``.

    Raises RejectedRequestError where no claim can give it.
    """
    settings.require_consistent()
    if request.count > MOST_DEVICES:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            (f"{request.count} GPUs", f", and Kubernetes allocates at most {MOST_DEVICES} devices to a claim"),
            f"request {MOST_DEVICES} at most",
        )
    several = request.count > 1 and settings.driver.unique and not is_exclusive(request, settings)
    made: dict[str, Any] = (
        _distinct(request, settings, users)
        if several
        else {"requests": [{"name": _NAME, "exactly": _exactly(request, settings, users)}]}
    )
    sharing = _sharing(request, settings)
    if sharing:
        made["config"] = [{"opaque": {"driver": settings.driver.domain, "parameters": sharing}}]
    return made


def _distinct(request: GpuShare, settings: DraSettings, users: int) -> dict[str, Any]:
    """Return a request for each of several shares, and the constraint that no two are of one device."""
    names = [f"{_NAME}-{number + 1}" for number in range(request.count)]
    attribute = f"{settings.driver.domain}/{settings.driver.unique}"
    return {
        "requests": [{"name": name, "exactly": {**_exactly(request, settings, users), "count": 1}} for name in names],
        "constraints": [{"requests": names, "distinctAttribute": attribute}],
    }


def template_name(base: str, request: GpuShare) -> str:
    """Return the name of the template for a request: ``gpu``, ``gpu-2x-8gi``, ``gpu-8gi-30pct``, ``gpu-mig-1g.12gb``.

    ``gpu-share`` is a share whose size time-slicing or MPS defines.
    """
    parts = [f"{request.count}x"] if request.count > 1 else []
    if request.profile:
        parts.append(f"mig-{_profile(request).replace('+', '.')}")
    else:
        parts += [_mebibytes(request.memory).lower()] if request.memory is not None else []
        parts += [f"{request.percent}pct"] if request.cores is not None and not request.whole else []
        parts += ["share"] if request.share else []
    end = "".join(f"-{part}" for part in parts)
    return base[: _LONGEST_NAME - len(end)].rstrip("-.") + end


def notes(request: GpuShare, settings: DraSettings) -> tuple[str, ...]:
    """Return a note for the reader of a translation where a time-sliced or MPS share occupies a whole device."""
    if not request.share or settings.shared or settings.shares in {"unlimited", "count"}:
        return ()
    return ("a claim of its own has a whole device; pods share one by sharing a claim (translate --claims)",)


def comments(request: GpuShare, settings: DraSettings) -> Iterator[str]:
    """Yield what a claim gives and requires of the cluster, one line each."""
    if _is_partition(request, settings):
        what = f"{request.count} MIG device{'s' * (request.count > 1)} {_profile(request)}"
    elif request.share:
        what = f"a share of {request.count} GPU{'s' * (request.count > 1)}"
    else:
        what = str(request)
    yield f"{what}, of the device class {settings.mig_class if request.profile else settings.device_class}."
    yield f"Needs Kubernetes 1.34 or newer with {settings.driver.title}."
    if not is_exclusive(request, settings):
        yield "Claims share a card since Kubernetes 1.36 (before that: feature gate DRAConsumableCapacity), where the"
        yield "driver lets them (NVIDIA's: --consumable-shares); elsewhere the claim has all of a card."
    if settings.sharing != "none" and _sharing(request, settings):
        gate = "MPSSupport" if settings.sharing == "mps" else "TimeSlicingSettings"
        yield f"Needs the driver's feature gate {gate}."


def _exactly(request: GpuShare, settings: DraSettings, users: int) -> dict[str, Any]:
    """Return one request of the claim: class, count, selectors and capacity."""
    partition = _is_partition(request, settings)
    selectors = [_is_profile(request, settings)] if partition else _selectors(request, settings, users)
    if is_exclusive(request, settings):
        amounts = _all_of_it(request, settings)
    elif request.share:
        amounts = {"shares": 1} if settings.shares == "count" else {}
    else:
        amounts = _amounts(request, settings, users)
    exactly: dict[str, Any] = {
        "deviceClassName": settings.mig_class if partition else settings.device_class,
        "count": request.count,
    }
    if selectors:
        exactly["selectors"] = [{"cel": {"expression": each}} for each in selectors]
    if amounts:
        exactly["capacity"] = {"requests": amounts}
    return exactly


def _is_partition(request: GpuShare, settings: DraSettings) -> bool:
    return bool(request.profile) and settings.driver is NVIDIA


def is_exclusive(request: GpuShare, settings: DraSettings) -> bool:
    """Return whether the request needs a device that no other claim shares: a card, a partition, all of the compute."""
    if _is_partition(request, settings):
        return True
    if settings.driver.cores:
        return request.memory is None and request.cores is None
    return not request.share and (request.memory is None or request.cores == WHOLE)


def _is_profile(request: GpuShare, settings: DraSettings) -> str:
    return f"{settings.driver.attribute('profile')} == '{_profile(request)}'"


def _selectors(request: GpuShare, settings: DraSettings, users: int) -> list[str]:
    """Return the CEL expressions that select suitable cards."""
    driver = settings.driver
    if request.cores is not None:
        _require_cores(request, settings)
    if request.memory is not None:
        least = f"{settings.driver.capacity('memory')}.compareTo(quantity('{_mebibytes(request.memory, users)}')) >= 0"
        return [least]
    return [f"{driver.attribute('type')} == '{driver.whole}'"] if driver.whole else []


def _amounts(request: GpuShare, settings: DraSettings, users: int) -> dict[str, Any]:
    """Return the capacity of a share of a card."""
    amounts: dict[str, Any] = {}
    if request.memory is not None:
        amounts["memory"] = _mebibytes(request.memory, users)
    if request.percent is not None and settings.driver.cores:
        amounts[settings.driver.cores] = request.percent * users
    return amounts


def _require_cores(request: GpuShare, settings: DraSettings) -> None:
    """Raise RejectedRequestError for a percentage of compute that neither a capacity nor MPS enforces."""
    if settings.driver.cores or settings.sharing == "mps" or not request.limits_cores:
        return
    advice = "leave the percentage of compute out"
    if settings.driver is NVIDIA:
        advice += "; the policy needs backend.sharing: mps, and the driver its gate MPSSupport"
    raise RejectedRequestError.amount(
        UNTRANSLATABLE,
        (f"{request.percent} percent of a GPU's compute", f", which claims of {settings.driver.title} do not limit"),
        advice,
    )


def _all_of_it(request: GpuShare, settings: DraSettings) -> dict[str, Any]:
    """Return the capacity that keeps other claims off a device. Raises RejectedRequestError where there is none."""
    if settings.shares == "unlimited":
        what = "a MIG device" if request.profile else "a whole GPU"
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            (
                f"{what}",
                (
                    ", and NVIDIA's DRA driver shares every device of this cluster without a limit (the policy's "
                    "backend.consumableShares): no claim is allocated one exclusively"
                ),
            ),
            (
                "write the memory that the process needs",
                " (gpu-admission.io/gpu-mem: 8Gi), or request GPUs of other nodes",
            ),
        )
    return {"shares": settings.shares_per_device} if settings.shares == "count" else {}


def _sharing(request: GpuShare, settings: DraSettings) -> dict[str, Any] | None:
    """Return the driver's configuration of how users share a device; None where the device is exclusive."""
    if settings.sharing == "none" or request.profile or request.whole or request.cores == WHOLE:
        return None
    if settings.sharing == "mps":
        limits: dict[str, Any] = {}
        if request.percent is not None:
            limits["defaultActiveThreadPercentage"] = request.percent
        if request.memory is not None:
            limits["defaultPinnedDeviceMemoryLimit"] = _mebibytes(request.memory)
        sharing = {"strategy": "MPS", "mpsConfig": limits}
    else:
        sharing = {"strategy": "TimeSlicing", "timeSlicingConfig": {"interval": settings.time_slice}}
    return {"apiVersion": "resource.nvidia.com/v1beta1", "kind": "GpuConfig", "sharing": sharing}


def _profile(request: GpuShare) -> str:
    """Return a MIG profile as NVIDIA's driver writes it: the dot of ``1g.10gb.me`` is a plus there."""
    size, dot, modifier = request.profile.partition("gb.")
    return f"{size}gb+{modifier}" if dot else request.profile


def _mebibytes(memory: int, users: int = 1) -> str:
    """Return bytes as a quantity of whole mebibytes, in which the drivers count: ``8Gi``, ``9537Mi``."""
    return exact_bytes(ceil_div(memory, MIB) * MIB * users)
