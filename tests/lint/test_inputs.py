"""What is read from files and standard input, and every kind of input that is none."""

import os
import sys

import pytest

from gpu_admission.manifests import yaml_events

from .conftest import CLEAN, POD

DAEMON = POD.replace("  name: train\nspec", "  name: train\n  namespace: kube-system\nspec")


@pytest.fixture
def broken(lint):
    lint.write("good.yaml")
    (lint.folder / "dangling.yaml").symlink_to("nowhere")
    (lint.folder / "one.yaml").symlink_to("two.yaml")
    (lint.folder / "two.yaml").symlink_to("one.yaml")
    os.mkfifo(lint.folder / "fifo.yaml")
    (lint.folder / "zero.yaml").symlink_to("/dev/zero")
    (lint.folder / "directory.yaml").mkdir()
    return lint


BROKEN = {
    "dangling.yaml": "broken symbolic link",
    "one.yaml": "symbolic link loop",
    "two.yaml": "symbolic link loop",
    "fifo.yaml": "is a FIFO",
    "zero.yaml": "is a device",
}


@pytest.mark.parametrize("form", ["text", "concise", "json", "sarif", "junit", "github", "gitlab"])
def test_what_is_no_file_is_named_in_every_format_and_the_rest_judged(broken, form):
    result = broken(".", "-f", form, "-o", f"{form}=out")
    assert result.code == 2
    written = broken.read("out")
    assert "GPU001" in result.out
    for name, why in BROKEN.items():
        assert any(name in line and why in line for line in result.err.splitlines())
        assert name in written
        assert why in written


@pytest.mark.parametrize("name", [*BROKEN, "missing.yaml", "nul\0.yaml"])
def test_what_is_no_file_is_named_when_it_is_given_alone(broken, name):
    result = broken.json(name)
    assert result.code == 2
    assert len(result.json["errors"]) == 1
    assert result.err.count("\n") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files_and_folders(lint):
    lint.write("a.yaml").chmod(0)
    lint.write("sub/b.yaml")
    (lint.folder / "sub").chmod(0)
    result = lint.json(".")
    (lint.folder / "sub").chmod(0o755)
    assert result.code == 2
    assert {e["file"] for e in result.json["errors"]} == {"a.yaml", "sub"}


def test_unreadable_for_whoever_runs_it(lint, monkeypatch):
    from gpu_admission.lint import inputs

    lint.write("a.yaml")
    lint.write("b.yaml")
    real = inputs.os.open

    def refuse(path, *rest):
        if str(path).endswith("a.yaml"):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest)

    monkeypatch.setattr(inputs.os, "open", refuse)
    result = lint.json(".")
    assert result.code == 2
    assert result.json["errors"][0]["message"] == "cannot be read: permission denied"
    assert [f["file"] for f in result.json["findings"]] == ["b.yaml"]


def test_a_file_that_vanishes_between_listing_and_reading(lint, monkeypatch):
    from gpu_admission.lint import inputs

    lint.write("a.yaml")
    lint.write("b.yaml")
    find = inputs.Walker.find

    def then_remove(self, paths):
        found = find(self, paths)
        (lint.folder / "a.yaml").unlink()
        return found

    monkeypatch.setattr(inputs.Walker, "find", then_remove)
    result = lint.json(".")
    assert result.code == 2
    assert result.json["errors"][0]["file"] == "a.yaml"
    assert [f["file"] for f in result.json["findings"]] == ["b.yaml"]


def test_a_name_that_is_no_utf8(lint):
    name = os.fsdecode(b"caf\xe9.yaml")
    try:
        (lint.folder / name).write_text(POD)
    except OSError:
        pytest.skip("this file system has no such names")
    for form in ("text", "json", "junit", "github", "gitlab"):
        assert "caf" in lint(".", "-f", form).out
    assert "caf\\xe9.yaml:11:11: GPU001" in lint(".").out
    assert "caf%E9.yaml" in lint(".", "-f", "sarif").out


