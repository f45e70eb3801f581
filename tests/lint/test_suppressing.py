"""Comments and annotations that silence findings, those that match nothing, and --add-ignore."""

import json

import pytest

from gpu_admission.lint import suppressions

from .conftest import CLEAN, POD

KEY = "          nvidia.com/gpu: 1\n"


def commented(same="", above=""):
    return POD.replace(KEY, f"{above}{KEY.rstrip()}{same}\n")


def annotated(output, *, template=False):
    output = json.dumps(output)
    if not template:
        return POD.replace(
            "  name: train\nspec", f"  name: train\n  annotations:\n    gpu-admission.io/ignore: {output}\nspec"
        )
    return (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  template:\n    metadata:\n      annotations:\n"
        f"        gpu-admission.io/ignore: {output}\n    spec:\n      containers:\n        - name: train\n          image: i\n"
        "          resources: {requests: {nvidia.com/gpu: 1}}\n"
    )


@pytest.mark.parametrize(
    "content",
    [
        commented(same="  # gpu-lint: ignore[GPU001]"),
        commented(same="  # gpu-lint: ignore[GPU001] - a reason"),
        commented(same=" # gpu-lint: ignore[request-without-limit]"),
        commented(same=" # gpu-lint: ignore[GPU0]"),
        commented(same=" # gpu-lint: ignore[GPU201, gpu001]"),
        commented(above="# gpu-lint: ignore[GPU001] why\n"),
        commented(above="          # gpu-lint: ignore[GPU001] why\n          # and more\n"),
        annotated("GPU001"),
        annotated("GPU001 \N{EN DASH} runs on spot nodes, for now"),
        annotated("GPU201: untainted nodes, all of them, GPU001 - too"),
        annotated("request-without-limit"),
        annotated("GPU0"),
        annotated("GPU001", template=True),
    ],
)
def test_silenced(lint, content):
    lint.write("a.yaml", content)
    result = lint("a.yaml")
    assert result.code == 0, result.out
    assert "GPU001" not in result.out
    assert "suppressed" in result.out
    assert "unknown rule" not in result.err


@pytest.mark.parametrize(
    ("content", "output"),
    [
        (
            commented(same="  # gpu-lint: ignore[GPU003] x"),
            "a.yaml:11:30: notice: the suppression of GPU003 matches nothing",
        ),
        (commented(same="  # gpu-lint: ignore[GPU00l]"), "did you mean 'GPU001'"),
        (commented(same="  # gpu-lint: ignore"), "a.yaml:11:30: notice: the comment is not valid"),
        (commented(same="  # gpu-lint: ignroe[GPU001]"), "is not valid"),
        (commented(above="a: 'x # gpu-lint: ignore[GPU001]'\n".rjust(60)), None),
        (annotated("GPU003"), "a.yaml:6:5: notice: the suppression of GPU003 matches nothing"),
        (annotated("missing-tolerations"), "did you mean 'missing-toleration'"),
        (annotated("!?"), "names an unknown rule"),
        (annotated(5), "is not a string"),
        (
            annotated("GPU001").replace("io/ignore", "io/ignroe"),
            "a.yaml:6:5: notice: silences nothing; did you mean 'gpu-admission.io/ignore'?",
        ),
        (annotated("GPU001").replace("io/ignore", "io/Ignores"), "did you mean 'gpu-admission.io/ignore'?"),
    ],
)
def test_what_silences_nothing_is_said_and_breaks_nothing_more(lint, content, output):
    lint.write("a.yaml", content)
    result = lint("a.yaml")
    if output is not None:
        assert output in result.err
        assert result.code == (2 if output == "is not a string" else 1)  # the API server does not decode that either
        assert "GPU001" in result.out
    clean = lint("a.yaml", "--fail-on", "never")
    assert clean.code == (0 if output and output != "is not a string" else 2)


def test_a_notice_alone_leaves_the_run_clean_and_is_in_the_reports(lint):
    lint.write("a.yaml", CLEAN + "# gpu-lint: ignore[GPU001]\n")
    result = lint.json("a.yaml")
    assert result.code == 0
    assert result.json["notices"][0]["line"] == 9
    assert "matches nothing" in lint("a.yaml", "-f", "sarif").out
    assert lint("a.yaml", "-q").err == ""


def test_a_suppression_of_a_rule_that_is_not_in_force_is_not_called_unused(lint):
    lint.write("a.yaml", commented(same="  # gpu-lint: ignore[GPU001]"))
    assert lint("a.yaml", "--select", "GPU3").err == ""


