"""The chart with the real helm and the real API server: installed, tested, upgraded, rolled back and taken away."""

import threading

import fast_yaml
import pytest
import yaml
from e2e.creation import Creation
from e2e.objects import define, vacate
from e2e.release import NAME, NAMESPACE, PATHS, RELEASE, Kubelet, Release, node
from e2e.webhooks import PROBE, pod, settled
from helm import CHART, KUBERNETES, helm, tool
from helm import NAME as CHART_NAME
from serve_process import run
from webhook_server import free_port, until

from gpu_admission.policyfile import crd, loader
from gpu_admission.registration import policy_access

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LIMIT = 1 << 20  # of a Secret's data
EVERYTHING = (
    "all,secrets,configmaps,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets,resourcequotas,"
    "clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations"
)


def left(cluster, release=RELEASE):
    """What there is of a release in the cluster, by kubectl."""
    done = cluster.kubectl("get", EVERYTHING, "-A", "-o", "name", "-l", f"app.kubernetes.io/instance={release}")
    return done.stdout.split()


@pytest.fixture(scope="module")
def folder(cluster, tmp_path_factory):
    tool("helm")
    pytest.importorskip("kubernetes")
    return tmp_path_factory.mktemp("release")


class TestWithoutReplicas:
    @pytest.fixture
    def release(self, cluster, folder):
        made = Release(cluster, folder)
        made.upgrade()
        yield made
        made.uninstall("--ignore-not-found")

    def test_what_an_upgrade_and_a_rollback_keep(self, release):
        """The certificate sidecar writes the Secret and the bundles: Helm must not take them back."""
        api = release.cluster.api
        secret = release.get("secret")
        assert api.request("PUT", PATHS["secret"], {**secret, "data": {"ca.crt": "eA=="}}).status == 200
        bundle = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg=="
        for kind in ("mutating", "validating"):
            found = release.get(kind)
            for hook in found["webhooks"]:
                hook["clientConfig"]["caBundle"] = bundle
            answer = api.request("PUT", PATHS[kind], found)
            assert answer.status == 200, answer
        release.upgrade("--set", "replicas=3,policy.name=strict,server.logLevel=debug")
        assert release.get("deployment")["spec"]["replicas"] == 3
        assert release.get("secret")["data"] == {"ca.crt": "eA=="}
        assert set(release.bundles()) == {bundle}
        release.rollback(1)
        assert release.get("deployment")["spec"]["replicas"] == 2
        assert release.get("secret")["data"] == {"ca.crt": "eA=="}
        assert set(release.bundles()) == {bundle}
        assert fast_yaml.load(release.get("policy")["data"]["policy.yaml"])["metadata"]["name"] == "default"

    def test_a_release_fits_into_its_secret(self, release):
        kept = release.cluster.api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/sh.helm.release.v1.{RELEASE}.v1")
        size = len(kept.object["data"]["release"]) * 3 // 4
        print(f"a release takes {size >> 10} KiB of {LIMIT >> 10}")
        assert size < LIMIT / 2

    def test_stages_change_what_is_registered(self, release):
        for stage, mutating, failure in (
            ("audit", False, {"Ignore"}),
            ("repair", True, {"Ignore"}),
            ("enforce", True, {"Fail", "Ignore"}),
        ):
            release.upgrade("--set", f"stage={stage}")
            assert (release.get("mutating") is not None) == mutating
            assert {hook["failurePolicy"] for hook in release.get("validating")["webhooks"]} == failure

    def test_nothing_is_left_of_it(self, release):
        assert len(left(release.cluster)) > 10
        release.uninstall()
        assert left(release.cluster) == []
        secrets = release.cluster.api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets").object["items"]
        assert secrets == []

    def test_policies_that_are_objects_outlive_the_release_and_block_nobody(self, release):
        cluster = release.cluster
        release.upgrade("--set", "policies.source=crd")
        settled(lambda: cluster.api.get(crd.PATH).status == 200)
        try:
            cluster.kubectl("create", "-f", "-", stdin=loader.source("default"))
            release.upgrade(
                "--set", "policies.source=crd,stage=audit"
            )  # with objects there, the definition is upgraded
            release.uninstall()
            assert cluster.api.get(f"{crd.PATH}/default").status == 200
            assert left(cluster) == []
            lease = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{policy_access.lease_name(NAME)}"
            assert cluster.api.get(lease).status == 404
            release.upgrade("--set", "policies.source=crd")  # takes up what it left
            assert cluster.api.get(lease).status == 200
            release.upgrade()  # back to files: the definition stays, the Lease goes
            assert cluster.api.get(lease).status == 404
            assert cluster.api.get(f"{crd.PATH}/default").status == 200
        finally:
            cluster.kubectl("delete", "crd", crd.NAME)

    def test_a_second_release_beside_it(self, release):
        """Names of cluster-wide objects are the release's own."""
        done = release.helm("upgrade", "--install", "other", CHART, "--set", "stage=audit")
        try:
            assert done.returncode == 0
            names = {name for name in left(release.cluster, "other") if "webhookconfiguration" in name}
            assert all(name.endswith(f"/other-{CHART_NAME}") for name in names)
            assert names
        finally:
            release.helm("uninstall", "other")
        assert release.get("validating") is not None


