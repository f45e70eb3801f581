"""Completion scripts for shells, made by shtab from the table of options.

Imported only for --completion, because of the start-up time of shtab and argparse.
"""

from __future__ import annotations

import argparse

from .options import OPTIONS, Option
from .paths import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gpu_admission.engine.rule import Rule


def script(shell: str, rules: Sequence[Rule], policies: Sequence[str]) -> str:
    """Return the script for a shell; `source <(gpu-lint --completion bash)` loads it.

    Raises UsageError where shtab is not installed.
    """
    try:
        import shtab  # noqa: PLC0415
    except ModuleNotFoundError:
        needed = "--completion needs shtab, which is not installed: pip install 'gpu-admission[completion]'"
        raise UsageError(needed) from None
    preamble = _POLICIES_OF_BASH.format(" ".join(policies)) if shell == "bash" else ""
    return shtab.complete(_parser(rules, policies, shtab.FILE), shell, preamble=preamble) + "\n"


# A policy is a name or a file; shtab has no such type.
_POLICIES_OF_BASH = """\
_gpu_lint_policies() {{
  compgen -W "{}" -- "$1"
  compgen -f -- "$1"
}}
"""


def _policies(names: Sequence[str]) -> dict[str, str]:
    """Return how each shell completes a policy."""
    return {
        "bash": "_gpu_lint_policies",
        "zsh": f"{{_alternative 'policies:policy:({' '.join(names)})' 'files:file:_files'}}",
        "fish": f"(string split ' ' '{' '.join(names)}'; __fish_complete_path (commandline -ct))",
    }


def _parser(rules: Sequence[Rule], policies: Sequence[str], files: Mapping[str, Any]) -> argparse.ArgumentParser:
    """Return a parser with the options of the table, only for shtab; it never parses anything."""
    parser = argparse.ArgumentParser("gpu-lint", add_help=False, allow_abbrev=False)
    for option in OPTIONS:
        text = option.help.replace("%", "%%")
        if option.kind == "switch":
            parser.add_argument(*option.flags, action="store_true", help=text)
            continue
        action = parser.add_argument(*option.flags, help=text, choices=_values(option, rules) or None)
        if "FILE" in option.metavar:  # shtab reads the attribute `complete`
            action.complete = _policies(policies) if option.dest == "policy" else files  # type: ignore[attr-defined]
    parser.add_argument("paths", nargs="*").complete = files  # type: ignore[attr-defined]
    return parser


def _values(option: Option, rules: Sequence[Rule]) -> list[str]:
    """Return the candidates for an option's value; none for files and free text."""
    if "RULE" in option.metavar:
        return [word for rule in rules for word in (rule.id, rule.name)]
    return list(option.choices)
