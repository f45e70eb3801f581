"""GitHub workflow commands: annotations on the lines of a pull request.

GitHub shows ten annotations of each level per step, so the most severe come first, the rest is printed
as plain lines of the log, and a last command counts those.
"""

from __future__ import annotations

from gpu_admission.core.raw import escape

from . import concise
from .report import by_severity, sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .report import LocatedFinding, Location, Report

SHOWN = 10  # of each level per step; docs.github.com/actions: "Limitations" of annotations
_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report) -> str:
    """Return one command per line."""
    step = _StepLog()
    for error in report.errors:
        command = _command("error", "gpu-lint cannot read this", error.place, error.message)
        step.add("error", command, concise.diagnostic(error, "error"))
    for located in by_severity(report.findings):
        level = "notice" if located.finding.repaired else _LEVELS[located.finding.severity]
        step.add(level, _annotation(level, located), concise.headline(located))
    for skipped in report.skipped:
        command = _command("notice", "gpu-lint skipped this", skipped.place, skipped.message)
        step.add("notice", command, concise.diagnostic(skipped, "skipped"))
    return "".join(f"{line}\n" for line in step.lines())


class _StepLog:
    """The output of one step of a job: commands as far as GitHub shows them, then plain lines of the log."""

    __slots__ = ("_remaining", "_rest", "_shown")

    def __init__(self) -> None:
        self._remaining = {"error": SHOWN, "warning": SHOWN, "notice": SHOWN - 1}  # one notice counts the rest
        self._shown: list[str] = []
        self._rest: list[str] = []

    def add(self, level: str, command: str, line: str) -> None:
        """Add a command, or its line of the log where GitHub would not show it."""
        if self._remaining[level]:
            self._remaining[level] -= 1
            self._shown.append(command)
        else:
            # A line of the log must not be parsed as a command, whatever the name of the file.
            self._rest.append(f" {line}" if line.startswith("::") else line)

    def lines(self) -> list[str]:
        """Return all lines in the order of the log."""
        if not self._rest:
            return self._shown
        more = f"::notice title=gpu-lint::{len(self._rest)} more in the log of this step"
        return [*self._shown, *self._rest, more]


def _annotation(level: str, located: LocatedFinding) -> str:
    finding, place = located.finding, located.place
    text = sentences(finding)
    if finding.repaired:
        text = f"Admission repairs this: {text}"
    if place.rendered_in:
        text += f" (rendered from {place.file}: line {place.line} of {place.rendered_in})"
    return _command(level, f"{finding.rule} {finding.name}", place, text)


def _command(level: str, title: str, place: Location, message: str) -> str:
    line, column, end = place.region
    path = place.path_bytes.decode("utf-8", "replace")
    spot = f",line={line},endLine={line},col={column},endColumn={end}" if place.line is not None else ""
    return f"::{level} title={_property(title)},file={_property(path)}{spot}::{_data(message)}"


def _data(text: str) -> str:
    text = escape(text)  # the log of a step is a terminal too
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
