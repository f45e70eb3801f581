"""GPU206: a pod that requests no GPU tolerates the taint of GPU nodes."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_str, format_value, iter_dicts
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import tolerations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU206"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find tolerations of a GPU taint by its key on pods that request none, except daemons."""
    keys = _keys(policy)
    for pod in workload.pods:
        if not pod.complete or pod.wants_gpu or _elsewhere(workload, pod):
            continue
        for index, toleration in tolerations.of(pod):
            key = as_str(toleration.get("key"))
            if key in keys:
                yield Problem(
                    (*pod.pointer, "tolerations", index, "key"),
                    (
                        f"the pod tolerates the taint {format_value(key)} of GPU nodes but requests no GPU",
                        ", so it can take the place of pods that need one",
                    ),
                    ("remove the toleration", ", or request the GPU under resources.limits"),
                )


def _keys(policy: Policy) -> frozenset[str]:
    return frozenset(tolerations.taints(policy)) - {""}


def _reads(policy: Policy) -> Reads:
    return Reads(tolerations=_keys(policy))


def _elsewhere(workload: Workload, pod: Pod) -> bool:
    """Return whether a pod is a daemon's, or may get its GPU by a resource claim."""
    owners = iter_dicts(pod.metadata.get("ownerReferences"))
    daemon = workload.kind == "DaemonSet" or any(owner.get("kind") == "DaemonSet" for _, owner in owners)
    return daemon or pod.claims.unknown


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
    - name: web
      image: example.com/web:1
"""

RULE = Rule(
    id=ID,
    name="toleration-without-gpu",
    severity="info",
    since="0.1.0",
    summary="tolerates the GPU nodes' taint and requests no GPU",
    rationale="""\
The taint on GPU nodes keeps pods without a GPU away. A pod that tolerates it without requesting one can be placed there
and uses CPU and memory that a GPU pod needs: cards are then idle. It is off by default, because controllers, gateways
and data loaders are placed beside GPU pods on purpose.""",
    references=("https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#example-use-cases",),
    bad=f"""\
{_POD}  tolerations:
    - key: nvidia.com/gpu
      operator: Exists
""",
    good=_POD,
    default="off",
    check=check,
    reads=_reads,
)
