"""GPU007: a resource name that looks like a GPU's and is none."""

from __future__ import annotations

from gpu_admission.core import kinds, misspelt, patch, resources
from gpu_admission.core.finding import Problem
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import is_placeholder, mapping, mappings, printable, shown, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.patch import Operation
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Container, Workload

ID = "GPU007"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find names among limits and requests that nearly name a GPU resource, each name once per container.

    A name without a domain counts where the place is a container of Kubernetes' own shape; a custom kind may
    define ``gpu`` for itself.
    """
    own = {text(profile.get("name")) for card in policy.cards for _, profile in mappings(card.get("profiles"))}
    typed = kinds.places(workload.api_version, workload.kind) is not None
    for _, container in workload.containers():
        for name in dict.fromkeys((*container.limits, *container.requests)):
            if is_placeholder(name) or not ("/" in name or container.whole or typed):
                continue
            if policy.classify(name) is not None and (name in policy.extra or misspelt.is_offered(name, own)):
                continue
            near = misspelt.meant(name, policy.extra, policy.backend.name)
            if near is not None and near != name:
                yield _problem(workload, container, name, near)


def _problem(workload: Workload, container: Container, name: str, near: str) -> Problem:
    side = "limits" if name in container.limits else "requests"
    refused = resources.is_refused(name)
    value = mapping(container.resources.get(side)).get(name)
    return Problem(
        (*container.resources_pointer, side, name),
        f"{container.label} asks for {printable(name[:80])}: {shown(value)}, {_why(name, refused=refused)}",
        f"write {near} instead{_aside(name, near)}",
        fix=tuple(_rename(workload, container, name, near)),
        safety="unsafe",
        severity="error" if refused else "warning",
    )


def _why(name: str, *, refused: bool) -> str:
    if refused:
        return "and Kubernetes refuses a resource " + ("of that name" if "/" in name else "without a domain")
    if resources.MIG_NAME.fullmatch(name):
        return "a MIG profile that no known card has, so the pod would wait for ever"
    return "a resource that no device plugin is known to offer, so the pod would wait for ever"


def _aside(name: str, near: str) -> str:
    if near == resources.PORTABLE_MEMORY:
        return ", an amount of bytes, say 8Gi"
    if "kubernetes.io/" in name:
        return " (Kubernetes 1.11 removed the old name)"
    return "" if resources.is_refused(name) else ", or have the administrator list the name, if the cluster offers it"


def _rename(workload: Workload, container: Container, name: str, near: str) -> Iterator[Operation]:
    """Rename the key wherever it stands, unless the right one stands beside it already.

    ``gpu-mem: 8`` is left to its author: what is a number of GiB elsewhere would become one of bytes.
    """
    if near == resources.PORTABLE_MEMORY and not _has_unit(container, name):
        return
    given = [side for side in ("limits", "requests") if name in mapping(container.resources.get(side))]
    if any(near in mapping(container.resources.get(side)) for side in ("limits", "requests")):
        return
    for side in given:
        place = (*container.resources_pointer, side)
        yield patch.remove(ID, (*place, name))
        yield patch.add(ID, workload.document, (*place, near), mapping(container.resources[side])[name])


def _has_unit(container: Container, name: str) -> bool:
    return any(text(side.get(name)).endswith("i") for side in (container.limits, container.requests))


RULE = Rule(
    id=ID,
    name="unknown-gpu-resource",
    severity="warning",
    since="0.1.0",
    summary="a resource name that looks like a GPU's and is none",
    rationale="""\
Resource names are exact: `nvidia.com/GPU` and `nvidia.com/gpus` are other resources than `nvidia.com/gpu`, and no
node has them. Kubernetes accepts them all the same, because any device plugin might offer them, and the pod waits
for ever. A name without a domain (`gpu`, `gpu-mem`) or with a malformed one is refused outright: there the finding
is an error. `alpha.kubernetes.io/nvidia-gpu` was removed in Kubernetes 1.11. A MIG profile has to be one that a card
offers: there is no `1g.7gb`.

Names that merely share a vendor's domain (network cards, RDMA, KubeVirt's `nvidia.com/TU104GL_Tesla_T4`) are left
alone. A cluster that offers names of its own lists them in its policy under `resources.extra`. The fix takes the
nearest name for what was meant: it is unsafe.""",
    references=(
        "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources",
        "https://github.com/NVIDIA/k8s-device-plugin",
        "kubernetes/kubernetes: pkg/apis/core/validation/validation.go, validateContainerResourceName",
    ),
    bad="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpus: 1
""",
    good="""\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpu: 1
""",
    check=check,
    fix="unsafe",
)
