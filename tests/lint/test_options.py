"""Every option and every exit status."""

import json
import sys

import pytest
from shells import check_syntax, completed

from gpu_admission import __version__, rules
from gpu_admission.lint.options import OPTIONS, SHELLS

from .conftest import CLEAN, POD

# What the contract (and the README) promises to scripts; options may be added, never taken away.
PROMISED = [
    "-p",
    "--policy",
    "-f",
    "--format",
    "-o",
    "--output",
    "--select",
    "--ignore",
    "--fail-on",
    "--fix",
    "--unsafe-fixes",
    "--diff",
    "--min-severity",
    "--as-admitted",
    "--exclude",
    "--baseline",
    "--write-baseline",
    "--jobs",
    "--stdin-filename",
    "--show-files",
    "--no-ignore",
    "--add-ignore",
    "--statistics",
    "--quiet",
    "--color",
    "--list-rules",
    "--explain",
    "--version",
    "--exit-non-zero-on-fix",
]


def test_every_promised_option_is_there():
    flags = {flag for option in OPTIONS for flag in option.flags}
    assert set(PROMISED) <= flags


@pytest.mark.parametrize(
    ("content", "argv", "code"),
    [
        (CLEAN, [], 0),
        (POD, [], 1),
        (POD, ["--fail-on", "warning"], 1),
        (POD, ["--fail-on=info"], 1),
        (POD, ["--fail-on", "never"], 0),
        (POD, ["--ignore", "GPU001"], 0),
        (POD, ["--ignore", "GPU001", "--fail-on", "info"], 1),
        (POD, ["--select", "GPU3"], 0),
        (POD, ["--as-admitted"], 0),
        ("a: [ # gpu", [], 2),
        ("a: [", ["--fail-on", "never"], 0),
        ("a: [", ["--fail-on", "never", "--parse-all"], 2),
        (POD, ["--no-such-option"], 2),
        (POD, ["--jobs", "0"], 2),
        (POD, ["--jobs"], 2),
        (POD, ["--quiet=yes"], 2),
        (POD, ["-x"], 2),
        (POD, ["--format", "xml"], 2),
        (POD, ["--policy", "no-such-policy"], 2),
        (POD, ["--policy", "missing/policy.yaml"], 2),
        (POD, ["--select", "GPU999"], 2),
        (POD, ["--explain", "nonsense"], 2),
        (POD, ["--unsafe-fixes"], 2),
        (POD, ["--add-ignore", " "], 2),
        (POD, ["--add-ignore", "x\x1b[31m"], 2),
        (POD, ["--add-ignore", "x", "--fix"], 2),
        (POD, ["--write-baseline", "b", "--diff"], 2),
        (POD, ["--baseline", "missing.json"], 2),
        (POD, ["no-such-file.yaml"], 2),
    ],
)
def test_exit_status(lint, content, argv, code):
    lint.write("a.yaml", content)
    result = lint("a.yaml", *argv)
    assert result.code == code, result.err
    assert "Traceback" not in result.err
    if code == 2:
        assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "output"),
    [
        (["--polcy", "x"], "did you mean '--policy'"),
        (["-f", "jsno"], "did you mean 'json'"),
        (["--fail-on", "errors"], "did you mean 'error'"),
        (["-p", "defualt"], "did you mean 'default'"),
        (["--select", "GPU00l"], "did you mean 'GPU001'"),
        (["--ignore", "misplaced-gpu"], "did you mean 'misplaced-gpu-resource'"),
        (["--explain", "request-without-limits"], "did you mean 'request-without-limit'"),
        (["-o", "sarfi=x"], "did you mean 'sarif'"),
        (["-o", "json="], "not a file name"),
        (["-o", "missing/x.json"], "no directory missing"),
        (["-f"], "expected one of text"),
    ],
)
def test_wrong_usage_names_the_nearest_valid_word(lint, argv, output):
    result = lint(*argv)
    assert result.code == 2
    assert output in result.err
    assert result.err.startswith("gpu-lint: ")
    assert result.out == ""


def test_short_options_and_paths_in_any_order(lint):
    lint.write("a.yaml")
    lint.write("-b.yaml")
    assert lint("-qfjson", "a.yaml").json["summary"]["files"] == 1
    assert lint("a.yaml", "-q", "-f", "json", "--", "-b.yaml").json["summary"]["files"] == 2


def test_without_a_path_the_working_directory_is_read(lint):
    lint.write("sub/a.yaml")
    assert [f["file"] for f in lint.json().json["findings"]] == ["sub/a.yaml"]


