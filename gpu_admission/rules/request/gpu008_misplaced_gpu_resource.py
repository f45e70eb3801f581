"""GPU008: a GPU resource where Kubernetes ignores it or refuses it."""

from __future__ import annotations

from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import format_value
from gpu_admission.engine.reads import Reads
from gpu_admission.engine.rule import TEMPLATE, Rule
from gpu_admission.rules import common, misplaced_resources
from gpu_admission.workloads import kind_traits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.policy.model import Policy
    from gpu_admission.rules.misplaced_resources import MisplacedResources
    from gpu_admission.workloads.workload import Workload

ID = "GPU008"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find GPU resources outside of a container's limits and requests; the repair moves them there."""
    if (workload.group, workload.kind) in kind_traits.OWN_GPU_FIELDS:
        from gpu_admission.rules import own_fields  # noqa: PLC0415 - start-up time: few kinds have such fields

        yield from own_fields.misplaced(ID, workload, policy)
    for misplaced in misplaced_resources.find(workload, policy):
        fix = misplaced_resources.move_to_target(ID, workload, misplaced)
        for name, value in misplaced.values.items():
            if not common.unfilled(workload, value):
                yield Problem(
                    (*misplaced.place, name),
                    (
                        f"{_who(misplaced)} has {name}: {format_value(value)} {misplaced.where}",
                        ", where Kubernetes does not take it for a request",
                    ),
                    f"write {name}: {format_value(value)} under {_target(misplaced)}",
                    fix=fix,
                    safety="unsafe",
                    severity="warning" if misplaced.place[-1] == "nodeSelector" and isinstance(value, str) else None,
                )


def _who(misplaced: MisplacedResources) -> str:
    """Return the container of the misplaced resource, or the pod, for a message."""
    target = misplaced.target
    return (
        target.label if target is not None and misplaced.place[: len(target.pointer)] == target.pointer else "the pod"
    )


def _target(misplaced: MisplacedResources) -> str:
    if misplaced.target is None:
        return f"resources.{misplaced.side} of the container that needs it"
    return f"{misplaced.target.key}.{misplaced.side} of {misplaced.target.label}"


RULE = Rule(
    id=ID,
    name="misplaced-gpu-resource",
    severity="error",
    since="0.1.0",
    summary="a GPU resource where Kubernetes ignores it or refuses it",
    rationale="""\
A GPU counts in one place only: under `limits` (and `requests`) of a container's `resources`. A level too high or too
low, or in `resources` beside or outside of the pod's spec, it is an unknown field, which the API server drops with a
warning and custom kinds drop without one: the pod starts on a node without a GPU. The resources of a whole pod
(`spec.resources`) accept only CPU, memory and huge pages, and refuse a GPU. In a `nodeSelector` the name is a node's
label, and a count there matches no node; that is only reported where no container requests the resource, because some
clusters have such labels. Annotations and labels with the portable names (`gpu-admission.io/gpu-mem`) request nothing,
unlike KAI's annotations. A list in place of a mapping cannot be decoded.""",
    references=(
        "https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/",
        "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#pod-level-resource-specification",
        "kubernetes/kubernetes: pkg/apis/core/validation/validation.go, validatePodResourceName",
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
        nvidia.com/gpu: 1
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
    admission_kinds=frozenset({TEMPLATE}),
    reads=Reads(node_selector=True),
)
