"""GPU208: a toleration that nearly names a GPU taint."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.reads import Reads
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import shown, text

from . import occasions, tolerations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Workload

ID = "GPU208"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find keys that differ from a GPU taint's in case, punctuation or a letter; the repair takes the taint's."""
    taints = tolerations.taints(policy)
    for pod in workload.pods:
        for index, toleration in tolerations.of(pod):
            key = text(toleration.get("key"))
            meant = tolerations.meant(key, taints) if len(key) <= tolerations.LONGEST else None
            if meant and not policy.classify(key):
                place = (*pod.pointer, "tolerations", index, "key")
                yield Problem(
                    place,
                    f"the toleration's key {shown(key)} is no taint of GPU nodes that is known here",
                    f"did you mean {meant}?",
                    fix=(patch.replace(ID, place, meant),),
                    safety="unsafe",
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
    summary="a toleration whose key nearly names a GPU taint",
    rationale="""\
A toleration counts only if its key is the taint's, letter by letter. `nvidia/gpu`, `nvidia.com/GPU` and
`nvidia.com/gpus` tolerate nothing, nothing refuses them, and the pod stays Pending with a message that speaks of
an untolerated taint which its author believes to tolerate. Keys without a domain are not judged: clusters have
taints of their own.""",
    references=("https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/",),
    bad=f"{_POD}    - key: nvidia/gpu\n      operator: Exists\n",
    good=f"{_POD}    - key: nvidia.com/gpu\n      operator: Exists\n",
    check=check,
    when=occasions.odd_toleration,
    reads=_reads,
    fix="unsafe",
)
