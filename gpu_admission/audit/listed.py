"""Objects of lists: their metadata is decoded at once, the rest stays bytes until it is needed.

A Pod in a cluster is not what its author sent: the scheduler has set its node, and sharing schedulers have written its
card into its annotations. Neither is reported. The writers are in ``managedFields``: the author's entry is the one with
the containers. A binding has no entry, so that a node's name in the author's entry is the author's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gpu_admission.core.raw import as_dict, as_str, iter_dicts
from gpu_admission.rules import gpu_markers

if TYPE_CHECKING:
    from gpu_admission.cluster.discovery import ServedKind

_TERMINAL = frozenset({"Succeeded", "Failed"})
# Conditions of finished objects, and the kinds that can finish (by the ends of their names).
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
    """The metadata fields that are used; the API server has checked the types."""

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
    conditions: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class Listed(msgspec.Struct):
    """An object of a list; ``spec`` and ``status`` are their bytes."""

    metadata: Metadata
    spec: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    status: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages it, failing that the first."""
        owners = self.metadata.owner_references or ()
        return next((owner for owner in owners if owner.controller), next(iter(owners), None))

    def has_ended(self, kind: str) -> bool:
        """Return whether it has finished, so that it creates no more pods."""
        if kind != "Pod" and not kind.endswith(_ENDING_KINDS):
            return False
        try:
            status = _decode_status(self.status)
            conditions = _decode(status.conditions) if kind != "Pod" and bytes(status.conditions) else None
        except (ValueError, RecursionError):
            return False
        if kind == "Pod":
            return as_str(status.phase) in _TERMINAL
        return any(
            condition.get("status") == "True" and as_str(condition.get("type")) in _ENDED
            for _, condition in iter_dicts(conditions)
        )

    def judged(self, item: bytes) -> bytes:
        """Return the object's JSON without status and managedFields, which no rule reads.

        They are half of a pod's bytes. A part that occurs twice stays, which is harmless.
        """
        for part in (bytes(self.metadata.managed_fields), bytes(self.status)):
            if len(part) > _WORTH_IT and item.count(part) == 1:
                item = item.replace(part, b"null")
        return item

    def author_names_the_node(self) -> bool:
        """Return whether the author may have named the node: the scheduler's binding leaves no entry."""
        return b'"f:nodeName"' in bytes(self.metadata.managed_fields)


_WORTH_IT = 64  # bytes; shorter parts may occur twice
_decode_listed = msgspec.json.Decoder(Listed).decode
_decode_status = msgspec.json.Decoder(_Status).decode
_decode = msgspec.json.Decoder().decode


def read(item: bytes) -> Listed | None:
    """Return an object with its metadata decoded; None where it is not an object."""
    try:
        return _decode_listed(item)
    except (ValueError, RecursionError):
        return None


def document(listed: Listed, item: bytes, kind: ServedKind) -> dict[str, Any] | None:
    """Return the object as its author sent it, from its JSON or `Listed.judged`; None if it is not an object."""
    try:
        found = _decode(item)
    except (ValueError, RecursionError):
        return None
    found = {"apiVersion": kind.api_version, "kind": kind.kind, **found}
    found.pop("status", None)
    found["metadata"].pop("managedFields", None)
    if (kind.group, kind.kind) == ("", "Pod"):
        _unbind(found, listed)
    return found


def author_entries(listed: Listed) -> list[dict[str, Any]]:
    """Return the fields that a Pod's author set: those of the entries that hold the containers."""
    try:
        entries = _decode(listed.metadata.managed_fields) if bytes(listed.metadata.managed_fields) else None
    except (ValueError, RecursionError):
        entries = None
    fields = [as_dict(entry.get("fieldsV1")) for _, entry in iter_dicts(entries) if not entry.get("subresource")]
    return [dict(each) for each in fields if "f:containers" in as_dict(each.get("f:spec"))]


def _unbind(pod: dict[str, Any], listed: Listed) -> None:
    """Remove what the scheduler wrote from a Pod."""
    spec = pod.get("spec")
    bound = bool(as_dict(spec).get("nodeName"))
    own_node = listed.author_names_the_node() and any(
        "f:nodeName" in as_dict(each.get("f:spec")) for each in author_entries(listed)
    )
    if isinstance(spec, dict) and bound and not own_node:
        spec.pop("nodeName")
    for field, keys in schedulers_marks(listed, bound=bound).items():
        given = pod["metadata"].get(field) or {}
        for key in keys:
            given.pop(key, None)


def schedulers_marks(listed: Listed, *, bound: bool) -> dict[str, list[str]]:
    """Return the annotations and labels that a scheduler wrote, and not the author.

    Where the writer is unknown, they are a scheduler's on a pod that has a node.
    """
    found = {}
    for field, owners in (("annotations", gpu_markers.TRUSTED_ANNOTATIONS), ("labels", gpu_markers.TRUSTED_LABELS)):
        keys = [key for key in getattr(listed.metadata, field) or () if owners.of(key)]
        if keys:
            authors = author_entries(listed)
            own = [as_dict(as_dict(each.get("f:metadata")).get(f"f:{field}")) for each in authors]
            if authors or bound:
                found[field] = [key for key in keys if not any(f"f:{key}" in each for each in own)]
    return found
