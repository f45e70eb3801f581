"""The list of rules, one per line or as JSON."""

from __future__ import annotations

from gpu_admission.reports.style import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.engine.rule import Rule
    from gpu_admission.policy.model import Policy

_PLAIN = Style()


def render(rules: Sequence[Rule], policy: Policy, style: Style = _PLAIN) -> str:
    """Return a table: ID, severity, what the policy does, fix, name, summary."""
    width = max((len(rule.name) for rule in rules), default=0)
    return "".join(
        f"{style.bold(rule.id)}  {style.severity(rule.severity, f'{rule.severity:<7}')}  "
        f"{policy.action(rule, rule.severity):<5}  {rule.fix or '-':<6}  {rule.name:<{width}}  "
        f"{style.faint(rule.summary)}\n"
        for rule in rules
    )


def to_json(rules: Sequence[Rule], policy: Policy) -> str:
    """Return the same as a JSON list."""
    import json  # noqa: PLC0415 - start-up time: needed only for JSON

    rows = [
        {
            "id": rule.id,
            "name": rule.name,
            "severity": rule.severity,
            "action": policy.action(rule, rule.severity),
            "fix": rule.fix,
            "since": rule.since,
            "summary": rule.summary,
        }
        for rule in rules
    ]
    return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"
