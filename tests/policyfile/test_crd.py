"""The CustomResourceDefinition, without an API server (tests/e2e/test_policy_crd.py has one)."""

import json

import pytest
from policy_objects import BAD, BAD_NAMES, GOOD, ONLY_THE_LOADER, policy

from gpu_admission import rules
from gpu_admission.backends import registry
from gpu_admission.backends.per_pod import PER_POD
from gpu_admission.policyfile import cluster_schema, crd, loader, schema
from gpu_admission.policyfile.structural import structural


def nodes(found, place=()):
    """Yield every schema inside of a schema, with its place."""
    yield place, found
    for name, each in found.get("properties", {}).items():
        yield from nodes(each, (*place, name))
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            yield from nodes(found[key], (*place, key))


SPEC = crd.spec()
NODES = list(nodes(SPEC))


def test_it_is_structural():
    for place, found in NODES:
        assert not {"$ref", "oneOf", "anyOf", "allOf", "default", "title", "discriminator"} & set(found), place
        assert "properties" not in found or "additionalProperties" not in found, place
        typed = "type" in found or "x-kubernetes-int-or-string" in found
        assert typed or found.get("x-kubernetes-preserve-unknown-fields"), place


def test_every_key_of_a_policy_file_is_in_it():
    def keys(model):
        return {field.alias or name for name, field in model.model_fields.items()}

    assert set(SPEC["properties"]) == keys(schema.Spec)
    assert set(SPEC["properties"]["cluster"]["properties"]["cards"]["items"]["properties"]) == keys(
        cluster_schema.CardEntry
    )
    assert list(SPEC["properties"]["rules"]["properties"]) == [rule.id for rule in rules.ALL]


def test_everything_that_kubectl_explains_has_a_description():
    named = [(place, found) for place, found in NODES if place and place[-1] not in {"items", "additionalProperties"}]
    bare = [place for place, found in named if not found.get("description") and len(place) < 3]
    assert bare == []
    for rule in rules.ALL:
        assert SPEC["properties"]["rules"]["properties"][rule.id]["description"].startswith(f"{rule.name}: ")


def test_parameters_of_one_name_are_of_one_kind():
    """The definition has one field for all backends, whose values it cannot distinguish."""
    seen = {}
    for name in (*registry.NAMES, PER_POD):
        for parameter in registry.named(name).parameters:
            found = (parameter.kind, parameter.choices, parameter.least, parameter.most)
            assert seen.setdefault(parameter.name, found) == found, parameter.name


@pytest.mark.parametrize("case", [*GOOD, *loader.shipped()])
def test_good_ones_are_good_to_the_loader(case):
    obj = policy(GOOD[case]) if case in GOOD else json.loads(json.dumps(loader.load(case).spec))
    assert loader.check_object(obj if case in GOOD else policy(obj)) == []


@pytest.mark.parametrize("case", [*BAD, *ONLY_THE_LOADER])
def test_bad_ones_are_bad_to_the_loader(case):
    (first, *_) = loader.check_object(policy({**BAD, **ONLY_THE_LOADER}[case]))
    assert first.startswith("spec"), first


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(name):
    assert loader.check_object(policy({}, name))[0].startswith("metadata.name: ")


@pytest.mark.parametrize("obj", [None, [], "x", 5, {}, {"kind": "GPUPolicy"}, {"metadata": 5}, {"spec": {}}])
def test_what_is_no_policy_at_all(obj):
    assert loader.check_object(obj)


def test_mistakes_are_bounded():
    found = loader.check_object(policy({f"k{index}": 1 for index in range(500)}))
    assert len(found) == 11
    assert found[-1] == "and 490 more"


def test_an_object_as_the_api_server_returns_it():
    metadata = {
        "uid": "u", "resourceVersion": "5", "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}], "finalizers": ["a/b"],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}, "labels": {"a": "b"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "b"}],
    }  # fmt: skip
    obj = {**policy({"mode": "warn"}, **metadata), "status": {"conditions": [{"type": "Ready"}]}}
    assert loader.from_object(obj).mode == "warn"
    assert loader.parse(json.dumps(obj).encode(), "a.json").mode == "warn"
    with pytest.raises(loader.PolicyError, match=r"metadata\.nam: unknown key 'nam'"):
        loader.from_object(policy({}, nam="x"))


@pytest.mark.parametrize(
    "found",
    [
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        {"anyOf": [{"type": "object", "properties": {"a": {"type": "string"}}},
                   {"type": "object", "properties": {"a": {"type": "integer"}}}]},
        {},
    ],
)  # fmt: skip
def test_what_has_no_structural_form_is_said(found):
    with pytest.raises(ValueError, match=r"structural form|several types"):
        structural(found, {})