def test_a_name_that_a_terminal_would_obey(lint):
    lint.write("\x1b[2Ja\n.yaml")
    result = lint(".")
    assert "\x1b" not in result.out
    assert "\\x1b[2Ja\\n.yaml:11:11: GPU001" in result.out


def test_what_a_manifest_says_is_not_obeyed_by_a_terminal(lint):
    lint.write(
        "a.json",
        '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a\\u001b[2J"},"spec":{"containers":[{"name":'
        '"\\u001b]0;x\\u0007","image":"i","resources":{"requests":{"nvidia.com/gpu":"\\u202e1"}}}]}}',
    )
    lint.write("b.yaml", POD.replace("nvidia.com/gpu: 1", "nvidia.com/gpu: 1 # \N{RIGHT-TO-LEFT OVERRIDE}\N{CSI}"))
    for form in ("text", "concise", "github", "junit"):
        result = lint(".", "-f", form)
        assert not set("\x1b\x07\u202e\x9b") & set(result.out), form
        assert "GPU" in result.out


class TestStdin:
    def test_findings_and_name(self, lint):
        assert lint("-", stdin=POD).out.startswith("<stdin>:11:11: GPU001 ")
        assert lint("-", "--stdin-filename", "x/y.yaml", stdin=POD).out.startswith("x/y.yaml:11:11: GPU001 ")

    def test_json_by_name(self, lint):
        assert lint.json("-", "--stdin-filename", "x.json", stdin="gpu: 1").code == 2

    def test_twice_is_once(self, lint):
        assert lint.json("-", "-", stdin=POD).json["summary"]["files"] == 1

    def test_closed(self, lint, monkeypatch):
        monkeypatch.setattr(sys, "stdin", None)
        result = lint("-")
        assert result.code == 2
        assert "closed" in result.err

    def test_helm_template_names_the_template(self, lint):
        stream = f"---\n# Source: chart/templates/web.yaml\n{CLEAN}---\n# Source: chart/templates/train.yaml\n{POD}"
        [finding] = lint.json("-", stdin=stream).json["findings"]
        assert finding["file"] == "chart/templates/train.yaml"
        assert finding["rendered_in"] == "<stdin>"
        assert stream.splitlines()[finding["line"] - 1].strip() == "nvidia.com/gpu: 1"
        text = lint("-", stdin=stream).out
        assert text.startswith(f"chart/templates/train.yaml:{finding['line']}:11: GPU001 ")
        assert "of what was rendered, in <stdin>" in text
        # A template has other lines than what was rendered from it.
        assert "file=chart/templates/train.yaml,line=1," in lint("-", "-f", "github", stdin=stream).out

    def test_rendered_output_in_a_file_is_marked_where_it_stands(self, lint):
        lint.write("rendered.yaml", f"---\n# Source: chart/templates/train.yaml\n{POD}")
        assert "file=rendered.yaml,line=13," in lint("rendered.yaml", "-f", "github").out
        (finding,) = lint.json("rendered.yaml").json["findings"]
        assert (finding["file"], finding["line"]) == ("rendered.yaml", 13)
        assert "rendered_in" not in finding
        assert finding["message"].endswith("(rendered from chart/templates/train.yaml)")
        assert lint("rendered.yaml").out.startswith("rendered.yaml:13:11: GPU001 ")