@pytest.fixture
def running(request, cluster, folder, tmp_path):
    """A release whose replicas run, installed with the fixture's values; yields (release, node)."""
    port = free_port()
    release = Release(cluster, folder, f"https://127.0.0.1:{port}")
    release.upgrade(*getattr(request, "param", ()))
    try:
        with node(release, tmp_path, port) as made:
            settled(lambda: cluster.api.create(pod("probe", PROBE), dryRun="All").status == 201, 60)
            yield release, made
    finally:
        release.uninstall("--ignore-not-found")
        release.forget_test()


def test_upgrade_and_rollback_under_load_lose_no_pod(running, api, namespace):
    release, made = running
    with Creation(api, namespace) as creation:
        creation.wait(50)
        for change in (
            lambda: release.upgrade(
                "--set", "server.logLevel=debug,policy.name=strict"
            ),  # another command line and policy
            lambda: release.rollback(1),
        ):
            change()
            made.roll()
            creation.wait(50)
    print(f"{creation.made} made, {len(creation.failed)} failed")
    assert creation.failed == []
    assert creation.made > 150


def test_uninstalling_blocks_nobody(running, api, namespace):
    """The replicas end with the Deployment, which is before Helm deletes unknown kinds."""
    release, made = running
    removed = threading.Event()

    def kill():
        until(lambda: release.get("deployment") is None or release.get("service") is None, 60)
        for replica in made.replicas:
            replica.process.kill()
        removed.set()

    watching = threading.Thread(target=kill, daemon=True)
    with Creation(api, namespace) as creation:
        creation.wait(50)
        watching.start()
        release.uninstall()
        assert removed.wait(60)
        creation.wait(50)
    refused = [message for message in creation.failed if message != "it was not repaired"]
    print(f"{creation.made} made, {len(refused)} refused")
    assert refused == []
    assert left(release.cluster) == []


@pytest.mark.parametrize("stage", ["enforce", "repair", "audit"])
def test_helm_test(running, cluster, tmp_path, stage):
    release, made = running
    if stage != "enforce":
        release.upgrade("--set", f"stage={stage}")
        made.roll()
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{NAME}-test"
    kubelet = Kubelet(cluster, tmp_path, path)
    kubelet.start()
    done = release.helm("test", RELEASE, "--timeout", "60s")
    kubelet.join(30)
    assert "Phase:          Succeeded" in done.stdout, done.stdout
    good, bad = kubelet.output.splitlines()
    assert good.startswith("ok   good pod: admitted")
    assert ("with the tolerations" in good) == (stage != "audit")
    wanted = {
        "enforce": "bad pod: denied, as it should be: admission webhook",
        "repair": "bad pod: admitted at stage repair, with the warning: GPU301",
        "audit": "bad pod: admitted, as it should be at stage audit",
    }
    assert wanted[stage] in bad
    assert cluster.api.get(f"/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/{NAME}-test").status == 404


@pytest.mark.parametrize("running", [("--set", "policies.source=crd,policies.crd.keep=false")], indirect=True)
def test_helm_test_where_policies_are_objects(running, cluster, tmp_path):
    release, _ = running
    settled(lambda: cluster.api.get(crd.PATH).status == 200)
    kubelet = Kubelet(cluster, tmp_path, f"/api/v1/namespaces/{NAMESPACE}/pods/{NAME}-test")
    kubelet.start()
    assert release.helm("test", RELEASE, "--timeout", "60s", check=False).returncode != 0
    kubelet.join(30)
    assert "no GPUPolicy object matches it" in kubelet.output
    release.forget_test()
    cluster.kubectl("create", "-f", "-", stdin=loader.source("default"))
    status = until(lambda: cluster.api.get(f"{crd.PATH}/default").object.get("status"), 60)
    assert [(each["type"], each["status"]) for each in status["conditions"]] == [("Ready", "True")]
    kubelet = Kubelet(cluster, tmp_path, f"/api/v1/namespaces/{NAMESPACE}/pods/{NAME}-test")
    kubelet.start()
    done = release.helm("test", RELEASE, "--timeout", "60s")
    kubelet.join(30)
    assert "Phase:          Succeeded" in done.stdout, done.stdout
    good, bad = kubelet.output.splitlines()
    assert good.startswith("ok   good pod: admitted, with the tolerations")
    assert "bad pod: denied, as it should be: admission webhook" in bad


