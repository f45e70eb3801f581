"""The commands of docs/runbook.md, as they stand there, against a real API server."""

import os
import re
import subprocess

import fast_yaml
import pytest
from e2e.webhooks import PATHS, PROBE, pod, settled
from webhook_server import ROOT

pytestmark = pytest.mark.e2e

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()


def commands(after):
    """The first shell block after these words."""
    block = re.compile(r"^ *```sh\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
    found = block.search(RUNBOOK, RUNBOOK.index(after))
    return found[1]


@pytest.fixture
def shell(cluster, tmp_path):
    """Runs a script with a kubectl for the cluster, in a separate folder."""
    shim = tmp_path / "bin" / "kubectl"
    shim.parent.mkdir()
    kubectl = os.path.join(os.environ["KUBEBUILDER_ASSETS"], "kubectl")
    shim.write_text(f'#!/bin/sh\nexec {kubectl} --kubeconfig={cluster.kubeconfig} --cache-dir={tmp_path}/cache "$@"\n')
    shim.chmod(0o755)
    env = {**os.environ, "PATH": f"{shim.parent}:{os.environ['PATH']}"}

    def run(script, check=True):
        done = subprocess.run(["bash", "-ec", script], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr
        return done

    return run


@pytest.fixture
def installed(cluster):
    """The self-signed overlay, with no replica behind it: every call fails."""
    cluster.kubectl("apply", "-k", ROOT / "deploy" / "overlays" / "self-signed", "--server-side", "--force-conflicts")
    settled(lambda: creation(cluster).status == 500)
    yield cluster
    for path in PATHS.values():
        cluster.api.delete(f"{path}gpu-admission")
    settled(lambda: creation(cluster).status == 201)


def creation(cluster, namespace="default"):
    return cluster.api.create(pod("probe", PROBE), namespace, dryRun="All")


def test_1_a_namespace_is_taken_out(installed, shell, namespace):
    assert creation(installed, namespace).status == 500
    shell(commands("**1. One namespace").replace("NAMESPACE", namespace))
    settled(lambda: creation(installed, namespace).status == 201)
    assert creation(installed).status == 500


def test_2_the_policy_only_warns(installed, shell):
    shell(commands("**2. A rule refuses"))
    found = installed.api.get("/api/v1/namespaces/gpu-admission/configmaps/gpu-admission-policy").object
    assert fast_yaml.load(found["data"]["policy.yaml"])["spec"]["mode"] == "warn"


def test_3_calls_that_fail_are_passed_over_and_an_apply_brings_it_back(installed, shell):
    shell(commands("**3. Calls fail"))
    settled(lambda: creation(installed).status == 201)
    installed.kubectl("apply", "-k", ROOT / "deploy" / "overlays" / "self-signed", "--server-side", "--force-conflicts")
    settled(lambda: creation(installed).status == 500)


def test_4_the_webhook_is_out_of_the_way_and_comes_back(installed, shell, tmp_path):
    shell(commands("**4. Calls hang"))
    settled(lambda: creation(installed).status == 201)
    kept = sorted(tmp_path.glob("gpu-admission-*.yaml"))
    assert len(kept) == 2
    shell("kubectl create -f gpu-admission-mutating.yaml -f gpu-admission-validating.yaml")
    settled(lambda: creation(installed).status == 500)


def test_the_probe(installed, shell):
    refused = shell(commands("2. The path works"), check=False)
    assert "failed calling webhook" in refused.stderr or "must be an integer" in refused.stderr


def test_what_is_collected(installed, shell, tmp_path):
    shell(commands("## Collect diagnostics"), check=False)  # there are no pods here, and no kubelet to request logs
    hooks = fast_yaml.load((tmp_path / "hooks.yaml").read_text())
    assert {item["kind"] for item in hooks["items"]} == set(PATHS)
    seen = (tmp_path / "apiserver.txt").read_text()
    assert (
        'apiserver_admission_webhook_rejection_count{error_type="calling_webhook_error",name="pods.gpu-admission.io"'
        in seen
    )
    assert 'apiserver_admission_webhook_fail_open_count{name="mutate.gpu-admission.io"' in seen
    assert "apiserver_admission_webhook_admission_duration_seconds_bucket" in seen