UNRECOGNISED = {
    "glued": "---\n# Source: c/t/d.yaml\n# Licensed under Apache 2.0apiVersion: v1\n" + POD.partition("\n")[2],
    "no kind": POD.replace("kind: Pod\n", ""),
    "an empty kind": POD.replace("kind: Pod\n", "kind:\n"),
    "no apiVersion": POD.partition("\n")[2],
    "neither": POD.partition("metadata")[1] + POD.partition("metadata")[2],
    "rendered": "# Source: c/t/v.yaml\ngpu: 1\n",
    "other case": POD.replace("apiVersion", "apiversion").replace("kind", "Kind"),
    "a PodSpec alone": "containers: [{name: c, image: gpu}]\ntolerations: []\n",
    "a PodSpec's fields beside a kind": "kind: Pod\ncontainers: [{name: c, image: gpu}]\n",
}
OTHER = {
    "a chart": "apiVersion: v2\nname: gpu\nversion: 1.0.0\n",
    "values": "kind: DaemonSet\nimage: gpu\nresources: {limits: {nvidia.com/gpu: 1}}\n",
    "values with containers": "containers: [{name: c, image: gpu}]\nreplicaCount: 1\n",
    "containers of something else": "containers: [{name: gpu}]\n",
    "a list": "- gpu\n",
    "a string": "gpu\n",
    "compose": "services: {gpu: {image: x}}\n",
    "settings": "spec: {gpu: 1}\n",
    "nothing": "# Source: gpu.yaml\n---\n",
}


@pytest.mark.parametrize("name", UNRECOGNISED)
def test_what_lacks_its_type_is_reported(lint, name):
    lint.write("a.yaml", UNRECOGNISED[name])
    result = lint.json("a.yaml")
    assert result.code == 2
    (error,) = result.json["errors"]
    assert "Kubernetes cannot tell what it is" in error["message"]
    assert error["line"] >= 1
    assert ("(apiVersion is in a comment)" in error["message"]) is (name == "glued")
    assert ("(write apiVersion and kind, not apiversion and Kind)" in error["message"]) is (name == "other case")


@pytest.mark.parametrize("name", OTHER)
def test_other_yaml_that_names_gpus_is_passed_over_too(lint, name):
    lint.write("a.yaml", OTHER[name])
    result = lint("a.yaml")
    assert (result.code, result.err) == (0, "")


IN_POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: gpu}\nspec:\n  containers: [{name: c, image: i}]\n"
NO_TEXTS = [
    "  tolerations: [{key: nvidia.com/gpu, operator: Equal, value: true}]",
    "  tolerations: [{key: 1, operator: Exists}]",
    "  nodeSelector: {nvidia.com/gpu.present: true}",
    "  nodeSelector: {x: 1}",
    "  nodeSelector: {x: {}}",
    "  nodeSelector: []",
    "  initContainers: [{name: i, image: i, env: [{name: A, value: 1}]}]",
    "  initContainers: [{name: i, image: i, env: [{name: true}]}]",
    "  initContainers: [{name: n, image: i}]",
    "  initContainers: [{name: i, image: i, args: [--gpus, 8]}]",
    "  initContainers: [{name: i, image: i, command: [yes]}]",
    "  schedulerName: 1",
]


@pytest.mark.parametrize("odd", NO_TEXTS)
def test_what_the_api_server_cannot_decode_is_an_error_at_the_value(lint, odd):
    lint.write("a.yaml", f"{IN_POD}{odd}\n")
    result = lint.json("a.yaml")
    assert result.code == 2
    (error,) = result.json["errors"]
    assert error["line"] == 6
    assert "cannot decode this object" in error["message"]


@pytest.mark.parametrize("field", ["labels", "annotations"])
def test_so_are_labels_and_annotations_of_objects_and_templates(lint, field):
    meta = f"metadata: {{name: gpu, {field}: {{a: 1}}}}"
    template = f"apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    {meta}\n    spec: {{containers: []}}\n"
    for text, line in ((f"apiVersion: x/v1\nkind: X\n{meta}\n", 3), (template, 5)):
        lint.write("a.yaml", text)
        (error,) = lint.json("a.yaml").json["errors"]
        assert error["line"] == line
        assert 'write it in quotes: "1"' in error["message"]


def test_texts_and_what_will_be_filled_in_are_fine(lint):
    fine = '  nodeSelector: {a: "true", b: null, c: {gpu}}\n  tolerations: [{operator: Exists, tolerationSeconds: 5}]\n'
    lint.write("a.yaml", IN_POD + fine)
    assert lint("a.yaml").code == 0


