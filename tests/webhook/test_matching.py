"""``spec.match``: several policies in one server, of which the first that is for a namespace judges there."""

import json

import pytest

from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.webhook.policy_store import FileSources, PolicyStore
from gpu_admission.webhook.review import handler
from gpu_admission.webhook.review.handler import Decider

SHARED = {"nvidia.com/gpu": "0.5"}


def policy(name, namespaces=None, **spec):
    if namespaces is not None:
        spec["match"] = {"namespaces": namespaces}
    return Policy(name, spec)


def pod(limits):
    container = {"name": "c", "image": "example.com/c:1", "resources": {"limits": limits, "requests": limits}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}


def ask(decider, namespace, obj=None, endpoint="validate", name=None, user="alice"):
    request = {
        "uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE", "namespace": namespace,
        "userInfo": {"username": user}, "object": pod(SHARED) if obj is None else obj,
    }  # fmt: skip
    body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()
    answer = decider(body, endpoint, name)
    if answer.status != 200:
        return answer.status, None
    response = json.loads(answer.body)["response"]
    return response["allowed"], answer.record["policy"]


def served(*policies):
    """A decider as the server makes it, over a set of loaded policies."""
    by_name = {each.name: each for each in policies}
    loaded = PolicyStore(FileSources([each.name for each in policies], lambda name: by_name[name]))
    loaded.refresh()
    return handler.ENGINE.decider(loaded)


TEAMS = policy("teams", ["team-*"])
ONE = policy("one", ["team-a", "lab-?"], rules={"GPU003": "off"})
REST = policy("rest", rules={"GPU003": "off"})


@pytest.mark.parametrize(
    ("order", "namespace", "judge"),
    [
        ((ONE, TEAMS, REST), "team-a", "one"),
        ((ONE, TEAMS, REST), "team-b", "teams"),
        ((ONE, TEAMS, REST), "lab-1", "one"),
        ((ONE, TEAMS, REST), "lab-12", "rest"),
        ((ONE, TEAMS, REST), "default", "rest"),
        ((TEAMS, ONE, REST), "team-a", "teams"),
        ((REST, TEAMS, ONE), "team-a", "rest"),
        ((ONE, TEAMS, REST), "", "rest"),
    ],
)
@pytest.mark.parametrize("endpoint", ["validate", "mutate"])
def test_the_first_that_matches_judges(order, namespace, judge, endpoint):
    denies = judge == "teams"
    assert ask(served(*order), namespace, endpoint=endpoint) == (not denies, judge)


@pytest.mark.parametrize("namespace", ["default", "team", "x-team-a", ""])
def test_where_none_matches_nothing_is_judged(namespace):
    assert ask(served(TEAMS), namespace)[0] is True
    assert ask(served(TEAMS, ONE), namespace, endpoint="mutate")[0] is True


def test_a_policy_that_is_named_judges_nothing_elsewhere_either():
    decider = served(TEAMS, REST)
    assert ask(decider, "team-a", name="teams") == (False, "teams")
    assert ask(decider, "default", name="teams") == (True, "teams")
    assert ask(decider, "team-a", name="rest") == (True, "rest")
    assert ask(decider, "team-a", name="nosuch") == (404, None)


def test_an_exemption_holds_where_its_own_policy_judges():
    first = policy("first", ["team-*"], exempt={"namespaces": ["team-a"], "users": ["bob"]})
    decider = served(first, policy("second"))
    assert ask(decider, "team-a") == (True, "first")
    assert ask(decider, "team-b") == (False, "first")
    assert ask(decider, "team-b", user="bob") == (True, "first")
    assert ask(decider, "default", user="bob") == (False, "second")


def test_the_object_cannot_choose_its_policy():
    obj = pod(SHARED)
    obj["metadata"]["namespace"] = "default"
    assert ask(served(TEAMS, REST), "team-a", obj)[0] is False


def test_while_the_first_has_never_loaded_nothing_is_let_through():
    def load(name):
        if name == "teams":
            raise loader.PolicyError("broken")
        return REST

    loaded = PolicyStore(FileSources(["teams", "rest"], load))
    loaded.refresh()
    assert ask(handler.ENGINE.decider(loaded), "team-a") == (404, None)


def test_a_single_policy_needs_no_list():
    assert ask(Decider(lambda _: TEAMS), "team-a") == (False, "teams")
    assert ask(Decider(lambda _: TEAMS), "default") == (True, "teams")


FILE = """\
apiVersion: gpu-admission.io/v1alpha1
kind: GPUPolicy
metadata: {{name: p}}
spec:
  match: {match}
"""


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ('{namespaces: ["team-*", lab-1]}', None),
        ("{namespaces: []}", "p:5:11: spec.match.namespaces:"),
        ("{}", "p:5:3: spec.match: the key 'namespaces' is missing"),
        ("[a]", "p:5:3: spec.match: expected a mapping"),
        ("{namespaces: a}", "spec.match.namespaces: expected a list"),
        ('{namespaces: [""]}', "spec.match.namespaces.0:"),
        ("{namespaces: [1]}", "spec.match.namespaces.0: expected a string"),
        ("{namespace: [a]}", "unknown key 'namespace'; did you mean 'namespaces'?"),
    ],
)
def test_what_a_policy_file_may_say(match, message):
    if message is None:
        assert loader.parse(FILE.format(match=match).encode(), "p").governs("team-x")
        return
    with pytest.raises(loader.PolicyError) as error:
        loader.parse(FILE.format(match=match).encode(), "p")
    assert message in str(error.value)
