"""A check: what a rule finds in a Pod at one severity, as a CEL list, and its message."""

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
NOWHERE = "''"  # the place of findings on the pod itself
WHO, WHAT = "{who}", "{what}"


class Check:
    """The findings of a rule at one severity.

    ``finds`` is a CEL list of pairs of strings, one for each finding: its place (a container, a volume; empty for the
    pod) and the value. ``message`` has ``{who}`` and ``{what}`` for the first pair, and ends with the advice. ``fix``
    is the safety of the rule's fix. ``on_ephemeral`` is set where ``finds`` iterates over ``variables.judged``, so that
    it also applies to ephemeral containers added to a Pod. ``reads`` are the markers of Pods without a GPU, where it
    needs fewer than its rule.
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
        """Return the markers of Pods without a GPU that it can have findings on."""
        return declared_reads.of_rule(self.rule, policy) if self._reads is None else self._reads

    def action(self, policy: Policy) -> Action:
        """Return the action on such a finding under a policy, its mode included.

        Findings that are only audited by default are no reason to judge every Pod, as in ``rules.declared_reads``.
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
        """Return the CEL list of the findings on the request."""
        return self.finds if self.on_ephemeral else f"request.operation == 'CREATE' ? ({self.finds}) : []"

    def sentence(self, found: str) -> str:
        """Return a CEL string: the rule's ID, the first finding, the number of others; ``found`` is their list."""
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
    """Return a CEL string of at most so many characters, without line breaks."""
    short = f"({value}.size() > {LONGEST} ? {value}.substring(0, {LONGEST}) + '…' : {value})"
    return f"{short}.replace('\\n', ' ').replace('\\r', ' ')"


def pair(who: str, what: str) -> str:
    """Return a pair of CEL strings: the place of a finding, and the value."""
    return f"[string({who}), string({what})]"


def per_container(condition: str, what: str = "''", containers: str = "variables.judged") -> str:
    """Return findings, one for each container ``c`` that meets a condition; ``what`` is a CEL string."""
    return f"{containers}.filter(c, {condition}).map(c, {pair('c.name', what)})"


def of_pod(condition: str, what: str = "''") -> str:
    """Return one finding on the pod where a condition holds; ``what`` is a CEL string."""
    return f"(({condition}) ? [{pair(NOWHERE, what)}] : [])"