def test_process_substitution_is_read(lint):
    reading, writing = os.pipe()
    os.write(writing, POD.encode())
    os.close(writing)
    try:
        assert lint.json(f"/dev/fd/{reading}").rules == ["GPU001"]
    finally:
        os.close(reading)


def test_templates_are_skipped_with_a_hint(lint):
    lint.write("t.yaml", "{{- if .Values.gpu }}\n" + POD + "{{ end }}\n")
    result = lint.json("t.yaml")
    assert result.code == 0
    assert result.json["skipped"] == [{"file": "t.yaml", "reason": "template"}]
    assert "helm template" in result.err
    assert "| gpu-lint -" in result.err


def test_many_templates_are_counted(lint):
    for number in range(30):
        lint.write(f"{number}.yaml", "{{ if gpu }}\na: [\n{{ end }}")
    result = lint(".")
    assert "10 more files skipped" in result.err
    assert "30 inputs skipped" in result.out


def test_other_yaml_is_passed_over_in_silence(lint):
    lint.write("values.yaml", "a: 1\nb: [x, y]\n")
    lint.write("empty.yaml", "")
    lint.write("comment.yaml", "# nothing\n")
    result = lint(".")
    assert (result.code, result.err) == (0, "")


def test_nothing_to_read_is_said(lint):
    result = lint(".")
    assert result.code == 0
    assert "no YAML or JSON file" in result.err


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_reading_without_libyaml_is_worth_one_warning(lint, monkeypatch, jobs):
    monkeypatch.setattr(yaml_events, "_parser", yaml_events._python_parser())
    for name in "abc":
        lint.write(f"{name}.yaml")
    assert lint("--jobs", jobs).err.count("PyYAML is installed without libyaml") == 1
    assert "libyaml" not in lint("--quiet").err
    monkeypatch.undo()
    assert "libyaml" not in lint().err


def test_exempt_namespaces_are_left_alone_and_unnamed_ones_judged(lint):
    lint.write("a.yaml", DAEMON)
    lint.write("b.yaml")
    assert [f["file"] for f in lint.json(".").json["findings"]] == ["b.yaml"]
    before = lint.read("a.yaml")
    lint(".", "--fix")
    assert lint.read("a.yaml") == before
    assert "limits" in lint.read("b.yaml")


HOSTILE = {
    "not-utf8": b"apiVersion: v1\nkind: \xff\n",
    "utf16": "apiVersion: v1\n".encode("utf-16"),
    "nul": b"a: \x00\n",
    "tabs": b"a:\n\tb: 1\n",
    "brackets": b"[" * 100_000,
    "braces": b"{a: " * 20_000,
    "alias-bomb": b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 107)),
    "recursive-anchor": b"a: &a [*a]\n",
    "duplicate-keys": b"a: 1\na: 2\n",
    "nan": b"a: .nan\n",
    "list-key": b"? [a]\n: 1\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_content_is_one_clear_error_and_the_rest_is_judged(lint, name):
    lint.write("bad.yaml", HOSTILE[name])
    lint.write("good.yaml")
    result = lint.json(".", "--parse-all")
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert result.err.startswith("bad.yaml:")
    assert [f["file"] for f in result.json["findings"]] == ["good.yaml"]
    [error] = result.json["errors"]
    assert error["line"] >= 1
    assert error["column"] >= 1


ODD = [
    "spec: []", "spec: 5", "spec: {containers: {}}", "spec: {containers: [1, null, x]}",
    "spec: {containers: [{name: a, resources: 5}]}", "spec: {containers: [{name: a, resources: {limits: x}}]}",
    "spec: {containers: [{name: a, env: x}]}", "spec: {containers: [{name: a, env: [1]}]}", "items: 5",
    "metadata: x", "metadata: {annotations: [a]}", "metadata: {name: [1]}",
    "spec: {containers: [{name: a, resources: {limits: {nvidia.com/gpu: 1e999999999}}}]}",
    "spec: {containers: [{name: a, resources: {limits: {nvidia.com/gpu: %s}}}]}" % ("9" * 100_000),
    "spec: {containers: [{name: a, resources: {limits: {nvidia.com/gpu: {}}}}]}",
    "spec: {tolerations: 5, nodeSelector: [], volumes: x}",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["Pod", "List", "Deployment", "PyTorchJob"])
