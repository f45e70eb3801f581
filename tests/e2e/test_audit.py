"""gpu-admission audit on a real API server: its report agrees with the webhook's decisions."""

import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import fast_yaml
import hostile_pods
import pytest
from e2e import reports_crds
from e2e.objects import define, space
from e2e.webhooks import settled

from gpu_admission.commands.main import complete_parser

pytestmark = pytest.mark.e2e

GPU = "nvidia.com/gpu"
RULE = re.compile(r"\bGPU\d{3}\b")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """A folder for PATH with the programs that kubectl looks for, as an installation has them."""
    folder = tmp_path_factory.mktemp("bin")
    for name, function in (("kubectl-gpu_admission", "entry"), ("kubectl_complete-gpu_admission", "complete_entry")):
        code = f"#!{sys.executable}\nfrom gpu_admission.commands.kubectl_plugin import {function}\n{function}()\n"
        (folder / name).write_text(code)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def audit(cluster, plugin):
    """Run ``kubectl gpu-admission audit``: the finished process."""

    def run(*argv, user="admin", config=None):
        config = config or (cluster.kubeconfig if user == "admin" else cluster._kubeconfig(user))
        assets = os.environ["KUBEBUILDER_ASSETS"]
        root = str(Path(__file__).parents[2])
        environ = dict(os.environ) | {"PATH": f"{plugin}:{assets}:{os.environ['PATH']}", "PYTHONPATH": root}
        environ.pop("KUBECONFIG", None)
        arguments = ["kubectl", "gpu-admission", "audit", *argv, "--kubeconfig", str(config)]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False, env=environ)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def container(limits, **rest):
    return {"name": "c", "image": "example.com/c:1", "resources": {"limits": limits}, **rest}


def pod(name, *containers, **spec):
    body = {"containers": list(containers or [container({GPU: "1"})]), **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body}


def deployment(name, *containers, replicas=0, **spec):
    template = {"metadata": {"labels": {"app": name}}, "spec": pod(name, *containers, **spec)["spec"]}
    body = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": body}


TOLERATIONS = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
BODIES = [
    ([container({GPU: "1"})], {}),
    ([container({GPU: "1"})], {"tolerations": TOLERATIONS}),
    ([container({GPU: "1"}, securityContext={"privileged": True})], {}),
    ([container({GPU: "1"})], {"nodeName": "audit-node"}),
    ([container({"aliyun.com/gpu-mem": "8"})], {}),
    ([container({"gpu-admission.io/gpu-mem": "8Gi"})], {}),
    ([container({"nvidia.com/GPU": "1"})], {}),
    ([container({"nvidia.com/gpus": "1"})], {}),
    ([container({GPU: "1", "nvidia.com/mig-1g.5gb": "1"})], {}),
    ([container({}, env=[{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}])], {}),
    ([container({})], {"volumes": [{"name": "d", "hostPath": {"path": "/dev/nvidia0"}}]}),
    ([container({GPU: "0"})], {"runtimeClassName": None}),
    ([container({"cpu": "1"})], {}),
]


def found(done):
    """What was found, by the owner's kind and name: the rules of each consequence."""
    by_owner = {}
    for row in json.loads(done.stdout)["findings"]:
        key = row["object"]["kind"], row["object"]["name"]
        by_owner.setdefault(key, {}).setdefault(row["admission"], set()).add(row["rule"])
    return by_owner


def test_what_is_said_of_a_pod_is_what_the_webhook_does_to_it(api, server, audit, namespace):
    rng = random.Random(12)
    wanted = [pod(f"p{number}", *containers, **spec) for number, (containers, spec) in enumerate(BODIES)]
    for number in range(60):
        one = hostile_pods.pod(rng, 0.3)
        one["metadata"] = {
            "name": f"h{number}",
            **{key: one["metadata"].get(key, {}) for key in ("labels", "annotations")},
        }
        wanted.append(one)
    made = [one for one in wanted if api.create(one, namespace).status == 201]
    assert len(made) > 50
    output = found(audit("-n", namespace, "-f", "json", "--fail-on", "never"))
    with server.registered(api):
        for one in made:
            expected = output.get(("Pod", one["metadata"]["name"]), {})
            again = {**one, "metadata": {**one["metadata"], "name": f"{one['metadata']['name']}-x"}}
            reply = api.create(again, namespace, dryRun="All")
            denied = set(RULE.findall(reply.message)) if reply.refused else set()
            assert denied == expected.get("deny", set()), (one, reply)
            if not reply.refused:
                assert {rule for text in reply.warnings for rule in RULE.findall(text)[:1]} == expected.get(
                    "warn", set()
                )
    assert {consequence for each in output.values() for consequence in each} >= {"deny", "repair", "warn"}


