"""Information that needs no input: the help, the rules, completion for a shell."""

from __future__ import annotations

import sys

from gpu_admission import __version__, rules
from gpu_admission.policyfile import loader

from . import report_sinks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.reports.style import Style

    from .options import LintArguments


def give(options: LintArguments) -> None:
    """Print the information requested on standard output."""
    style = report_sinks.colour(options.color, sys.stdout)
    if options.help:
        from . import help_text  # noqa: PLC0415 - start-up time: needed only for --help

        value = help_text.text()
    elif options.version:
        value = f"gpu-lint {__version__}\n"
    elif options.completion:
        from . import completion  # noqa: PLC0415 - start-up time: needed only for --completion

        value = completion.script(options.completion, rules.ALL, loader.shipped())
    elif options.explain:
        value = _explanations(options.explain, style)
    else:
        value = _rules(options, style)
    report_sinks.write(value.encode())


def _rules(options: LintArguments, style: Style) -> str:
    from gpu_admission.docpages import rule_list  # noqa: PLC0415 - start-up time: needed only for --list-rules

    policy = loader.load(options.policy)
    chosen = rules.ALL
    if options.select or options.ignore:
        from . import rule_selection  # noqa: PLC0415 - start-up time: needed only when rules are selected

        policy = rule_selection.narrowed(policy, options.select, options.ignore, rules.ALL)
        chosen = tuple(rule for rule in rules.ALL if policy.is_enabled(rule))
    if options.format == "json":
        return rule_list.to_json(chosen, policy)
    return rule_list.render(chosen, policy, style)


def _explanations(word: str, style: Style) -> str:
    from gpu_admission.docpages import explain  # noqa: PLC0415

    from . import rule_selection  # noqa: PLC0415

    ids = rule_selection.ids([word], rules.ALL, "--explain")
    return "\n".join(explain.render(rule, style) for rule in rules.ALL if rule.id in ids)
