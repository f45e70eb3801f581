"""Each format, from a report made by hand."""

import json
import os
import pathlib
import re
from xml.etree import ElementTree as ET

import pytest

from gpu_admission import rules
from gpu_admission.core.finding import Finding, ObjectRef
from gpu_admission.docpages import explain
from gpu_admission.reports import (
    concise,
    fingerprints,
    github,
    gitlab,
    json_report,
    junit,
    rule_statistics,
    sarif,
    text,
)
from gpu_admission.reports.report import Diagnostic, LocatedFinding, Location, Report, sentences
from gpu_admission.reports.style import Style

FORMATS = {
    "text": lambda report: text.render(report, diagnostics=True),
    "concise": lambda report: concise.render(report, diagnostics=True),
    "json": json_report.render,
    "sarif": sarif.render,
    "junit": junit.render,
    "github": github.render,
    "gitlab": gitlab.render,
}


def finding(rule="GPU001", severity="error", pointer=("spec", 0, "nvidia.com/gpu"), name="p", **more):
    known = rules.BY_ID[rule]
    fields = {
        "rule": rule,
        "name": known.name,
        "severity": severity,
        "action": {"error": "deny", "warning": "warn", "info": "audit"}[severity],
        "message": f'container "c" is wrong: 100% <{severity}> & more',
        "advice": "write something else",
        "pointer": pointer,
        "container": "c",
        "ref": ObjectRef("v1", "Pod", None, name),
        "fix": "safe",
    }
    return Finding(**{**fields, **more})


def located(*args, file="a.yaml", line=3, column=5, end=8, suppressed=None, place=None, **more):
    place = place or Location(file, line=line, column=column, end_column=end, text="    key: value")
    return LocatedFinding(finding(*args, **more), place, suppressed)


def report(*findings, errors=(), skipped=(), notices=(), files=("a.yaml",)):
    made = Report(policy="default", version="1.2.3", rules=rules.ALL)
    made.findings = list(findings)
    made.errors, made.skipped, made.notices = list(errors), list(skipped), list(notices)
    made.files = list(files)
    made.documents = made.objects = 1
    made.sort()
    return made


UNREAD = Diagnostic(Location("bad,name:%.yaml", line=3, column=2), "not YAML")
SKIPPED = Diagnostic(Location("t.yaml"), "is a template", "template")


@pytest.mark.parametrize("form", FORMATS)
class TestEveryFormat:
    def test_shows_findings_errors_and_what_was_skipped(self, form):
        output = FORMATS[form](report(located(), errors=[UNREAD], skipped=[SKIPPED], files=["a.yaml", "t.yaml"]))
        for word in ("GPU001", "a.yaml", "not YAML", "t.yaml", "template"):
            assert word in output

    def test_an_empty_report_is_one(self, form):
        output = FORMATS[form](report(files=[]))
        if form in {"json", "sarif", "gitlab"}:
            json.loads(output)
        if form == "junit":
            ET.fromstring(output)
        assert "GPU0" not in output or form == "sarif"

    def test_odd_words_break_nothing(self, form):
        odd = "\x00\x1b[31m\ud800\n::error::x\r\N{RIGHT-TO-LEFT OVERRIDE}]]>\"'"
        place = Location(odd, line=1, column=1, end_column=2, text=odd)
        made = report(
            LocatedFinding(finding(message=odd, advice=odd, name=odd, container=odd), place),
            errors=[Diagnostic(Location(odd), odd)],
            skipped=[Diagnostic(Location(odd), odd, "template")],
            files=[odd],
        )
        output = FORMATS[form](made).encode("utf-8", "backslashreplace").decode()
        assert "\x1b" not in output
        assert "\x00" not in output
        if form in {"json", "sarif", "gitlab"}:
            json.loads(output)
        elif form == "junit":
            ET.fromstring(output)
        else:
            assert not any(line.startswith("::error::x") for line in re.split("[\r\n]", output))


