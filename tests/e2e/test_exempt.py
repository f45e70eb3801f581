"""Whom the policy exempts, and what no rule reads, does not wait for the webhook: on a real API server.

Accounts are impersonated, as ``kubectl --as`` does it.
"""

import json

import pytest
from e2e.objects import space
from e2e.webhooks import PROBE, Recorder, options, pod, registered, settled
from webhook_server import free_port

from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.registration import webhook_configurations
from gpu_admission.webhook.review import admission_review, decide

pytestmark = pytest.mark.e2e

GROUP = "tests:pod-writers"
ACCOUNT = "system:serviceaccount:gpu-operator:driver"
USERS = (
    "alice", "it's-me", "back\\slash", "[odd]", "lit[eral", "system:serviceaccount:gpu-operator:*", "ops-?", "team-[a-c]-*",
    "[!a-z0-9]*", "*@example.com", "[[:alpha:]]x", "a.b", "*'\\[", "zoë-*",
    "two\nlines", "a tab\there*", "\u2028[\u2028-\u2030]",
)  # fmt: skip
ASKING = (
    "alice", "Alice", "alice2", "bob", "it's-me", "its-me", "back\\slash", "backslash", "[odd]", "o", "lit[eral", "literal", ACCOUNT,
    "system:serviceaccount:gpu-operator:", "system:serviceaccount:gpu-operators:driver", "x" + ACCOUNT, "ops-1", "ops-", "ops-12",
    "team-a-x", "team-b-", "team-d-x", "team-a", "-x", "_", "ux", ":x", ":x]", "[x]", "[[:alpha:]]x", "bob@example.com", "bob@examplexcom",
    "@example.com", "a.b", "axb", "x'\\[", "'\\[", "'\\", "zoë-1", "zoe-1", "system:node:n", "system:kube-scheduler", "*", "team-[a-c]-*",
)  # fmt: skip
SPACES = {
    "gpu-a1": True,
    "gpu-b": True,
    "gp-x": False,
    "one-7": True,
    "one-77": False,
    "exactly": True,
    "exactly-not": False,
}


def by(user):
    """Headers that make the administrator's request one of this user's."""
    return {"Impersonate-User": user.encode(), "Impersonate-Group": GROUP}


@pytest.fixture(scope="module", autouse=True)
def writers(api):
    """A group that may write pods."""
    rules = [{"apiGroups": [""], "resources": ["pods", "pods/status"], "verbs": ["*"]}]
    role = {"kind": "ClusterRole", "name": "pod-writers", "apiGroup": "rbac.authorization.k8s.io"}
    common = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "pod-writers"}}
    subject = {"kind": "Group", "name": GROUP, "apiGroup": "rbac.authorization.k8s.io"}
    for obj in (
        {"kind": "ClusterRole", "rules": rules},
        {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]},
    ):
        made = api.create({**common, **obj}, None)
        assert made.status == 201, made
    settled(lambda: api.create(pod("probe"), dryRun="All", headers=by("bob")).status == 201)


@pytest.fixture(scope="module")
def spaces(api):
    for name in SPACES:
        assert api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, None).status == 201


@pytest.fixture(scope="class")
def asked(api, spaces, tmp_path_factory):
    """(policy, ask): ask creates a GPU pod and returns which endpoints were called."""
    policy = Policy("p", {"exempt": {"users": list(USERS), "namespaces": ["gpu-*", "one-?", "exactly"]}})
    with Recorder(tmp_path_factory.mktemp("recorder")) as recorder:
        made = webhook_configurations.configurations(policy, options("exempting", recorder.url, recorder.ca))
        with registered(api, made):

            def ask(user, namespace="default"):
                del recorder.seen[:]
                answer = api.create(pod("p", PROBE), namespace, dryRun="All", headers=by(user))
                assert answer.status == 201, answer
                return {path for path, _, _ in recorder.seen}

            settled(lambda: ask("bob") == {"/mutate", "/validate"})
            yield policy, ask


@pytest.fixture(scope="class")
def users(api):
    with space(api, "hami-users") as name:
        yield name


