"""GPU110: an annotation that was to request a share of a GPU from KAI, and that KAI does not read."""

from __future__ import annotations

from gpu_admission.backends import known
from gpu_admission.core import pointer as pointers
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, escape, format_value
from gpu_admission.core.typos import nearest
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import triggers
from gpu_admission.workloads.resource_typos import squashed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU110"
_SCHEDULER, _QUEUE = "kai-scheduler", "kai.scheduler/queue"
_WORDS = ("gpu-fraction", "gpu-memory", "gpu-fraction-num-devices", "gpu-fraction-container-name")
_BY_SQUASHED = {squashed(word): word for word in _WORDS}
_DOMAINS = frozenset({"", "kai.scheduler", "runai", "run.ai", "nvidia.com"})  # keys of others are not judged
_LONGEST = 100


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find misspelt and misplaced annotations of KAI's: in files, and at admission in templates."""
    kai = policy.backend.name in known.READS_ANNOTATIONS
    pods = [pod for pod in workload.pods if kai or _is_for_kai(pod)]
    for pod in {pod.metadata_pointer: pod for pod in pods}.values():
        yield from _of(pod.metadata, pod.metadata_pointer, pod)
    own = (*workload.pointer, "metadata")
    if pods and all(pod.metadata_pointer != own and pod.shared_container is None for pod in pods):
        yield from _of(as_dict(workload.object.get("metadata")), own, pods[0])


def _is_for_kai(pod: Pod) -> bool:
    """Return whether a pod is for KAI: by its scheduler, or by the queue that only KAI reads."""
    return pod.spec.get("schedulerName") == _SCHEDULER or _QUEUE in as_dict(pod.metadata.get("labels"))


def _of(metadata: object, place: Pointer, pod: Pod) -> Iterator[Problem]:
    """Yield a problem for each key of a metadata that is a misspelt or misplaced name of KAI's."""
    right_place = place == pod.metadata_pointer
    for field in ("annotations", "labels"):
        for key, value in as_dict(as_dict(metadata).get(field)).items():
            word = _meant(key)
            if word is not None and not (right_place and field == "annotations" and word == key):
                yield _problem((*place, field, key), word, value, pod)


def _meant(key: object) -> str | None:
    """Return KAI's key that was meant; the key itself where it is one."""
    key_text = as_str(key)
    domain, slash, rest = key_text.rpartition("/")
    if len(key_text) > _LONGEST or domain not in _DOMAINS or "gpu" not in rest.lower():
        return None
    squashed_name = squashed(rest)
    if (slash or rest not in _WORDS) and "limit" in rest:
        return None  # gpu-memory.limit and similar keys
    return _BY_SQUASHED.get(squashed_name) or _BY_SQUASHED.get(nearest(squashed_name, _BY_SQUASHED, 1) or "")


def _problem(place: Pointer, word: str, value: object, pod: Pod) -> Problem:
    here = ".".join(map(str, place[:-1]))
    there = ".".join(map(str, (*pod.metadata_pointer, "annotations")))
    key_text = escape(as_str(place[-1])[:_LONGEST])
    problem = f"is not {word}" if key_text != word else f"is not among the annotations of the pods ({there})"
    from gpu_admission.backends import kai_amounts  # noqa: PLC0415 - start-up time: few files use KAI

    amount = f'"{kai_amounts.in_mib(value)}" (MiB)' if word == "gpu-memory" else format_value(value)
    return Problem(
        place,
        (
            f"{str(place[-2])[:-1]} {key_text}: {format_value(value)} in {here} {problem}",
            ": KAI does not read it, and the pod gets no GPU by it",
        ),
        (f"write {word}: {amount}", f" in {there}"),
        evidence=(pointers.to_text(place), value),
    )


RULE = Rule(
    id=ID,
    name="unread-annotation",
    severity="warning",
    since="0.1.0",
    summary="an annotation meant for KAI that is misspelt or in a place where KAI does not look",
    rationale="""\
A share of a GPU is requested from KAI by the annotations `gpu-fraction` or `gpu-memory` of the pod, with
`gpu-fraction-num-devices` and `gpu-fraction-container-name` besides. Kubernetes accepts any annotation, and KAI ignores
unknown ones: `gpu-fractions`, a key with a domain before it, a label, an annotation of the Deployment instead of its
template. The pod is scheduled as one that needs no GPU, and the program finds none. It is judged in files, where the
policy's backend is KAI or the pod names its scheduler.""",
    references=(
        "kai-scheduler/KAI-Scheduler: docs/gpu-sharing/README.md",
        "kai-scheduler/KAI-Scheduler: pkg/common/constants/constants.go",
    ),
    bad="""\
apiVersion: v1
kind: Pod
metadata:
  name: notebook
  annotations:
    gpu-fractions: "0.5"
spec:
  schedulerName: kai-scheduler
  containers:
    - name: notebook
      image: example.com/notebook:1
""",
    good="""\
apiVersion: v1
kind: Pod
metadata:
  name: notebook
  annotations:
    gpu-fraction: "0.5"
spec:
  schedulerName: kai-scheduler
  containers:
    - name: notebook
      image: example.com/notebook:1
""",
    when=triggers.named_scheduler,
    check=check,
    admission_kinds=frozenset({TEMPLATE}),
    policy={"backend": {"name": "kai"}},
)
