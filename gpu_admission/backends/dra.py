"""Dynamic resource allocation: claims of the policy's template, or of templates named by what they give."""

from __future__ import annotations

from gpu_admission.core.byte_amounts import exact_bytes
from gpu_admission.core.raw import as_str

from . import dra_devices, dra_drivers, dra_shared
from .base import Backend
from .checks import require_known_size
from .dra_page import PAGE
from .dra_settings import PARAMETERS, DraSettings
from .native_request import DRA, NVIDIA, NVIDIA_SHARED
from .portable import BackendPatch, GpuShare
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.workloads.pod import Pod

    from .base import ClusterFacts, ContainerRequest
    from .native_request import NativeRequest


_MOST_OF_POD = 128  # all of them are allocated on one node
_LONGEST_CLAIM = 50  # a claim's name in a pod is a label of 63 characters, and a number may follow it
_LONGEST_NAME = 253  # of the generated claim's name: POD-CLAIM, with the claim's name in the pod
_PLUGIN = frozenset({NVIDIA, NVIDIA_SHARED, "mig"})  # systems of NVIDIA's device plugin


class Dra(Backend):
    """Claims of the policy's template, one per GPU; or one claim per container, of a template for its request."""

    name = "dra"
    whole_cards = True
    title = "dynamic resource allocation"
    gpu_is_card = True
    parameters = PARAMETERS
    sample: Mapping[str, Any] = {"template": "gpu"}
    translates = frozenset({DRA})
    # NVIDIA's device plugin on other nodes, or a DeviceClass with that name
    ignores = _PLUGIN

    def vendor(self, facts: ClusterFacts) -> str:
        """Return the vendor of the cards of the policy's device class."""
        return dra_drivers.chosen(facts.parameters).vendor

    def adopts(self, facts: ClusterFacts) -> frozenset[str]:
        """Return the system of the whole cards of the policy's class, where they are not NVIDIA's."""
        return frozenset({self.vendor(facts)}) - {NVIDIA} if DraSettings(facts.parameters).per_request else frozenset()

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read claims whose templates are known, for another backend."""
        from . import dra_reader  # noqa: PLC0415 - needed only by the command translate

        return dra_reader.read(native_request, facts)

    def sized(self, request: GpuShare, facts: ClusterFacts) -> GpuShare:
        """Return a foreign request as claims can express it: shares and profiles as such, parts of cards in bytes."""
        settings = DraSettings(facts.parameters)
        if not settings.per_request:
            return super().sized(request, facts)
        if request.profile and settings.driver is dra_drivers.NVIDIA:
            return request
        if request.thousandths is not None and facts.largest is None:
            return GpuShare(None, request.count, request.cores)  # a whole card satisfies any part of one
        if request.share and request.memory is None and request.lost is None:
            return request
        known = require_known_size(request, facts)
        return GpuShare(known.memory, known.count, known.cores)  # a card of another driver is not a MIG device

    def check_container(self, asked: ContainerRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield what the policy's template, or its device class, is not known to give."""
        settings = DraSettings(facts.parameters)
        system = asked.native_request.system
        if system in _PLUGIN and settings.driver.vendor != "nvidia":
            yield _of_other_vendor(settings)
        elif system in {NVIDIA_SHARED, "mig"} and not settings.per_request:
            yield _undeclared(system)
        elif any(name.endswith(".shared") and "/mig-" in name for name in asked.native_request.gpus):
            yield RejectedRequestError.amount(
                UNTRANSLATABLE,
                ("a share of a MIG device", ", and claims allocate MIG devices whole"),
                ("request a MIG device without .shared", ", or leave the request to the device plugin"),
            )
        elif asked.request.share and asked.request.memory is None and settings.per_request:
            yield from _unknown_share(settings)
        yield from super().check_container(asked, facts)

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Refer to a template: the policy's, once per GPU, or one that is named by what it gives.

        What the policy's template gives is the administrator's responsibility.
        """
        settings = DraSettings(facts.parameters)
        if not settings.template:
            raise RejectedRequestError(
                UNTRANSLATABLE,
                "and the policy names no ResourceClaimTemplate that would give it",
                ("refer to a claim of your own", " (spec.resourceClaims); the policy needs backend.template"),
            )
        if settings.per_request:
            return _claim_per_request(settings.template, request, settings)
        return _claim_per_gpu(settings.template, request)

    def check_pod(
        self, pod: Pod, asked: list[ContainerRequest], facts: ClusterFacts
    ) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
        """Yield more claims than a node has GPUs (a pod's claims are all of one node), and names that are too long."""
        settings = DraSettings(facts.parameters)
        if settings.shared:
            yield from dra_shared.check_pod(pod, asked, facts, settings)
        written = [(one, one.backend_patch.claims) for one in asked if one.backend_patch is not None]
        names = [name for _, claims in written for name in claims]
        if not names:
            return
        last = written[-1][0]
        name = as_str(pod.metadata.get("name"))
        if len(names) > _MOST_OF_POD:
            reason = f"which makes {len(names)} claims for the pod, and no node has as many GPUs"
            advice = f"request {_MOST_OF_POD} GPUs at most in the whole pod"
            yield last, RejectedRequestError(UNTRANSLATABLE, reason, advice)
        elif len(name) + max(map(len, names)) + len("-") + len("-999") > _LONGEST_NAME:
            reason = f"in a pod whose name and the claim's together would have more than {_LONGEST_NAME} characters"
            shorter = "give the pod a shorter name", ": Kubernetes names claims after it"
            yield last, RejectedRequestError(UNTRANSLATABLE, reason, shorter)


def _claim_per_gpu(template: str, request: GpuShare) -> BackendPatch:
    if request.limits_cores:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            (f"{request.percent} percent of a GPU's compute", ", and what a claim gives is set by its template"),
            "leave the percentage of compute out",
        )
    if request.count > dra_devices.MOST_CLAIMS:
        raise RejectedRequestError.amount(
            UNTRANSLATABLE,
            (f"{request.count} GPUs", ", which would be as many claims"),
            (f"request {dra_devices.MOST_CLAIMS} at most", ", or refer to a claim of your own that gives several"),
        )
    base = _claim_name(template)
    names = [base] if request.count == 1 else [f"{base}-{n + 1}" for n in range(request.count)]
    note = "" if request.memory is None else f"the template has to give at least {exact_bytes(request.memory)}"
    return BackendPatch(claims=dict.fromkeys(names, template), notes=(note,) if note else ())


