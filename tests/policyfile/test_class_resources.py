"""``cluster.claims.extendedResources``: resource names of device classes, for admission without the classes."""

import json

import pytest
from reviews import deployment, review

from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.registration import gpu_names
from gpu_admission.webhook.review.handler import Decider

CARD, OWN = "example.com/card", "example.com/own"
CLAIMS = {"extendedResources": {CARD: "gpu.amd.com", OWN: "large"}, "classes": ["fast-*"]}
POLICY = Policy("p", {"cluster": {"claims": CLAIMS}})
BY_CLASS = "deviceclass.resource.kubernetes.io/"
HEAD = "apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata: {name: p}\nspec:\n  cluster:\n    claims:\n"


@pytest.mark.parametrize(("name", "vendor"), [
    (CARD, "amd"),
    (OWN, "any"),
    (f"{BY_CLASS}large", "any"),
    (f"{BY_CLASS}fast-1", "any"),
    (f"{BY_CLASS}gpu.amd.com", "amd"),
])  # fmt: skip
def test_whose_cards_they_are(name, vendor):
    found = POLICY.classify(name)
    assert (found.name, found.vendor, found.unit) == (name, vendor, "device")


@pytest.mark.parametrize("name", ["example.com/other", f"{BY_CLASS}slow", "large", "fast-1"])
def test_other_names_are_not_gpus(name):
    assert POLICY.classify(name) is None


def test_names_that_are_known_stay_what_they_are():
    policy = Policy("p", {"cluster": {"claims": {"extendedResources": {"nvidia.com/gpu": "gpu.nvidia.com"}}}})
    assert policy.classify("nvidia.com/gpu") == Policy("q").classify("nvidia.com/gpu")


def test_conditions_have_the_names():
    assert {CARD, OWN, f"{BY_CLASS}large", f"{BY_CLASS}gpu.amd.com"} <= set(gpu_names.names(POLICY))
    assert "fast-" in gpu_names.known(POLICY, "k")
    assert "fast-" not in gpu_names.which(POLICY, "k", lambda resource: resource.vendor == "nvidia")


def test_admission_judges_them():
    body = json.dumps(review(deployment({"limits": {CARD: "0.5"}}))).encode()
    reply = json.loads(Decider(lambda _: POLICY)(body, "validate").body)["response"]
    assert not reply["allowed"]
    assert "GPU003" in reply["status"]["message"]


@pytest.mark.parametrize(("text", "expected"), [
    ("      extendedResources: {card: gpu.amd.com}\n", "is not a valid name of an extended resource"),
    ("      extendedResources: {example.com/card: ''}\n", "at least 1 character"),
    ("      extendedResources: {example.com/card: [a]}\n", ""),
    ("      extendedResources: [example.com/card]\n", ""),
    ("      extendedResource: {example.com/card: a}\n", "extendedResources"),
])  # fmt: skip
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path, text, expected):
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + text)
    with pytest.raises(loader.PolicyError) as error:
        loader.load(str(path))
    assert f"{path}:7" in str(error.value)
    assert expected in str(error.value)


def test_a_file_with_it(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(f"{HEAD}      extendedResources: {{{CARD}: gpu.amd.com}}\n")
    assert loader.load(str(path)).classify(CARD).vendor == "amd"