class TestText:
    def test_source_line_caret_and_advice(self):
        assert text.render(report(located())).splitlines()[:5] == [
            'a.yaml:3:5: GPU001 error: container "c" is wrong: 100% <error> & more [request-without-limit]',
            "  |",
            "3 |     key: value",
            "  |     ^^^",
            "  = help: write something else (--fix does it)",
        ]

    @pytest.mark.parametrize(
        ("line", "column", "end", "shown", "before", "length"),
        [
            ("a: 1", 1, 2, "a: 1", 0, 1),
            ("\ta: 1", 2, 3, "    a: 1", 4, 1),
            ("\N{HIRAGANA LETTER A}: {b: 1}", 5, 6, "\N{HIRAGANA LETTER A}: {b: 1}", 5, 1),
            ("e\N{COMBINING ACUTE ACCENT}: {b: 1}", 6, 7, "e\\u0301: {b: 1}", 10, 1),
            ("a: \x1b[31m", 1, 2, "a: \\x1b[31m", 0, 1),
            ("   ", 1, 2, "", 0, 0),
            ("", 1, 2, "", 0, 0),
            ("a", 1, 100, "a", 0, 1),
        ],
    )
    def test_excerpts(self, line, column, end, shown, before, length):
        output = text.excerpt(Location("a", line=1, column=column, end_column=end, text=line))
        if "\N{COMBINING ACUTE ACCENT}" in line:  # printable, and of no width
            assert output[1] == " " * 4
            return
        assert (output[0], len(output[1])) == (shown, before)
        assert output[2] >= min(length, 1)

    def test_a_cut_line_keeps_its_column(self):
        place = Location("a", line=1, column=1001, end_column=1004, text="x" * 200 + "key: 1")
        place.text_column = 801
        shown, before, _ = text.excerpt(place)
        assert shown[len(before) :].startswith("key")

    def test_colour(self):
        output = text.render(report(located()), Style(colour=True))
        assert "\x1b[1;31merror\x1b[0m" in output
        assert re.sub(r"\x1b\[[\d;]*m", "", output) == text.render(report(located()))

    def test_summary(self):
        made = report(located(), located("GPU003", fix=None), located("GPU002", fix="unsafe", severity="warning"))
        made.hidden, made.suppressed = 2, [located()]
        output = text.render(made).splitlines()
        assert (
            "Found 2 errors, 1 warning in 1 file (1 Kubernetes object); 1 fixable with --fix, 1 with --fix --unsafe-fixes."
            in output
        )
        assert "2 findings of lower severity not shown (--min-severity info shows all)." in output
        assert "1 finding suppressed." in output
        assert "Found" not in text.render(made, quiet=True)


class TestJson:
    def test_the_promised_shape(self):
        [output] = json.loads(json_report.render(report(located())))["findings"]
        assert output == {
            "rule": "GPU001", "name": "request-without-limit", "severity": "error", "action": "deny", "repaired": False,
            "fix": "safe", "message": finding().message, "advice": "write something else", "file": "a.yaml",
            "document": 0, "line": 3, "column": 5, "pointer": "/spec/0/nvidia.com~1gpu", "container": "c",
            "object": {"apiVersion": "v1", "kind": "Pod", "namespace": None, "name": "p"},
        }  # fmt: skip

    def test_the_rest(self):
        made = report(located(), errors=[UNREAD], skipped=[SKIPPED])
        output = json.loads(json_report.render(made))
        assert output["version"] == 1
        assert output["tool"] == {"name": "gpu-lint", "version": "1.2.3"}
        assert output["errors"] == [{"file": "bad,name:%.yaml", "line": 3, "column": 2, "message": "not YAML"}]
        assert output["skipped"] == [{"file": "t.yaml", "reason": "template"}]
        assert output["summary"] == {
            "files": 1,
            "documents": 1,
            "objects": 1,
            "error": 1,
            "warning": 0,
            "info": 0,
            "repaired": 0,
        }
        assert "notices" not in output

    def test_what_is_repaired_counts_apart(self):
        made = report(LocatedFinding(finding().marked_repaired(), Location("a.yaml", line=1, column=1)))
        assert made.summary()["error"] == 0
        assert made.summary()["repaired"] == 1


