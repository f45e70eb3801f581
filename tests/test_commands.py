"""gpu-admission through its front door: commands that need no server and no cluster."""

import io
import json
import re
import subprocess
import sys

import pytest
from shells import check_syntax, completed

from gpu_admission.commands import completion
from gpu_admission.commands import main as commands
from gpu_admission.commands.main import main
from gpu_admission.policyfile import loader

BAD_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "train", "image": "i", "resources": {"requests": {"nvidia.com/gpu": 1}}}]},
}


def review(obj):
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    request = {"uid": "u", "kind": kind, "operation": "CREATE", "namespace": "n", "object": obj}
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})


@pytest.fixture
def stdin(monkeypatch):
    def give(text):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return give


def usage(*argv):
    with pytest.raises(SystemExit) as caught:
        main(list(argv))
    return caught.value.code


class TestParser:
    def test_help_names_every_command(self, capsys):
        assert usage("--help") == 0
        output = capsys.readouterr().out
        assert all(name in output for name in commands.COMMANDS)

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            ([], "gpu-admission: a command is missing"),
            (["odd"], "gpu-admission: there is no command 'odd'"),
            (["audti"], "gpu-admission: there is no command 'audti'; did you mean 'audit'?"),
            (["a\x1b[31m"], r"gpu-admission: there is no command 'a\x1b[31m'"),
            (["--context", "x", "audit"], "a command comes before its flags: gpu-admission COMMAND --context …"),
            (["policy"], "gpu-admission policy: the following arguments are required"),
            (["policy", "odd"], "invalid choice: 'odd' (choose from "),
            (["review", "--odd"], "unrecognized arguments: --odd"),
            (["audit", "-n", "a/b"], "argument -n/--namespace: 'a/b' is not the name of a namespace"),
            (["inspect", "--request-timeout", "2x"], "'2x' is not a duration; expected a number with a unit"),
        ],
    )
    def test_wrong_usage_is_2_and_one_line_that_says_where_to_read_on(self, argv, message, capsys):
        assert usage(*argv) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
        assert re.search(r"\(see gpu-admission( \w+)* --help\)$", line)

    @pytest.mark.parametrize("argv", [[], ["--context", "x"], ["--cluster"]])
    def test_policy_check_without_a_file_says_what_to_write(self, argv, capsys):
        assert main(["policy", "check", *argv]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("gpu-admission policy check: name the policy file to check, as in gpu-admission policy")

    def test_a_missing_extra_is_named(self, monkeypatch, capsys):
        def absent(_name):
            raise ModuleNotFoundError("No module named 'flask'", name="flask")

        monkeypatch.setattr(commands.importlib, "import_module", absent)
        assert main(["serve"]) == 2
        assert "pip install 'gpu-admission[webhook]'" in capsys.readouterr().err

    @pytest.mark.parametrize("shell", completion.SHELLS)
    def test_completion_offers_every_command(self, shell, capsys):
        assert main(["completion", shell]) == 0
        script = capsys.readouterr().out
        check_syntax(shell, script)
        assert all(name in script for name in commands.COMMANDS)
        assert "client-ca" in script

    @pytest.mark.parametrize(
        ("arguments", "offered"),
        [(("tr",), {"translate"}), (("serve", "--log-format", "j"), {"json"}), (("policy", "sh"), {"show"})],
    )
    def test_bash_completes(self, arguments, offered, capsys):
        main(["completion", "bash"])
        assert completed(capsys.readouterr().out, "gpu-admission", *arguments) == offered

    def test_completion_offers_what_is_installed(self, monkeypatch, capsys):
        load = commands.importlib.import_module

        def some(name):
            if name.endswith(".certs"):
                raise ModuleNotFoundError("No module named 'cryptography'", name="cryptography.x509")
            return load(name)

        monkeypatch.setattr(commands.importlib, "import_module", some)
        assert main(["completion", "bash"]) == 0
        assert "certs" in capsys.readouterr().out

    def test_without_shtab_completion_says_what_to_install(self, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "shtab", None)
        assert main(["completion", "bash"]) == 2
        assert "pip install 'gpu-admission[completion]'" in capsys.readouterr().err

    def test_a_missing_module_of_ours_is_a_bug_and_stays_one(self, monkeypatch):
        def absent(_name):
            raise ModuleNotFoundError("No module named 'gpu_admission.odd'", name="gpu_admission.odd")

        monkeypatch.setattr(commands.importlib, "import_module", absent)
        with pytest.raises(ModuleNotFoundError):
            main(["serve"])


class TestPolicy:
    def test_list_names_the_shipped_ones_with_a_line_each(self, capsys):
        assert main(["policy", "list"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == loader.shipped()
        assert all(len(line.split()) > 3 for line in lines)

    @pytest.mark.parametrize("name", loader.shipped())
    def test_show_prints_what_check_accepts(self, name, capsys, tmp_path):
        assert main(["policy", "show", name]) == 0
        path = tmp_path / "p.yaml"
        path.write_text(capsys.readouterr().out)
        assert main(["policy", "check", str(path)]) == 0
        assert f"policy {name} is valid" in capsys.readouterr().out

    def test_show_of_an_unknown_name(self, capsys):
        assert main(["policy", "show", "defalt"]) == 2
        assert "did you mean 'default'?" in capsys.readouterr().err

    def test_check_goes_on_after_a_bad_file(self, capsys, tmp_path):
        bad, good = tmp_path / "bad.yaml", tmp_path / "good.yaml"
        bad.write_text("kind: GPUPolicy\n")
        good.write_text(loader.source("default"))
        assert main(["policy", "check", str(bad), str(tmp_path / "none.yaml"), str(tmp_path), str(good)]) == 1
        output = capsys.readouterr()
        assert "bad.yaml:1:1: the file: the key 'apiVersion' is missing" in output.err
        assert "none.yaml: there is no such policy file" in output.err
        assert f"{tmp_path}: is a directory\n" in output.err
        assert "policy default is valid" in output.out

    def test_schema_is_json(self, capsys):
        assert main(["policy", "schema"]) == 0
        assert json.loads(capsys.readouterr().out)["title"] == "GPUPolicy of gpu-admission"


class TestReview:
    def test_a_denial_is_1(self, stdin, capsys):
        stdin(review(BAD_POD))
        assert main(["review"]) == 1
        assert json.loads(capsys.readouterr().out)["response"]["allowed"] is False

    def test_a_repair_is_0(self, capsys, tmp_path):
        path = tmp_path / "review.json"
        path.write_text(review(BAD_POD))
        assert main(["review", "--mutate", "-p", "default", str(path)]) == 0
        assert json.loads(capsys.readouterr().out)["response"]["patchType"] == "JSONPatch"

    @pytest.mark.parametrize("text", ["", "{", "{}", json.dumps(BAD_POD)])
    def test_what_is_no_review_is_2(self, text, stdin, capsys):
        stdin(text)
        assert main(["review"]) == 2
        assert capsys.readouterr().err.count("\n") == 1

    @pytest.mark.parametrize(
        ("argv", "output"),
        [
            (["-p", "odd"], "there is no shipped policy 'odd'"),
            (["missing.json"], "missing.json: no such file or directory\n"),
            (["/"], "/: is a directory\n"),
            (["nul\0.json"], "embedded null byte\n"),
        ],
    )
    def test_what_cannot_be_read_is_2(self, argv, output, stdin, capsys):
        stdin("{}")
        assert main(["review", *argv]) == 2
        assert capsys.readouterr().err.startswith(f"gpu-admission review: {output}")

    def test_a_body_over_the_limit_is_2(self, stdin, capsys):
        stdin(" " * ((7 << 20) + 1))
        assert main(["review"]) == 2
        assert "7 MiB" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["manifests"], ["policy", "list"], ["policy", "show", "default"]], ids=" ".join)
def test_a_full_disk_is_one_sentence(arguments):
    with open("/dev/full", "wb") as full:
        program = [sys.executable, "-m", "gpu_admission.commands.main", *arguments]
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "gpu-admission: no space left on device\n")
