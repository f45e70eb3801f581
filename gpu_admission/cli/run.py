"""gpu-lint from its options to its exit status."""

from __future__ import annotations

import os
import sys

from gpu_admission import __version__, rules
from gpu_admission.files import policyfile
from gpu_admission.render.concise import remark
from gpu_admission.render.report import RANK, Report

from . import config, inputs, outputs, pool, progress, selection
from .arguments import Arguments
from .judge import Settings
from .options import Options
from .words import UsageError, printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.core.policy import Policy
    from gpu_admission.render.style import Style

    from .baseline import Baseline
    from .inputs import Found, Input
    from .judge import Outcome
    from .outputs import Target

_MOST_SKIPPED = 20  # lines on standard error; the reports name all
CLEAN, FINDINGS, TROUBLE = 0, 1, 2


def main(argv: Sequence[str]) -> int:
    """Run gpu-lint and return its exit status.

    Raises KeyboardInterrupt, and nothing else.
    """
    try:
        return _run(Arguments(argv))
    except (UsageError, policyfile.PolicyError) as error:
        for said in str(error).split("\n"):
            outputs.tell(f"gpu-lint: {said}")
    except BrokenPipeError:
        _abandon_output()
    except OSError as error:
        outputs.tell(f"gpu-lint: the report cannot be written: {(error.strerror or str(error)).lower()}")
        _abandon_output()
    return TROUBLE