def test_helm_test_fails_where_the_webhook_does_not_answer(running, cluster, tmp_path):
    release, made = running
    made.stop()
    kubelet = Kubelet(cluster, tmp_path, f"/api/v1/namespaces/{NAMESPACE}/pods/{NAME}-test")
    kubelet.start()
    done = release.helm("test", RELEASE, "--timeout", "60s", check=False)
    kubelet.join(30)
    assert done.returncode != 0
    assert "FAIL bad pod: expected it to be denied by the webhook at stage enforce" in kubelet.output
    assert "could not call the webhook" in kubelet.output


def test_a_namespace_that_is_not_there_is_named(running):
    release, _ = running
    release.upgrade("--set", "test.namespace=nowhere")
    done = release.helm("test", RELEASE, "--timeout", "20s", check=False)
    assert done.returncode != 0
    assert 'namespaces "nowhere" not found' in done.stderr


def test_the_policy_in_force_is_the_one_in_the_release(running):
    release, made = running
    release.upgrade("--set", "policy.name=strict")
    made.mount()
    for replica in made.replicas:
        until(lambda each=replica: '"policy":"strict"' in each.log, 60, replica)


def test_in_tree_without_a_webhook(cluster, folder, tmp_path, namespace):
    """The API server judges by itself; what Helm takes away again is all that there was."""
    done = run("manifests", "--in-tree", "--values", "-p", "default")
    assert done.returncode == 0, done.stderr
    values = tmp_path / "in-tree.yaml"
    values.write_text(done.stdout)
    release = Release(cluster, folder)
    release.upgrade("-f", values)
    kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings,mutatingadmissionpolicies,mutatingadmissionpolicybindings"

    def there():
        return cluster.kubectl("get", kinds, "-o", "name", "-l", f"app.kubernetes.io/instance={RELEASE}").stdout.split()

    try:
        assert len(there()) == 6
        assert left(cluster) == []  # no replica, no webhook
        bad = pod("bad")
        bad["spec"]["containers"][0]["env"] = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]
        settled(lambda: "GPU301" in cluster.api.create(bad, namespace, dryRun="All").message, 60)
        good = cluster.api.create(pod("good", PROBE), namespace, dryRun="All")
        assert good.status == 201
        assert "nvidia.com/gpu" in [each.get("key") for each in good.object["spec"]["tolerations"]]
        release.upgrade("-f", values, "--set", "stage=warn")
        settled(lambda: cluster.api.create(bad, namespace, dryRun="All").status == 201, 60)
        assert any("GPU301" in text for text in cluster.api.create(bad, namespace, dryRun="All").warnings)
    finally:
        release.uninstall("--ignore-not-found")
    assert there() == []
    settled(lambda: cluster.api.create(bad, namespace, dryRun="All").warnings == [], 60)


STRICT = "helm-strict"
KINDS = {"cert-manager.io": ("Issuer", "Certificate")}
EVERYTHING_ON = (
    "audit.enabled=true,audit.pushgateway=http://push.monitoring:9091,metrics.dashboard.enabled=true,server.ipv6=true,server.logLevel=debug,extraLabels.team=ml,image.pullSecrets={a,b},"
    "certificates.clientCASecret=ca,podAnnotations.a=b,networkPolicy.from[0].ipBlock.cidr=10.0.0.0/28,metrics.serviceMonitor.enabled=false"
)


@pytest.fixture(scope="module")
def strict(cluster):
    """A namespace under Pod Security's "restricted", and the kinds of cert-manager."""
    tool("helm")
    metadata = {"name": STRICT, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    assert cluster.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, None).status == 201
    for group, kinds in KINDS.items():
        for kind in kinds:
            define(cluster.api, group, kind)
    yield cluster
    vacate(cluster.api, f"/api/v1/namespaces/{STRICT}")


@pytest.mark.parametrize(
    "source", ["self-signed", "cert-manager", "cert-manager,policies.source=crd,audit.enabled=false"]
)
def test_the_api_server_knows_every_field(strict, source):
    """Helm sends what it has without asking: a misspelt field would vanish in silence."""
    values = f"{EVERYTHING_ON},certificates.source={source}"
    text = helm("template", RELEASE, CHART, "--namespace", STRICT, *KUBERNETES, "--set", values).stdout
    done = strict.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
    assert "Warning" not in done.stderr, done.stderr
    assert f"deployment.apps/{NAME} serverside-applied" in done.stdout
    for obj in yaml.load_all(text, Loader=yaml.CSafeLoader):
        if obj and obj["kind"] in {"Deployment", "Pod", "CronJob"}:
            inner = obj["spec"].get("jobTemplate", obj)["spec"]
            spec = inner.get("template", {"spec": inner})["spec"]
            each = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
            answer = strict.api.create(each, STRICT, dryRun="All", fieldValidation="Strict")
            assert (answer.status, answer.warnings) == (201, []), answer
