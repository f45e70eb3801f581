"""Policies as GPUPolicy objects of a real API server: what it refuses, how replicas load them, and their status.

Two replicas run with the rights that are generated for them and no others.
"""

import contextlib
import copy
import json
import os
import signal
import time

import fast_yaml
import pytest
import yaml
from e2e.balancer import Balancer
from e2e.creation import Creation
from e2e.webhooks import PROBE, options, pod, registered, settled
from policy_objects import BAD, BAD_NAMES, GOOD, ONLY_THE_LOADER, policy
from serve_process import Served
from webhook_server import ROOT, Load, until
from webhook_server import review as envelope

from gpu_admission.policyfile import crd, loader
from gpu_admission.registration import any_policy, policy_access, webhook_configurations

pytestmark = pytest.mark.e2e

NAMESPACE = "gpu-admission"
SHOWS_ALL = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]}]},
}
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/gpu-admission-policies"
BROKEN = {"cluster": {"cards": ONLY_THE_LOADER["a profile that the card does not have"]["cluster"]["cards"]}}


@pytest.fixture(scope="module")
def defined(cluster):
    """The definition, as deploy/ has it; it goes with its objects."""
    path = ROOT / "deploy" / "policy-objects" / "crd.yaml"
    done = cluster.kubectl("apply", "--server-side", "--validate=strict", "-f", path)
    assert "Warning" not in done.stderr
    settled(lambda: cluster.api.get(crd.PATH).status == 200)
    yield cluster
    cluster.kubectl("delete", "crd", crd.NAME)


def create(api, obj, **query):
    return api.request("POST", crd.PATH, obj, **query)


class TestDefinition:
    """What the API server takes is what the loader takes, as far as a schema and CEL can tell."""

    @pytest.mark.parametrize("name", loader.shipped())
    def test_shipped_policies_are_taken_and_kept_as_they_are(self, defined, name):
        source = fast_yaml.load(loader.source(name))
        answer = create(defined.api, source, dryRun="All", fieldValidation="Strict")
        assert (answer.status, answer.warnings) == (201, []), answer
        assert answer.object["spec"] == source["spec"]
        assert loader.check_object(answer.object) == []

    @pytest.mark.parametrize("case", [*GOOD, *ONLY_THE_LOADER])
    def test_taken(self, defined, case):
        answer = create(defined.api, policy({**GOOD, **ONLY_THE_LOADER}[case]), dryRun="All", fieldValidation="Strict")
        assert answer.status == 201, answer
        assert bool(loader.check_object(answer.object)) == (case in ONLY_THE_LOADER)

    @pytest.mark.parametrize("case", BAD)
    def test_refused(self, defined, case):
        answer = create(defined.api, policy(BAD[case]), dryRun="All", fieldValidation="Strict")
        assert answer.status in {400, 422}, answer
        assert "spec" in answer.message

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_names_that_no_policy_has(self, defined, name):
        answer = create(defined.api, policy({}, name), dryRun="All")
        assert answer.status == 422
        assert "metadata.name must be at most 63 lower-case letters, digits and hyphens" in answer.message

    def test_kubectl_reads_off_as_false_and_refuses_unknown_keys(self, defined):
        text = yaml.safe_dump(policy({"mode": "warn"})).replace("mode: warn", "rules: {GPU009: off}")
        defined.kubectl("create", "--dry-run=server", "-f", "-", stdin=text)
        done = defined.kubectl("create", "-f", "-", stdin=text.replace("rules", "rulse"), check=False)
        assert 'unknown field "spec.rulse"' in done.stderr

    def test_explain_and_columns(self, defined):
        text = " ".join(defined.kubectl("explain", "gpupolicy.spec.rules").stdout.split())
        assert "request-without-limit: a GPU in requests and not in limits. One of deny, warn, audit and off" in text
        text = " ".join(defined.kubectl("explain", "gpupolicy.spec.backend.replicas").stdout.split())
        assert "time-slicing, mps: shares per card" in text
        text = " ".join(defined.kubectl("explain", "gpupol").stdout.split())
        assert "in the order of their names, the first that is for a namespace (spec.match) judges there" in text

    def test_the_largest_lists_stay_inside_of_the_cost_budget(self, defined):
        profiles = [{"name": f"1g.{number}gb", "memory": "1Gi"} for number in range(1, 65)]
        cards = [{"model": "Own", "memory": "80Gi", "profiles": profiles}] * 128
        tolerations = [{"key": f"k{number}", "operator": "Equal", "value": "v" * 63} for number in range(256)]
        extra = [f"example.com/{number}-{'g' * 50}" for number in range(256)]
        spec = {"cluster": {"cards": cards}, "tolerations": tolerations, "resources": {"extra": extra}}
        assert create(defined.api, policy(spec), dryRun="All").status == 201


