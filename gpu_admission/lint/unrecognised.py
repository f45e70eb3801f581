"""Documents that look like Kubernetes objects and lack `apiVersion` or `kind`."""

from __future__ import annotations

import re

from gpu_admission.core.raw import as_dict, as_str, iter_dicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpu_admission.manifests.reader import Document

_TYPE = ("apiVersion", "kind")
_SPEC = frozenset(  # fields of a PodSpec, without those that are usual in values of charts
    {
        "affinity", "containers", "hostIPC", "hostNetwork", "hostPID", "initContainers", "nodeSelector",
        "resourceClaims", "restartPolicy", "runtimeClassName", "schedulerName", "securityContext",
        "serviceAccountName", "tolerations", "volumes",
    }
)  # fmt: skip
_IN_A_COMMENT = re.compile(r"(?m)^[ \t]*#[^\n]*(apiVersion|kind):")


def explain(document: Document) -> str | None:
    """Return a message about the fields that a Kubernetes document lacks; None for an object, and for other YAML.

    Meant for Kubernetes is what helm rendered (`# Source:`), what has `metadata` or `spec` beside one of the two or
    around containers, and a bare PodSpec. Charts (`apiVersion` alone) and values (`kind` alone) are other YAML.
    """
    value = document.object
    if not isinstance(value, dict) or not value:
        return None
    missing = [field for field in _TYPE if not as_str(value.get(field))]
    if not missing or not (document.source or _is_meant(value, missing)):
        return None
    message = f"has no {' and no '.join(missing)}: Kubernetes cannot tell what it is, and no rule was applied"
    commented = _IN_A_COMMENT.search(document.head)
    if commented and commented[1] in missing:
        return f"{message} ({commented[1]} is in a comment)"
    return message + _misspelt(value, missing)


def _misspelt(value: dict[str, Any], missing: list[str]) -> str:
    """Return a hint for fields that differ in case only."""
    keys = {key.lower(): key for key in value if key not in _TYPE}
    found = [(field, keys[field.lower()]) for field in missing if field.lower() in keys]
    if not found:
        return ""
    right, wrong = (" and ".join(words) for words in zip(*found, strict=True))
    return f" (write {right}, not {wrong})"


def _is_meant(value: dict[str, Any], missing: list[str]) -> bool:
    shaped = isinstance(value.get("metadata"), dict) or isinstance(value.get("spec"), dict)
    if shaped:
        return len(missing) == 1 or _has_containers(value)
    return any(as_str(each.get("image")) for _, each in iter_dicts(value.get("containers"))) and (
        len(missing) == 1 or value.keys() <= _SPEC
    )


def _has_containers(value: dict[str, Any]) -> bool:
    spec = as_dict(value.get("spec"))
    template = as_dict(as_dict(spec.get("template")).get("spec"))
    return any(isinstance(each.get("containers"), list) for each in (spec, template))
