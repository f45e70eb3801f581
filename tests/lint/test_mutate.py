"""gpu-admission mutate through its front door."""

import io
import sys

import pytest

from gpu_admission.commands.main import main

BAD = """\
# a training run
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - name: train   # the only one
    image: i
    resources:
      requests:
        nvidia.com/gpu: 1
"""
DENIED = BAD.replace("nvidia.com/gpu: 1", "nvidia.com/gpu: 0.5").replace("requests", "limits")


def test_the_authors_bytes_are_kept_around_the_repairs(file, capsys):
    assert main(["mutate", file(BAD)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# a training run\n")
    assert "  - name: train   # the only one\n" in shown
    assert "      limits:\n        nvidia.com/gpu: 1\n" in shown
    assert "tolerations:" in shown
    assert "requests:" in shown, "admission does not drop requests: that is a repair for files"


def test_a_diff_is_a_patch(file, capsys):
    assert main(["mutate", "--diff", file(BAD)]) == 0
    shown = capsys.readouterr().out
    assert "--- a/p.yaml\n+++ b/p.yaml\n" in shown
    assert "+        nvidia.com/gpu: 1\n" in shown


@pytest.mark.parametrize("command", [["mutate"], ["translate", "--to", "hami"]])
def test_nothing_to_read_is_said(tmp_path, capsys, command):
    assert main([*command, str(tmp_path)]) == 0
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "gpu-admission: no YAML or JSON file to read\n")


def test_nothing_to_change_prints_the_file_and_an_empty_diff(file, capsys):
    name = file("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}")
    assert main(["mutate", name]) == 0
    assert capsys.readouterr().out == "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
    assert main(["mutate", "--diff", name]) == 0
    assert capsys.readouterr().out == ""


def test_what_admission_would_deny_is_1_with_the_reason_on_standard_error(file, capsys):
    assert main(["mutate", file(DENIED)]) == 1
    output = capsys.readouterr().err
    assert output.startswith("p.yaml:11:9: GPU003 ")
    assert output.count("\n") == 1


def test_an_exempt_namespace_is_left_alone(file, capsys):
    text = DENIED.replace("{name: p}", "{name: p, namespace: kube-system}")
    assert main(["mutate", file(text)]) == 0
    assert capsys.readouterr().out == text


def test_several_files_make_one_stream(file, capsys):
    file(BAD, "a.yaml")
    file(BAD, "b.yaml")
    assert main(["mutate", "."]) == 0
    assert capsys.readouterr().out.count("---\n") == 2


def test_a_file_that_cannot_be_edited_is_written_anew_and_says_so(file, capsys):
    text = BAD.replace("    resources:\n      requests:\n        nvidia.com/gpu: 1\n", "    resources: *r\n")
    text = text.replace("metadata: {name: p}", "metadata: {name: p}\nx-r: &r {requests: {nvidia.com/gpu: 1}}")
    assert main(["mutate", file(text)]) == 0
    output = capsys.readouterr()
    assert "rewritten" in output.err
    assert "limits" in output.out


@pytest.mark.parametrize(
    ("text", "output"),
    [("a: [\n", "p.yaml:"), ("a: {{ .Values.x }}\n{{ end }}\n", "helm template"), ("a: \x00\n", "p.yaml:")],
)
def test_what_cannot_be_read_is_2_and_the_rest_is_still_shown(file, capsys, text, output):
    file(text)
    file(BAD, "z.yaml")
    assert main(["mutate", "."]) == 2
    shown = capsys.readouterr()
    assert output in shown.err
    assert "a training run" in shown.out


def test_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BAD.encode())))
    assert main(["mutate", "-"]) == 0
    assert "tolerations" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["-p", "odd", "p.yaml"], ["missing.yaml"]])
def test_wrong_usage_is_2(file, argv, capsys):
    file(BAD)
    assert main(["mutate", *argv]) == 2
    assert capsys.readouterr().err