def test_what_is_said_of_a_deployment_is_what_the_webhook_says_of_it(api, server, audit, namespace):
    wanted = [deployment(f"d{number}", *containers, **spec) for number, (containers, spec) in enumerate(BODIES)]
    made = [one for one in wanted if api.create(one, namespace).status == 201]
    output = found(audit("-n", namespace, "-f", "json", "--fail-on", "never"))
    with server.registered(api):
        for one in made:
            expected = output.get(("Deployment", one["metadata"]["name"]), {})
            again = {**one, "metadata": {"name": f"{one['metadata']['name']}-x"}}
            reply = api.create(again, namespace, dryRun="All")
            received = {rule for text in (reply.message, *reply.warnings) for rule in RULE.findall(text)[:1]}
            assert reply.refused == ("deny" in expected), (one, reply)
            assert received >= expected.get("deny", set()) | expected.get("warn", set()), (one, reply)
            # Of what its pods are repaired of it may hear nothing: a toleration is no concern of an author's.
            assert received <= {rule for rules in expected.values() for rule in rules}, (one, reply)


@pytest.fixture
def scheduled(scheduling, namespace):
    """A Deployment whose pods the scheduler has bound."""
    api = scheduling.api
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "audit-node"}}
    assert api.create(node, None).status == 201
    room = {"cpu": "8", "memory": "32Gi", "pods": "110", GPU: "8"}
    status = {"capacity": room, "allocatable": room, "conditions": [{"type": "Ready", "status": "True"}]}
    assert api.patch("/api/v1/nodes/audit-node/status", {"status": status}).status == 200
    body = deployment("trainer", container({GPU: "1"}, securityContext={"privileged": True}), replicas=3)
    assert api.create(body, namespace).status == 201
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pods = api.get(f"/api/v1/namespaces/{namespace}/pods").object["items"]
        if sum(bool(one["spec"].get("nodeName")) for one in pods) == 3:
            break
        time.sleep(0.2)
    else:
        raise AssertionError(pods)
    yield api
    api.delete("/api/v1/nodes/audit-node")


def test_a_deployment_with_its_pods_is_one_owner_and_its_node_is_the_schedulers(scheduled, audit, namespace):
    assert scheduled.create(pod("nailed", nodeName="audit-node"), namespace).status == 201
    done = audit("-n", namespace, "-f", "json")
    assert found(done) == {
        ("Deployment", "trainer"): {"repair": {"GPU201"}, "warn": {"GPU303"}},
        ("Pod", "nailed"): {"repair": {"GPU201"}, "deny": {"GPU203"}},
    }
    trainer = next(row for row in json.loads(done.stdout)["findings"] if row["rule"] == "GPU303")
    assert trainer["found"] == {"Deployment": 1, "Pod": 3}
    assert done.returncode == 1


def test_a_custom_kind_is_found_by_its_shape(api, audit, namespace):
    define(api, "audit.example.com", "Train")
    train = {"apiVersion": "audit.example.com/v1", "kind": "Train", "metadata": {"name": "t"}}
    train["spec"] = {"worker": pod("x", container({GPU: "500m"}))["spec"]}
    assert api.create(train, namespace).status == 201
    assert found(audit("-n", namespace, "-f", "json")) == {("Train", "t"): {"deny": {"GPU003"}}}


