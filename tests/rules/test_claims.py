"""GPU401 to GPU405, GPU412, GPU413 and GPU415: the claims of pods."""

import pytest

from rules.claim_objects import (
    claim,
    container,
    entry,
    exactly,
    fixed,
    found,
    pod,
    template,
    wording,
    workload,
)

RESOURCES = "/spec/containers/0/resources"
NIC = template(exactly(device_class="dra.net"), name="nic")
DOMAIN = {
    "apiVersion": "resource.nvidia.com/v1beta1",
    "kind": "ComputeDomain",
    "metadata": {"name": "training"},
    "spec": {"channel": {"resourceClaimTemplate": {"name": "training-channel"}}},
}
GPU = {"limits": {"nvidia.com/gpu": 1}}


def sidecar(*claims):
    return {**container(*claims, name="side"), "restartPolicy": "Always"}


CLEAN = {
    "a template": [pod([entry()], container("gpu"))],
    "a claim": [pod([{"name": "gpu", "resourceClaimName": "one"}], container("gpu"))],
    "two containers share a claim": [pod([entry()], container("gpu"), container("gpu", name="b"))],
    "a request": [template(exactly()), pod([entry()], container({"name": "gpu", "request": "gpu"}))],
    "both requests": [
        template(exactly("a"), exactly("b")),
        pod([entry()], container({"name": "gpu", "request": "a"}, {"name": "gpu", "request": "b"})),
    ],
    "used by an init container": [pod([entry()], container(), initContainers=[container("gpu", name="i")])],
    "used by a sidecar": [pod([entry()], container(), initContainers=[sidecar("gpu")])],
    "a claim for each replica": [workload("Deployment", [entry()], container("gpu"), replicas=3)],
    "one replica": [
        workload("Deployment", [{"name": "gpu", "resourceClaimName": "c"}], container("gpu"), replicas=1)
    ],
    "a Pod shares by its own word": [pod([{"name": "gpu", "resourceClaimName": "c"}], container("gpu"))],
    "a network card beside a GPU": [NIC, pod([entry("nic", "nic")], container("nic", **GPU))],
    "a network card that nobody uses": [NIC, pod([entry("nic", "nic")], container())],
    "a network card by its name": [pod([entry("rdma", "roce")], container("rdma", **GPU))],
    "a channel": [DOMAIN, pod([entry("ch", "training-channel")], container("ch"))],
    "a template that is there": [DOMAIN, template(exactly(), name="training"), pod([entry(template="training")], container("gpu"))],
    "a patch without the claims": [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
         "spec": {"containers": [{"name": "c", "resources": {"claims": [{"name": "gpu"}]}}]}}
    ],
    "a placeholder": [pod([entry("gpu", "${TEMPLATE}")], container("gpu"))],
}  # fmt: skip


@pytest.mark.parametrize("documents", CLEAN.values(), ids=CLEAN)
def test_nothing_is_found(documents):
    assert found(*documents) == []


def test_a_claim_that_the_pod_lacks():
    made = pod([entry()], container("gpus"), initContainers=[container("gup", name="i")])
    assert found(made) == [
        ("GPU403", f"{RESOURCES}/claims/0/name", "error"),
        ("GPU403", "/spec/initContainers/0/resources/claims/0/name", "error"),
    ]
    assert fixed(made) == pod([entry()], container("gpu"), initContainers=[container("gpu", name="i")])


def test_a_pod_without_claims():
    made = pod([], container("gpu"))
    del made["spec"]["resourceClaims"]
    assert found(made) == [("GPU403", f"{RESOURCES}/claims/0/name", "error")]
    assert "is not set" in wording(made)


@pytest.mark.parametrize(
    "used",
    [["gpu", "gpu"], ["gpu", {"name": "gpu", "request": "a"}], [{"name": "gpu", "request": "a"}] * 2],
    ids=["whole", "whole and part", "part"],
)
def test_a_claim_used_twice_in_a_container(used):
    assert found(pod([entry()], container(*used))) == [("GPU403", f"{RESOURCES}/claims/1/name", "error")]