class TestSarif:
    def run(self, *findings, **more):
        return json.loads(sarif.render(report(*findings, **more)))["runs"][0]

    def test_what_github_requires_of_rules(self):
        for rule in self.run()["tool"]["driver"]["rules"]:
            for field in (
                ("shortDescription", "text"),
                ("fullDescription", "text"),
                ("help", "text"),
                ("help", "markdown"),
            ):
                assert rule[field[0]][field[1]]
            assert re.match(r"^GPU\d{3}$", rule["id"])
            assert rule["defaultConfiguration"]["level"] in {"error", "warning", "note"}
            assert rule["properties"]["problem.severity"] in {"error", "warning", "recommendation"}

    def test_help_has_links(self):
        for rule in self.run()["tool"]["driver"]["rules"]:
            assert "https://" in rule["help"]["markdown"], rule["id"]

    def test_what_github_requires_of_results(self):
        [result] = self.run(located())["results"]
        assert result["message"]["text"].endswith("Write something else.")
        assert self.run()["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "GPU001"
        physical = result["locations"][0]["physicalLocation"]
        assert physical["region"] == {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 8}
        assert physical["artifactLocation"] == {"uri": "a.yaml"}
        assert "primaryLocationLineHash" not in result["partialFingerprints"]

    def test_results_are_there_even_when_empty(self):
        assert self.run()["results"] == []
        assert self.run()["columnKind"] == "unicodeCodePoints"

    @pytest.mark.parametrize(
        ("path", "uri"),
        [
            ("a b.yaml", "a%20b.yaml"),
            ("x:y.yaml", "x%3Ay.yaml"),
            ("100%/\N{SNOWMAN}?#.yaml", "100%25/%E2%98%83%3F%23.yaml"),
            (os.fsdecode(b"\xff.yaml"), "%FF.yaml"),
            ("../up.yaml", "../up.yaml"),
            ("//host/a.yaml", ".//host/a.yaml"),
        ],
    )
    def test_uris(self, path, uri):
        assert sarif.uri(os.fsencode(path)) == uri

    def test_at_most_as_many_as_github_keeps_and_the_gravest(self, monkeypatch):
        monkeypatch.setattr(sarif, "MOST", 3)
        many = [located(line=n, pointer=("x", n), severity="warning") for n in range(5)]
        run = self.run(*many, located(line=9))
        assert [r["level"] for r in run["results"]] == ["error", "warning", "warning"]
        assert "3 findings" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]

    def test_what_could_not_be_read(self):
        [invocation] = self.run(errors=[UNREAD], skipped=[SKIPPED])["invocations"]
        assert invocation["executionSuccessful"] is False
        assert [n["level"] for n in invocation["toolExecutionNotifications"]] == ["error", "warning"]

    def test_the_official_schema(self):
        path = os.environ.get("SARIF_SCHEMA")
        if not path:
            pytest.skip("SARIF_SCHEMA names no copy of OASIS' sarif-schema-2.1.0.json")
        import jsonschema

        schema = json.loads(pathlib.Path(path).read_text())
        made = report(located(suppressed="x"), located("GPU003", fix=None), errors=[UNREAD], skipped=[SKIPPED])
        made.suppressed = [located(suppressed="")]
        validator = jsonschema.validators.validator_for(schema)(schema)
        assert list(validator.iter_errors(json.loads(sarif.render(made)))) == []


