"""By which labels a pod selects its node (for GPU504)."""

from __future__ import annotations

from gpu_admission.core.raw import mapping, mappings, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.policy.exemptions import NamePatterns
    from gpu_admission.workloads.workload import Pod

_SELECTING = frozenset({"In", "Exists", "Gt", "Lt"})  # the other operators only say where a pod does not run


def is_selected(pod: Pod, labels: NamePatterns) -> bool:
    """Tell whether a pod runs only on nodes with one of these labels, or on one that is named."""
    selector = mapping(pod.spec.get("nodeSelector"))
    return any(labels.match(text(key)) for key in selector) or _requires(pod, labels)


def _requires(pod: Pod, labels: NamePatterns) -> bool:
    """Tell whether every term of the required node affinity (any of which will do) selects by a label, or by name."""
    affinity = mapping(mapping(pod.spec.get("affinity")).get("nodeAffinity"))
    required = mapping(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    terms = [term for _, term in mappings(required.get("nodeSelectorTerms"))]
    return bool(terms) and all(_of_term(term, labels) for term in terms)


def _of_term(term: Mapping[str, Any], labels: NamePatterns) -> bool:
    if any(text(field.get("operator")) == "In" for _, field in mappings(term.get("matchFields"))):
        return True  # the node's name, as pods of a DaemonSet have it
    found = [each for _, each in mappings(term.get("matchExpressions"))]
    return any(text(each.get("operator")) in _SELECTING and labels.match(text(each.get("key"))) for each in found)