def _abandon_output() -> None:
    """Let the interpreter find nothing to flush at its end: nobody reads standard output any more."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        return


def _run(line: Arguments) -> int:
    if line.values.keys() & {"help", "version", "explain", "completion"}:
        return _inform(Options(line, {}))
    bare = line.values.get("no_config", False)
    found = config.Config(os.getcwd(), {}) if bare else config.find((line.paths or ["."])[0])
    options = Options(line, found.values)
    _check(options)
    if options.list_rules:
        return _inform(options)
    run = Run(options, found.folder)
    return run.show_files() if options.show_files else run.lint()


def _check(options: Options) -> None:
    """Raise UsageError for options that contradict one another."""
    if options.diff and options.write_baseline:
        raise UsageError("--write-baseline: writes what is found, --diff shows repairs: not both")
    if options.add_ignore is not None and (options.fix or options.diff):
        raise UsageError("--add-ignore: leaves findings in place, --fix and --diff repair them: not both")
    if options.add_ignore is not None and not " ".join(options.add_ignore.split()).isprintable():
        raise UsageError("--add-ignore: the reason holds control characters")
    if options.add_ignore is not None and not options.add_ignore.strip():
        raise UsageError("--add-ignore: wants the reason")
    if options.unsafe_fixes and not (options.fix or options.diff):
        raise UsageError("--unsafe-fixes: goes with --fix or --diff")


def _inform(options: Options) -> int:
    """Answer what needs no input."""
    style = outputs.colour(options.color, sys.stdout)
    if options.help:
        from . import usage  # noqa: PLC0415 - a run needs none

        said = usage.text()
    elif options.version:
        said = f"gpu-lint {__version__}\n"
    elif options.completion:
        from . import completion  # noqa: PLC0415 - once in the life of a shell

        said = completion.script(options.completion, rules.ALL, policyfile.shipped())
    elif options.explain:
        said = _explanations(options.explain, style)
    else:
        from gpu_admission.render import rule_list  # noqa: PLC0415

        policy = policyfile.load(options.policy)
        chosen = rules.ALL
        if options.select or options.ignore:
            policy = selection.narrowed(policy, options.select, options.ignore, rules.ALL)
            chosen = tuple(rule for rule in rules.ALL if policy.in_force(rule))
        as_json = options.format == "json"
        said = rule_list.to_json(chosen, policy) if as_json else rule_list.render(chosen, policy, style)
    outputs.write(said.encode())
    return CLEAN


def _explanations(word: str, style: Style) -> str:
    from gpu_admission.render import explain  # noqa: PLC0415

    ids = selection.ids([word], rules.ALL, "--explain")
    return "\n".join(explain.render(rule, style) for rule in rules.ALL if rule.id in ids)


class Run:
    """One run over inputs."""

    def __init__(self, options: Options, folder: str) -> None:
        self.options = options
        self.folder = folder
        self.policy = self._policy()
        self.targets: list[Target] = outputs.targets(options.output, options.format)
        self.report = Report(policy=self.policy.name, version=__version__, rules=rules.ALL)
        self.repaired: dict[str, int] = {}
        self.changed = 0
        self.diffs: list[str] = []
        self.found = self._find()

    def _policy(self) -> Policy:
        options = self.options
        return selection.narrowed(policyfile.load(options.policy), options.select, options.ignore, rules.ALL)

    def _find(self) -> Found:
        options = self.options
        exclude = None
        if options.exclude:
            from .globs import Patterns  # noqa: PLC0415 - only for who excludes

            exclude = Patterns(options.exclude)
        walker = inputs.Walker(
            exclude=exclude,
            folder=self.folder,
            heed_gitignore=not options.no_ignore,
            stdin_name=printed(options.stdin_filename or inputs.STDIN),
        )
        return walker.find(options.paths)

    def show_files(self) -> int:
        """List the inputs."""
        outputs.write("".join(f"{source.name}\n" for source in self.found.inputs).encode("utf-8", "backslashreplace"))
        self._broken()
        self._tell_remarks()
        return TROUBLE if self.report.errors else CLEAN

    def lint(self) -> int:
        """Judge the inputs, report, and return the exit status."""
        settings = self._settings()
        total = len(self.found.inputs)
        outcomes = pool.run(self.found.inputs, settings, self.options.jobs)
        baseline = settings.baseline
        matched = 0
        for outcome in progress.shown(outcomes, total, wanted=not self.options.quiet):
            self._take(outcome)
            matched += sum(outcome.matched.values())
        self._broken()
        self.report.sort()
        if self.options.write_baseline:
            self._write_baseline()
        self._say(baseline, matched)
        return self._status()

    def _settings(self) -> Settings:
        options = self.options
        lowest = RANK[options.min_severity]
        if options.fail_on != "never":
            lowest = max(lowest, RANK[options.fail_on])  # nothing fails a run without being shown
        asked = frozenset() if "min_severity" in options.given else selection.named(options.select, rules.ALL)
        settings = Settings(self.policy, lowest=lowest, asked=asked)
        settings.folder = self.folder
        settings.as_admitted = options.as_admitted
        settings.unsafe = options.unsafe_fixes
        settings.consent = bool(options.select)
        settings.baseline = self._baseline()
        if options.add_ignore is not None:
            settings.mode, settings.reason = "silence", " ".join(options.add_ignore.split())
        elif options.diff or options.fix:
            settings.mode = "diff" if options.diff else "fix"
        if options.per_file_ignores:
            from .globs import Patterns  # noqa: PLC0415

            settings.by_path = [
                (Patterns([glob]), selection.ids(words, rules.ALL, "per-file-ignores"))
                for glob, words in options.per_file_ignores.items()
            ]
        return settings

    def _baseline(self) -> Baseline | None:
        if not self.options.baseline or self.options.write_baseline:
            return None
        from . import baseline  # noqa: PLC0415 - only for who keeps one

        return baseline.load(self.options.baseline)

    def _take(self, outcome: Outcome) -> None:
        report = self.report
        report.files.append(outcome.name)
        report.findings += outcome.findings
        report.suppressed += outcome.suppressed
        report.errors += outcome.errors
        report.skipped += outcome.skipped
        report.notices += outcome.notices
        report.documents += outcome.documents
        report.objects += outcome.objects
        report.hidden += outcome.hidden
        if outcome.diff:
            self.diffs.append(outcome.diff)
        if outcome.repaired:
            self.changed += 1
        for rule, count in outcome.repaired.items():
            self.repaired[rule] = self.repaired.get(rule, 0) + count
        if outcome.content is not None:
            outputs.write(outcome.content)

    def _broken(self) -> None:
        from .judge import failed  # noqa: PLC0415

        for source, why in self.found.broken:
            self.report.files.append(source.name)
            self.report.errors += failed(source, why).errors

    def _write_baseline(self) -> None:
        from . import baseline  # noqa: PLC0415

        path = self.options.write_baseline
        named: dict[str, Input] = {source.name: source for source in self.found.inputs}
        findings = self.report.findings
        known = [(located, named[located.place.rendered_in or located.place.file]) for located in findings]
        self._save(path, baseline.render(known, path))
        self.report.findings = []
        self._notice(f"{len(known)} findings written to {printed(path)}")

    def _save(self, path: str, data: bytes) -> None:
        try:
            outputs.save(path, data)
        except OSError as error:
            raise UsageError(f"{printed(path)} cannot be written: {(error.strerror or '').lower()}") from error

    def _notice(self, said: str) -> None:
        if not self.options.quiet:
            outputs.tell(f"gpu-lint: {said}")

    def _say(self, baseline: Baseline | None, matched: int) -> None:
        """Print and write every report, then what concerns the run."""
        options, report = self.options, self.report
        self._tell_remarks()
        if not options.write_baseline or self.targets:
            self._reports()
        if options.statistics and options.format not in {"text", "concise"}:
            from gpu_admission.render import tally  # noqa: PLC0415

            outputs.tell(tally.render(report, outputs.colour(options.color, sys.stderr)).rstrip("\n"))
        if baseline is not None and matched < sum(baseline.counts.values()) and "." in options.paths:
            gone = sum(baseline.counts.values()) - matched
            self._notice(f"{gone} findings of the baseline are gone: --write-baseline {printed(options.baseline)}")
        if not self.found.inputs and not self.found.broken:
            self._notice("no YAML or JSON file to read")
        self._tell_repairs()

    def _reports(self) -> None:
        options = self.options
        for target in self.targets:
            plain = outputs.colour("never", None)
            self._save(target.path, self._rendered(target.format, plain, remarks=True))
        if options.diff:
            outputs.write("".join(self.diffs).encode("utf-8", "surrogateescape"))
            return
        if options.write_baseline:
            return
        to_stderr = (options.fix or options.add_ignore is not None) and any(
            source.path is None for source in self.found.inputs
        )
        style = outputs.colour(options.color, sys.stderr if to_stderr else sys.stdout)
        data = self._rendered(options.format, style, remarks=False)
        if to_stderr:
            outputs.tell(data.decode("utf-8").rstrip("\n"))
        else:
            outputs.write(data)

    def _rendered(self, form: str, style: Style, *, remarks: bool) -> bytes:
        options = self.options
        return outputs.rendered(
            self.report, form, style, remarks=remarks, quiet=options.quiet, statistics=options.statistics
        )

    def _tell_remarks(self) -> None:
        style = outputs.colour(self.options.color, sys.stderr)
        for error in self.report.errors:
            outputs.tell(remark(error, "error", style))
        if self.options.quiet:
            return
        for skipped in self.report.skipped[:_MOST_SKIPPED]:
            outputs.tell(remark(skipped, "skipped", style))
        more = len(self.report.skipped) - _MOST_SKIPPED
        if more > 0:
            outputs.tell(f"gpu-lint: {more} more files skipped as templates (--format json names them all)")
        for notice in self.report.notices:
            outputs.tell(remark(notice, "notice", style))

    def _tell_repairs(self) -> None:
        options = self.options
        if not (options.fix or options.diff or options.add_ignore is not None):
            return
        count = sum(self.repaired.values())
        each = ", ".join(f"{rule} {number}" for rule, number in sorted(self.repaired.items()))
        done = "Would fix" if options.diff else "Silenced" if options.add_ignore is not None else "Fixed"
        files = f"{self.changed} file{'' if self.changed == 1 else 's'}"
        findings = f"{count} finding{'' if count == 1 else 's'}"
        self._notice(f"{done} {findings} in {files} ({each})" if count else f"{done} nothing")

    def _status(self) -> int:
        options = self.options
        if self.report.errors:
            return TROUBLE
        if options.diff:
            return FINDINGS if self.diffs else CLEAN
        if options.exit_non_zero_on_fix and self.changed:
            return FINDINGS
        if options.fail_on == "never":
            return CLEAN
        worst = RANK[options.fail_on]
        left = (located.finding for located in self.report.findings)
        return FINDINGS if any(RANK[f.severity] <= worst and not f.repaired for f in left) else CLEAN
