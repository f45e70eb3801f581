"""kubectl gpu-admission: the names that kubectl looks for, and what its completion offers."""

import os
import pathlib
import sys
import threading
import tomllib

import fast_yaml
import pytest
import shells
import yaml
from api_standin import CUT, ApiStandin, Reply, kubeconfig, standin, status

from gpu_admission.commands import cluster_names, kubectl_plugin
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
    ("arguments", "offered"),
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
        (["audit", "--color=al"], ["--color=always", NO_FILES]),
        (["audit", "--nonsense=al"], [NO_FILES]),
        (["audit", "--output=x"], [FILES]),
        (["review", ""], [FILES]),
    ],
)
def test_what_is_offered(arguments, offered):
    assert completions(arguments) == offered


def test_contexts_come_from_the_kubeconfig(tmp_path, monkeypatch):
    path = kubeconfig(tmp_path, "http://127.0.0.1:9")
    assert completions(["audit", "--kubeconfig", path, "--context", ""]) == ["here", NO_FILES]
    monkeypatch.setenv("KUBECONFIG", path)
    assert completions(["audit", "--context", "he"]) == ["here", NO_FILES]
    (tmp_path / "odd").write_text("[")
    assert completions(["audit", "--kubeconfig", str(tmp_path / "odd"), "--context", ""]) == [NO_FILES]


def names(*given):
    return [{"metadata": {"name": name}} for name in given]


@pytest.fixture
def cluster(monkeypatch):
    """A cluster with namespaces and nodes, and patience with a machine that is busy."""
    pytest.importorskip("kubernetes")
    monkeypatch.setattr(cluster_names, "SECONDS", 60.0)
    api = ApiStandin()
    api.lists["/api/v1/namespaces"] += names("team-a", "team-b", "other")
    api.serve("", "v1", "nodes", "Node", namespaced=False, objects=names("gpu-1", "gpu-2", "cpu-1"))
    return api


@pytest.fixture
def config(cluster, tmp_path):
    with standin(cluster) as url:
        yield kubeconfig(tmp_path, url)


def test_namespaces_and_nodes_come_from_the_cluster(cluster, config):
    assert completions(["audit", "--kubeconfig", config, "-n", "te"]) == ["team-a", "team-b", NO_FILES]
    assert completions(["inspect", "--kubeconfig", config, "--namespace=te"]) == [
        "--namespace=team-a", "--namespace=team-b", NO_FILES,
    ]  # fmt: skip
    assert completions(["inspect", "--kubeconfig", config, "gpu"]) == ["gpu-1", "gpu-2", NO_FILES]
    assert completions(["inspect", "--kubeconfig", config, "gpu-1", "-f", "wide", ""]) == ["cpu-1", "gpu-2", NO_FILES]
    assert {query["resourceVersion"] for _, query in cluster.requests} == {"0"}
    assert all("PartialObjectMetadataList" in each["Accept"] for each in cluster.headers)


def test_the_cluster_and_the_user_are_those_of_the_line(cluster, config):
    arguments = ["--as", "alice", "--as-group=dev", "--context", "here"]
    assert completions(["inspect", "--kubeconfig", config, *arguments, "cpu"]) == ["cpu-1", NO_FILES]
    assert cluster.headers[-1]["Impersonate-User"] == "alice"
    assert cluster.headers[-1]["Impersonate-Group"] == "dev"
    assert completions(["inspect", "--kubeconfig", config, "--context", "nowhere", "cpu"]) == [NO_FILES]


def odd(body):
    return lambda *_: Reply(200, body)


@pytest.mark.parametrize(
    "fault",
    [
        lambda *_: status(403), lambda *_: status(401), lambda *_: status(500), lambda *_: CUT,
        lambda *_: Reply(429, None, {"Retry-After": "60"}), odd([]), odd({}), odd({"items": 7, "metadata": {}}),
        odd({"items": [7], "metadata": {}}), odd({"items": [{"metadata": {"name": 7}}], "metadata": {}}), odd("x"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("arguments", [["audit", "-n"], ["inspect"]])
def test_what_goes_wrong_is_silent_and_soon_over(cluster, config, fault, arguments, monkeypatch, capfd):
    monkeypatch.setattr(cluster_names, "SECONDS", 0.3)
    cluster.always = [fault]
    assert completions([*arguments[:1], "--kubeconfig", config, *arguments[1:], ""]) == [NO_FILES]
    assert capfd.readouterr() == ("", "")


def test_nobody_waits_for_a_cluster_that_does_not_answer(cluster, config, monkeypatch):
    """Nor for a plugin that hangs: the limit is on all of it. What had come by then is offered."""
    monkeypatch.setattr(cluster_names, "SECONDS", 1.0)
    released = threading.Event()
    first = names(*(f"gpu-{number}" for number in range(3)))

    def slow(_, query):
        if "continue" in query:
            released.wait(30)
            return status(500)
        return Reply(200, {"items": first, "metadata": {"continue": "x"}})

    cluster.always = [slow]
    try:
        assert completions(["inspect", "--kubeconfig", config, "gpu"]) == ["gpu-0", "gpu-1", "gpu-2", NO_FILES]
        assert not released.is_set()
    finally:
        released.set()


def test_a_plugin_for_credentials_prints_nothing_into_the_line(cluster, config, tmp_path, capfd):
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\necho please log in >&2\nexit 1\n")
    plugin.chmod(0o755)
    content = fast_yaml.load(pathlib.Path(config).read_text())
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    content["users"][0]["user"] = {"exec": exec_}
    pathlib.Path(config).write_text(yaml.safe_dump(content))
    completions(["inspect", "--kubeconfig", config, ""])
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def environ(tmp_path, config):
    """An environment in which the programs of an installation are on PATH, and a kubeconfig is set."""
    program = tmp_path / "kubectl_complete-gpu_admission"
    module = "gpu_admission.commands"
    patient = f"from {module} import cluster_names\ncluster_names.SECONDS = 60.0\n"  # on a machine that is busy
    code = f"{patient}from {module}.kubectl_plugin import complete_entry\ncomplete_entry()\n"
    program.write_text(f"#!{sys.executable}\n{code}")
    program.chmod(0o755)
    root = str(pathlib.Path(__file__).parents[2])
    return dict(os.environ) | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "KUBECONFIG": config, "PYTHONPATH": root}


@pytest.fixture
def script(capsys):
    def make(shell):
        pytest.importorskip("shtab")
        main(["completion", shell])
        return capsys.readouterr().out

    return make


@pytest.mark.parametrize(
    ("arguments", "offered"),
    [
        (("inspect", "gpu"), {"gpu-1", "gpu-2"}),
        (("inspect", "gpu-1", "gpu"), {"gpu-2"}),
        (("audit", "-n", "te"), {"team-a", "team-b"}),
        (("audit", "--context", "h"), {"here"}),
    ],
)
def test_shells_offer_the_same(environ, script, arguments, offered):
    assert shells.completed(script("bash"), "gpu-admission", *arguments, env=environ) == offered
    assert shells.completed_by_fish(script("fish"), "gpu-admission", *arguments, env=environ) == offered


def test_zsh_offers_the_same(environ, script, tmp_path):
    line = shells.completed_by_zsh(
        script("zsh"), tmp_path, "gpu-admission", "inspect", "cpu-1", "-n", "ot", env=environ
    )
    assert line.rstrip() == "gpu-admission inspect cpu-1 -n other"