def test_a_hidden_finding_counts_as_matched(lint):
    lint.write("a.yaml", annotated("GPU201 - untainted"))
    assert "GPU201" not in lint("a.yaml").err


def test_an_annotation_reaches_no_further_than_its_object(lint):
    items = "".join(
        "  -\n" + "".join(f"    {line}\n" for line in text.splitlines()) for text in (annotated("GPU001"), POD)
    )
    lint.write("a.yaml", f"apiVersion: v1\nkind: List\nitems:\n{items}")
    assert len(lint.json("a.yaml").json["findings"]) == 1
    lint.write("b.yaml", annotated("GPU001") + "---\n" + POD)
    assert [f["document"] for f in lint.json("b.yaml").json["findings"]] == [1]


def test_suppressed_findings_are_not_fixed(lint):
    for content in (commented(same="  # gpu-lint: ignore[GPU001]"), annotated("GPU001")):
        lint.write("a.yaml", content)
        lint("a.yaml", "--fix", "--min-severity", "info")
        assert "limits" not in lint.read("a.yaml")
        assert "tolerations" in lint.read("a.yaml")


def test_sarif_holds_what_is_suppressed_with_the_reason(lint):
    lint.write("a.yaml", commented(same="  # gpu-lint: ignore[GPU001] - untainted nodes"))
    [result] = lint("a.yaml", "-f", "sarif").json["runs"][0]["results"]
    assert result["suppressions"] == [{"kind": "inSource", "justification": "untainted nodes"}]


def test_rules_are_switched_off_by_path(lint):
    lint.write(".gpu-lint.yaml", "per-file-ignores:\n  examples/: [GPU001]\n")
    lint.write("examples/sub/a.yaml")
    lint.write("b.yaml")
    assert [f["file"] for f in lint.json(".").json["findings"]] == ["b.yaml"]
    lint(".", "--fix")
    assert "limits" not in lint.read("examples/sub/a.yaml")


class TestAddIgnore:
    def test_a_comment_above_the_line(self, lint):
        lint.write("a.yaml", POD.replace("\n", "\r\n"))
        result = lint("a.yaml", "--add-ignore", "since  2019")
        assert result.code == 0
        assert "Silenced 1 finding in 1 file (GPU001 1)" in result.err
        assert lint.read("a.yaml") == POD.replace(
            KEY, "          # gpu-lint: ignore[GPU001] - since 2019\n" + KEY
        ).replace("\n", "\r\n")
        assert lint("a.yaml").code == 0

    def test_again_changes_nothing(self, lint):
        lint.write("a.yaml")
        lint("a.yaml", "--add-ignore", "x")
        before = lint.read("a.yaml")
        assert "Silenced nothing" in lint("a.yaml", "--add-ignore", "y").err
        assert lint.read("a.yaml") == before

    def test_json_is_annotated(self, lint):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
               "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"nvidia.com/gpu": 1}}}]}}  # fmt: skip
        lint.write("a.json", json.dumps(pod, indent=2))
        assert lint("a.json", "--add-ignore", "x").code == 0
        assert json.loads(lint.read("a.json"))["metadata"]["annotations"] == {"gpu-admission.io/ignore": "GPU001 - x"}
        assert lint("a.json").code == 0

    def test_several_on_several_lines(self, lint):
        lint.write("a.yaml", POD + POD.replace("apiVersion", "---\napiVersion"))
        assert lint("a.yaml", "--add-ignore", "x", "--min-severity", "info").code == 0
        assert lint.json("a.yaml", "--min-severity", "info").rules == []

    def test_standard_input(self, lint):
        result = lint("-", "--add-ignore", "x", stdin=POD)
        assert "# gpu-lint: ignore[GPU001] - x" in result.out
        assert "<stdin>" not in result.out


def test_a_finding_is_asked_of_the_comments_on_its_line_only(lint, monkeypatch):
    requested = []
    monkeypatch.setattr(suppressions.Suppression, "suppresses", lambda self, finding: requested.append(self) or True)
    head, containers, container = POD.partition("  containers:\n")
    silenced = container.replace(KEY, f"{KEY.rstrip()}  # gpu-lint: ignore[GPU001] x\n")
    lint.write("a.yaml", head + containers + silenced * 50)
    assert lint("a.yaml").code == 0
    assert len(requested) == 50
