"""The output of a run: reports to standard output and files, everything else to standard error."""

from __future__ import annotations

import sys

from gpu_admission.reports.formats import FOR_PEOPLE

from . import report_sinks
from .paths import printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.reports.report import Diagnostic, Report
    from gpu_admission.reports.style import Style

    from .options import LintArguments
    from .report_sinks import ReportSink

_MOST_SKIPPED = 20  # lines on standard error; the reports name all


class Reporter:
    """Prints the results of a run. ``failed`` is set where a report could not be written."""

    __slots__ = ("_options", "_report", "_targets", "failed")

    def __init__(self, options: LintArguments, report: Report) -> None:
        """Raise UsageError where a report cannot be written: before a long run, not after it."""
        self._options = options
        self._report = report
        self._targets: list[ReportSink] = report_sinks.targets(options.output, options.format)
        self.failed = False

    def diagnostics(self) -> None:
        """Print what could not be read, what was skipped, and the notices."""
        style = report_sinks.colour(self._options.color, sys.stderr)
        self._lines(self._report.errors, "error", style)
        if self._options.quiet:
            return
        self._lines(self._report.skipped[:_MOST_SKIPPED], "skipped", style)
        more = len(self._report.skipped) - _MOST_SKIPPED
        if more > 0:
            self.notice(f"{more} more files skipped as templates (--format json names them all)")
        self._lines(self._report.notices, "notice", style)

    @staticmethod
    def _lines(diagnostics: Sequence[Diagnostic], level: str, style: Style) -> None:
        for each in diagnostics:
            from gpu_admission.reports.concise import diagnostic  # noqa: PLC0415 - start-up time: most runs have none

            report_sinks.print_error(diagnostic(each, level, style))

    def reports(self, *, aside: bool) -> None:
        """Print the report (``aside``: to standard error, because what was repaired is on standard output)."""
        options = self._options
        stream = sys.stderr if aside else sys.stdout
        data = self._rendered(options.format, report_sinks.colour(options.color, stream), diagnostics=False)
        if aside:
            report_sinks.print_error(data.decode("utf-8").rstrip("\n"))
        else:
            report_sinks.write(data)

    def files(self) -> None:
        """Write the reports that go to files."""
        for target in self._targets:
            self.save(target.path, self._rendered(target.format, report_sinks.colour("never", None), diagnostics=True))

    def statistics(self) -> None:
        """Print the number of findings of each rule, for formats that cannot contain it."""
        if self._options.statistics and self._options.format not in FOR_PEOPLE:
            from gpu_admission.reports import rule_statistics  # noqa: PLC0415 - start-up time: only for --statistics

            table = rule_statistics.render(self._report, report_sinks.colour(self._options.color, sys.stderr))
            report_sinks.print_error(table.rstrip("\n"))

    def repairs(self, counts: dict[str, int], files: int) -> None:
        """Print the number of findings repaired or ignored, by rule."""
        options = self._options
        done = "Would fix" if options.diff else "Silenced" if options.add_ignore is not None else "Fixed"
        total = sum(counts.values())
        if not total:
            self.notice(f"{done} nothing")
            return
        each = ", ".join(f"{rule} {count}" for rule, count in sorted(counts.items()))
        findings = "finding" if total == 1 else "findings"
        self.notice(f"{done} {total} {findings} in {files} {'file' if files == 1 else 'files'} ({each})")

    def notice(self, value: str) -> None:
        """Print a notice, unless --quiet."""
        if not self._options.quiet:
            report_sinks.print_error(f"gpu-lint: {value}")

    def save(self, path: str, data: bytes) -> None:
        """Write a file; where that fails, report it and continue with the other reports."""
        try:
            report_sinks.save(path, data)
        except OSError as error:
            self.failed = True
            report_sinks.print_error(
                f"gpu-lint: {printed(path)}: cannot be written: {(error.strerror or str(error)).lower()}"
            )

    def _rendered(self, form: str, style: Style, *, diagnostics: bool) -> bytes:
        options = self._options
        return report_sinks.rendered(
            self._report, form, style, diagnostics=diagnostics, quiet=options.quiet, statistics=options.statistics
        )
