"""GPU209: a nodeSelector or node affinity on a GPU label with a value that no node has."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.finding import Problem
from gpu_admission.core.raw import as_dict, as_str, format_value, is_placeholder, iter_dicts
from gpu_admission.engine.rule import Rule
from gpu_admission.rules import node_labels, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

ID = "GPU209"
_SELECTOR = "the nodeSelector"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def check(workload: Workload, policy: Policy) -> Iterator[Problem]:
    """Find values that resemble those of the labels: in files, and in pods that request a GPU."""
    for pod in workload.pods:
        if not pod.wants_gpu and workload.origin != "file":
            continue
        for place, label, value, what in (*_selected(pod), *_required(pod)):
            readable = isinstance(value, str) and not is_placeholder(value)
            near = node_labels.meant(label, value, policy) if readable else None
            if near is not None:
                yield Problem(
                    place,
                    (
                        f"{what} requires {label}: {format_value(value)}",
                        (
                            ", a value that no node has: "
                            f"{'the pod would stay Pending forever' if what == _SELECTOR else 'it selects nothing'}"
                        ),
                    ),
                    f'write "{near}"',
                    fix=(patch.replace(ID, place, near),),
                    safety="unsafe",
                )


def _selected(pod: Pod) -> Iterator[tuple[Pointer, str, Any, str]]:
    for label, value in as_dict(pod.spec.get("nodeSelector")).items():
        yield (*pod.pointer, "nodeSelector", label), label, value, _SELECTOR


def _required(pod: Pod) -> Iterator[tuple[Pointer, str, Any, str]]:
    """Yield each value that the required node affinity lists: one of them is enough, the other may be right."""
    affinity = as_dict(as_dict(pod.spec.get("affinity")).get("nodeAffinity"))
    terms = as_dict(affinity.get(_REQUIRED)).get("nodeSelectorTerms")
    for term_index, term in iter_dicts(terms):
        for index, expression in iter_dicts(term.get("matchExpressions")):
            values, label = expression.get("values"), as_str(expression.get("key"))
            if expression.get("operator") != "In" or not isinstance(values, list):
                continue
            here = ("affinity", "nodeAffinity", _REQUIRED, "nodeSelectorTerms", term_index, "matchExpressions", index)
            for at, value in enumerate(values):
                yield (*pod.pointer, *here, "values", at), label, value, "the node affinity"


_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: train
spec:
  nodeSelector:
"""
_CONTAINERS = """\
  containers:
    - name: train
      image: example.com/train:1
      resources:
        limits:
          nvidia.com/gpu: 1
"""

RULE = Rule(
    id=ID,
    name="node-label-value",
    severity="warning",
    since="0.2.0",
    summary="a nodeSelector or node affinity on a GPU label with a value that no node has",
    rationale="""\
Label values are compared letter by letter, and a value that no node has is accepted: the pod stays Pending. The labels
of GPU nodes are written by programs, in one spelling: `nvidia.com/gpu.present` is `true` and never `True` or `yes`,
products have dashes for spaces, GKE has one list of accelerators, and Karpenter writes names in lower case. Values that
a required node affinity lists (`In`) are compared too.""",
    references=(
        "https://github.com/NVIDIA/k8s-device-plugin/tree/main/docs/gpu-feature-discovery",
        "https://cloud.google.com/kubernetes-engine/docs/concepts/gpus",
    ),
    bad=f'{_POD}    nvidia.com/gpu.present: "True"\n{_CONTAINERS}',
    good=f'{_POD}    nvidia.com/gpu.present: "true"\n{_CONTAINERS}',
    scope="request",
    check=check,
    when=triggers.node_selector,
    fix="unsafe",
)
