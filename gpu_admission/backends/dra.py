"""Dynamic resource allocation with NVIDIA's driver: a claim made from a template that exists already."""

from __future__ import annotations

from gpu_admission.core.quantity import MIB, exact_bytes
from gpu_admission.core.raw import as_str

from .base import Backend, BackendDocs
from .native_request import NVIDIA, NVIDIA_SHARED
from .parameter import Parameter
from .portable import BackendPatch, GpuShare, ceil_div
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.workloads.workload import Pod

    from .base import ClusterFacts, ContainerRequest


# Kubernetes sets no limit to the claims of a pod (pkg/apis/core/validation: validatePodResourceClaims); these are ours.
MOST_CLAIMS = 64  # of one container: each is an entry of the pod, and no node has as many GPUs
_MOST_OF_POD = 128  # all of them have to be met on one node
_MOST_DEVICES = 32  # of one claim; kubernetes/api resource/v1: AllocationResultsMaxSize
_LONGEST_CLAIM = 50  # a claim's name in a pod is a label of 63 characters, and a number may follow it
_LONGEST_NAME = 253  # of the claim that Kubernetes makes: the pod's name, a dash, the claim's name in the pod


class Dra(Backend):
    """One claim a GPU, each of the template that the policy names."""

    name = "dra"
    whole_cards = True
    title = "dynamic resource allocation"
    gpu_is_card = True
    parameters = (Parameter("template", "object", "an existing ResourceClaimTemplate"),)
    sample: Mapping[str, Any] = {"template": "gpu"}
    # NVIDIA's device plugin on other nodes, or a DeviceClass with that name
    leaves = frozenset({NVIDIA, NVIDIA_SHARED, "mig"})

    def check_container(self, asked: ContainerRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield shares and partitions of NVIDIA's device plugin: a claim of a whole device is another thing."""
        if asked.spelling.system in {NVIDIA_SHARED, "mig"}:
            what = "a MIG device" if asked.spelling.system == "mig" else "a share of a card"
            yield RejectedRequestError.amount(
                UNTRANSLATABLE,
                f"{what} of NVIDIA's device plugin, and the policy's template does not declare one",
                "refer to a claim of your own whose template selects it, or leave the request to the device plugin",
            )
        yield from super().check_container(asked, facts)

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Refer to the template, once a GPU: what it gives is the administrator's promise.

        ``templatePerRequest``, which the command ``translate`` sets, refers to a template of its own per request.
        """
        template_name = facts.parameters.get("template")
        if not template_name:
            raise RejectedRequestError(
                UNTRANSLATABLE,
                "and the policy names no ResourceClaimTemplate that would give it",
                "refer to a claim of your own (spec.resourceClaims); the policy needs backend.template",
            )
        if request.limits_cores:
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                f"{request.percent} percent of a GPU's compute, and what a claim gives is set by its template",
                "leave the percentage of compute out",
            )
        base = _claim_name(template_name)
        if facts.parameters.get("templatePerRequest"):
            if request.count > _MOST_DEVICES:
                raise RejectedRequestError.amount(
                    UNTRANSLATABLE,
                    f"{request.count} GPUs, and Kubernetes allocates at most {_MOST_DEVICES} devices to a claim",
                    f"request {_MOST_DEVICES} at most",
                )
            return BackendPatch(claims={base: template_for(template_name, request)})
        if request.count > MOST_CLAIMS:
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                f"{request.count} GPUs, which would be as many claims",
                f"request {MOST_CLAIMS} at most, or refer to a claim of your own that gives several",
            )
        names = [base] if request.count == 1 else [f"{base}-{n + 1}" for n in range(request.count)]
        note = "" if request.memory is None else f"the template has to give at least {exact_bytes(request.memory)}"
        return BackendPatch(claims=dict.fromkeys(names, template_name), notes=(note,) if note else ())

    def check_pod(
        self, pod: Pod, asked: list[ContainerRequest], facts: ClusterFacts
    ) -> Iterator[tuple[ContainerRequest, RejectedRequestError]]:
        """Yield what no node can meet, because all claims of a pod are met on one, and names that are too long."""
        del facts
        written = [(one, one.emission.claims) for one in asked if one.emission is not None]
        names = [name for _, claims in written for name in claims]
        if not names:
            return
        last = written[-1][0]
        name = as_str(pod.metadata.get("name"))
        if len(names) > _MOST_OF_POD:
            reason = f"which makes {len(names)} claims for the pod, and no node has as many GPUs"
            yield (
                last,
                RejectedRequestError(UNTRANSLATABLE, reason, f"request {_MOST_OF_POD} GPUs at most in the whole pod"),
            )
        elif len(name) + max(map(len, names)) + len("-") + len("-999") > _LONGEST_NAME:
            reason = f"in a pod whose name and the claim's together would have more than {_LONGEST_NAME} characters"
            yield (
                last,
                RejectedRequestError(
                    UNTRANSLATABLE, reason, "give the pod a shorter name: Kubernetes names claims after it"
                ),
            )


def _claim_name(template_name: str) -> str:
    """Return a claim's name in the pod, a label, from the template's, which may be longer and have dots."""
    return template_name.replace(".", "-")[:_LONGEST_CLAIM].rstrip("-")


def template_for(base: str, request: GpuShare) -> str:
    """Return the name of the template for one kind of request: ``gpu``, ``gpu-8gi``, ``gpu-2x-8gi``."""
    count = f"-{request.count}x" if request.count > 1 else ""
    memory = "" if request.memory is None else f"-{exact_bytes(request.memory).lower()}"
    return f"{base}{count}{memory}"


def template(name: str, request: GpuShare) -> dict[str, Any]:
    """Return a ResourceClaimTemplate that gives one GPU with the memory of a request (Kubernetes 1.34 on)."""
    exactly: dict[str, Any] = {"deviceClassName": "gpu.nvidia.com", "count": request.count}
    if request.memory is not None:
        amount = f"{ceil_div(request.memory, MIB)}Mi"
        capacity = "device.capacity['gpu.nvidia.com'].memory"
        exactly["selectors"] = [{"cel": {"expression": f"{capacity}.compareTo(quantity('{amount}')) >= 0"}}]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": {"spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}},
    }


BACKEND = Dra()
BACKEND.page = BackendDocs(
    summary="""\
A pod refers to resource claims, which Kubernetes makes from a ResourceClaimTemplate that exists in its namespace: one
claim a GPU, of the `template` that the policy names. What a claim gives is the template's affair: admission can neither
make templates nor look into them. `gpu-admission translate --to dra` prints templates that fit the requests.""",
    refuses=(
        ("a percentage of compute", "the template defines what a claim gives, and a claim cannot add to it"),
        (
            "in `translate`: MIG devices and time-sliced shares of the device plugin",
            "they are left to it elsewhere: a claim of a whole device would be another thing",
        ),
        ("more than 64 GPUs for a container or 128 for a pod", "all claims of a pod are met on one node"),
        ("in `translate`: more than 32 GPUs for a container", "Kubernetes allocates at most 32 devices to a claim"),
        ("templates of Knative services", "Knative refuses resource claims; their pods are translated all the same"),
        ("any request, where the policy names no `template`", "admission does not create claims"),
    ),
    install="""\
Kubernetes 1.34 or newer with NVIDIA's DRA driver (namespace `dra-driver-nvidia-gpu`, before release 0.5
`nvidia-dra-driver-gpu`; the shipped policy exempts both). Create the template in every namespace that uses GPUs.""",
    traps=(
        (
            "Devices with consumable capacity (KEP-5075) can be shared by claims that name an amount; it is set in "
            "the template, which this webhook does not read."
        ),
        "A template is looked up in the pod's namespace: where it is missing, the pod waits.",
        (
            "Quotas on `requests.nvidia.com/gpu` do not count claims; use a quota on "
            "`gpu.nvidia.com.deviceclass.resource.k8s.io/devices`."
        ),
    ),
    sources=(
        "https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/",
        "kubernetes-sigs/dra-driver-nvidia-gpu: demo/specs/quickstart, site/content/docs/install.md",
        "kubernetes/api: resource/v1/types.go (AllocationResultsMaxSize)",
    ),
)