@pytest.mark.parametrize("group", reports_crds.GROUPS)
def test_reports_come_and_go_with_the_findings(api, audit, namespace, group):
    root, (plural, cluster_plural) = reports_crds.define(api, group)
    other = next(name for name in reports_crds.GROUPS if name != group)
    for crd in api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").object["items"]:
        if crd["spec"]["group"] == other:
            api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}")
    deadline = time.monotonic() + 30
    while other in api.get("/apis").object["groups"].__repr__() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert api.create(pod("nailed", nodeName="audit-node"), namespace).status == 201
    done = audit("-A", "-f", "policyreport", "--apply", "--fail-on", "never")
    assert done.returncode == 0, done.stderr
    path = f"{root}/namespaces/{namespace}/{plural}"
    report = api.get(f"{path}/gpu-admission-audit").object
    rules = {each["rule"]: each for each in report["results"]}
    assert rules["GPU203"]["result"] == "fail"
    assert rules["GPU203"]["resources"][0]["name"] == "nailed"
    assert report["summary"]["fail"] == 1
    api.delete(f"/api/v1/namespaces/{namespace}/pods/nailed", gracePeriodSeconds=0)
    assert audit("-A", "-f", "policyreport", "--apply", "--fail-on", "never").returncode == 0
    assert api.get(path).object["items"] == []
    assert api.get(f"{root}/{cluster_plural}").status == 200


class TestRights:
    def test_none_at_all_is_one_line(self, audit):
        done = audit("-A", user="user")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert "RBAC does not allow to list any kind that holds pods in all namespaces" in done.stderr

    def test_of_one_namespace_are_enough_for_it(self, api, audit, namespace):
        rules = [{"apiGroups": ["", "apps"], "resources": ["pods", "deployments"], "verbs": ["get", "list"]}]
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": rules}
        subject = {"kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io"}
        to = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
        binding = {**role, "kind": "RoleBinding", "roleRef": to, "subjects": [subject]}
        binding.pop("rules")
        for each in (role, binding, pod("p", container({GPU: "1"}, securityContext={"privileged": True}))):
            assert api.create(each, namespace).status == 201
        done = audit("-n", namespace, user="user")
        assert done.returncode == 2
        assert "Pod/p" in done.stdout
        refused = [line for line in done.stderr.splitlines() if "RBAC does not allow" in line]
        assert len(refused) == 2  # of custom definitions, and of all kinds that may not be listed
        assert "jobs.batch" in refused[1]
        assert "deployments" not in refused[1]
        as_alice = audit("-n", namespace, "--as", "alice")
        assert as_alice.stdout == done.stdout

    def test_a_wrong_token_is_one_line(self, cluster, audit, tmp_path):
        wrong = tmp_path / "wrong"
        wrong.write_text(Path(cluster.kubeconfig).read_text().replace("admin-token", "expired-token"))
        done = audit("-A", config=wrong)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert "credentials are not accepted (401 Unauthorized)" in done.stderr


ACCOUNT = "system:serviceaccount:gpu-admission:gpu-admission-audit"
FOLDER = Path(__file__).parents[2] / "deploy" / "audit"


@pytest.fixture(scope="module")
def deployed(scheduling):
    reports_crds.define(scheduling.api, "openreports.io")
    scheduling.kubectl("apply", "--server-side", "--force-conflicts", "-k", FOLDER)
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/gpu-admission-audit"
    settled(lambda: len(scheduling.api.get(path).object["rules"] or ()) > 10)  # the controller joins the roles
    yield scheduling
    scheduling.kubectl("delete", "cronjob", "-n", "gpu-admission", "gpu-admission-audit")


