"""Resource names in containers that resemble a GPU's, and their correction (for GPU007)."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice

from gpu_admission.core import patch
from gpu_admission.core.raw import as_dict, as_str, is_placeholder, iter_dicts
from gpu_admission.workloads import resources
from gpu_admission.workloads.container import MISSING, GpuRequest

from . import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.patch import Operation
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.workload import Workload

_SIDES = ("limits", "requests")
_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})
_MIG = "nvidia.com/mig-"
_SUFFIXES = ("i", "M", "G", "T")  # of memory
_MOST = 256  # unknown names of one object that are compared for typos


def misspelt(workload: Workload, policy: Policy) -> Iterator[tuple[Container, str, str]]:
    """Yield each container with a name that resembles a GPU resource, and the name that was probably meant.

    A name without a domain counts only in containers of Kubernetes' own shape: a custom kind may define ``gpu``.
    """
    for container, name in islice(_unknown(workload, policy), _MOST):
        near = _meant(name, container.limits.get(name, container.requests.get(name)), policy)
        if near is not None and near != name:
            yield container, name, near


def unknown_requests(workload: Workload, policy: Policy) -> Iterator[GpuRequest]:
    """Yield requests without a limit under an unknown, not misspelt name with ``gpu`` in it (GPU007).

    Kubernetes refuses any extended resource without a limit, so the vendor does not matter.
    """
    for container, name in islice(_unknown(workload, policy), _MOST):
        if name in container.limits or "gpu" not in name.lower() or not resources.is_extended(name):
            continue
        raw = container.requests[name]
        if not common.unfilled(workload, raw) and _meant(name, raw, policy) in {None, name}:
            yield GpuRequest(container, resources.extra(name), MISSING, raw)


def meant(name: str, policy: Policy) -> str | None:
    """Return the GPU resource that a name outside of containers resembles; None where it is right or unlike any."""
    from gpu_admission.workloads import resource_typos  # noqa: PLC0415 - as above

    known = policy.classify(name) is not None
    if name in _STANDARD or name.startswith("hugepages-") or (known and _is_offered(name, policy)):
        return None
    near = resource_typos.meant(name, policy.own_resources, policy.backend.name)
    return None if near == name else near


def _unknown(workload: Workload, policy: Policy) -> Iterator[tuple[Container, str]]:
    for _, container in workload.containers():
        for name in {**container.limits, **container.requests}:
            if name in _STANDARD or (policy.classify(name) is not None and not name.startswith(_MIG)):
                continue
            if is_placeholder(name) or not ("/" in name or container.whole or common.is_typed(workload)):
                continue
            known = policy.classify(name)
            if known is None and any([gpu.name == name for gpu in container.gpus]):
                continue  # a device class of the same input serves it
            if known is None or not _is_offered(name, policy):
                yield container, name


def _meant(name: str, raw: object, policy: Policy) -> str | None:
    from gpu_admission.workloads import resource_typos  # noqa: PLC0415 - start-up time: needed only for unknown names

    near = resource_typos.meant(name, policy.own_resources, policy.backend.name)
    if near is None or "/" in name or not as_str(raw).endswith(_SUFFIXES):
        return near
    resource = resources.classify(near)  # 8Gi is an amount of bytes, and most backends count MiB or GiB
    return resources.PORTABLE_MEMORY if resource is not None and resource.unit == "memory" else near


@lru_cache(maxsize=1024)  # a few profiles, in every pod
def _is_offered(name: str, policy: Policy) -> bool:
    from gpu_admission.workloads import resource_typos  # noqa: PLC0415 - as above

    own = {as_str(profile.get("name")) for card in policy.cards for _, profile in iter_dicts(card.get("profiles"))}
    return name in policy.own_resources or resource_typos.is_offered(name, own)


def rename(rule: str, workload: Workload, container: Container, name: str, near: str) -> Iterator[Operation]:
    """Rename the key in every place, unless the right one is beside it already.

    ``gpu-mem: 8`` is not renamed: a number of GiB would become one of bytes.
    """
    given = [
        (side, values) for side, values in container.resources.items() if name in as_dict(values) and side in _SIDES
    ]
    if near == resources.PORTABLE_MEMORY and not all(as_str(values[name]).endswith("i") for _, values in given):
        return
    if near not in container.limits and near not in container.requests:
        for side, values in given:
            place = (*container.resources_pointer, side)
            yield patch.remove(rule, (*place, name))
            yield patch.add(rule, workload.document, (*place, near), values[name])