SOURCES = {
    "neither": ({"name": "gpu"}, "/spec/resourceClaims/0", "neither"),
    "both": (entry(resourceClaimName="c"), "/spec/resourceClaims/0/resourceClaimName", "names both"),
    "old": ({"name": "gpu", "source": {"resourceClaimName": "c"}}, "/spec/resourceClaims/0/source", "1.31"),
    "misspelt": ({"name": "gpu", "resourceClaimTemplate": "one"}, "/spec/resourceClaims/0/resourceClaimTemplate",
                 "write resourceClaimTemplateName"),
    "with its namespace": (entry(template="team/one"), "/spec/resourceClaims/0/resourceClaimTemplateName", "namespace"),
    "a number": (entry(template=5), "/spec/resourceClaims/0/resourceClaimTemplateName", "not a valid name"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "place", "words"), SOURCES.values(), ids=SOURCES)
def test_sources(given, place, words):
    made = pod([given], container("gpu"))
    assert found(made) == [("GPU402", place, "error")]
    assert words in wording(made)


def test_the_old_source_is_moved_up():
    made = pod([{"name": "gpu", "source": {"resourceClaimTemplateName": "one"}}], container("gpu"))
    assert fixed(made) == pod([{"name": "gpu", "resourceClaimTemplateName": "one"}], container("gpu"))


def test_names_of_entries():
    made = pod([entry(), entry(), entry("GPU")], container("gpu", "GPU"))
    assert found(made) == [
        ("GPU402", "/spec/resourceClaims/1/name", "error"),
        ("GPU402", "/spec/resourceClaims/2/name", "error"),
    ]


def test_custom_kinds_are_judged_as_well():
    spec = pod([{"name": "gpu"}], container("gpus"))["spec"]
    made = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": "w"},
        "spec": {"pytorchReplicaSpecs": {"Worker": {"template": {"spec": spec}}}},
    }
    assert {rule for rule, _, _ in found(made)} == {"GPU402", "GPU403"}
    assert found({**made, "apiVersion": "example.com/v1"}) == []  # by its shape alone: the rest may be elsewhere


class TestPlaces:
    @pytest.mark.parametrize("side", ["limits", "requests"])
    def test_under_a_side(self, side):
        made = pod([entry()], container(**{side: {"claims": [{"name": "gpu"}]}}))
        assert found(made) == [("GPU401", f"{RESOURCES}/{side}/claims", "error")]
        assert fixed(made) == pod([entry()], container("gpu"))

    def test_what_stands_beside_it_stays(self):
        made = pod([entry()], container(limits={"cpu": 1, "claims": [{"name": "gpu"}]}))
        assert fixed(made)["spec"]["containers"][0]["resources"] == {"limits": {"cpu": 1}, "claims": [{"name": "gpu"}]}

    @pytest.mark.parametrize("key", ["claims", "resourceClaims"])
    def test_beside_resources(self, key):
        made = pod([entry()], {**container(), key: [{"name": "gpu"}]})
        assert ("GPU401", f"/spec/containers/0/{key}", "error") in found(made)

    def test_of_the_whole_pod(self):
        made = pod([entry()], container("gpu"), resources={"claims": [{"name": "gpu"}]})
        assert found(made) == [("GPU401", "/spec/resources/claims", "error")]

    def test_texts(self):
        made = pod([entry()], container())
        made["spec"]["containers"][0]["resources"] = {"claims": ["gpu"]}
        assert found(made) == [("GPU401", f"{RESOURCES}/claims/0", "error")]
        assert fixed(made) == pod([entry()], container("gpu"))

    @pytest.mark.parametrize("value", [{"name": "gpu"}, "gpu", 5, True])
    def test_no_list(self, value):
        made = pod([entry()], container("gpu"))
        made["spec"]["containers"][0]["resources"]["claims"] = value
        assert ("GPU401", f"{RESOURCES}/claims", "error") in found(made)
        assert found(pod(value, container("gpu")))[0][:2] == ("GPU401", "/spec/resourceClaims")