class TestIdentity:
    def test_lines_do_not_matter(self):
        assert fingerprints.fingerprints([located(line=1)]) == fingerprints.fingerprints(
            [located(line=99, message="new words")]
        )

    @pytest.mark.parametrize(
        "other", [located("GPU002"), located(file="b.yaml"), located(name="q"), located(pointer=("spec", 1))]
    )
    def test_everything_else_does(self, other):
        assert fingerprints.fingerprints([located()]) != fingerprints.fingerprints([other])

    def test_unique_in_a_run(self):
        marks = fingerprints.fingerprints([located(), located(), located()])
        assert len(set(marks)) == 3
        assert marks[0] == fingerprints.fingerprints([located()])[0]


class TestGithub:
    def test_a_command(self):
        assert github.render(report(located())) == (
            "::error title=GPU001 request-without-limit,file=a.yaml,line=3,endLine=3,col=5,endColumn=8::"
            'container "c" is wrong: 100%25 <error> & more. Write something else.\n'
        )

    def test_properties_are_escaped(self):
        assert "file=bad%2Cname%3A%25.yaml,line=3" in github.render(report(errors=[UNREAD]))

    def test_errors_first_and_how_many_more(self):
        many = [located(severity="warning", line=n, pointer=("x", n)) for n in range(4)]
        many += [located(line=n, pointer=("y", n)) for n in range(12)]
        lines = github.render(report(*many)).splitlines()
        assert [line[:7] for line in lines[:10]] == ["::error"] * 10
        assert [line[:9] for line in lines[10:14]] == ["::warning"] * 4
        assert [line.startswith("a.yaml:") for line in lines[14:]] == [True, True, False]
        assert lines[-1] == "::notice title=gpu-lint::2 more in the log of this step"

    def test_levels(self):
        assert github.render(report(located(severity="info"))).startswith("::notice ")
        assert github.render(
            report(LocatedFinding(finding().marked_repaired(), Location("a", line=1, column=1)))
        ).startswith("::notice ")


def test_gitlab():
    made = report(located(), located(), errors=[UNREAD], skipped=[SKIPPED])
    output = json.loads(gitlab.render(made))
    assert output[0]["description"].startswith("GPU001: ")
    assert output[0]["check_name"] == "request-without-limit"
    assert output[0]["location"] == {"path": "a.yaml", "lines": {"begin": 3}}
    assert {issue["severity"] for issue in output} <= {"info", "minor", "major", "critical", "blocker"}
    assert len({issue["fingerprint"] for issue in output}) == 4


class TestJunit:
    def test_suites_and_cases(self):
        made = report(
            located(),
            located(severity="info", line=4),
            errors=[UNREAD],
            skipped=[SKIPPED],
            files=["a.yaml", "clean.yaml"],
        )
        root = ET.fromstring(junit.render(made))
        suites = {suite.get("name"): suite for suite in root}
        assert set(suites) == {"a.yaml", "bad,name:%.yaml", "clean.yaml", "t.yaml"}
        assert [len(case) for case in suites["clean.yaml"]] == [0]
        assert [case[0].tag for case in suites["a.yaml"]] == ["failure", "system-out"]
        assert suites["bad,name:%.yaml"][0][0].tag == "error"
        assert suites["t.yaml"][0][0].tag == "skipped"
        assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5", "1", "1")
        for suite in root:
            assert suite.get("tests") == str(len(suite))


def test_tally_counts_the_most_frequent_first():
    made = report(located(), located("GPU003"), located("GPU003", severity="warning"))
    lines = rule_statistics.render(made, Style()).splitlines()
    assert [line.split()[:3] for line in lines] == [["2", "GPU003", "error"], ["1", "GPU001", "error"]]


class TestSentences:
    @pytest.mark.parametrize(
        ("advice", "end"), [("write it", "Write it."), ("nvidia.com/gpu: 1 is right", "nvidia.com/gpu: 1 is right.")]
    )
    def test_a_name_keeps_its_case(self, advice, end):
        assert sentences(finding(advice=advice)).endswith(end)


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.id)
def test_explain_is_plain_without_colour(rule):
    assert "\x1b" not in explain.render(rule)
    assert "\x1b[" in explain.render(rule, Style(colour=True))
