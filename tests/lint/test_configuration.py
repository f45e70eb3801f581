"""The configuration file, and baselines."""

import json

import pytest

from .conftest import CLEAN, POD


class TestDiscovery:
    def test_yaml(self, lint):
        lint.write(".gpu-lint.yaml", "ignore: [GPU001]\n")
        lint.write("a.yaml")
        assert lint("a.yaml").code == 0
        assert lint("a.yaml", "--no-config").code == 1

    def test_pyproject(self, lint):
        lint.write("pyproject.toml", '[project]\nname = "x"\n[tool.gpu-lint]\nignore = "GPU001"\n')
        lint.write("a.yaml")
        assert lint("a.yaml").code == 0

    def test_from_the_first_path_upwards(self, lint):
        lint.write("one/.gpu-lint.yaml", "ignore: GPU001\n")
        lint.write("one/deep/a.yaml")
        lint.write("two/b.yaml")
        assert lint("one/deep/a.yaml", "two/b.yaml").code == 0
        assert lint("two/b.yaml", "one/deep/a.yaml").code == 1

    def test_a_pyproject_that_says_nothing_to_us_is_passed_over(self, lint):
        lint.write("pyproject.toml", "[tool.gpu-lint]\nignore = ['GPU001']\n")
        lint.write("sub/pyproject.toml", "# gpu-lint\n[tool.other]\nx = 1\n")
        lint.write("sub/a.yaml")
        assert lint("sub/a.yaml").code == 0

    def test_the_command_line_wins(self, lint):
        lint.write(".gpu-lint.yaml", "ignore: [GPU001]\nformat: json\nfail-on: never\n")
        lint.write("a.yaml")
        assert "GPU001" in lint("a.yaml", "--ignore", "GPU201", "--format", "concise", "--fail-on", "error").out

    def test_all_kinds_of_values(self, lint):
        lint.write(".gpu-lint.yaml", "policy: strict\nselect: GPU0, GPU2\nfail-on: info\nmin-severity: info\nquiet: true\n"
                   "jobs: 2\nexclude: ['*.yml']\noutput: [json=out.json]\nbaseline: null.json\n")  # fmt: skip
        lint.write("null.json", '{"version": 1, "findings": []}')
        lint.write("sub/a.yaml")
        lint.write("sub/b.yml")
        assert lint("sub").code == 1
        report = json.loads(lint.read("out.json"))
        assert report["policy"] == "strict"
        assert {f["file"] for f in report["findings"]} == {"sub/a.yaml"}

    def test_files_that_it_names_stand_beside_it(self, lint, monkeypatch):
        lint.write("policy.yaml", "apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata: {name: mine}\n"
                   "spec: {rules: {GPU001: off}}\n")  # fmt: skip
        lint.write(".gpu-lint.yaml", "policy: policy.yaml\nexclude: [sub/b.yaml]\n")
        lint.write("sub/a.yaml")
        lint.write("sub/b.yaml", "a: [")
        monkeypatch.chdir(lint.folder / "sub")
        result = lint.json(".")
        assert result.json["policy"] == "mine"
        assert result.code == 0

    def test_an_empty_file(self, lint):
        lint.write(".gpu-lint.yaml", "# nothing yet\n")
        lint.write("a.yaml", CLEAN)
        assert lint("a.yaml").code == 0