@pytest.mark.parametrize("odd", ODD)
def test_wrong_shapes_are_no_trouble(lint, kind, odd):
    lint.write("a.yaml", f"apiVersion: v1\nkind: {kind}\n{odd}\n")
    lint.write("good.yaml")
    result = lint.json(".", "--min-severity", "info")
    assert "Traceback" not in result.err
    assert result.code == (2 if result.json["errors"] else 1)
    assert all(error["file"] == "a.yaml" and error["line"] >= 1 for error in result.json["errors"])
    assert "good.yaml" in {finding["file"] for finding in result.json["findings"]}
    assert "Traceback" not in lint("a.yaml", "--fix", "--unsafe-fixes").err


@pytest.mark.parametrize("odd", ["spec: []", "spec: {containers: {}}", "spec: {containers: [{name: a, resources: 5}]}"])
def test_a_shape_that_kubernetes_could_not_read_is_an_error_with_its_place(lint, odd):
    lint.write("a.yaml", f"apiVersion: v1\nkind: Pod\n{odd}\n")
    result = lint("a.yaml", "--parse-all")
    assert result.code == 2
    assert result.err.startswith("a.yaml:3:")
    assert "cannot decode this object" in result.err
    assert result.err.count("\n") == 1


def test_lone_surrogates_reach_every_format(lint):
    lint.write(
        "a.json",
        '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"\\ud800"},"spec":{"containers":[{"name":'
        '"\\udc80","image":"i","resources":{"requests":{"nvidia.com/gpu":1}}}]}}',
    )
    for form in ("text", "concise", "json", "sarif", "junit", "github", "gitlab"):
        assert "GPU001" in lint("a.json", "-f", form, "--min-severity", "info").out
    assert lint("a.json", "--write-baseline", "b").code == 0


def test_crlf_bom_and_lists(lint):
    lint.write("crlf.yaml", "\ufeff" + POD.replace("\n", "\r\n"))
    body = "".join(f"    {line}\n" for line in POD.splitlines())
    lint.write("list.yaml", f"apiVersion: v1\nkind: List\nitems:\n  -\n{body}")
    found = {f["file"]: (f["line"], f["column"]) for f in lint.json(".").json["findings"]}
    assert found == {"crlf.yaml": (11, 11), "list.yaml": (15, 15)}


def test_a_very_long_line_is_cut(lint):
    padding = "x" * 200_000
    lint.write(
        "a.json",
        f'{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"p","labels":{{"a":"{padding}"}}}},"spec":{{"containers":'
        f'[{{"name":"c","image":"i","resources":{{"requests":{{"nvidia.com/gpu":1}}}}}}]}},"z":"{padding}"}}',
    )
    out = lint("a.json").out
    assert max(map(len, out.splitlines())) < 400
    lines = out.splitlines()
    source, caret = lines[2].partition("| ")[2], lines[3].partition("| ")[2]
    assert source[caret.index("^") :].startswith('"nvidia.com/gpu"')


def test_a_mistake_of_ours_is_an_error_line_and_spoils_nothing_else(lint, monkeypatch):
    from gpu_admission.engine.engine import Engine

    lint.write("a.yaml")
    lint.write("b.yaml", POD.replace("name: train", "name: other"))
    judge = Engine.judge

    def fail(self, views):
        if views[0].ref.name == "train":
            raise ZeroDivisionError("oops")
        return judge(self, views)

    monkeypatch.setattr(Engine, "judge", fail)
    result = lint.json(".")
    assert result.code == 2
    assert "please report it: ZeroDivisionError in" in result.json["errors"][0]["message"]
    assert [f["file"] for f in result.json["findings"]] == ["b.yaml"]
    assert result.err.count("\n") == 1
