"""gpu-lint from its options to its exit status."""

from __future__ import annotations

import os
import sys

from gpu_admission import __version__, rules
from gpu_admission.manifests import yaml_events
from gpu_admission.policy.model import KEEP_SCHEDULER, Policy
from gpu_admission.policyfile import loader
from gpu_admission.reports.report import RANK, Report

from . import config, inputs, parallel, report_sinks
from .arguments import Arguments
from .file_linter import LintOptions, failed
from .options import LintArguments
from .paths import UsageError, printed
from .reporter import Reporter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .file_linter import FileResult
    from .inputs import FoundInput, Input

CLEAN, FINDINGS, TROUBLE = 0, 1, 2


def main(argv: Sequence[str]) -> int:
    """Run gpu-lint and return its exit status. Raises only KeyboardInterrupt."""
    try:
        return _run(Arguments(argv))
    except (UsageError, loader.PolicyError) as error:
        for value in str(error).split("\n"):
            report_sinks.print_error(f"gpu-lint: {value}")
    except BrokenPipeError:
        abandon_output()
    except OSError as error:
        report_sinks.print_error(f"gpu-lint: the report cannot be written: {(error.strerror or str(error)).lower()}")
        abandon_output()
    return TROUBLE


def abandon_output() -> None:
    """Replace the closed standard output, so that the interpreter's last flush does not fail."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return


def _run(line: Arguments) -> int:
    if line.values.keys() & {"help", "version", "explain", "completion"}:
        return _answer(LintArguments(line, {}))
    bare = line.values.get("no_config", False)
    found = config.Config(os.getcwd(), {}) if bare else config.find((line.paths or ["."])[0])
    options = LintArguments(line, found.values)
    _check(line, options)
    if options.list_rules:
        return _answer(options)
    run = Run(options, found.folder)
    return run.show_files() if options.show_files else run.lint()


def _check(line: Arguments, options: LintArguments) -> None:
    """Raise UsageError for options of the command line that cannot be combined."""
    given = line.values.keys()
    if "diff" in given and "write_baseline" in given:
        raise UsageError("--write-baseline cannot be combined with --diff")
    if "add_ignore" in given and given & {"fix", "diff"}:
        raise UsageError("--add-ignore cannot be combined with --fix or --diff")
    if "unsafe_fixes" in given and not (options.fix or options.diff):
        raise UsageError("--unsafe-fixes requires --fix or --diff")
    reason = " ".join((options.add_ignore or "-").split())
    if not reason or not reason.isprintable():
        raise UsageError("--add-ignore: expected a reason in plain text")


def _answer(options: LintArguments) -> int:
    from . import info  # noqa: PLC0415 - start-up time: not needed for a run

    info.give(options)
    return CLEAN


class Run:
    """One run over inputs."""

    def __init__(self, options: LintArguments, folder: str) -> None:
        self.options = options
        self.folder = folder
        self.policy = self._policy()
        self.report = Report(policy=self.policy.name, version=__version__, rules=rules.ALL)
        self.reporter = Reporter(options, self.report)
        self.found = self._find()
        self.settings = self._settings()
        self.repaired: dict[str, int] = {}
        self.changed = 0
        self.diffs: dict[str, str] = {}  # by input, in their order
        self.known: dict[str, int] = {}

    def show_files(self) -> int:
        """List the inputs."""
        names = "".join(f"{source.name}\n" for source in self.found.inputs)
        self._broken()
        self.reporter.diagnostics()
        report_sinks.write(names.encode("utf-8", "backslashreplace"))
        return TROUBLE if self.report.errors else CLEAN

    def lint(self) -> int:
        """Judge the inputs, report, and return the exit status."""
        outcomes = parallel.run(self.found.inputs, self.settings, self.options.jobs)
        if not self.options.quiet and sys.stderr is not None and sys.stderr.isatty():
            from . import progress  # noqa: PLC0415 - start-up time: needed only on a terminal

            outcomes = progress.shown(outcomes, len(self.found.inputs))
        try:
            self._judge(outcomes)
            self._broken()
            self.report.sort()
            if self.options.write_baseline:
                self._write_baseline()
            self._print()
        except BrokenPipeError:  # `gpu-lint | head`: the exit status is still needed
            abandon_output()
        return self._status()

    def _judge(self, outcomes: Iterator[FileResult]) -> None:
        """Collect the outcomes; judge inputs again that were not parsed before their resource names were known."""
        passed_over: list[Input] = []
        names_resources = False
        for source, outcome in zip(self.found.inputs, outcomes, strict=True):
            self.report.files.append(outcome.name)
            self._take(outcome)
            names_resources |= outcome.names_resources
            if not outcome.is_parsed and source.path is not None:
                passed_over.append(source)
        if names_resources and passed_over:
            from . import run_index  # noqa: PLC0415 - start-up time: needed only for resource names of device classes

            names = run_index.of(self.found.inputs).resources()
            self.settings.class_resources = tuple([name.encode() for name in names])
            for outcome in parallel.run(passed_over, self.settings, self.options.jobs) if names else ():
                self._take(outcome)

    def _policy(self) -> Policy:
        options = self.options
        policy = loader.load(options.policy)
        if not options.as_admitted:
            policy = Policy(policy.name, {**policy.spec, KEEP_SCHEDULER: True})
        if not options.select and not options.ignore:
            return policy
        from . import rule_selection  # noqa: PLC0415 - start-up time: needed only when rules are selected

        return rule_selection.narrowed(policy, options.select, options.ignore, rules.ALL)

    def _find(self) -> FoundInput:
        options = self.options
        exclude = None
        if options.exclude:
            from .globs import Patterns  # noqa: PLC0415 - start-up time: needed only for --exclude

            exclude = Patterns(options.exclude)
        walker = inputs.Walker(
            exclude=exclude,
            folder=self.folder if "exclude" in options.configured else os.getcwd(),
            use_gitignore=not options.no_ignore,
            stdin_name=printed(options.stdin_filename) if options.stdin_filename else inputs.STDIN,
        )
        return walker.find(options.paths)

    def _settings(self) -> LintOptions:
        options = self.options
        settings = LintOptions(self.policy, lowest=RANK[options.min_severity])
        if options.fail_on != "never":
            settings.lowest = max(settings.lowest, RANK[options.fail_on])  # what fails a run is reported
        settings.folder = self.folder
        settings.inputs = self.found.inputs
        settings.as_admitted = options.as_admitted
        settings.parse_all = options.parse_all
        settings.unsafe = options.unsafe_fixes
        settings.consent = bool(options.select)
        if options.add_ignore is not None:
            settings.mode, settings.reason = "silence", " ".join(options.add_ignore.split())
        elif options.diff or options.fix:
            settings.mode = "diff" if options.diff else "fix"
        if options.select or options.per_file_ignores:
            self._select(settings)
        if options.baseline and not options.write_baseline:
            from . import baseline  # noqa: PLC0415 - start-up time: needed only for --baseline

            settings.baseline = baseline.load(options.baseline)
        return settings

    def _select(self, settings: LintOptions) -> None:
        from . import rule_selection  # noqa: PLC0415 - start-up time: needed only when rules are selected
        from .globs import Patterns  # noqa: PLC0415

        options = self.options
        if "min_severity" not in options.given:  # a rule that is named is reported at any severity
            settings.always = rule_selection.named(options.select, rules.ALL)
        settings.by_path = [
            (Patterns([glob]), rule_selection.ids(names, rules.ALL, "per-file-ignores"))
            for glob, names in options.per_file_ignores.items()
        ]

    def _take(self, outcome: FileResult) -> None:
        report = self.report
        report.findings += outcome.findings
        report.suppressed += outcome.suppressed
        report.errors += outcome.errors
        report.skipped += outcome.skipped
        report.notices += outcome.notices
        report.documents += outcome.documents
        report.objects += outcome.objects
        report.hidden += outcome.hidden
        self.known.update(outcome.matched)
        if outcome.diff:
            self.diffs[outcome.name] = outcome.diff
        if outcome.repaired:
            self.changed += 1
        for rule, count in outcome.repaired.items():
            self.repaired[rule] = self.repaired.get(rule, 0) + count
        if outcome.content is not None:
            report_sinks.write(outcome.content)

    def _broken(self) -> None:
        for source, why in self.found.broken:
            self.report.files.append(source.name)
            self.report.errors += failed(source, why).errors

    def _write_baseline(self) -> None:
        from . import baseline  # noqa: PLC0415 - start-up time: needed only for --write-baseline

        path = self.options.write_baseline
        named: dict[str, Input] = {source.name: source for source in self.found.inputs}
        findings = self.report.findings
        known = [(located, named[located.place.rendered_in or located.place.file]) for located in findings]
        self.reporter.save(path, baseline.render(known, path))
        self.report.findings = []
        self.reporter.notice(f"{len(known)} finding{'' if len(known) == 1 else 's'} written to {printed(path)}")

    def _print(self) -> None:
        """Print and write every report, then the notices about the whole run."""
        options, reporter = self.options, self.reporter
        reporter.diagnostics()
        repairing = self.settings.mode != "judge"
        if options.diff:
            diffs = [self.diffs[source.name] for source in self.found.inputs if source.name in self.diffs]
            report_sinks.write("".join(diffs).encode("utf-8", "surrogateescape"))
        elif not options.write_baseline:
            reporter.reports(aside=repairing and any(source.path is None for source in self.found.inputs))
        reporter.files()
        reporter.statistics()
        self._notices()
        if repairing:
            reporter.repairs(self.repaired, self.changed)

    def _notices(self) -> None:
        if self.settings.baseline is not None:
            unmatched = self.settings.baseline.unmatched(self.known, self.found.inputs)
            if unmatched:
                file = printed(self.options.baseline)
                self.reporter.notice(f"{unmatched} of the baseline no longer matched: --write-baseline {file}")
        if not self.found.inputs and not self.found.broken:
            self.reporter.notice("no YAML or JSON file to read")
        self._warn_of_slow_yaml()

    def _warn_of_slow_yaml(self) -> None:
        read_elsewhere = "multiprocessing" in sys.modules and any([not n.endswith(".json") for n in self.report.files])
        if read_elsewhere:  # by other processes, which had the same library
            yaml_events.parser()
        if yaml_events.is_slow():
            self.reporter.notice(
                "YAML is parsed about 15 times slower than necessary: PyYAML is installed without libyaml "
                "(install it from a wheel, or where libyaml's headers are)"
            )

    def _status(self) -> int:
        options = self.options
        if self.report.errors or self.reporter.failed:
            return TROUBLE
        if options.diff:
            return FINDINGS if self.diffs else CLEAN
        if options.exit_non_zero_on_fix and self.changed:
            return FINDINGS
        if options.fail_on == "never":
            return CLEAN
        worst = RANK[options.fail_on]
        remaining = (located.finding for located in self.report.findings)
        return FINDINGS if any(RANK[f.severity] <= worst and not f.repaired for f in remaining) else CLEAN
