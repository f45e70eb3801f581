"""``policies/RULES.md``: every rule on one page, generated from the rules."""

from __future__ import annotations

from gpu_admission.registration.in_tree import coverage
from gpu_admission.reports import links

from . import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.engine.rule import Rule

_CHAPTERS = (
    ("GPU0", "The request itself", "What a container requests, and whether Kubernetes can decode it."),
    ("GPU1", "Sharing", "Requests for a part of a card, and what the policy's backend makes of them."),
    ("GPU2", "Placement", "Whether the pod reaches a node with a GPU, and by the right scheduler."),
    ("GPU3", "Isolation", "Access to cards that were never requested."),
    ("GPU4", "Claims", "GPUs by dynamic resource allocation: claims, their templates, and the pods that name them."),
    ("GPU5", "Guardrails", "Further requirements of an administrator; off until a policy switches them on."),
)
_SEVERITIES = {"error": "🔴 error", "warning": "🟡 warning", "info": "🔵 info"}
_INTRODUCTION = """\
# The rules

*Generated from the rules by `make docs`. `gpu-lint --explain RULE` shows one of them on a terminal.*

The severity states how bad something is. The policy defines the consequences: by default an error is denied, a warning
is returned as a warning, an info is only audited. A **safe** fix is certain to keep the author's intent: the webhook
and `gpu-lint --fix` apply it; an **unsafe** one is applied only by `gpu-lint --fix --unsafe-fixes`.

To exempt one line, write `# gpu-lint: ignore[GPU001]` and the reason on it or above it; to exempt one object,
annotate it with `gpu-admission.io/ignore: "GPU001: the reason"`. Both apply to the linter only: for the webhook,
exemptions are in the administrator's policy.
"""


def render(rules: Sequence[Rule]) -> str:
    """Return the page: an overview, then each rule with its reasons, its example and its fix."""
    parts = [_INTRODUCTION, "## Overview\n", *_overview(rules)]
    for prefix, title, lead in _CHAPTERS:
        members = [rule for rule in rules if rule.id.startswith(prefix)]
        if members:
            parts += [f"## {prefix[3]}xx: {title}\n\n{lead}\n", *map(_entry, members)]
    return "\n".join(parts)


def _overview(rules: Sequence[Rule]) -> list[str]:
    rows = [
        f"| [{rule.id}](#{anchor(rule)}) | `{rule.name}` | {_severity(rule)} | {rule.fix or 'none'} | {_cell(rule)} |"
        for rule in rules
    ]
    return ["| | rule | severity | fix | what |\n|---|---|---|---|---|", *rows, ""]


def _severity(rule: Rule) -> str:
    return _SEVERITIES[rule.severity] + (" (off)" if rule.default == "off" else "")


def _cell(rule: Rule) -> str:
    return rule.summary.replace("|", "\\|")


def anchor(rule: Rule) -> str:
    """Return the fragment that GitHub and GitLab give to a rule's heading."""
    return f"{rule.id.lower()}-{rule.name}"


def _entry(rule: Rule) -> str:
    off = ", off by default" if rule.default == "off" else ""
    sources = "\n".join(f"- {links.markdown(reference)}" for reference in rule.references)
    return f"""\
### {rule.id} {rule.name}

**{rule.summary[:1].upper()}{rule.summary[1:]}.** {_SEVERITIES[rule.severity]}{off} · since {rule.since}

{rule.rationale.rstrip()}

{_example(rule)}
Fix: {explain.FIXES[rule.fix]}.

Without the webhook (`gpu-admission manifests --in-tree`): {coverage.of(rule)}.

{sources}
"""


def _example(rule: Rule) -> str:
    return f"Wrong:\n\n```yaml\n{rule.bad.rstrip()}\n```\n\nRight:\n\n```yaml\n{rule.good.rstrip()}\n```\n"