@pytest.mark.parametrize(
    ("name", "content", "output"),
    [
        (
            ".gpu-lint.yaml",
            "format: json\nfail_on: error\n",
            ".gpu-lint.yaml:2: unknown option 'fail_on'; did you mean 'fail-on'",
        ),
        (".gpu-lint.yaml", "format: xml\n", ".gpu-lint.yaml:1: format: expected one of text"),
        (".gpu-lint.yaml", "jobs: true\n", "jobs: expected an integer"),
        (".gpu-lint.yaml", "quiet: 1\n", "quiet: expected true or false"),
        (".gpu-lint.yaml", "exclude: [1]\n", "exclude: expected a string or a list"),
        (".gpu-lint.yaml", "policy: []\n", "policy: expected a string"),
        (".gpu-lint.yaml", "- a\n", "a single mapping"),
        (".gpu-lint.yaml", "a: [\n", ".gpu-lint.yaml:"),
        (".gpu-lint.yaml", "explain: GPU001\n", "unknown option 'explain'"),
        (".gpu-lint.yaml", "select: [GPU999]\n", "there is no rule 'GPU999'"),
        (".gpu-lint.yaml", "per-file-ignores: [a]\n", "expected a mapping"),
        (".gpu-lint.yaml", "per-file-ignores: {a: 1}\n", "expected a rule or a list"),
        (".gpu-lint.yaml", "per-file-ignores: {a: GPU999}\n", "there is no rule 'GPU999'"),
        (
            "pyproject.toml",
            "[tool.gpu-lint]\n\nselct = 1\n",
            "pyproject.toml:3: unknown option 'selct'; did you mean 'select'",
        ),
        ("pyproject.toml", "[tool]\ngpu-lint = 1\n", "tool.gpu-lint must be a table"),
        ("pyproject.toml", "[tool.gpu-lint\n", "pyproject.toml: is not TOML"),
        ("pyproject.toml", b"gpu-lint \xff", "is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(lint, name, content, output):
    lint.write(name, content)
    lint.write("a.yaml", CLEAN)
    result = lint("a.yaml")
    assert result.code == 2
    assert output in result.err
    assert result.err.count("\n") == 1


class TestBaseline:
    def test_only_what_is_new(self, lint):
        lint.write("a.yaml")
        lint.write("b.yaml", CLEAN)
        result = lint(".", "--write-baseline", "baseline.json")
        assert (result.code, result.out) == (0, "")
        assert "1 finding written to baseline.json" in result.err
        assert lint(".", "--baseline", "baseline.json").code == 0
        lint.write("b.yaml")
        assert [f["file"] for f in lint.json(".", "--baseline", "baseline.json").json["findings"]] == ["b.yaml"]

    def test_it_outlives_edits_and_holds_no_line(self, lint):
        lint.write("a.yaml")
        lint(".", "--write-baseline", "baseline.json")
        assert "line" not in lint.read("baseline.json")
        lint.write("a.yaml", "# a comment\n\n" + POD.replace("example.com/train:1", "example.com/train:2"))
        assert lint(".", "--baseline", "baseline.json").code == 0

    def test_it_is_stable(self, lint):
        for name in ("b.yaml", "a.yaml"):
            lint.write(name)
        lint("b.yaml", "a.yaml", "--write-baseline", "one")
        lint(".", "--write-baseline", "two", "--jobs", "1")
        assert lint.read("one") == lint.read("two")

    def test_from_another_folder(self, lint, monkeypatch):
        lint.write("sub/a.yaml")
        lint(".", "--write-baseline", "baseline.json")
        monkeypatch.chdir(lint.folder / "sub")
        assert lint("a.yaml", "--baseline", "../baseline.json").code == 0

    def test_what_is_gone_is_said(self, lint):
        lint.write("a.yaml")
        lint(".", "--write-baseline", "baseline.json")
        lint.write("a.yaml", CLEAN)
        assert "1 of the baseline no longer matched" in lint(".", "--baseline", "baseline.json").err

    def test_known_findings_are_not_fixed(self, lint):
        lint.write("a.yaml")
        lint(".", "--write-baseline", "baseline.json", "--min-severity", "info")
        lint(".", "--baseline", "baseline.json", "--fix")
        assert lint.read("a.yaml") == POD

    def test_standard_input_and_rendered_files(self, lint):
        stream = f"# Source: chart/templates/a.yaml\n{POD}"
        lint("-", "--write-baseline", "baseline.json", stdin=stream)
        assert lint("-", "--baseline", "baseline.json", stdin=stream).code == 0
        assert "chart/templates/a.yaml" in lint.read("baseline.json")

    @pytest.mark.parametrize(
        "content",
        ["", "[]", "{}", '{"version": 2, "findings": []}', '{"version": 1, "findings": [1]}', "\xff", "[" * 100_000],
    )
    def test_what_is_no_baseline(self, lint, content):
        lint.write("baseline.json", content)
        lint.write("a.yaml")
        result = lint("a.yaml", "--baseline", "baseline.json")
        assert result.code == 2
        assert result.err.count("\n") == 1