class Replica(Served):
    """One that can be stopped and started again on its ports."""

    def __init__(self, folder, env, *, wait=True):
        folder.mkdir(exist_ok=True)
        self._words = ("--policy-source", "crd", "--self-signed", folder.parent / "certificates")
        self._given = {"folder": folder, "env": env}
        super().__init__(folder, *self._words, env=env, wait=wait)

    def start(self):
        folder, env = self._given["folder"], self._given["env"]
        super().__init__(folder, *self._words, env=env, port=self.port, health_port=self.health_port)

    def denies(self, obj=None, namespace="ns"):
        answer = self.post(body=envelope(object=obj or SHOWS_ALL, namespace=namespace))
        assert answer[0] == 200, answer
        return not json.loads(answer[2])["response"]["allowed"]

    @property
    def identity(self):
        lines = [line for line in self.lines if line["message"] == "leader election" and "identity" in line]
        return lines[-1]["identity"] if lines else None


@pytest.fixture(scope="module")
def env(defined):
    """The environment of replicas whose user has the generated rights."""
    pytest.importorskip("kubernetes")
    api = defined.api
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, None)
    user = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}
    made = copy.deepcopy(policy_access.access(webhook_configurations.RegistrationOptions()))
    for obj in made:
        if "subjects" in obj:
            obj["subjects"] = [user]
        answer = api.create(obj, obj["metadata"].get("namespace"))
        assert answer.status == 201, answer
    yield {"KUBECONFIG": str(defined.kubeconfig_of("user"))}
    for obj in made:
        defined.kubectl("delete", "-f", "-", stdin=json.dumps(obj))


@pytest.fixture(scope="module")
def replicas(env, tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Replica(folder / name, env)) for name in ("a", "b")]


@pytest.fixture
def objects(cluster, replicas):
    """A clean slate: no policies before and after."""
    assert replicas
    yield cluster
    cluster.kubectl("delete", "gpupolicies", "--all")
    until(lambda: not any(replica.denies() for replica in replicas), 20)


def ready(cluster, name):
    """(status, reason, observedGeneration, activeGeneration) of a policy."""
    found = cluster.api.get(f"{crd.PATH}/{name}").object.get("status", {})
    (condition,) = found.get("conditions") or [{}]
    return (
        condition.get("status"),
        condition.get("reason"),
        condition.get("observedGeneration"),
        found.get("activeGeneration"),
    )


def message(cluster, name):
    return cluster.api.get(f"{crd.PATH}/{name}").object["status"]["conditions"][0]["message"]


def agree(replicas, denied, **request):
    """Wait until every worker of every replica answers so; they load a policy on their own, up to a second apart."""
    answers = lambda replica: [replica.denies(**request) for _ in range(12)]  # noqa: E731 - by one worker or the other
    until(lambda: all(set(answers(replica)) == {denied} for replica in replicas), 20)


def apply(api_server, name, source="default", /, **spec):
    obj = fast_yaml.load(loader.source(source))
    obj = {**obj, "metadata": {"name": name}, "spec": {**obj["spec"], **spec}}
    return api_server.kubectl("apply", "-f", "-", stdin=json.dumps(obj))


def test_a_policy_comes_changes_and_goes(objects, replicas):
    assert [replica.get("/readyz", health=True)[0] for replica in replicas] == [200, 200]
    assert not any(replica.denies() for replica in replicas)  # there is no policy: nothing is judged
    apply(objects, "default")
    agree(replicas, denied=True)
    until(lambda: ready(objects, "default") == ("True", "InForce", 1, 1), 20)
    columns = objects.kubectl("get", "gpupol").stdout.split()
    assert columns[:7] == ["NAME", "MODE", "BACKEND", "NAMESPACES", "READY", "REASON", "AGE"]
    assert columns[7:11] == ["default", "enforce", "exclusive", "True"]
    began = time.monotonic()
    objects.kubectl("patch", "gpupolicy", "default", "--type=merge", "-p", '{"spec": {"mode": "warn"}}')
    agree(replicas, denied=False)
    print(f"both replicas follow a change after {time.monotonic() - began:.1f} s")  # measured for the docs
    until(lambda: ready(objects, "default") == ("True", "InForce", 2, 2), 20)
    apply(objects, "default")
    agree(replicas, denied=True)
    objects.kubectl("delete", "gpupolicy", "default")
    agree(replicas, denied=False)