@pytest.fixture(scope="class")
def old(api, users, tmp_path_factory):
    obj = pod("old", PROBE, schedulingGates=[{"name": "example.com/a"}, {"name": "example.com/b"}])
    obj["metadata"]["finalizers"] = ["example.com/wait"]
    assert api.create(obj, users).status == 201
    huge = pod("huge", PROBE)
    huge["metadata"]["annotations"] = {f"annotations.example.com/{n}": "x" * 99 for n in range(1500)}
    huge["metadata"]["labels"] = {f"labels.example.com/some-longer-name-{n}": "x" for n in range(1500)}
    container = huge["spec"]["containers"][0]
    container["env"] = [{"name": f"SERVICE_{n}_PORT", "value": "10.0.0.1"} for n in range(5000)]
    huge["spec"]["volumes"] = [{"name": f"v{n}", "hostPath": {"path": f"/var/lib/some/path/{n}"}} for n in range(300)]
    assert api.create(huge, users).status == 201
    with Recorder(tmp_path_factory.mktemp("recorder")) as recorder:
        ca = recorder.ca
    made = webhook_configurations.configurations(
        loader.load("hami"), options("hami-down", f"https://127.0.0.1:{free_port()}", ca)
    )
    with registered(api, made):
        settled(lambda: api.create(pod("x", PROBE), users, dryRun="All").status == 500)
        yield f"/api/v1/namespaces/{users}/pods/old"


class TestAgreesWithTheEngine:
    @pytest.mark.parametrize("user", ASKING)
    def test_on_users(self, asked, user):
        policy, ask = asked
        assert ask(user) == ({"/mutate", "/validate"} if concerns(policy, user, "default") else set())

    def test_the_table_has_both_kinds(self, asked):
        exempt = [user for user in ASKING if not concerns(asked[0], user, "default")]
        assert 15 < len(exempt) < len(ASKING) - 15

    @pytest.mark.parametrize(("namespace", "exempt"), SPACES.items())
    def test_on_namespaces(self, asked, namespace, exempt):
        policy, ask = asked
        assert concerns(policy, "bob", namespace) is not exempt
        assert ask("bob", namespace) == (set() if exempt else {"/mutate", "/validate"})


FIRST = Policy(
    "first", {"match": {"namespaces": ["gpu-*", "one-7"]}, "exempt": {"users": ["ops-?"], "namespaces": ["gpu-b"]}}
)
SECOND = Policy("second", {"match": {"namespaces": ["one-*", "gpu-b", "exactly"]}, "exempt": {"users": ["alice"]}})
LAST = Policy("last", {"exempt": {"users": ["bob"], "namespaces": ["exactly", "exactly-*"]}})


@pytest.mark.parametrize(
    "policies", [(FIRST, SECOND), (FIRST, SECOND, LAST), (SECOND, FIRST, LAST), (LAST, FIRST), (SECOND,)],
    ids=lambda policies: "-".join(policy.name for policy in policies),
)  # fmt: skip
def test_the_condition_of_several_policies_agrees_with_the_engine(api, spaces, tmp_path, policies):
    """The webhook is called unless the first policy of the namespace exempts the user, or no policy matches."""
    places = [(namespace, user) for namespace in (*SPACES, "default") for user in ("alice", "bob", "ops-1", "carol")]

    def judged(namespace, user):
        judge = next((policy for policy in policies if policy.governs(namespace)), None)
        return judge is not None and judge.judges(namespace, user)

    with Recorder(tmp_path) as recorder:
        made = webhook_configurations.configurations(policies, options("several", recorder.url, recorder.ca))
        with registered(api, made):

            def called(namespace, user):
                del recorder.seen[:]
                assert api.create(pod("asked", PROBE), namespace, dryRun="All", headers=by(user)).status == 201
                return bool(recorder.seen)

            settled(lambda: called(*next(place for place in places if judged(*place))))
            assert {place: called(*place) for place in places} == {place: judged(*place) for place in places}


def concerns(policy, user, namespace):
    """The engine's decision about a request of this user."""
    request = {
        "uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE",
        "namespace": namespace, "object": pod(), "userInfo": {"username": user},
    }  # fmt: skip
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return decide.is_in_scope(admission_review.decode(json.dumps(review).encode()), policy)


