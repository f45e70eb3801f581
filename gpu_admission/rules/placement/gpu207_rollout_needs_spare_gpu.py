"""GPU207: a Deployment of GPU pods whose rolling update starts an additional pod first."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, format_value
from gpu_admission.engine.rule import Rule
from gpu_admission.workloads.claim_index import TEMPLATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU207"
_DEFAULT_SURGE = "25%"


def check(workload: Workload, _policy: Policy) -> Iterator[Problem]:
    """Find Deployments with a GPU whose rolling update surges."""
    spec = as_dict(workload.object.get("spec"))
    if workload.kind != "Deployment" or workload.group not in {"apps", "extensions"} or spec.get("replicas") == 0:
        return
    strategy = as_dict(spec.get("strategy"))
    surge = as_dict(strategy.get("rollingUpdate")).get("maxSurge")
    surge = _DEFAULT_SURGE if surge is None else surge
    if as_str(strategy.get("type")) == "Recreate" or _is_zero(surge):
        return
    if any(pod.complete and _takes_one(pod) for pod in workload.pods):
        yield Problem(
            _place(workload, spec),
            (
                (
                    f"a rollout of this Deployment (maxSurge {format_value(surge)}) starts a further GPU pod "
                    "before it stops an old one"
                ),
                ", and hangs where no GPU is free",
            ),
            ("set strategy.rollingUpdate to {maxSurge: 0, maxUnavailable: 1}", ", or strategy.type to Recreate"),
            evidence=(surge,),
        )


def _takes_one(pod: Pod) -> bool:
    """Return whether each pod takes a GPU of its own, in contrast to pods that share one ResourceClaim."""
    made = any(claim.gpu and claim.source == TEMPLATE for claim in pod.claims.claims)
    return made or pod.has_gpu_request or pod.shared_container is not None


def _is_zero(surge: object) -> bool:
    return surge == 0 or (isinstance(surge, str) and surge.strip().removesuffix("%").strip("0") == "" != surge)


def _place(workload: Workload, spec: Mapping[str, Any]) -> Pointer:
    base = (*workload.pointer, "spec")
    return (*base, "strategy") if isinstance(spec.get("strategy"), dict) else base


_POD = """\
  selector:
    matchLabels: {app: llm}
  template:
    metadata:
      labels: {app: llm}
    spec:
      containers:
        - name: llm
          image: example.com/llm:1
          resources:
            limits:
              nvidia.com/gpu: 1
"""
_HEAD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: llm
spec:
"""

RULE = Rule(
    id=ID,
    name="rollout-needs-spare-gpu",
    severity="info",
    since="0.1.0",
    summary="a rolling update needs a GPU beyond those in use",
    rationale="""\
A Deployment rolls by default with `maxSurge: 25%`, rounded up: before an old pod stops, a new one must run, and needs a
GPU of its own. On a cluster whose GPUs are all in use the new pod stays Pending and the rollout never ends. It is off
by default, since it is intended on clusters with spare or autoscaled GPUs.""",
    references=("https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-surge",),
    bad=f"{_HEAD}{_POD}",
    good=f"{_HEAD}  strategy:\n    rollingUpdate: {{maxSurge: 0, maxUnavailable: 1}}\n{_POD}",
    admission_kinds=frozenset({"template"}),
    default="off",
    scope="request",
    check=check,
)
