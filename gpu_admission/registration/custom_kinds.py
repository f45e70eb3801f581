"""The resource names of kinds, by which webhooks and RBAC select them."""

from __future__ import annotations

from gpu_admission.workloads import kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def of_table() -> dict[str, set[str]]:
    """Return API group -> resource names of the kinds of the table."""
    groups: dict[str, set[str]] = {}
    for group, kind, _ in kinds.known():
        groups.setdefault(group, set()).add(plural(kind))
    return groups


def custom(entries: Iterable[Any]) -> dict[str, set[str]]:
    """Return API group -> resource names of the custom kinds of the table and of a policy's ``workloads``."""
    groups = {group: names for group, names in of_table().items() if group not in kinds.BUILT_IN_GROUPS}
    for entry in entries:
        groups.setdefault(kinds.split_group(entry["apiVersion"]), set()).add(plural(entry["kind"]))
    return groups


def plural(kind: str) -> str:
    """Return the resource name of a kind by the default plural of API machinery."""
    lower = kind.lower()
    if lower.endswith("y") and lower[-2:-1] not in "aeiou":
        return f"{lower[:-1]}ies"
    return f"{lower}es" if lower.endswith(("s", "x", "ch", "sh")) else f"{lower}s"