def test_version_and_help(lint):
    assert lint("--version").out == f"gpu-lint {__version__}\n"
    output = lint("--help").out
    for option in OPTIONS:
        assert all(flag in output for flag in option.flags)


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_offers_every_option_and_rule(lint, shell):
    output = lint("--completion", shell).out
    for option in OPTIONS:
        assert option.name in output
    assert "GPU001" in output
    assert "default" in output


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_itself_reads_its_completion(lint, shell):
    check_syntax(shell, lint("--completion", shell).out)


@pytest.mark.parametrize(
    ("arguments", "offered"),
    [
        (("--format", "s"), {"sarif"}),
        (("--policy", "volcano-"), {"volcano-vgpu"}),
        (("--policy", "a."), {"a.yaml"}),
        (("--select", "GPU00"), {rule.id for rule in rules.ALL if rule.id.startswith("GPU00")}),
        (("--as",), {"--as-admitted"}),
        (("a.",), {"a.yaml"}),
    ],
)
def test_bash_completes(lint, arguments, offered):
    lint.write("a.yaml")
    assert completed(lint("--completion", "bash").out, "gpu-lint", *arguments) == offered


def test_without_shtab_completion_says_what_to_install(lint, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    result = lint("--completion", "bash")
    assert (result.code, result.out) == (2, "")
    assert (
        result.err
        == "gpu-lint: --completion needs shtab, which is not installed: pip install 'gpu-admission[completion]'\n"
    )


def test_list_rules_names_every_rule(lint):
    lines = lint("--list-rules").out.splitlines()
    assert [line.split()[0] for line in lines] == [rule.id for rule in rules.ALL]
    output = json.loads(lint("--list-rules", "-f", "json").out)
    assert [entry["name"] for entry in output] == [rule.name for rule in rules.ALL]
    assert len(lint("--list-rules", "--select", "GPU001").out.splitlines()) == 1


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.id)
def test_explain_tells_everything_about_a_rule(lint, rule):
    for word in (rule.id, rule.id.lower(), rule.name):
        output = lint("--explain", word).out
        assert output.startswith(f"{rule.id} {rule.name} (")
    for line in (*rule.rationale.splitlines(), *rule.references, *rule.bad.splitlines(), *rule.good.splitlines()):
        assert line.strip() in output


def test_min_severity_hides_and_says_so(lint):
    lint.write("a.yaml")
    assert lint.json("a.yaml").rules == ["GPU001"]
    assert "not shown" in lint("a.yaml").out
    assert "GPU201" in lint.json("a.yaml", "--min-severity", "info").rules
    assert "not shown" not in lint("a.yaml", "--min-severity", "info").out


def test_nothing_fails_a_run_without_being_shown(lint):
    lint.write("a.yaml")
    result = lint.json("a.yaml", "--ignore", "GPU001", "--fail-on", "info", "--min-severity", "error")
    assert result.code == 1
    assert "GPU201" in result.rules


def test_select_takes_ids_names_and_prefixes(lint):
    lint.write("a.yaml")
    for word in ("GPU201", "gpu201", "missing-toleration"):
        assert set(lint.json("a.yaml", "--select", word).rules) == {"GPU201"}
    assert set(lint.json("a.yaml", "--select", "GPU0,GPU2", "--min-severity", "info").rules) == {"GPU001", "GPU201"}
    assert lint.json("a.yaml", "--select", "GPU0", "--ignore", "GPU001").rules == []


def test_select_turns_on_a_rule_that_is_off(lint):
    off = next(rule for rule in rules.ALL if rule.default == "off" and not rule.policy)
    lint.write("a.yaml", off.bad)
    assert off.id not in lint.json("a.yaml", "--min-severity", "info").rules
    found = lint.json("a.yaml", "--select", off.id).json["findings"]
    assert {finding["severity"] for finding in found} == {off.severity}


def test_fail_on_counts_what_a_policy_makes_of_a_rule(lint):
    lint.write(
        "policy.yaml",
        "apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata: {name: mine}\n"
        "spec: {rules: {GPU001: warn}}\n",
    )
    lint.write("a.yaml")
    result = lint.json("a.yaml", "-p", "policy.yaml")
    assert result.code == 0
    assert result.json["policy"] == "mine"
    assert [f["severity"] for f in result.json["findings"]] == ["warning"]


def test_a_bad_policy_is_named_with_its_line(lint):
    lint.write(
        "policy.yaml",
        "apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata: {name: mine}\n"
        "spec:\n  rules: {GPU001: dney}\n",
    )
    lint.write("a.yaml")
    result = lint("a.yaml", "-p", "policy.yaml")
    assert result.code == 2
    assert "policy.yaml:5:" in result.err


