"""The options of gpu-lint: one table for the command line, the configuration file and the shell completion."""

from __future__ import annotations

import argparse

from gpu_admission import __version__

from .words import UsageError, nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal, NoReturn

    Kind = Literal["switch", "choice", "word", "words", "many", "number"]

FORMATS = ("text", "concise", "json", "sarif", "junit", "github", "gitlab")
LEVELS = ("error", "warning", "info")
SHELLS = ("bash", "zsh", "fish")


class Option:
    """One option. ``kind``: a switch, one of ``choices``, a word, words separated by commas, many words, a number.

    ``metavar`` tells completion what is meant (a file, a rule, a policy). ``configurable`` ones may stand in
    the configuration file, under the name of their long flag.
    """

    __slots__ = ("choices", "configurable", "default", "flags", "group", "help", "kind", "metavar")

    def __init__(
        self,
        flags: str,
        kind: Kind,
        said: str,
        *,
        group: str,
        metavar: str = "",
        choices: tuple[str, ...] = (),
        default: Any = None,
        configurable: bool = True,
    ) -> None:
        self.flags = tuple(flags.split())
        self.kind: Kind = kind
        self.help = said
        self.group = group
        self.metavar = metavar
        self.choices = choices
        self.default = default
        self.configurable = configurable

    @property
    def name(self) -> str:
        """The long flag without its dashes: the name in a configuration file."""
        return self.flags[-1].removeprefix("--")

    @property
    def dest(self) -> str:
        """The attribute of the parsed options."""
        return self.name.replace("-", "_")


_RULES, _OUT, _FIX, _IN, _SAY = "rules", "report", "repair", "inputs", "information"

OPTIONS: tuple[Option, ...] = (
    Option("-p --policy", "word", "a shipped policy or a file", group=_RULES, metavar="NAME|FILE", default="default"),
    Option("--select", "words", "only these: IDs, names or prefixes (GPU1)", group=_RULES, metavar="RULE[,RULE]"),
    Option("--ignore", "words", "all but these", group=_RULES, metavar="RULE[,RULE]"),
    Option("--fail-on", "choice", "exit 1 from this severity on", group=_RULES, choices=(*LEVELS, "never"), default="error"),
    Option("--min-severity", "choice", "report from this severity on", group=_RULES, choices=LEVELS, default="warning"),
    Option("--as-admitted", "switch", "judge what admission would leave: what the webhook repairs is marked", group=_RULES),
    Option("--baseline", "word", "report only what is not in FILE", group=_RULES, metavar="FILE"),
    Option("--write-baseline", "word", "write what is found to FILE", group=_RULES, metavar="FILE", configurable=False),
    Option("-f --format", "choice", "how findings are printed", group=_OUT, choices=FORMATS, default="text"),
    Option("-o --output", "many", "write a report there too (repeatable)", group=_OUT, metavar="[FORMAT=]FILE"),
    Option("--statistics", "switch", "count findings by rule", group=_OUT),
    Option("-q --quiet", "switch", "findings and errors only", group=_OUT),
    Option("--color", "choice", "colour the text", group=_OUT, choices=("auto", "always", "never"), default="auto"),
    Option("--fix", "switch", "repair in place what is safe to repair", group=_FIX),
    Option("--unsafe-fixes", "switch", "repair also what needs a look afterwards", group=_FIX),
    Option("--diff", "switch", "show the repairs as a patch instead; exit 1 if there are any", group=_FIX),
    Option("--exit-non-zero-on-fix", "switch", "exit 1 if anything was repaired", group=_FIX),
    Option("--add-ignore", "word", "write a comment with REASON at each finding", group=_FIX, metavar="REASON", configurable=False),
    Option("--exclude", "many", "leave out files and directories, as .gitignore would", group=_IN, metavar="GLOB"),
    Option("--no-ignore", "switch", "do not heed .gitignore", group=_IN),
    Option("--stdin-filename", "word", "what to call standard input", group=_IN, metavar="NAME", configurable=False),
    Option("--show-files", "switch", "list what would be read, and stop", group=_IN, configurable=False),
    Option("--jobs", "number", "processes at most [cores]", group=_IN, metavar="N"),
    Option("--no-config", "switch", "heed no configuration file", group=_IN, configurable=False),
    Option("--list-rules", "switch", "every rule in a line", group=_SAY, configurable=False),
    Option("--explain", "word", "one rule in full", group=_SAY, metavar="RULE", configurable=False),
    Option("--completion", "choice", "a completion script for the shell", group=_SAY, choices=SHELLS, configurable=False),
)  # fmt: skip

