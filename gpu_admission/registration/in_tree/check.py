"""One check: what a rule finds of a Pod at one severity, as a CEL list, and the sentence that says so."""

from __future__ import annotations

from gpu_admission.registration.cel_literals import text
from gpu_admission.rules import BY_ID, consequences, declared_reads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.finding import Action, Safety, Severity
    from gpu_admission.engine.reads import Reads
    from gpu_admission.engine.rule import Rule
    from gpu_admission.policy.model import Policy

LONGEST = 100
"""Characters of a value that a message shows: the API server drops messages of more than 5 KiB."""
NOWHERE = "''"  # the pod itself
WHO, WHAT = "{who}", "{what}"


class Check:
    """What a rule finds at one severity.

    ``finds`` is a CEL list of pairs of texts, one pair a finding: where it is (a container, a volume; empty for the
    pod) and what stands there. ``message`` shows the first pair in place of ``{who}`` and ``{what}``, and ends with
    what to write instead. ``fix`` is the safety of the repair that such findings come with. ``on_ephemeral`` tells that
    ``finds`` goes through ``variables.judged``, so that it also holds for ephemeral containers that join a Pod.
    ``reads`` are the markers of Pods without a GPU, where it needs fewer than its rule.
    """

    __slots__ = ("_reads", "finds", "fix", "message", "on_ephemeral", "rule", "severity")

    def __init__(
        self,
        rule: str,
        finds: str,
        message: str,
        *,
        severity: Severity | None = None,
        fix: Safety | None = None,
        on_ephemeral: bool = False,
        reads: Reads | None = None,
    ) -> None:
        self.rule: Rule = BY_ID[rule]
        self.finds = finds
        self.message = message
        self.severity: Severity = severity or self.rule.severity
        self.fix: Safety | None = fix
        self.on_ephemeral = on_ephemeral
        self._reads = reads

    def reads(self, policy: Policy) -> Reads:
        """Return the markers of Pods without a GPU of which it can find anything."""
        return declared_reads.of_rule(self.rule, policy) if self._reads is None else self._reads

    def action(self, policy: Policy) -> Action:
        """Return what such a finding leads to under a policy, its mode included.

        What would only be noted because nobody said otherwise is no reason to look at every Pod, as in
        ``rules.declared_reads``.
        """
        action = policy.action(self.rule, self.severity)
        setting = policy.settings.get(self.rule.id)
        asked_for = setting is not None and setting.action is not None
        if (
            action == "off"
            or not policy.is_enabled(self.rule)
            or (action == "audit" and not asked_for and not self.fix)
        ):
            return "off"
        return consequences.at_validation(self.rule, action, self.fix, policy)

    def expression(self) -> str:
        """Return the CEL list of the findings on the request at hand."""
        return self.finds if self.on_ephemeral else f"request.operation == 'CREATE' ? ({self.finds}) : []"

    def sentence(self, found: str) -> str:
        """Return a CEL text: the rule's ID, the first finding, how many more there are; ``found`` is their list."""
        pieces = [text(f"{self.rule.id} {self.rule.name}: ")]
        rest = self.message
        while rest:
            before, place, rest = _next(rest)
            pieces += [text(before)] * bool(before)
            pieces += [_cut(f"{found}[0][{int(place == WHAT)}]")] * bool(place)
        pieces.append(f"({found}.size() > 1 ? ' (and ' + string({found}.size() - 1) + ' more)' : '')")
        return " + ".join(pieces)


def _next(message: str) -> tuple[str, str, str]:
    places = [(message.index(place), place) for place in (WHO, WHAT) if place in message]
    at, place = min(places, default=(len(message), ""))
    return message[:at], place, message[at + len(place) :]


def _cut(value: str) -> str:
    """Return a CEL text of at most so many characters, without those that would break the line of a message."""
    short = f"({value}.size() > {LONGEST} ? {value}.substring(0, {LONGEST}) + '…' : {value})"
    return f"{short}.replace('\\n', ' ').replace('\\r', ' ')"


def pair(who: str, what: str) -> str:
    """Return a pair of CEL texts: where a finding is, and what stands there."""
    return f"[string({who}), string({what})]"


def per_container(condition: str, what: str = "''", containers: str = "variables.judged") -> str:
    """Return findings, one for each container ``c`` that meets a condition; ``what`` is a CEL text on it."""
    return f"{containers}.filter(c, {condition}).map(c, {pair('c.name', what)})"


def of_pod(condition: str, what: str = "''") -> str:
    """Return one finding on the pod where a condition holds; ``what`` is a CEL text on it."""
    return f"(({condition}) ? [{pair(NOWHERE, what)}] : [])"
