"""Objects as lists bring them: their metadata read at once, the rest left as bytes until somebody has to look.

A Pod in a cluster is not what its author sent: the scheduler has named its node, and sharing schedulers have written
which card it got into its annotations. Neither may be held against it. Who wrote what is in ``managedFields``: the
author's entry is the one that holds the containers. A binding leaves no entry, so that a node's name in the author's
own entry is the author's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gpu_admission.core.raw import as_dict, as_str, iter_dicts
from gpu_admission.rules import gpu_markers

if TYPE_CHECKING:
    from gpu_admission.cluster.discovery import ServedKind

_TERMINAL = frozenset({"Succeeded", "Failed"})
# Conditions of what has run to its end, and the kinds that do (by the ends of their names).
_ENDED = frozenset({"Complete", "Completed", "Succeeded", "Failed"})
_ENDING_KINDS = ("Job", "JobSet")


class OwnerReference(msgspec.Struct, rename="camel"):
    """An entry of ``ownerReferences``."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class Metadata(msgspec.Struct, rename="camel"):
    """What is read of an object's metadata; the API server has checked the types."""

    name: str = ""
    namespace: str | None = None
    generate_name: str | None = None
    uid: str = ""
    creation_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None
    managed_fields: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""


class _Status(msgspec.Struct):
    phase: Any = None
    conditions: Any = None


class Listed(msgspec.Struct):
    """An object of a list; ``spec`` are its bytes."""

    metadata: Metadata
    spec: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    status: Any = None

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages it, failing that the first."""
        owners = self.metadata.owner_references or ()
        return next((owner for owner in owners if owner.controller), next(iter(owners), None))

    def has_ended(self, kind: str) -> bool:
        """Tell whether it has run to its end, so that no pod will come of it any more."""
        status = as_dict(self.status)
        if kind == "Pod":
            return as_str(status.get("phase")) in _TERMINAL
        return kind.endswith(_ENDING_KINDS) and any(
            condition.get("status") == "True" and as_str(condition.get("type")) in _ENDED
            for _, condition in iter_dicts(status.get("conditions"))
        )


_decode_listed = msgspec.json.Decoder(Listed).decode
_decode = msgspec.json.Decoder().decode


def read(item: bytes) -> Listed | None:
    """Return what is read of an object at once; None where it is not one."""
    try:
        return _decode_listed(item)
    except (ValueError, RecursionError):
        return None


def document(listed: Listed, item: bytes, kind: ServedKind) -> dict[str, Any] | None:
    """Return the object as its author sent it; None where it is not one. Its status is left out."""
    try:
        found = _decode(item)
    except (ValueError, RecursionError):
        return None
    found = {"apiVersion": kind.api_version, "kind": kind.kind, **found}
    found.pop("status", None)
    metadata = found["metadata"]
    authors = author_entries(listed) if kind.kind == "Pod" and not kind.group else []
    metadata.pop("managedFields", None)
    if (kind.group, kind.kind) == ("", "Pod"):
        _unbind(found, listed, authors)
    return found


def author_entries(listed: Listed) -> list[dict[str, Any]]:
    """Return the fields that a Pod's author set: those of the entries that hold the containers."""
    try:
        entries = _decode(listed.metadata.managed_fields) if bytes(listed.metadata.managed_fields) else None
    except (ValueError, RecursionError):
        entries = None
    fields = [as_dict(entry.get("fieldsV1")) for _, entry in iter_dicts(entries) if not entry.get("subresource")]
    return [dict(each) for each in fields if "f:containers" in as_dict(each.get("f:spec"))]


def _unbind(pod: dict[str, Any], listed: Listed, authors: list[dict[str, Any]]) -> None:
    """Take from a Pod what the scheduler wrote."""
    spec = pod.get("spec")
    bound = bool(as_dict(spec).get("nodeName"))
    if isinstance(spec, dict) and bound and not any("f:nodeName" in as_dict(each.get("f:spec")) for each in authors):
        spec.pop("nodeName")
    for field, owners in (("annotations", gpu_markers.TRUSTED_ANNOTATIONS), ("labels", gpu_markers.TRUSTED_LABELS)):
        given = pod["metadata"].get(field) or {}
        for key in marks(getattr(listed.metadata, field), owners):
            if not (authors or bound):
                continue  # nothing tells who wrote it, and no scheduler has seen it
            if not any(f"f:{key}" in as_dict(as_dict(each.get("f:metadata")).get(f"f:{field}")) for each in authors):
                given.pop(key, None)


def marks(given: dict[str, str] | None, owners: gpu_markers.MarkerOwners) -> list[str]:
    """Return the keys that only a scheduler writes."""
    return [key for key in given or () if owners.of(key)]
