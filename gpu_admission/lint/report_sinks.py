"""Output of reports: format, destination, encoding, and errors."""

from __future__ import annotations

import os
import sys

from gpu_admission.reports import formats
from gpu_admission.reports.formats import FOR_PEOPLE, FORMATS
from gpu_admission.reports.style import Style

from .paths import UsageError, printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from gpu_admission.reports.report import Report


class ReportSink:
    """A file to which a report is written."""

    __slots__ = ("format", "path")

    def __init__(self, value: str, default: str) -> None:
        head, equals, path = value.partition("=")
        if equals and head in FORMATS:
            self.format, self.path = head, path
        elif equals and head.isalpha() and head.islower():
            from gpu_admission.core.typos import did_you_mean  # noqa: PLC0415 - only for a mistake

            raise UsageError(
                f"--output: unknown format {head!r}{did_you_mean(head, FORMATS)} (a file is named ./{value})"
            )
        else:
            self.format, self.path = default, value
        if not self.path or self.path == "-":
            raise UsageError(f"--output: {value!r} is not a file name; --format selects what goes to standard output")


def targets(value: list[str], default: str) -> list[ReportSink]:
    """Return the files to which reports are written besides standard output.

    Raises UsageError where a format is unknown or a directory is missing: before a long run, not after it.
    """
    found = [ReportSink(word, default) for word in value]
    for target in found:
        folder = os.path.dirname(target.path) or "."
        if not os.path.isdir(folder):
            raise UsageError(f"--output: there is no directory {printed(folder)}")
        if os.path.isdir(target.path):
            raise UsageError(f"--output: {printed(target.path)} is a directory")
    return found


def rendered(report: Report, form: str, style: Style, *, diagnostics: bool, quiet: bool, statistics: bool) -> bytes:
    """Return a report in a format, as bytes. ``diagnostics`` as in ``reports.text``."""
    render = formats.renderer(form)
    if form in FOR_PEOPLE:
        value: str = render(report, style, diagnostics=diagnostics, quiet=quiet)
        if statistics:
            from gpu_admission.reports import rule_statistics  # noqa: PLC0415

            value += rule_statistics.render(report, style)
        return value.encode("utf-8", "backslashreplace")
    return render(report).encode("utf-8", "backslashreplace")


def colour(choice: str, stream: TextIO | None) -> Style:
    """Return the style for a stream: by choice, else by NO_COLOR, FORCE_COLOR and whether it is a terminal."""
    if choice != "auto":
        return Style(colour=choice == "always")
    if os.environ.get("NO_COLOR"):
        return Style()
    if os.environ.get("FORCE_COLOR", "0") not in {"", "0"}:
        return Style(colour=True)
    terminal = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    return Style(colour=terminal)


def write(data: bytes) -> None:
    """Write to standard output. Raises OSError (including BrokenPipeError), UsageError where it is closed."""
    stream = sys.stdout
    if stream is None:
        raise UsageError("standard output is closed")
    stream.flush()
    if hasattr(stream, "buffer"):
        stream.buffer.write(data)
    else:
        stream.write(data.decode("utf-8", "backslashreplace"))
    stream.flush()


def save(path: str, data: bytes) -> None:
    """Write a file atomically; what is not a regular file (a pipe, a device) is written directly.

    Raises OSError.
    """
    real = os.path.realpath(path)
    if os.path.exists(real) and not os.path.isfile(real):
        with open(path, "wb") as file:
            file.write(data)
        return
    from gpu_admission.safe_files import write_atomically  # noqa: PLC0415 - start-up time: needed only for --output

    write_atomically(path, data)


def print_error(line: str) -> None:
    """Write a line to standard error, if that is open."""
    if sys.stderr is None:
        return
    try:
        stream = sys.stderr
        encoding = stream.encoding or "utf-8"
        print(line.encode(encoding, "backslashreplace").decode(encoding), file=stream)
    except (OSError, ValueError):
        return