class TestDeployed:
    """deploy/audit: the real kubectl applies it, and its account can do what the audit needs and nothing else."""

    def test_its_account_audits_and_reports(self, deployed, audit, namespace):
        api = deployed.api
        assert api.create(pod("nailed", nodeName="audit-node"), namespace).status == 201
        path = f"/apis/openreports.io/v1alpha1/namespaces/{namespace}/reports"

        def run():
            return audit("-A", "-f", "policyreport", "--apply", "--fail-on", "never", "--as", ACCOUNT)

        settled(lambda: run().returncode == 0)  # once the authoriser has seen the joined role
        done = run()
        # The one custom kind that this file defines is found by its shape; its pods are judged all the same.
        refused = [line for line in done.stderr.splitlines() if "RBAC" in line]
        assert all("cannot list resource" in line and "audit.example.com" in line for line in refused), refused
        assert [each["metadata"]["name"] for each in api.get(path).object["items"]] == ["gpu-admission-audit"]

    def test_its_arguments_are_the_commands(self):
        job = fast_yaml.load((FOLDER / "cronjob.yaml").read_text())["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        arguments = job["containers"][0]["args"]
        options = complete_parser().parse_args(arguments)
        assert (options.command, options.all_namespaces, options.apply, options.fail_on) == (
            "audit",
            True,
            True,
            "never",
        )
        assert options.policy == "/etc/gpu-admission/policy.yaml"

    @pytest.mark.parametrize(
        ("verb", "what", "allowed"),
        [
            ("list", "pods", "yes"),
            ("list", "cronjobs.batch", "yes"),
            ("patch", "reports.openreports.io", "yes"),
            ("delete", "reports.openreports.io", "yes"),
            ("get", "secrets", "no"),
            ("list", "configmaps", "no"),
            ("delete", "pods", "no"),
            ("create", "pods/exec", "no"),
            ("update", "deployments.apps", "no"),
            ("patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io", "no"),
        ],
    )
    def test_its_rights(self, deployed, verb, what, allowed):
        resource, _, subresource = what.partition("/")
        more = [f"--subresource={subresource}"] if subresource else []
        done = deployed.kubectl("auth", "can-i", verb, resource, *more, "-A", "--as", ACCOUNT, check=False)
        assert done.stdout.strip() == allowed

    def test_the_namespace_is_the_webhooks(self):
        (base, *_) = fast_yaml.load_all((FOLDER.parent / "base" / "namespace.yaml").read_text())
        assert fast_yaml.load((FOLDER / "namespace.yaml").read_text()) == base


def test_kubectl_completes(cluster, plugin, api):
    with space(api, "complete-me"):
        environ = dict(os.environ) | {
            "KUBECONFIG": str(cluster.kubeconfig),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        environ["PATH"] = f"{plugin}:{os.environ['KUBEBUILDER_ASSETS']}:{os.environ['PATH']}"
        arguments = ["kubectl", "__complete", "gpu-admission", "audit", "-n", "compl"]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True, env=environ)
        assert done.stdout.splitlines() == ["complete-me", ":4"]


def test_a_policy_of_the_cluster_agrees_with_it(cluster, plugin, tmp_path):
    """What ``policy init`` writes of real nodes, namespaces, programs and a DeviceClass, and what has drifted since."""
    api = cluster.api
    labels = {
        "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
        "nvidia.com/gpu.memory": "81920",
        "nvidia.com/gpu.count": "8",
    }
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "init-node", "labels": labels},
        "spec": {"taints": [taint]},
    }
    assert api.create(node, None).status == 201
    room = {"cpu": "8", "memory": "32Gi", "pods": "110", "aliyun.com/gpu-mem": "640", "aliyun.com/gpu-count": "8"}
    assert (
        api.patch("/api/v1/nodes/init-node/status", {"status": {"capacity": room, "allocatable": room}}).status == 200
    )

    def policy(*argv):
        environ = dict(os.environ) | {
            "KUBECONFIG": str(cluster.kubeconfig),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        environ["PATH"] = f"{plugin}:{os.environ['KUBEBUILDER_ASSETS']}:{os.environ['PATH']}"
        arguments = ["kubectl", "gpu-admission", "policy", *argv]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False, env=environ)

    try:
        made = policy("init", "--name", "research")
        assert (made.returncode, made.stderr) == (0, "")
        path = tmp_path / "policy.yaml"
        path.write_text(made.stdout)
        spec = fast_yaml.load(made.stdout)["spec"]
        assert spec["backend"]["name"] == "gpushare"
        assert spec["backend"]["unit"] == "GiB"
        assert {"model": "A100-80", "product": "NVIDIA-A100-SXM4-80GB", "perNode": 8} in spec["cluster"]["cards"]
        assert spec["tolerations"][0]["key"] == "nvidia.com/gpu"
        assert "kube-system" in spec["exempt"]["namespaces"]
        agreed = policy("check", str(path), "--context", "t")
        assert agreed.returncode == 0, agreed.stdout
        api.patch("/api/v1/nodes/init-node", {"spec": {"taints": [taint, {"key": "team", "effect": "NoExecute"}]}})
        drifted = policy("check", str(path), "--context", "t")
        assert drifted.returncode == 1
        assert "the taint team:NoExecute, which no entry of tolerations tolerates" in drifted.stdout
    finally:
        api.delete("/api/v1/nodes/init-node")
