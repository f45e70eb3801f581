"""GPU208: a toleration whose key resembles a GPU taint's, or that is refused."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_str, format_value
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import common, toleration_slips, tolerations, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

ID = "GPU208"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find keys that differ from a GPU taint's in case, punctuation or a letter; the repair writes the taint's.

    In files, and in pods that name a GPU, also other faults for which Kubernetes refuses a toleration with a right key;
    in pods that name a GPU, for any taint.
    """
    taints = tolerations.taints(policy)
    for pod in workload.pods:
        for index, toleration in tolerations.of(pod):
            if pod.scope == "request" or workload.origin == "file":
                whose = None if pod.scope == "request" else taints
                yield from _unsound(workload, (*pod.pointer, "tolerations", index), toleration, whose)
            key = as_str(toleration.get("key"))
            meant = tolerations.meant(key, taints) if len(key) <= tolerations.LONGEST else None
            if meant and not policy.classify(key):
                place = (*pod.pointer, "tolerations", index, "key")
                yield Problem(
                    place,
                    f"the toleration's key {format_value(key)} is not a known taint of GPU nodes",
                    f"did you mean {meant}?",
                    fix=(patch.replace(ID, place, meant),),
                    safety="unsafe",
                )


def _unsound(
    workload: Workload, place: Pointer, toleration: Mapping[str, Any], taints: tuple[str, ...] | None
) -> Iterator[Problem]:
    if any(common.unfilled(workload, value) for value in toleration.values()):
        return
    for slip in toleration_slips.find(toleration, taints):
        fix = [
            patch.remove(ID, (*place, field))
            if value is None
            else patch.add(ID, workload.document, (*place, field), value)
            for field, value in slip.changes.items()
        ]
        yield Problem(
            (*place, slip.field) if slip.field else place,
            slip.message,
            slip.advice,
            fix=tuple(fix),
            safety="unsafe",
            evidence=tuple(toleration.get(field) for field in ("key", "operator", "value", "effect")),
        )


def _reads(policy: Policy) -> Reads:
    return Reads(near_tolerations=frozenset(tolerations.taints(policy)) - {""})


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
  tolerations:
"""

RULE = Rule(
    id=ID,
    name="toleration-key-typo",
    severity="warning",
    since="0.1.0",
    summary="a toleration of a GPU taint that tolerates nothing",
    rationale="""\
A toleration counts only if its key is the taint's, letter by letter. `nvidia/gpu`, `nvidia.com/GPU` and
`nvidia.com/gpus` tolerate nothing and are accepted, and the pod stays Pending with a message about an untolerated
taint. A key that holds a whole taint (`nvidia.com/gpu:NoSchedule`) does not match either, and an operator or effect of
other spelling (`exists`), or a value beside `Exists`, is refused: by the API server in a Pod, and in a custom kind only
when its pods are created. Keys without a domain are not judged: clusters have taints of their own.""",
    references=("https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/",),
    bad=f"{_POD}    - key: nvidia/gpu\n      operator: Exists\n",
    good=f"{_POD}    - key: nvidia.com/gpu\n      operator: Exists\n",
    check=check,
    when=triggers.odd_toleration,
    reads=_reads,
    fix="unsafe",
)
