"""GPU208: a toleration that nearly names a GPU taint."""

from __future__ import annotations

from functools import lru_cache

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.rule import Rule
from gpu_admission.core.shape import shown, text

from . import tolerations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Workload

ID = "GPU208"
_LONGEST = 64  # keys of taints are shorter; nothing longer is worth comparing


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find keys that differ from a GPU taint's in case, punctuation or a letter; the repair takes the taint's."""
    taints = tolerations.taints(policy)
    for pod in workload.pods:
        for index, toleration in tolerations.of(pod):
            key = text(toleration.get("key"))
            meant = _meant(key, taints) if len(key) <= _LONGEST else None
            if meant and not policy.classify(key):
                place = (*pod.pointer, "tolerations", index, "key")
                yield Problem(
                    place,
                    f"the toleration's key {shown(key)} is no taint of GPU nodes that is known here",
                    f"did you mean {meant}?",
                    fix=(patch.replace(ID, place, meant),),
                    safety="unsafe",
                )


@lru_cache(maxsize=1024)  # the same few keys stand in every pod
def _meant(key: str, taints: tuple[str, ...]) -> str | None:
    """Return the taint that a key nearly names, or None where it is one or resembles none.

    A key without a domain (``nvidia-gpu``, ``gpu``) may well be the cluster's own.
    """
    if key in taints or not ("/" in key or "." in key):
        return None
    return next((taint for taint in taints if taint and _near(key, taint)), None)


def _near(key: str, taint: str) -> bool:
    if _bare(key) == _bare(taint):
        return True
    domain, _, name = key.partition("/")
    other, _, meant = taint.partition("/")
    if name == meant:
        return len(other) > 6 and _one_slip(domain, other)
    return domain == other and name[:1].lower() == meant[0] and _one_slip(name.lower(), meant)


def _bare(key: str) -> str:
    """Return a key without what people get wrong about it: case, punctuation, ``.com``, a plural."""
    letters = "".join(char for char in key.lower().replace(".com", "") if char.isalnum())
    return letters.removesuffix("s")


def _one_slip(said: str, meant: str) -> bool:
    """Tell whether two texts differ by one letter too many or too few, by two swapped, or in long ones by one wrong."""
    start = 0
    while start < min(len(said), len(meant)) and said[start] == meant[start]:
        start += 1
    a, b = said[start:], meant[start:]
    if len(meant) > 4 and a[1:] == b[1:]:
        return True
    return (a[:1].isalpha() and a[1:] == b) or a == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])


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
    fix="unsafe",
)
