"""kubectl gpu-admission: the names that kubectl looks for, and what its completion offers."""

import pathlib
import tomllib

import pytest
from api_standin import ApiStandin, kubeconfig, standin, status

from gpu_admission.commands import kubectl_plugin
from gpu_admission.commands.kubectl_plugin import FILES, NO_FILES, completions
from gpu_admission.commands.main import COMMANDS, main

SCRIPTS = tomllib.loads((pathlib.Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]


@pytest.mark.parametrize("name", ["kubectl-gpu_admission", "kubectl_complete-gpu_admission"])
def test_the_programs_that_kubectl_looks_for(name):
    module, _, function = SCRIPTS[name].partition(":")
    assert module == kubectl_plugin.__name__
    assert callable(getattr(kubectl_plugin, function))


def test_help_calls_it_as_it_was_called(capsys):
    with pytest.raises(SystemExit):
        main(["audit", "--help"], kubectl_plugin.PROGRAM)
    assert "usage: kubectl gpu-admission audit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ([], [*sorted(COMMANDS), NO_FILES]),
        (["au"], ["audit", NO_FILES]),
        (["audit", "--only"], ["--only-denied", NO_FILES]),
        (["audit", "-f", ""], ["json", "junit", "policyreport", "sarif", "table", "yaml", NO_FILES]),
        (["audit", "--format", "j"], ["json", "junit", NO_FILES]),
        (["policy", "sh"], ["show", NO_FILES]),
        (["completion", "z"], ["zsh", NO_FILES]),
        (["audit", "-o", ""], [FILES]),
        (["audit", "-p", ""], [FILES]),
        (["audit", "--as", ""], [NO_FILES]),
        (["audit", "-A", "--context=x", "--color", "al"], ["always", NO_FILES]),
        (["nonsense", "--odd", "x"], [NO_FILES]),
        (["review", ""], [FILES]),
    ],
)
def test_what_is_offered(words, offered):
    assert completions(words) == offered


def test_contexts_come_from_the_kubeconfig(tmp_path, monkeypatch):
    path = kubeconfig(tmp_path, "http://127.0.0.1:9")
    assert completions(["audit", "--kubeconfig", path, "--context", ""]) == ["here", NO_FILES]
    monkeypatch.setenv("KUBECONFIG", path)
    assert completions(["audit", "--context", "he"]) == ["here", NO_FILES]
    (tmp_path / "odd").write_text("[")
    assert completions(["audit", "--kubeconfig", str(tmp_path / "odd"), "--context", ""]) == [NO_FILES]


def test_namespaces_come_from_the_cluster(tmp_path):
    pytest.importorskip("kubernetes")
    api = ApiStandin()
    api.lists["/api/v1/namespaces"] += [{"metadata": {"name": name}} for name in ("team-a", "team-b", "other")]
    with standin(api) as url:
        words = ["audit", "--kubeconfig", kubeconfig(tmp_path, url), "-n", "te"]
        assert completions(words) == ["team-a", "team-b", NO_FILES]
        api.always = [lambda *_: status(403)]
        assert completions(words) == [NO_FILES]
    assert completions(words) == [NO_FILES]
