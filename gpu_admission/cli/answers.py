"""Answers that need no input: the help, the rules, completion for a shell."""

from __future__ import annotations

import sys

from gpu_admission import __version__, rules
from gpu_admission.files import policyfile

from . import outputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.render.style import Style

    from .options import Options


def give(options: Options) -> None:
    """Answer on standard output."""
    style = outputs.colour(options.color, sys.stdout)
    if options.help:
        from . import usage  # noqa: PLC0415 - a run needs none

        said = usage.text()
    elif options.version:
        said = f"gpu-lint {__version__}\n"
    elif options.completion:
        from . import completion  # noqa: PLC0415 - once in the life of a shell

        said = completion.script(options.completion, rules.ALL, policyfile.shipped())
    elif options.explain:
        said = _explanations(options.explain, style)
    else:
        from gpu_admission.render import rule_list  # noqa: PLC0415

        policy = policyfile.load(options.policy)
        chosen = rules.ALL
        if options.select or options.ignore:
            from . import selection  # noqa: PLC0415 - only for who selects

            policy = selection.narrowed(policy, options.select, options.ignore, rules.ALL)
            chosen = tuple(rule for rule in rules.ALL if policy.in_force(rule))
        as_json = options.format == "json"
        said = rule_list.to_json(chosen, policy) if as_json else rule_list.render(chosen, policy, style)
    outputs.write(said.encode())


def _explanations(word: str, style: Style) -> str:
    from gpu_admission.render import explain  # noqa: PLC0415

    from . import selection  # noqa: PLC0415

    ids = selection.ids([word], rules.ALL, "--explain")
    return "\n".join(explain.render(rule, style) for rule in rules.ALL if rule.id in ids)
