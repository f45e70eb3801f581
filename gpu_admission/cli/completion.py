"""Completion scripts for shells, written from the table of options."""

from __future__ import annotations

from .options import OPTIONS, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.core.rule import Rule


def script(shell: str, rules: Sequence[Rule], policies: Sequence[str]) -> str:
    """Return the script for ``bash``, ``zsh`` or ``fish``; the help of gpu-lint tells how to load it."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](rules, policies)


def _values(option: Option, rules: Sequence[Rule], policies: Sequence[str]) -> list[str]:
    """Return the words that may follow an option; none where it takes a file or anything else."""
    if option.choices:
        return list(option.choices)
    if "RULE" in option.metavar:
        return [word for rule in rules for word in (rule.id, rule.name)]
    return list(policies) if option.dest == "policy" else []


def _takes_file(option: Option) -> bool:
    return "FILE" in option.metavar


def _bash(rules: Sequence[Rule], policies: Sequence[str]) -> str:
    cases = []
    for option in OPTIONS:
        if option.kind == "switch":
            continue
        values = " ".join(_values(option, rules, policies))
        files = ' $(compgen -f -- "$word")' if _takes_file(option) else ""
        cases.append(
            f"    {'|'.join(option.flags)})\n"
            f"""      COMPREPLY=($(compgen -W "{values}" -- "$word"){files})\n      return ;;"""
        )
    flags = " ".join([flag for option in OPTIONS for flag in option.flags])
    body = "\n".join(cases)
    return f"""\
# bash completion for gpu-lint: source <(gpu-lint --completion bash)
_gpu_lint() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
  case $before in
{body}
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "{flags}" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}}
complete -o filenames -F _gpu_lint gpu-lint
"""


def _zsh(rules: Sequence[Rule], policies: Sequence[str]) -> str:
    lines = []
    for option in OPTIONS:
        said = _zsh_text(option.help)
        action = ""
        if option.kind != "switch":
            values = " ".join(_values(option, rules, policies))
            if _takes_file(option) and values:
                action = f":value:{{_alternative 'names:name:({values})' 'files:file:_files'}}"
            else:
                action = f":value:({values})" if values else ":file:_files" if _takes_file(option) else ":value: "
        many = "*" if option.kind in {"words", "many"} else ""
        lines += [f'  "{many}{flag}[{said}]{action}" \\' for flag in option.flags]
    body = "\n".join(lines)
    return f"""\
#compdef gpu-lint
# zsh completion for gpu-lint: source <(gpu-lint --completion zsh)
_gpu_lint() {{
  _arguments \\
{body}
  "*:file:_files"
}}
if [ "$funcstack[1]" = "_gpu_lint" ]; then
  _gpu_lint "$@"
else
  compdef _gpu_lint gpu-lint
fi
"""


def _zsh_text(said: str) -> str:
    for char in '\\[]:"$`':
        said = said.replace(char, "\\" + char)
    return said


def _fish(rules: Sequence[Rule], policies: Sequence[str]) -> str:
    lines = ["# fish completion for gpu-lint: gpu-lint --completion fish | source"]
    for option in OPTIONS:
        said = option.help.replace("\\", "\\\\").replace("'", "\\'")
        names = "".join(f" -l {flag[2:]}" if flag.startswith("--") else f" -s {flag[1:]}" for flag in option.flags)
        values = " ".join(_values(option, rules, policies))
        takes = "" if option.kind == "switch" else " -r" if _takes_file(option) else " -x"
        words = f" -a '{values}'" if values else ""
        lines.append(f"complete -c gpu-lint{names}{takes}{words} -d '{said}'")
    return "\n".join(lines) + "\n"