def test_the_first_by_name_judges_a_namespace(objects, replicas):
    apply(objects, "m-rest")
    agree(replicas, denied=True, namespace="team-a")
    apply(objects, "a-teams", match={"namespaces": ["team-*"]}, mode="audit")
    agree(replicas, denied=False, namespace="team-a")
    assert all(replica.denies(namespace="other") for replica in replicas)
    apply(objects, "z-teams", match={"namespaces": ["team-*"]})  # two that match the same: the first
    until(lambda: ready(objects, "z-teams")[:2] == ("True", "Shadowed"), 20)
    assert "the policy m-rest comes before it by name" in message(objects, "z-teams")
    assert not any(replica.denies(namespace="team-a") for replica in replicas)
    objects.kubectl("delete", "gpupolicy", "a-teams")
    agree(replicas, denied=True, namespace="team-a")


def test_what_only_the_loader_refuses_leaves_the_old_version_in_force(objects, replicas, env, tmp_path):
    apply(objects, "default")
    agree(replicas, denied=True)
    until(lambda: ready(objects, "default") == ("True", "InForce", 1, 1), 20)
    before = objects.api.get(f"{crd.PATH}/default").object["status"]["conditions"][0]["lastTransitionTime"]
    time.sleep(1.1)  # times in a status are whole seconds
    apply(objects, "default", **BROKEN, mode="audit")
    until(lambda: ready(objects, "default") == ("False", "Invalid", 2, 1), 20)
    text = message(objects, "default")
    assert text.startswith("generation 1 stays in force, because of:\nspec.cluster.cards.0.profile: ")
    assert objects.api.get(f"{crd.PATH}/default").object["status"]["conditions"][0]["lastTransitionTime"] > before
    until(lambda: all('"message":"policy refused"' in replica.log for replica in replicas), 20)
    assert all(replica.denies() for replica in replicas)
    for replica in replicas:
        assert b"gpu_admission_policy_load_failures_total 0" not in replica.get("/metrics", health=True)[2]
    # A replica that starts now cannot know generation 1, and must not let pass what the others refuse.
    with Replica(tmp_path / "late", env, wait=False) as late:
        until(lambda: late.get("/readyz", health=True)[0] == 503 and "refused" in late.log, 40)
        assert b"policy not loaded: default" in late.get("/readyz", health=True)[2]
        assert late.post()[0] == 503
        apply(objects, "default")
        late.wait_ready()
    until(lambda: ready(objects, "default") == ("True", "InForce", 3, 3), 20)


def test_a_new_object_that_is_bad_harms_no_other(objects, replicas):
    apply(objects, "default")
    agree(replicas, denied=True)
    apply(objects, "a-new", **BROKEN, mode="audit")
    until(lambda: ready(objects, "a-new") == ("False", "Invalid", 1, None), 20)
    assert message(objects, "a-new").startswith("this policy is not in force, because of:\n")
    assert all(replica.denies() for replica in replicas)
    assert [replica.get("/readyz", health=True)[0] for replica in replicas] == [200, 200]


def test_notes_on_what_the_webhooks_do_not_see(objects, replicas):
    assert replicas
    own = [{"apiVersion": "example.com/v1", "kind": "Train", "podSpecs": ["/spec"]}]
    apply(objects, "default", workloads=own, visibleDevices={"everyPod": True})
    until(lambda: ready(objects, "default")[:2] == ("True", "InForce"), 20)
    assert "visibleDevices.everyPod: pods without a GPU" in message(objects, "default")
    assert "workloads: Train is judged by its pods only" in message(objects, "default")


def test_what_cel_refuses_never_comes(objects, replicas):
    apply(objects, "default")
    agree(replicas, denied=True)
    changed = '{"spec": {"backend": {"name": "mig", "replicas": 2}}}'
    done = objects.kubectl("patch", "gpupolicy", "default", "--type=merge", "-p", changed, check=False)
    assert "replicas is a parameter of time-slicing, mps only" in done.stderr
    assert all(replica.denies() for replica in replicas)


def test_nothing_is_written_while_nothing_changes(objects, replicas):
    for name in ("a", "b"):
        apply(objects, name)
    until(lambda: ready(objects, "b")[:2] == ("True", "Shadowed"), 20)
    before = [each["metadata"]["resourceVersion"] for each in objects.api.get(crd.PATH).object["items"]]
    written = [replica.log.count("policy status written") for replica in replicas]
    time.sleep(3)  # a dozen rounds of the sidecar
    assert [each["metadata"]["resourceVersion"] for each in objects.api.get(crd.PATH).object["items"]] == before
    assert [replica.log.count("policy status written") for replica in replicas] == written
    objects.kubectl("label", "gpupolicy", "a", "team=x")  # no new generation
    time.sleep(2)
    assert [replica.log.count("policy status written") for replica in replicas] == written


