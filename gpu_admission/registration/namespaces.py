"""The namespaces for which webhooks and in-tree policies are not called."""

from __future__ import annotations

from . import globs, match_conditions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from gpu_admission.policy.model import Policy

_LABEL = "kubernetes.io/metadata.name"  # set by the API server: users cannot forge it


def selector(left_out: Iterable[str]) -> dict[str, Any]:
    """Return the selector of all namespaces but these. Raises ValueError for too many names."""
    names = sorted(left_out)
    match_conditions.require_few(len(names), sum(map(len, names)))
    return {"matchExpressions": [{"key": _LABEL, "operator": "NotIn", "values": names}]}


def exempt_by_name(policies: Sequence[Policy]) -> set[str]:
    """Return the namespaces that the policy in force there exempts by name. Patterns of names are matchConditions."""
    named = {name for policy in policies for name in policy.exempt.namespaces.patterns if not globs.is_pattern(name)}
    return {name for name in named if _is_exempt(policies, name)}


def _is_exempt(policies: Sequence[Policy], namespace: str) -> bool:
    judge = next((policy for policy in policies if policy.governs(namespace)), None)
    return judge is None or judge.exempt.namespaces.match(namespace)
