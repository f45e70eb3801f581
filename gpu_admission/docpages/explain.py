"""One rule, explained on a terminal."""

from __future__ import annotations

from gpu_admission.reports import links
from gpu_admission.reports.style import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.engine.rule import Rule

_PLAIN = Style()
FIXES = {
    None: "none: the author has to decide",
    "safe": "safe: gpu-lint --fix and the webhook apply it",
    "unsafe": "unsafe: gpu-lint --fix --unsafe-fixes applies it; check the result",
}


def render(rule: Rule, style: Style = _PLAIN) -> str:
    """Return a rule's rationale, examples, fix, how to ignore it, and references."""
    off = ", off by default" if rule.default == "off" else ""
    parts = [
        f"{style.bold(f'{rule.id} {rule.name}')} ({style.severity(rule.severity, rule.severity)}{off})",
        f"{rule.summary[:1].upper()}{rule.summary[1:]}.",
        f"{style.bold('Why')}\n{rule.rationale.rstrip()}",
        f"{style.severity('error', 'Wrong')}\n{_indented(rule.bad)}",
        f"{style.good('Right')}\n{_indented(rule.good)}",
        f"{style.bold('Fix')}\n{FIXES[rule.fix]}",
        f"{style.bold('Silence')}\n{silence(rule)}",
        f"{style.bold('See')}\n" + "\n".join(_reference(value) for value in rule.references),
    ]
    return "\n\n".join(parts) + "\n"


def silence(rule: Rule) -> str:
    """Return how one place is exempted from the rule."""
    return f"# gpu-lint: ignore[{rule.id}] and the reason, on the line or above it"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.rstrip().split("\n"))


def _reference(reference: str) -> str:
    address = links.url(reference)
    return reference if address in {None, reference} else f"{reference}\n  {address}"
