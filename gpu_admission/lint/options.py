"""The options of gpu-lint: one table for the command line, the configuration file and the shell completion."""

from __future__ import annotations

from gpu_admission.reports.formats import FORMATS

from .paths import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from .arguments import Arguments

    Kind = Literal["switch", "choice", "word", "words", "many", "number"]

LEVELS = ("error", "warning", "info")
SHELLS = ("bash", "zsh", "fish")


class Option:
    """One option. ``kind``: a switch, one of ``choices``, a word, words separated by commas, many words, a number.

    ``metavar`` selects the completion (a file, a rule, a policy). ``configurable`` ones are allowed in
    the configuration file, under the name of their long flag.
    """

    __slots__ = ("choices", "configurable", "default", "flags", "group", "help", "kind", "metavar")

    def __init__(
        self,
        flags: str,
        kind: Kind,
        argument: str,
        group: str,
        *,
        metavar: str = "",
        choices: tuple[str, ...] = (),
        default: Any = None,
        configurable: bool = True,
    ) -> None:
        self.flags = tuple(flags.split())
        self.kind: Kind = kind
        self.help = argument
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

    @property
    def wanted(self) -> str:
        """What must follow the flag."""
        return f"one of {', '.join(self.choices)}" if self.choices else self.metavar

    def read(self, argument: str, flag: str) -> Any:
        """Return the value of a text: a list for options that may be given several times.

        Raises UsageError.
        """
        if self.kind == "choice" and argument not in self.choices:
            from gpu_admission.core.typos import did_you_mean  # noqa: PLC0415 - only for a mistake

            raise UsageError(f"{flag}: invalid value {argument!r}{did_you_mean(argument, self.choices)}")
        if self.kind == "number":
            number = int(argument) if argument.isascii() and argument.isdigit() and len(argument) < 6 else 0
            if number < 1:
                raise UsageError(f"{flag}: expected an integer >= 1, got {argument!r}")
            return number
        if self.kind == "words":
            return split([argument])
        return [argument] if self.kind == "many" else argument


RULES, REPORT, REPAIR, INPUTS, ANSWERS = "Rules", "Report", "Repair", "Inputs", "Information"
GROUPS = (RULES, REPORT, REPAIR, INPUTS, ANSWERS)

OPTIONS: tuple[Option, ...] = (
    Option("-p --policy", "word", "a shipped policy or a file", RULES, metavar="NAME|FILE", default="any"),
    Option("--select", "words", "only these: IDs, names or prefixes (GPU1)", RULES, metavar="RULE[,RULE]"),
    Option("--ignore", "words", "all but these", RULES, metavar="RULE[,RULE]"),
    Option(
        "--fail-on", "choice", "exit 1 at this severity or above", RULES, choices=(*LEVELS, "never"), default="error"
    ),
    Option("--min-severity", "choice", "report this severity and above", RULES, choices=LEVELS, default="warning"),
    Option("--as-admitted", "switch", "check objects as admitted; what the webhook repairs is marked", RULES),
    Option("--baseline", "word", "report only what is not in FILE", RULES, metavar="FILE"),
    Option("--write-baseline", "word", "write the findings to FILE", RULES, metavar="FILE", configurable=False),
    Option("-f --format", "choice", "how findings are printed", REPORT, choices=FORMATS, default="text"),
    Option("-o --output", "many", "write a report there too (repeatable)", REPORT, metavar="[FORMAT=]FILE"),
    Option("--statistics", "switch", "count findings by rule", REPORT),
    Option("-q --quiet", "switch", "findings and errors only", REPORT),
    Option("--color", "choice", "colour the text", REPORT, choices=("auto", "always", "never"), default="auto"),
    Option("--fix", "switch", "repair in place what is safe to repair", REPAIR),
    Option("--unsafe-fixes", "switch", "also apply repairs that need review", REPAIR),
    Option("--diff", "switch", "show the repairs as a patch instead; exit 1 if there are any", REPAIR),
    Option("--exit-non-zero-on-fix", "switch", "exit 1 if anything was repaired", REPAIR),
    Option("--add-ignore", "word", "ignore each finding, with REASON", REPAIR, metavar="REASON", configurable=False),
    Option("--exclude", "many", "exclude what matches, in .gitignore syntax (repeatable)", INPUTS, metavar="GLOB"),
    Option("--parse-all", "switch", "also parse files that name nothing a rule reads, and report their errors", INPUTS),
    Option("--no-ignore", "switch", "do not apply .gitignore", INPUTS),
    Option(
        "--stdin-filename", "word", "file name to report for standard input", INPUTS, metavar="NAME", configurable=False
    ),
    Option("--show-files", "switch", "list what would be read, and stop", INPUTS, configurable=False),
    Option("--jobs", "number", "processes at most [cores]", INPUTS, metavar="N"),
    Option("--no-config", "switch", "do not read a configuration file", INPUTS, configurable=False),
    Option("--list-rules", "switch", "list all rules", ANSWERS, configurable=False),
    Option("--explain", "word", "describe one rule", ANSWERS, metavar="RULE", configurable=False),
    Option("--completion", "choice", "completion for a shell", ANSWERS, choices=SHELLS, configurable=False),
    Option("--version", "switch", "the version", ANSWERS, configurable=False),
    Option("-h --help", "switch", "this help", ANSWERS, configurable=False),
)


class LintArguments:
    """The arguments of a run: the command line over the configuration file over the defaults.

    ``given`` are the names of the options that were set, ``configured`` of those set in the file.
    Attributes are those of OPTIONS, and ``paths``.
    """

    def __init__(self, line: Arguments, config: Mapping[str, Any]) -> None:
        self.paths: list[str] = line.paths or ["."]
        values = {**config, **line.values}
        self.given = frozenset(values)
        self.configured = frozenset(config) - frozenset(line.values)
        self.per_file_ignores: Mapping[str, list[str]] = values.get("per_file_ignores") or {}
        for option in OPTIONS:
            setattr(self, option.dest, values.get(option.dest, _default(option)))

    def __getattr__(self, name: str) -> Any:
        """Declare to type checkers that options are attributes; at run time only a wrong name gets here."""
        raise AttributeError(name)


def _default(option: Option) -> Any:
    if option.kind == "switch":
        return False
    return [] if option.kind in {"words", "many"} else option.default


def split(values: Sequence[str]) -> list[str]:
    """Return the words of several comma-separated values."""
    return [word.strip() for value in values for word in value.split(",") if word.strip()]
