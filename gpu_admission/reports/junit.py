"""JUnit XML: a suite per file, a case per finding, a passing case for a file without findings."""

from __future__ import annotations

from gpu_admission.core.raw import escape

from .report import sentences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .report import Diagnostic, LocatedFinding, Report


class _Suite:
    __slots__ = ("cases", "errors", "failures", "skipped")

    def __init__(self) -> None:
        self.cases: list[str] = []
        self.errors = 0
        self.failures = 0
        self.skipped = 0


def render(report: Report) -> str:
    """Return the XML text; encode it as UTF-8."""
    suites: dict[str, _Suite] = {name: _Suite() for name in report.files}
    for error in report.errors:
        _broken(suites.setdefault(_input(error), _Suite()), error)
    for skipped in report.skipped:
        suite = suites.setdefault(_input(skipped), _Suite())
        suite.skipped += 1
        suite.cases.append(_case(skipped.place.file, "not read", f"<skipped message={_quoted(skipped.message)}/>"))
    for located in report.findings:
        _finding(suites.setdefault(located.place.rendered_in or located.place.file, _Suite()), located)
    body = [_suite(name, suite) for name, suite in sorted(suites.items())]
    tests = sum(max(len(suite.cases), 1) for suite in suites.values())
    failures = sum(suite.failures for suite in suites.values())
    errors = sum(suite.errors for suite in suites.values())
    head = f'<testsuites name={_quoted(report.tool)} tests="{tests}" failures="{failures}" errors="{errors}">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *body, "</testsuites>", ""])


def _input(diagnostic: Diagnostic) -> str:
    return diagnostic.place.rendered_in or diagnostic.place.file


def _broken(suite: _Suite, error: Diagnostic) -> None:
    suite.errors += 1
    spot = "" if error.place.line is None else f" at {error.place.line}:{error.place.column or 1}"
    case = _case(error.place.file, f"can be read{spot}", f"<error message={_quoted(error.message)}/>")
    suite.cases.append(case)


def _finding(suite: _Suite, located: LocatedFinding) -> None:
    finding, place = located.finding, located.place
    spot = "" if place.line is None else f"{place.line}:{place.column}"
    name = f"{finding.rule} {finding.name} {f'at {spot}' if spot else finding.container or ''}".rstrip()
    text = sentences(finding)
    if finding.repaired or finding.severity == "info":
        # Neither breaks a build, and JUnit has no level below failure: the case passes, with the text as output.
        why = "admission repairs this: " if finding.repaired else ""
        suite.cases.append(_case(place.file, name, f"<system-out>{_escaped(why + text)}</system-out>"))
        return
    suite.failures += 1
    kind, message = _quoted(finding.severity), _quoted(finding.message)
    detail = f"{place.file}:{spot}: {text}" if spot else f"{place.file}: {text}"
    suite.cases.append(_case(place.file, name, f"<failure type={kind} message={message}>{_escaped(detail)}</failure>"))


def _suite(name: str, suite: _Suite) -> str:
    cases = suite.cases or [f'    <testcase classname={_quoted(name)} name="no findings"/>']
    head = (
        f'  <testsuite name={_quoted(name)} tests="{len(cases)}" failures="{suite.failures}" '
        f'errors="{suite.errors}" skipped="{suite.skipped}">'
    )
    return "\n".join([head, *cases, "  </testsuite>"])


def _case(file: str, name: str, inner: str) -> str:
    return f"    <testcase classname={_quoted(file)} name={_quoted(name)}>{inner}</testcase>"


def _escaped(text: str) -> str:
    text = escape(text)  # XML 1.0 has no way to write most control characters
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'