def _of_other_vendor(settings: DraSettings) -> RejectedRequestError:
    return RejectedRequestError.amount(
        UNTRANSLATABLE,
        ("a device of NVIDIA's device plugin", f", and {settings.device_class} is of {settings.driver.title}"),
        ("write what the process needs in the portable names", " (gpu-admission.io/gpu-mem: 8Gi)"),
    )


def _undeclared(system: str) -> RejectedRequestError:
    what = "a MIG device" if system == "mig" else "a share of a card"
    return RejectedRequestError.amount(
        UNTRANSLATABLE,
        (f"{what} of NVIDIA's device plugin", ", and the policy's template does not declare one"),
        ("refer to a claim of your own whose template selects it", ", or leave the request to the device plugin"),
    )


def _unknown_share(settings: DraSettings) -> Iterator[RejectedRequestError]:
    """Yield a rejection of a share of unknown size where the policy does not enable one in the driver."""
    if settings.sharing == "none":
        nvidia = settings.driver is dra_drivers.NVIDIA
        policy = "; a policy with backend.sharing: time-slicing (or mps) has a claim for it" if nvidia else ""
        yield RejectedRequestError.amount(
            UNTRANSLATABLE,
            "a share of a card, whose size only the cluster it was written for knows",
            ("write the memory itself", f" (gpu-admission.io/gpu-mem: 8Gi){policy}"),
        )


def _claim_per_request(base: str, request: GpuShare, settings: DraSettings) -> BackendPatch:
    """Refer to a claim of the template that is named by what it gives. Raises RejectedRequestError as `devices`."""
    dra_devices.devices(request, settings)
    name = dra_devices.template_name(base, request)
    notes = dra_devices.notes(request, settings)
    return BackendPatch(claims={_claim_name(base): name}, shared=settings.shared, notes=notes)


def _claim_name(template_name: str) -> str:
    """Return a claim's name in the pod, a label, from the template's, which may be longer and have dots."""
    return template_name.replace(".", "-")[:_LONGEST_CLAIM].rstrip("-")


def template(name: str, request: GpuShare, facts: ClusterFacts) -> dict[str, Any]:
    """Return the ResourceClaimTemplate that a request refers to. Raises RejectedRequestError as `devices` does."""
    made = dra_devices.devices(request, DraSettings(facts.parameters))
    return _object("ResourceClaimTemplate", {"name": name}, {"spec": {"devices": made}})


def claim(name: str, namespace: str | None, request: GpuShare, users: int, facts: ClusterFacts) -> dict[str, Any]:
    """Return a ResourceClaim that gives each of its users the request.

    Raises RejectedRequestError as `devices` does.
    """
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    made = dra_devices.devices(request, DraSettings(facts.parameters), users)
    return _object("ResourceClaim", metadata, {"devices": made})


def comments(request: GpuShare, facts: ClusterFacts) -> list[str]:
    """Return what the claim for a request gives and requires of the cluster, one line each."""
    return list(dra_devices.comments(request, DraSettings(facts.parameters)))


def _object(kind: str, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "resource.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


BACKEND = Dra()
BACKEND.docs = PAGE
