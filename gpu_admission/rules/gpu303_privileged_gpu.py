"""GPU303: a privileged container in a pod with a GPU."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import mapping, shown, text

from . import occasions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.container import Container
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Workload

ID = "GPU303"
_CAPABILITIES = frozenset({"SYS_ADMIN", "ALL"})


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find containers that are privileged, or as good as that to NVIDIA's toolkit, in pods that ask for a GPU."""
    for pod in workload.pods:
        if pod.asks:
            for container in pod.containers:
                if "securityContext" in container.spec:
                    yield from _problems(container)


def _problems(container: Container) -> Iterator[Problem]:
    context = mapping(container.spec.get("securityContext"))
    place = (*container.pointer, "securityContext")
    if context.get("privileged") is True:
        yield Problem(
            (*place, "privileged"),
            f"{container.label} is privileged in a pod with a GPU, so it can use every card of the node",
            "remove privileged: true; a GPU that is requested under resources.limits needs no privileges",
        )
    added = mapping(context.get("capabilities")).get("add")
    for index, said in enumerate(added if isinstance(added, list) else ()):
        if text(said).upper().removeprefix("CAP_") in _CAPABILITIES:
            yield Problem(
                (*place, "capabilities", "add", index),
                f"{container.label} adds the capability {shown(said)} in a pod with a GPU, "
                "and container runtimes then treat it like a privileged one",
                f"remove {shown(said)} and add only what is needed (IPC_LOCK for RDMA, SYS_PTRACE for debuggers)",
            )


_POD = """\
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
"""

RULE = Rule(
    id=ID,
    name="privileged-gpu",
    severity="error",
    since="0.1.0",
    summary="privileged, or CAP_SYS_ADMIN, in a pod with a GPU",
    rationale="""\
A privileged container has all devices of the node, so all GPUs, however many it requested; NVIDIA's toolkit treats
CAP_SYS_ADMIN alike, and MIG can be reconfigured with it. The limits of a sharing backend do not bind it either.
A GPU needs no privileges: the device plugin hands over the devices that belong to it.""",
    references=(
        "NVIDIA/nvidia-container-toolkit: cmd/nvidia-container-runtime-hook/container_config.go",
        "https://kubernetes.io/docs/concepts/security/pod-security-standards/",
    ),
    bad=f"{_POD}      securityContext:\n        privileged: true\n",
    good=_POD,
    needs="request",
    check=check,
    when=occasions.privilege,
)