def test_an_unknown_request():
    made = pod([entry()], container({"name": "gpu", "request": "gpus"}))
    assert found(template(exactly()), made) == [("GPU404", f"{RESOURCES}/claims/0/request", "error")]
    assert found(made) == []  # the template is unknown
    wanted = pod([entry()], container({"name": "gpu", "request": "gpu"}))
    assert fixed(made, template(exactly())) == wanted


def test_a_request_is_named_without_its_alternative():
    first = {"name": "gpu", "firstAvailable": [{"name": "big", "deviceClassName": "gpu.nvidia.com"}]}
    made = pod([entry()], container({"name": "gpu", "request": "gpu/big"}))
    assert found(template(first), made) == [("GPU404", f"{RESOURCES}/claims/0/request", "error")]


class TestUnused:
    def test_it_is_added_to_the_only_container(self):
        made = pod([entry()], container())
        assert found(made) == [("GPU405", "/spec/resourceClaims/0", "warning")]
        assert fixed(made) == pod([entry()], container("gpu"))
        two = pod([entry(), entry("b")], container("gpu"))
        assert fixed(two) == pod([entry(), entry("b")], container("gpu", "b"))

    def test_of_several_containers_nobody_knows_which(self):
        made = pod([entry()], container(), container(name="b"))
        assert found(made) == [("GPU405", "/spec/resourceClaims/0", "warning")]
        assert fixed(made) == made

    def test_a_misspelt_use_says_enough(self):
        assert [rule for rule, _, _ in found(pod([entry()], container("gup")))] == ["GPU403"]


class TestTogether:
    def test_a_gpu_and_a_claim(self):
        made = pod([entry()], container("gpu", **GPU))
        assert found(template(exactly()), made) == [("GPU412", f"{RESOURCES}/claims/0", "warning")]
        assert found(made) == [("GPU412", f"{RESOURCES}/claims/0", "info")]  # by its name

    def test_in_different_containers(self):
        assert found(pod([entry()], container("gpu"), container(name="b", **GPU))) == []

    def test_an_explicit_zero_is_none(self):
        assert found(pod([entry()], container("gpu", limits={"nvidia.com/gpu": 0}))) == []


SHARED = [{"name": "gpu", "resourceClaimName": "c"}]
SHARERS = {
    "replicas": workload("Deployment", SHARED, container("gpu"), replicas=2),
    "a StatefulSet": workload("StatefulSet", SHARED, container("gpu"), replicas=2),
    "parallel pods": workload("Job", SHARED, container("gpu"), api_version="batch/v1", parallelism=4),
    "all nodes": workload("DaemonSet", SHARED, container("gpu")),
}


@pytest.mark.parametrize("made", SHARERS.values(), ids=SHARERS)
def test_shared_claims(made):
    place = "/spec/template/spec/resourceClaims/0/resourceClaimName"
    assert found(made) == [("GPU413", place, "warning")]


def test_a_group_of_workers():
    group = {"replicas": 4, "template": {"spec": pod(SHARED, container("gpu"))["spec"]}}
    head = {"template": {"spec": pod(SHARED, container("gpu"))["spec"]}}
    made = {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": {"name": "r"},
        "spec": {"headGroupSpec": head, "workerGroupSpecs": [group]},
    }
    assert found(made) == [
        ("GPU413", "/spec/workerGroupSpecs/0/template/spec/resourceClaims/0/resourceClaimName", "warning")
    ]


def test_a_network_card_may_be_shared():
    nic = claim(exactly(device_class="dra.net"))
    assert found(nic, workload("Deployment", SHARED, container("gpu"), replicas=2)) == []


@pytest.mark.parametrize("name", ["training", "training-chanel", "traning-channel"])
def test_channels(name):
    made = pod([entry("ch", name)], container("ch"))
    place = "/spec/resourceClaims/0/resourceClaimTemplateName"
    assert found(DOMAIN, made) == [("GPU415", place, "warning")]
    assert fixed(made, DOMAIN) == pod([entry("ch", "training-channel")], container("ch"))


def test_another_template_is_another_matter():
    assert found(DOMAIN, pod([entry("gpu", "one-gpu")], container("gpu"))) == []
