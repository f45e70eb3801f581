"""The text of ``--help``."""

from __future__ import annotations

from .options import GROUPS, OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .options import Option

_HEAD = """\
Find mistakes in the GPU requests of Kubernetes manifests, and repair them.

Usage: gpu-lint [OPTIONS] [PATH]...

  PATH                          files, directories (*.yaml *.yml *.json in them), - for standard input; without
                                one, the working directory
"""
_TAIL = """\
Exit status:
  0  nothing at or above --fail-on
  1  findings (after --fix: those that remain)
  2  wrong usage, an invalid policy, or an input that could not be read

The same options can be set in [tool.gpu-lint] of pyproject.toml or in .gpu-lint.yaml, found from the first path
upwards. In a manifest, `# gpu-lint: ignore[GPU201] - the reason` ignores a line, and the annotation
gpu-admission.io/ignore: "GPU201 - the reason" an object.
"""
_COLUMN = 32


def text() -> str:
    """Return the help, from the table of options."""
    parts = [_HEAD]
    for group in GROUPS:
        lines = [_line(option) for option in OPTIONS if option.group == group]
        parts.append(f"{group}:\n" + "".join(lines))
    return "\n".join([*parts, _TAIL])


def _line(option: Option) -> str:
    names = ", ".join(option.flags)
    if len(option.flags) == 1:
        names = f"    {names}"
    value = "|".join(option.choices) or option.metavar
    head = f"  {names} {value}".rstrip()
    default = f" [{option.default}]" if option.default else ""
    gap = " " * (_COLUMN - len(head)) if len(head) < _COLUMN - 1 else "\n" + " " * _COLUMN
    return f"{head}{gap}{option.help}{default}\n"
