"""``gpu-admission completion``: the script by which a shell completes our commands and their flags."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

SHELLS = ("bash", "zsh", "fish")

# Contexts, namespaces and nodes come from `kubectl_plugin.completions` for the line so far: one word per line, and a
# last line that begins with a colon, for kubectl.
PREAMBLES = {
    # bash splits words at colons and equals signs, and expects only the part after the last.
    "bash": """
_gpu_admission_names() {
  local line="${COMP_LINE:0:COMP_POINT}" current words word
  read -ra words <<< "$line"
  [[ "$line" == *" " ]] && words+=("")
  current="${words[${#words[@]}-1]}"
  current="${current%"${current##*[:=]}"}"
  kubectl_complete-gpu_admission "${words[@]:1}" 2>/dev/null | while IFS= read -r word; do
    [[ "$word" == :* ]] || printf '%s\\n' "${word#"$current"}"
  done
}
""",
    "zsh": """
_gpu_admission_names() {
  local -a line found
  line=("${(@Q)${(z)LBUFFER}}")
  [[ "$LBUFFER" == *[[:space:]] ]] && line+=("")
  found=("${(@f)$(kubectl_complete-gpu_admission "${(@)line[2,-1]}" 2>/dev/null)}")
  compadd -- "${(@)found:#(:*|)}"
}
""",
    "fish": """
function _gpu_admission_names
  set -l line (commandline -opc) (commandline -ct)
  kubectl_complete-gpu_admission $line[2..-1] 2>/dev/null | string match -v ':*'
end
""",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``completion``; `run` takes what it parses."""
    parser = subparsers.add_parser(
        "completion",
        help="completion for a shell",
        epilog='To load it: eval "$(gpu-admission completion bash)" (or zsh); gpu-admission completion fish | source. '
        "For gpu-lint: gpu-lint --completion bash.",
    )
    parser.add_argument("shell", choices=SHELLS)


def run(options: argparse.Namespace) -> int:
    """Print the script. Raises ModuleNotFoundError where shtab is not installed."""
    import shtab  # noqa: PLC0415 - an extra, needed only here

    from .main import complete_parser  # noqa: PLC0415 - it imports this module

    sys.stdout.write(shtab.complete(complete_parser(), options.shell, preamble=PREAMBLES[options.shell]) + "\n")
    return 0
