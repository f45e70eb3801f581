"""The decisions of admission on existing objects, one by one; equal pods are judged once.

A cluster of 50,000 pods runs a few thousand templates. Two pods get the same findings where everything is equal that a
rule can read: their specs without the names that a controller numbers (node, host name, claims of a StatefulSet, the
volume of the service account's token), their labels, annotations and the kinds of their owners. Objects that contain
nothing that an enabled rule reads are not decoded, as for files (`rules/relevance.py`).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from gpu_admission import rules
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.rules.relevance import Relevance
from gpu_admission.webhook.review import decide

from . import listed as listed_objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.cluster.discovery import ServedKind
    from gpu_admission.core.finding import Finding

    from .listed import Listed

DENY, REPAIR, WARN, AUDIT = "deny", "repair", "warn", "audit"
CONSEQUENCES = (DENY, REPAIR, WARN, AUDIT)  # the most severe first

_MOST_REMEMBERED = 100_000
# What controllers number from pod to pod, and no rule reads; the node first, which one rule reads from an author.
_NUMBERED = (b'"nodeName":"', b'"hostname":"', b'"claimName":"')
_TOKEN_VOLUME = b"kube-api-access-"
_NUMBERED_LABELS = frozenset(
    {
        "batch.kubernetes.io/job-completion-index",
        "apps.kubernetes.io/pod-index",
        "statefulset.kubernetes.io/pod-name",
        "pod-template-hash",
        "controller-revision-hash",
    }
)


class Judged(NamedTuple):
    """A finding, and its consequence at admission: deny, repair, warn, or audit (a line in the log)."""

    finding: Finding
    consequence: str


class Judge:
    """The rules under a policy, on objects as they are listed.

    The policy's mode is ignored: an audit reports what would be refused in mode enforce.
    """

    def __init__(self, policy: Policy) -> None:
        self._engine = Engine(
            rules.ALL, Policy(policy.name, {**policy.spec, "mode": "enforce"}, selected=policy.selected)
        )
        self._relevance = Relevance(rules.ALL, policy)
        self._known: dict[bytes, tuple[Judged, ...]] = {}

    def judge(self, listed: Listed, item: bytes, kind: ServedKind) -> tuple[Judged, ...] | None:
        """Return the findings on an object; None where it cannot be read."""
        if (kind.group, kind.kind) != ("", "Pod"):
            return self._judge(listed, item, kind)
        key = _likeness(listed)
        found = self._known.get(key)
        if found is None:
            found = self._judge(listed, item, kind)
            if found is None:
                return None
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = found
        return found

    def _judge(self, listed: Listed, item: bytes, kind: ServedKind) -> tuple[Judged, ...] | None:
        item = listed.judged(item)
        if not self._relevance.may_matter(item):
            return ()
        obj = listed_objects.document(listed, item, kind)
        if obj is None:
            return None
        return tuple([Judged(finding, self._consequence(finding, obj)) for finding in self._findings(obj)])

    def _findings(self, obj: dict[str, Any]) -> list[Finding]:
        return self._engine.review(obj, "admission").findings

    def _consequence(self, finding: Finding, obj: dict[str, Any]) -> str:
        if finding.repaired:
            return REPAIR
        if obj["kind"] == "Pod":
            return finding.action
        return decide.of_template(finding, self._engine.policy)


def _likeness(listed: Listed) -> bytes:
    """Return a digest that is the same for pods that no rule can distinguish."""
    metadata, spec = listed.metadata, bytes(listed.spec)
    own_node = listed.author_names_the_node()
    for field in _NUMBERED[own_node:]:
        spec = _without(spec, field)
    at = spec.find(_TOKEN_VOLUME)
    if at >= 0:
        spec = spec.replace(spec[at : at + len(_TOKEN_VOLUME) + 5], _TOKEN_VOLUME)
    digest = blake2b(spec, digest_size=16)
    own_names = b'"fieldPath":"metadata.' in spec  # in variables, from which paths may be composed
    numbered = frozenset() if own_names else _NUMBERED_LABELS
    # What a scheduler wrote (the card of a pod) is removed before the object is judged.
    written = listed_objects.schedulers_marks(listed, bound=False)
    rest = (
        metadata.namespace,
        metadata.name if own_names else "",
        metadata.generate_name,
        _others(metadata.labels, numbered, written.get("labels", ())),
        _others(metadata.annotations, numbered, written.get("annotations", ())),
        [(owner.api_version, owner.kind) for owner in metadata.owner_references or ()],
        own_node,
    )
    digest.update(repr(rest).encode("utf-8", "surrogatepass"))
    return digest.digest()


def _others(given: dict[str, str] | None, numbered: frozenset[str], written: Sequence[str]) -> list[tuple[str, str]]:
    return [each for each in (given or {}).items() if each[0] not in numbered and each[0] not in written]


def _without(spec: bytes, field: bytes) -> bytes:
    """Return the JSON without the strings of a field, except those with escapes, which then make the pod distinct."""
    at = spec.find(field)
    while at >= 0:
        start = at + len(field)
        end = spec.find(b'"', start)
        if end < 0:
            break
        spec = spec[:start] + spec[end:]
        at = spec.find(field, start)
    return spec
