"""``serve --policy-source crd`` as a process, beside an API server that fails in the ways that API servers do."""

import contextlib
import json
import logging
import os
import signal
from pathlib import Path

import pytest
from api_standin import ApiStandin, Stream, event, kubeconfig, standin, status
from policy_objects import policy
from serve_process import Served, UnderGunicorn, run
from webhook_server import review, until

from gpu_admission.commands import policy_sidecar
from gpu_admission.policyfile.crd import PATH
from gpu_admission.webhook import logs

pytestmark = pytest.mark.slow

LEASES = "/apis/coordination.k8s.io/v1/namespaces/gpu-admission/leases"
DENIED = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]}]},
}


def stored(name, version, spec=None):
    return policy(spec or {}, name, uid=f"u-{name}", resourceVersion=str(version), generation=1)


@pytest.fixture
def api():
    pytest.importorskip("kubernetes")
    api = ApiStandin()
    api.serve("gpu-admission.io", "v1alpha1", "gpupolicies", "GPUPolicy", namespaced=False)
    api.single[f"{LEASES}/gpu-admission-policies"] = {"metadata": {"name": "l", "resourceVersion": "1"}}
    return api


@pytest.fixture
def environ(api, tmp_path):
    with standin(api) as url:
        yield {"KUBECONFIG": kubeconfig(tmp_path, url)}


@pytest.fixture
def start(tmp_path, environ):
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **more: stack.enter_context(
            Served(tmp_path, "--policy-source", "crd", "--http", *arguments, env=environ, **more)
        )


def denies(server):
    answer = server.post(body=review(object=DENIED))
    return answer[0] == 200 and not json.loads(answer[2])["response"]["allowed"]


def test_it_follows_a_watch_and_leaves_nothing_behind(start, api):
    api.watches = [Stream([event("ADDED", stored("default", 2))], seconds=30.0)]
    server = start()
    until(lambda: denies(server), 20, server)
    (watcher,) = server.watchers()
    directory = Path(f"/proc/{watcher}/cmdline").read_text().split("\0")[4]
    assert os.stat(directory).st_mode & 0o777 == 0o700
    until(lambda: any(path.endswith("/default/status") for _, path, _, _ in api.written), 20, server)
    assert server.stop() == 0
    assert not os.path.exists(directory)


def test_what_is_not_allowed_is_in_the_log_and_in_readiness_until_it_is(start, api):
    fault = lambda path, _: status(403, "gpupolicies is forbidden") if path == PATH else None  # noqa: E731
    api.always = [fault]
    server = start(wait=False)
    arguments = b"GPUPolicy objects are not listed yet: " + PATH.encode() + b": RBAC does not allow to read it"
    until(lambda: arguments in server.get("/readyz", health=True)[2], 40, server)
    assert b"grant list and watch on gpupolicies.gpu-admission.io" in server.get("/readyz", health=True)[2]
    assert server.post()[0] == 503
    assert server.log.count("policy watch failed") == 1
    api.always = []
    server.wait_ready()
    until(lambda: "policy watch works again" in server.log, 20, server)


def test_a_definition_that_is_not_there(start, api):
    api.lists.pop(PATH)
    server = start(wait=False)
    until(lambda: b"install the CustomResourceDefinition" in server.get("/readyz", health=True)[2], 40, server)


def test_no_cluster_at_all(start, environ, tmp_path):
    environ["KUBECONFIG"] = str(tmp_path / "nowhere")
    server = start(wait=False)
    until(lambda: b"no kubeconfig found" in server.get("/readyz", health=True)[2], 40, server)


def test_a_server_that_is_killed_takes_its_sidecar_and_the_files_along(start, api):
    server = start()
    (watcher,) = server.watchers()
    directory = Path(f"/proc/{watcher}/cmdline").read_text().split("\0")[4]
    server.stop(signal.SIGKILL)
    until(lambda: not os.path.exists(directory), 20)
    until(lambda: not Path(f"/proc/{watcher}/cmdline").exists() or not Path(f"/proc/{watcher}/cmdline").read_text(), 20)
    assert api.requests


def test_started_by_gunicorn(environ, api, tmp_path):
    api.lists[PATH].append(stored("default", 1))
    with UnderGunicorn(
        tmp_path, {**environ, "GPU_ADMISSION_POLICY_SOURCE": "crd", "GPU_ADMISSION_HTTP": "1"}
    ) as server:
        server.tls = False
        until(lambda: denies(server), 20, server)
        assert len(server.watchers()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--policy-source", "crd", "-p", "default"), "policy cannot be combined with policy-source crd"),
        (("--policy-source", "etcd"), "policy-source: 'etcd' is neither files nor crd"),
        (("--mode", "enforced"), "mode: 'enforced' is not enforce, warn or audit"),
    ],
)
def test_what_cannot_be_used_is_one_line(arguments, sentence):
    done = run("serve", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_ceiling_on_policies_that_are_files_too(tmp_path):
    with Served(tmp_path, "--http", "--mode", "audit") as server:
        assert not denies(server)
        assert server.post(body=review(object=DENIED))[0] == 200


def test_identities_differ():
    assert policy_sidecar.identity() != policy_sidecar.identity()


def test_a_problem_is_logged_once(caplog, monkeypatch):
    own = logging.getLogger("problems")  # that of the server has handlers of other tests
    own.setLevel("INFO")
    monkeypatch.setattr(logs, "get", lambda: own)
    problems = policy_sidecar.Problems()
    for text in ("a", "a", "b", "", ""):
        problems.note("policy watch", text)
    assert problems.current("policy watch") == ""
    assert caplog.messages == ["policy watch failed", "policy watch failed", "policy watch works again"]