class TestWhileTheWebhookIsDown:
    """HAMi's policy without a server: GPU pods that were created before."""

    SCHEDULER = "system:serviceaccount:kube-system:hami-scheduler"

    def annotate(self, api, path, user, key="hami.io/vgpu-node"):
        return api.patch(path, {"metadata": {"annotations": {key: user}}}, headers=by(user))

    def test_the_scheduler_writes_its_annotations(self, api, old):
        written = self.annotate(api, old, self.SCHEDULER)
        assert written.status == 200, written
        assert written.object["metadata"]["annotations"]["hami.io/vgpu-node"] == self.SCHEDULER

    @pytest.mark.parametrize("user", ["alice", SCHEDULER + "2", "system:serviceaccount:kube-system:default"])
    def test_nobody_else_writes_them(self, api, old, user):
        refused = self.annotate(api, old, user)
        assert (refused.status, "failed calling webhook" in refused.message) == (500, True), refused

    def test_the_scheduler_creates_no_pod_of_others_names(self, api, old):
        """An exempt account is not judged."""
        created = api.create(pod("own", PROBE), "hami-users", dryRun="All", headers=by(self.SCHEDULER))
        assert created.status == 201, created

    @pytest.mark.parametrize("pod_name", ["old", "huge"])
    @pytest.mark.parametrize(
        "change",
        [
            {"annotations": {"cni.projectcalico.org/podIP": "10.0.0.7/32"}},
            {"annotations": {"k8s.v1.cni.cncf.io/network-status": "[]"}},
            {"labels": {"app": "x"}},
            {"labels": {"app": None}},
            {"finalizers": ["example.com/wait", "example.com/more"]},
        ],
    )  # fmt: skip
    def test_what_no_rule_reads_is_written(self, api, old, change, pod_name):
        written = api.patch(old.replace("old", pod_name), {"metadata": change}, headers=by("alice"))
        assert written.status == 200, written

    @pytest.mark.parametrize(
        "change",
        [
            {"metadata": {"annotations": {"nvidia.cdi.k8s.io/x": "nvidia.com/gpu=all"}}},
            {"metadata": {"annotations": {"gpu-memory": "1"}}},
            {"metadata": {"labels": {"hami.io/webhook": "ignore"}}},
        ],
    )
    def test_what_rules_read_is_not(self, api, old, change):
        refused = api.patch(old, change, headers=by("alice"))
        assert (refused.status, "failed calling webhook" in refused.message) == (500, True), refused

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("/spec/tolerations/-", {"key": "nvidia.com/gpu", "operator": "Exists"}),
            ("/spec/containers/0/image", "example.com/other:1"),
        ],
    )
    def test_nor_what_they_read_of_the_spec(self, api, old, path, value):
        refused = api.patch(old, [{"op": "add", "path": path, "value": value}], "json", headers=by("alice"))
        assert (refused.status, "failed calling webhook" in refused.message) == (500, True), refused

    def test_what_was_read_is_not_taken_away_either(self, api, old):
        assert self.annotate(api, old, self.SCHEDULER).status == 200
        refused = api.patch(old, {"metadata": {"annotations": {"hami.io/vgpu-node": None}}}, headers=by("alice"))
        assert "failed calling webhook" in refused.message, refused

    def test_gates_are_taken_away(self, api, old):
        opened = api.patch(old, {"spec": {"schedulingGates": [{"name": "example.com/b"}]}}, headers=by("alice"))
        assert opened.status == 200, opened
        opened = api.patch(old, {"spec": {"schedulingGates": None}}, headers=by("alice"))
        assert opened.status == 200, opened
        assert "schedulingGates" not in opened.object["spec"]

    def test_a_deadline_is_set(self, api, old):
        assert api.patch(old, {"spec": {"activeDeadlineSeconds": 3600}}, headers=by("alice")).status == 200

    def test_it_can_be_deleted(self, api, old):
        assert api.delete(old, gracePeriodSeconds=0, headers=by("alice")).status == 200
        assert api.patch(old, {"metadata": {"finalizers": None}}, headers=by("alice")).status == 200
        assert api.get(old).status == 404