def test_as_admitted_marks_what_admission_repairs(lint):
    lint.write("a.yaml")
    report = lint.json("a.yaml", "--as-admitted").json
    assert [(f["rule"], f["repaired"]) for f in report["findings"]] == [("GPU001", True)]
    assert report["summary"]["repaired"] == 1
    assert report["summary"]["error"] == 0
    assert "repaired" in lint("a.yaml", "--as-admitted").out


def test_statistics(lint):
    lint.write("a.yaml")
    lint.write("b.yaml")
    assert "2  GPU001" in lint(".", "--statistics", "-f", "concise").out
    result = lint(".", "--statistics", "-f", "json")
    assert "2  GPU001" in result.err
    assert result.json["summary"]["error"] == 2


def test_quiet_prints_findings_and_errors_only(lint):
    lint.write("a.yaml")
    lint.write("b.yaml", "a: [  # gpu")
    lint.write("c.yaml", "a: {{ .x }}\n{{ end }}")
    result = lint(".", "-q", "-f", "concise")
    assert result.out.count("\n") == 1
    assert result.err.count("\n") == 1


class TestColour:
    @pytest.mark.parametrize(
        ("argv", "environment", "coloured"),
        [
            ([], {}, False),
            (["--color", "always"], {}, True),
            (["--color", "always"], {"NO_COLOR": "1"}, True),
            ([], {"FORCE_COLOR": "1"}, True),
            ([], {"FORCE_COLOR": "0"}, False),
            ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
            (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        ],
    )
    def test_choice(self, lint, monkeypatch, argv, environment, coloured):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        lint.write("a.yaml")
        assert ("\x1b[" in lint("a.yaml", *argv).out) == coloured
        assert ("\x1b[" in lint("--explain", "GPU001", *argv).out) == coloured

    def test_a_terminal(self, lint, monkeypatch):
        lint.write("a.yaml")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("TERM", "xterm")
        assert "\x1b[" in lint("a.yaml").out
        monkeypatch.setenv("TERM", "dumb")
        assert "\x1b[" not in lint("a.yaml").out

    def test_machines_get_none(self, lint):
        lint.write("a.yaml")
        for form in ("json", "sarif", "junit", "github", "gitlab"):
            assert "\x1b" not in lint("a.yaml", "-f", form, "--color", "always").out


class TestOutput:
    def test_several_reports_at_once(self, lint):
        lint.write("a.yaml")
        result = lint("a.yaml", "-o", "json=out.json", "-o", "sarif=out.sarif", "-o", "plain.txt")
        assert result.out.startswith("a.yaml:11:11: GPU001 ")
        assert json.loads(lint.read("out.json"))["findings"]
        assert json.loads(lint.read("out.sarif"))["version"] == "2.1.0"
        assert lint.read("plain.txt").startswith("a.yaml:11:11: GPU001 ")

    def test_an_old_report_is_replaced_whole_and_keeps_its_mode(self, lint):
        lint.write("a.yaml")
        path = lint.write("out.json", "x" * 100_000)
        path.chmod(0o640)
        lint("a.yaml", "-o", "json=out.json")
        assert json.loads(path.read_text())["version"] == 1
        assert path.stat().st_mode & 0o777 == 0o640
        assert sorted(p.name for p in lint.folder.iterdir()) == ["a.yaml", "out.json"]

    def test_a_device_is_written_to_not_replaced(self, lint):
        lint.write("a.yaml")
        (lint.folder / "null").symlink_to("/dev/null")
        assert lint("a.yaml", "-o", "json=null").code == 1
        assert (lint.folder / "null").is_symlink()

    def test_a_report_that_cannot_be_written_is_said_and_the_others_come(self, lint):
        lint.write("a.yaml")
        (lint.folder / "full").symlink_to("/dev/full")
        result = lint("a.yaml", "-o", "json=full", "-o", "out.txt")
        assert result.code == 2
        assert "full: cannot be written: no space left" in result.err
        assert "GPU001" in result.out
        assert "GPU001" in lint.read("out.txt")

    def test_the_text_report_in_a_file_names_what_could_not_be_read(self, lint):
        lint.write("b.yaml", "a: [  # gpu")
        lint("b.yaml", "-o", "out.txt")
        assert "b.yaml:1:" in lint.read("out.txt")


def test_show_files(lint):
    for name in ("b.yml", "a.yaml", "sub/c.json", "notes.txt", "sub/d.tpl"):
        lint.write(name)
    assert lint("--show-files").out.splitlines() == ["a.yaml", "b.yml", "sub/c.json"]
    assert lint("--show-files", "missing").code == 2