@pytest.mark.slow
def test_another_replica_takes_over_from_one_that_dies(objects, replicas):
    apply(objects, "default")
    until(lambda: ready(objects, "default") == ("True", "InForce", 1, 1), 20)
    holder = objects.api.get(LEASE).object["spec"]["holderIdentity"]
    (leader,) = [replica for replica in replicas if replica.identity == holder]
    (other,) = [replica for replica in replicas if replica is not leader]
    for victim in (*leader.watchers(), leader.process.pid):  # at once, so that nothing is given up in good order
        os.kill(victim, signal.SIGKILL)
    leader.process.wait(20)
    apply(objects, "default", mode="warn")
    agree([other], denied=False)
    began = time.monotonic()
    until(lambda: ready(objects, "default") == ("True", "InForce", 2, 2), 60)
    print(f"another replica writes the status after {time.monotonic() - began:.1f} s")  # measured for the docs
    assert objects.api.get(LEASE).object["spec"]["holderIdentity"] == other.identity
    leader.start()
    agree([leader], denied=False)


@pytest.mark.slow
def test_a_leader_that_stops_gives_the_lease_up(objects, replicas):
    holder = until(lambda: objects.api.get(LEASE).object["spec"].get("holderIdentity"), 40)
    (leader,) = [replica for replica in replicas if replica.identity == holder]
    assert leader.stop(seconds=40) == 0
    until(lambda: objects.api.get(LEASE).object["spec"].get("holderIdentity") not in {"", None, holder}, 12)
    leader.start()


@pytest.mark.slow
def test_a_sidecar_that_dies_comes_back_and_takes_nothing_along(objects, replicas):
    apply(objects, "default")
    agree(replicas, denied=True)
    for replica in replicas:
        (victim,) = replica.watchers()
        os.kill(victim, signal.SIGKILL)
        until(lambda r=replica, v=victim: [pid for pid in r.watchers() if pid != v], 30, replica)
        assert replica.denies()
    apply(objects, "default", mode="warn")
    agree(replicas, denied=False)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_without_an_api_server_they_go_on_and_follow_afterwards(objects, replicas, how):
    apply(objects, "default")
    agree(replicas, denied=True)
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Load(replica, clients=2)) for replica in replicas]
        with objects.without_api_server(how):
            time.sleep(3)
            for replica in replicas:
                assert replica.denies()
                assert replica.get("/readyz", health=True)[0] == 200
        apply(objects, "default", mode="warn")
        until(lambda: not any(replica.denies() for replica in replicas), 90)
    assert [load.lost for load in loads] == [[], []]
    assert all(load.answered for load in loads)


@pytest.mark.slow
def test_a_replica_that_starts_without_an_api_server_is_not_ready_and_says_why(objects, env, tmp_path):
    with objects.without_api_server(signal.SIGKILL), Replica(tmp_path / "early", env, wait=False) as early:
        until(lambda: b"GPUPolicy objects are not listed yet: " in early.get("/readyz", health=True)[2], 60)
        assert early.post()[0] == 503
    with Replica(tmp_path / "later", env) as later:
        assert not later.denies()


@pytest.mark.slow
def test_pods_are_judged_and_repaired_through_the_webhooks_for_any_policy(objects, replicas, namespace):
    """Policies change under load, and no pod is lost: what the webhooks see does not depend on them."""
    authority = replicas[0].folder.parent / "certificates" / "ca.crt"
    apply(objects, "default")
    agree(replicas, denied=True)
    with Balancer(replicas) as balancer:
        url = f"https://127.0.0.1:{balancer.port}"
        made = any_policy.configurations(options("objects", url, authority.read_bytes()))
        with registered(objects.api, made):
            good = pod("good", PROBE)
            settled(lambda: "tolerations" in objects.api.create(good, dryRun="All").object.get("spec", {}), 30)
            bad = {**SHOWS_ALL, "metadata": {"generateName": "bad-"}}
            assert "GPU301" in objects.api.create(bad, namespace, dryRun="All").message
            with Creation(objects.api, namespace) as creation:
                creation.wait(30)
                for mode in ("warn", "enforce"):
                    apply(objects, "default", mode=mode)
                    creation.wait(30)
            assert creation.failed == []
            # A rule that only a policy switches on reaches further than the default, by a webhook that never blocks.
            privileged = pod("bare", {})
            privileged["spec"]["containers"][0]["securityContext"] = {"privileged": True}
            assert objects.api.create(privileged, namespace, dryRun="All").status == 201
            apply(objects, "default", rules={"GPU507": "deny"})
            settled(lambda: "GPU507" in objects.api.create(privileged, namespace, dryRun="All").message, 30)
            balancer.close()
            settled(lambda: objects.api.create(privileged, namespace, dryRun="All").status == 201, 60)
            assert "failed calling webhook" in objects.api.create(good, namespace, dryRun="All").message