_EPILOG = """\
exit status:
  0  nothing at or above --fail-on
  1  findings (after --fix: what is left)
  2  wrong usage, a bad policy, or an input that could not be read

[tool.gpu-lint] in pyproject.toml or a .gpu-lint.yaml, found from the first path upwards, holds the same options.
"""


class Parser(argparse.ArgumentParser):
    """A parser that says wrong usage in one line, with the nearest option."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of printing the whole usage and ending the process."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            word = unknown.split()[0].partition("=")[0]
            flags = [flag for option in OPTIONS for flag in option.flags if flag.startswith("--")]
            raise UsageError(f"unknown option {word!r}{nearest(word, flags)}")
        raise UsageError(message.removeprefix("argument "))


def parser() -> Parser:
    """Return the parser; what is not given is None, so that a configuration file may speak."""
    made = Parser(
        prog="gpu-lint",
        usage="gpu-lint [OPTIONS] [PATH]...",
        description="Find mistakes in the GPU requests of Kubernetes manifests, and repair them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="files, directories (*.yaml *.yml *.json in them), - for standard input",
    )
    groups = {name: made.add_argument_group(name) for name in (_RULES, _OUT, _FIX, _IN, _SAY)}
    for option in OPTIONS:
        groups[option.group].add_argument(*option.flags, **_arguments(option))
    groups[_SAY].add_argument("--version", action="version", version=f"gpu-lint {__version__}")
    return made


def _arguments(option: Option) -> dict[str, Any]:
    default = f" [{option.default}]" if option.default else ""
    said: dict[str, Any] = {"help": f"{option.help}{default}", "dest": option.dest, "default": None}
    if option.kind == "switch":
        return {**said, "action": "store_true"}
    if option.kind == "choice":
        return {**said, "choices": option.choices, "metavar": "|".join(option.choices)}
    if option.kind in {"words", "many"}:
        return {**said, "action": "append", "metavar": option.metavar}
    return {**said, "metavar": option.metavar, **({"type": _positive} if option.kind == "number" else {})}


def _positive(said: str) -> int:
    number = int(said) if said.isascii() and said.isdigit() and len(said) < 6 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{said!r} is not a number from 1 on")
    return number


class Options:
    """What was asked for: the command line over the configuration file over the defaults.

    ``given`` holds the names of the options that somebody set. Attributes are those of OPTIONS, and ``paths``.
    """

    def __init__(self, line: argparse.Namespace, config: Mapping[str, Any]) -> None:
        self.paths: list[str] = line.paths or ["."]
        self.given: set[str] = set()
        for option in OPTIONS:
            value = getattr(line, option.dest)
            if value is None:
                value = config.get(option.dest)
            elif option.kind == "words":
                value = split(value)
            if value is not None:
                self.given.add(option.dest)
            setattr(self, option.dest, _default(option) if value is None else value)
        self.per_file_ignores: Mapping[str, list[str]] = config.get("per_file_ignores") or {}

    def __getattr__(self, name: str) -> Any:
        """Declare to type checkers that options are attributes; at run time only a slip gets here."""
        raise AttributeError(name)


def _default(option: Option) -> Any:
    if option.kind == "switch":
        return False
    return [] if option.kind in {"words", "many"} else option.default


def split(values: Sequence[str]) -> list[str]:
    """Return the words of several values that separate them by commas."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]
