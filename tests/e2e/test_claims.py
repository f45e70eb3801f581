"""Law 5 for claims: what we call refused is refused by a real API server, and what it takes we do not call so."""

import fast_yaml
import pytest

from gpu_admission import rules
from rules import claim_objects, test_claim_objects, test_claims
from rules.claim_objects import claim, container, entry, exactly, found, pod, selected

pytestmark = pytest.mark.e2e

SERVED = {"ResourceClaim", "ResourceClaimTemplate", "Pod", "Deployment", "ResourceQuota", "Namespace"}
# Errors of which the API server knows nothing: they are met by the scheduler, the kubelet or the driver.
LATER = {"GPU404", "GPU411"}
CLAIM_RULES = [rule for rule in rules.ALL if rule.id.startswith("GPU4")]


def created(api, obj):
    """The API server's answer to a creation that checks fields as kubectl does, and leaves nothing behind."""
    return api.create(obj, dryRun="All", fieldValidation="Strict")


def refuses(api, obj):
    reply = created(api, obj)
    assert reply.status in {201, 400, 404, 422}, reply
    return reply.refused


def errors(obj):
    return [each for each in found(obj) if each[2] == "error" and each[0] not in LATER]


@pytest.mark.parametrize("rule", CLAIM_RULES, ids=lambda rule: rule.id)
def test_examples(api, rule):
    good = [each for each in fast_yaml.load_all(rule.good) if each["kind"] in SERVED and rule.id != "GPU414"]
    assert not [obj for obj in good if refuses(api, obj)]
    bad = [each for each in fast_yaml.load_all(rule.bad) if each["kind"] in SERVED]
    if rule.id in {"GPU401", "GPU402", "GPU403", "GPU406", "GPU407", "GPU408", "GPU409", "GPU410", "GPU414"}:
        assert [obj for obj in bad if refuses(api, obj)]
    else:
        assert not [obj for obj in bad if refuses(api, obj)]


TABLES = {
    **{f"request: {name}": claim(each) for name, each in test_claim_objects.REQUEST_FORMS.items()},
    **{f"count: {fields}": claim(exactly(**fields)) for fields, _, _ in test_claim_objects.WRONG_COUNTS[:-2]},
    **{f"mode: {fields}": claim(exactly(**fields)) for fields, _, _ in test_claim_objects.WRONG_COUNTS[-2:]},
    **{f"selector: {text[:60]}": selected(text) for text in test_claim_objects.REFUSED_SELECTORS},
    **{f"source: {name}": pod([each[0]], container("gpu")) for name, each in test_claims.SOURCES.items()},
    "33 requests": claim(*(exactly(f"g{n}") for n in range(33))),
    "a quantity": claim(exactly(capacity={"requests": {"memory": "4GB"}})),
    "no requests of capacity": claim(exactly(capacity={"memory": "4Gi"})),
    "an unknown request": claim(exactly(), constraints=[{"requests": ["x"], "matchAttribute": "gpu.nvidia.com/uuid"}]),
    "an attribute without domain": claim(exactly(), constraints=[{"requests": ["gpu"], "matchAttribute": "uuid"}]),
    "no opaque": claim(exactly(), config=[{"requests": ["gpu"]}]),
    "a driver with a slash": claim(exactly(), config=[{"opaque": {"driver": "nvidia/gpu", "parameters": {"a": 1}}}]),
    "no parameters": claim(exactly(), config=[{"opaque": {"driver": "gpu.nvidia.com"}}]),
    "a list of parameters": claim(exactly(), config=[{"opaque": {"driver": "gpu.nvidia.com", "parameters": [1]}}]),
    "a claim twice": pod([entry()], container("gpu", "gpu")),
    "a name twice": pod([entry(), entry()], container("gpu")),
    "a name in capitals": pod([entry("GPU")], container("GPU")),
    "claims of the pod": pod([entry()], container("gpu"), resources={"claims": [{"name": "gpu"}]}),
    "claims under limits": pod([entry()], container(limits={"claims": [{"name": "gpu"}]})),
    "claims beside resources": pod([entry()], {**container("gpu"), "claims": [{"name": "gpu"}]}),
    "claims that are a mapping": pod({"name": "gpu"}, container("gpu")),
}
BEYOND = "count: {'count': 33}", f"count: {{'count': {10**400}}}"  # taken, and never met; no number that JSON carries


@pytest.mark.parametrize("obj", [each for name, each in TABLES.items() if name not in BEYOND],
                         ids=[name for name in TABLES if name not in BEYOND])  # fmt: skip
def test_what_we_call_refused(api, obj):
    judged = [each for each in found(obj) if each[0] != "GPU411" or "opaque" in each[1] or "config" in each[1]]
    refused = [each for each in judged if each[2] == "error"]
    assert bool(refused) == refuses(api, obj), judged


TAKEN = {
    **{f"clean: {name}": obj for name, obj in test_claim_objects.CLEAN.items() if obj["kind"] == "ResourceClaim"},
    **{f"selector: {text[:60]}": selected(text) for text in test_claim_objects.STOPPING_SELECTORS},
    "33 devices": claim(exactly(count=33)),
    "no device": claim(exactly(count=0)),
    "a class that may not be there": claim(exactly(device_class="nvidia.gpu.com")),
    "an unused claim": pod([entry()], container()),
    "a GPU and a claim": pod([entry()], container("gpu", limits={"nvidia.com/gpu": 1})),
}


@pytest.mark.parametrize("obj", TAKEN.values(), ids=TAKEN)
def test_what_waits_is_taken(api, obj):
    if "$CLASS" in str(obj):
        pytest.skip("a placeholder, which somebody fills in")
    if "nic" in str(obj):
        pytest.skip("a network card's, which we say nothing about, in a shape that is refused")
    assert not refuses(api, obj)


def test_admin_access_follows_the_label(api):
    made = claim(exactly(adminAccess=True), namespace="monitored")
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitored"}}
    assert api.create(space, None).status == 201
    assert api.create(made, "monitored", dryRun="All").refused
    assert ("GPU414", "error") in {(rule, severity) for rule, _, severity in found(space, made)}
    label = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
    assert api.patch("/api/v1/namespaces/monitored", label).status == 200
    assert not api.create(made, "monitored", dryRun="All").refused
    labelled = {**space, "metadata": {**space["metadata"], **label["metadata"]}}
    assert found(labelled, made) == []


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2", "v1alpha3"])
def test_versions_that_are_not_served(api, version):
    made = {**claim_objects.template(exactly()), "apiVersion": f"resource.k8s.io/{version}"}
    assert created(api, made).status == 404
    assert any(rule == "GPU408" for rule, _, _ in found(made))
