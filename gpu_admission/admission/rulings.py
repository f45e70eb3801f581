"""Rulings on new Pods, and a memory of them: a Pod that agrees with an earlier one in its essence is ruled alike.

What is judged is the essence and what is looked up is the essence, written out to the last byte: no two Pods that
could be judged differently can be taken for one another. What a Pod is called, what it runs and what its variables
say (but for those that have to do with GPUs) is not in it, and so not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gpu_admission.core import patch as patches

from . import envelope, wording

if TYPE_CHECKING:
    from collections.abc import Collection

    from gpu_admission.core.finding import Action
    from gpu_admission.core.policy import Policy

    from .verdict import Verdict

LONGEST = 32 * 1024
"""Bytes of essence and answer of a ruling that is worth remembering; usual ones have one or two thousand."""
MOST = 256 * 1024
"""Bytes of a generation of rulings."""


class Ruling(NamedTuple):
    """What is answered to a request but for its uid, and what is recorded of it.

    ``rules`` are (rule, action) of every finding; ``applied`` the rules whose fixes are in the patch.
    """

    rest: str
    decision: str
    rules: Collection[tuple[str, Action]] = ()
    applied: Collection[str] = ()


NOTHING_TO_SAY = Ruling(envelope.rest(allowed=True), "allowed")


def rule(judged: Verdict, policy: Policy) -> Ruling:
    """Put a verdict into the words of an answer."""
    if not (judged.findings or judged.patch):
        return NOTHING_TO_SAY
    allowed = judged.allowed
    patch = patches.to_json(judged.patch) if allowed else []
    rest = envelope.rest(
        allowed=allowed,
        message="" if allowed else wording.denial(judged, policy),
        warnings=wording.warnings(judged) if judged.findings else (),
        patch=patch,
        audit=wording.audit(judged),
    )
    return Ruling(
        rest,
        "denied" if not allowed else "mutated" if patch else "allowed",
        rules=[(finding.rule, action) for finding, action in judged.findings],
        applied=sorted({operation.rule for operation in judged.patch}) if patch else (),
    )


class Rulings:
    """Rulings by essence, under one policy at one endpoint: at most half a megabyte, the oldest forgotten first.

    Two generations are kept; when the younger one is full, the older one is dropped. Safe to use from several
    threads: at worst a ruling is worked out twice.
    """

    __slots__ = ("_older", "_size", "_younger")

    def __init__(self) -> None:
        self._younger: dict[bytes, Ruling] = {}
        self._older: dict[bytes, Ruling] = {}
        self._size = 0

    def get(self, essence: bytes) -> Ruling | None:
        """Return the ruling on an essence, or None where there was none lately."""
        known = self._younger.get(essence)
        if known is None:
            known = self._older.get(essence)
            if known is not None:
                self.keep(essence, known)  # in use: it outlives its generation
        return known

    def keep(self, essence: bytes, ruling: Ruling) -> None:
        """Remember a ruling, unless it is a large one."""
        size = len(essence) + len(ruling.rest)
        if size > LONGEST:
            return
        if self._size + size > MOST:
            self._older, self._younger, self._size = self._younger, {}, 0
        self._younger[essence] = ruling
        self._size += size
