"""The labels by which a pod selects its node (for GPU504)."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, iter_dicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.policy.exemptions import NamePatterns
    from gpu_admission.workloads.pod import Pod

SELECTING = frozenset({"In", "Exists", "Gt", "Lt"})  # the other operators only exclude nodes


def is_selected(pod: Pod, labels: NamePatterns) -> bool:
    """Return whether a pod runs only on nodes with one of these labels, or on one that is named."""
    selector = as_dict(pod.spec.get("nodeSelector"))
    return any(labels.match(as_str(key)) for key in selector) or _requires(pod, labels)


def _requires(pod: Pod, labels: NamePatterns) -> bool:
    """Return whether every term (they are alternatives) of the required node affinity selects by a label or by name."""
    affinity = as_dict(as_dict(pod.spec.get("affinity")).get("nodeAffinity"))
    required = as_dict(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    terms = [term for _, term in iter_dicts(required.get("nodeSelectorTerms"))]
    return bool(terms) and all(_of_term(term, labels) for term in terms)


def _of_term(term: Mapping[str, Any], labels: NamePatterns) -> bool:
    if any(as_str(field.get("operator")) == "In" for _, field in iter_dicts(term.get("matchFields"))):
        return True  # the node's name, as pods of a DaemonSet have it
    found = [each for _, each in iter_dicts(term.get("matchExpressions"))]
    return any(as_str(each.get("operator")) in SELECTING and labels.match(as_str(each.get("key"))) for each in found)
