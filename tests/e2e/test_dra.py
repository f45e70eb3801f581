"""Translated pods on a real scheduler: devices are allocated as requested, and pods that do not fit wait."""

import contextlib
import io
import json
import re
import time

import fast_yaml
import pytest
import yaml
from backends.sharing import DRA_PARAMETERS
from e2e.dra_nodes import (
    AMD,
    CLASSES,
    GI,
    GPU,
    HAMI,
    INTEL,
    amd_card,
    amd_partition,
    card,
    hami_card,
    intel_card,
    partitioned,
    profile_class,
    publish,
    remove,
)

from gpu_admission.backends import dra
from gpu_admission.backends.base import ClusterFacts
from gpu_admission.backends.portable import GpuShare
from gpu_admission.backends.rejection import RejectedRequestError
from gpu_admission.commands.main import main

pytestmark = pytest.mark.e2e

MEM, COUNT, CORE = (f"gpu-admission.io/gpu-{word}" for word in ("mem", "count", "core"))
TOLERATION = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
UUID = "gpu.nvidia.com/uuid"
NO_NODE = re.compile("cannot allocate all claims|untolerated taint")
PROFILES = [("1g.10gb", 10 * GI, 1, range(7)), ("1g.10gb+me", 10 * GI, 1, range(7)), ("3g.40gb", 40 * GI, 4, (0, 4))]


@pytest.fixture(scope="module", autouse=True)
def classes(scheduling):
    """The device classes of the drivers; they go again, for other tests ask a device plugin for nvidia.com/gpu."""
    made = (*CLASSES, profile_class("1g.10gb"))
    for each in made:
        assert scheduling.api.create(each, None, fieldValidation="Strict").status == 201
    yield
    for each in made:
        scheduling.api.delete(f"/apis/resource.k8s.io/v1/deviceclasses/{each['metadata']['name']}")


@pytest.fixture
def node(scheduling, namespace):
    """What publishes a node's devices: the node is named after the test's namespace, and goes with the test."""

    def made(devices, counters=(), **driver):
        publish(scheduling.api, f"{namespace}-node", devices, counters, **driver)

    yield made
    remove(scheduling.api, f"{namespace}-node")


@pytest.fixture
def given(scheduling, namespace, tmp_path):
    """Translates pods, creates them one after the other and returns the devices of each.

    ``fits`` tells of each whether it is expected to be placed: the next one comes when that is settled.
    """

    def create(*limits, fits, policy=None, sources=(), made=pod, options=()):
        pods = [made(f"p{number}", namespace, limit) for number, limit in enumerate(limits)]
        arguments = ["--to", "dra", *options, *[word for source in sources for word in ("--from", source)]]
        if policy is not None:
            path = tmp_path / "policy.yaml"
            path.write_text(json.dumps(file_of({"name": "dra", **policy})))
            arguments += ["-p", str(path)]
        documents = translate(tmp_path, pods, arguments)
        expected = iter(fits)
        for one in sorted(documents, key=lambda each: each["kind"] == "Pod"):
            answer = scheduling.api.create(one, namespace, fieldValidation="Strict")
            assert answer.status == 201, answer
            if one["kind"] == "Pod":
                settle(scheduling, namespace, one["metadata"]["name"], fits=next(expected))
        return [devices(scheduling.api, namespace, f"p{number}") for number in range(len(limits))]

    return create


def pod(name, node, limits):
    container = {"name": "cuda", "image": "example.com/cuda:1", "resources": {"limits": dict(limits)}}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "nodeSelector": {"kubernetes.io/hostname": f"{node}-node"},
        "tolerations": [TOLERATION],
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def file_of(backend):
    meta = {"name": "mine"}
    return {
        "apiVersion": "gpu-admission.io/v1alpha1",
        "kind": "GPUPolicy",
        "metadata": meta,
        "spec": {"backend": backend},
    }


def translate(folder, documents, arguments):
    """The documents that the command prints for these: pods and what their claims are made from."""
    path = folder / "pods.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), write_through=True)) as out:
        assert main(["translate", *arguments, str(path)]) == 0
    return list(fast_yaml.load_all(out.buffer.getvalue()))


def settle(cluster, namespace, name, *, fits, seconds=60):
    """Wait until a pod is bound, or, where it is not to fit, until the scheduler has found that it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not cluster.ended():
        found = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}").object
        conditions = found["status"].get("conditions", ()) if "spec" in found else ()
        events = [one.get("message", "") for one in conditions if one["type"] == "PodScheduled"]
        tried = any(NO_NODE.search(message) for message in events)
        if found.get("spec", {}).get("nodeName") or (tried and not fits):
            return
        time.sleep(0.1)
    raise AssertionError(f"{name}: {found['status']}\n{cluster.log('kube-scheduler')}")


def devices(api, namespace, name):
    """The devices of a pod's claims, each with what it takes of it; empty where the pod waits."""
    path = f"/api/v1/namespaces/{namespace}"
    found = api.get(f"{path}/pods/{name}").object
    if not found["spec"].get("nodeName"):
        return []
    status = found["status"]
    claims = [one["resourceClaimName"] for one in status.get("resourceClaimStatuses", ())]
    claims += [
        one["resourceClaimName"] for one in found["spec"].get("resourceClaims", ()) if "resourceClaimName" in one
    ]
    claims += (
        [status["extendedResourceClaimStatus"]["resourceClaimName"]] if "extendedResourceClaimStatus" in status else []
    )
    results = []
    for claim in claims:
        held = api.get(f"/apis/resource.k8s.io/v1/namespaces/{namespace}/resourceclaims/{claim}").object
        results += held["status"]["allocation"]["devices"]["results"]
    return sorted((one["device"], one.get("consumedCapacity")) for one in results)


@pytest.mark.parametrize("shares", ["memory", "unlimited", 4])
def test_two_shares_fit_on_a_card_and_the_third_waits(node, given, shares):
    node([card(0, shares=shares)])
    policy = {"consumableShares": "count", "sharesPerDevice": 4} if shares == 4 else {"consumableShares": shares}
    taken = given({MEM: "30Gi"}, {MEM: "30Gi"}, {MEM: "30Gi"}, fits=(True, True, False), policy=policy)
    assert [[name for name, _ in each] for each in taken] == [["gpu-0"], ["gpu-0"], []]
    assert {amounts["memory"] for each in taken for _, amounts in each} == {"30Gi"}


def test_a_card_that_is_not_shared_is_given_whole_if_it_has_the_memory(node, given):
    node([card(0, memory=24 * GI), card(1)])
    assert given({MEM: "30Gi"}, {MEM: "30Gi"}, fits=(True, False)) == [[("gpu-1", None)], []]


def test_a_whole_card_is_shared_with_nobody(node, given):
    node([card(0, shares="memory")])
    policy = {"consumableShares": "memory"}
    taken = given({COUNT: "1"}, {MEM: "8Gi"}, fits=(True, False), policy=policy)
    assert [len(each) for each in taken] == [1, 0]


def test_nor_where_the_driver_counts_shares(node, given):
    node([card(0, shares=4)])
    policy = {"consumableShares": "count", "sharesPerDevice": 4}
    taken = given({COUNT: "1"}, {MEM: "8Gi"}, fits=(True, False), policy=policy)
    assert [len(each) for each in taken] == [1, 0]
    assert taken[0][0][1]["shares"] == "4"


def test_whole_cards_are_counted(node, given):
    node([card(number) for number in range(3)])
    taken = given({COUNT: "2"}, {COUNT: "2"}, {COUNT: "1"}, fits=(True, False, True))
    assert [len(each) for each in taken] == [2, 0, 1]


def test_shares_of_three_cards_are_of_three_cards(node, given):
    node([card(number, shares="memory") for number in range(3)])
    taken = given({MEM: "10Gi", COUNT: "3"}, {MEM: "10Gi", COUNT: "4"}, fits=(True, False))
    assert [[name for name, _ in each] for each in taken] == [["gpu-0", "gpu-1", "gpu-2"], []]


@pytest.mark.parametrize(("apart", "cards"), [([], {"gpu-0"}), ([{"distinctAttribute": UUID}], {"gpu-0", "gpu-1"})])
def test_two_requests_share_a_card_where_nothing_keeps_them_apart(scheduling, node, namespace, apart, cards):
    node([card(number, shares="memory") for number in range(2)])
    exactly = {"deviceClassName": "gpu.nvidia.com", "capacity": {"requests": {"memory": "10Gi"}}}
    spec = {"devices": {"requests": [{"name": name, "exactly": exactly} for name in "ab"], "constraints": apart}}
    claim = {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": {"name": "gpu"}, "spec": spec}
    made = pod("p", namespace, {})
    made["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimName": "gpu"}]
    made["spec"]["containers"][0]["resources"] = {"claims": [{"name": "gpu"}]}
    for each in (claim, made):
        assert scheduling.api.create(each, namespace).status == 201
    settle(scheduling, namespace, "p", fits=True)
    assert {name for name, _ in devices(scheduling.api, namespace, "p")} == cards


def test_mig_devices_are_chosen_by_profile_and_draw_on_one_card(node, given):
    node(*partitioned(0, PROFILES))
    half, engines = {"nvidia.com/mig-3g.40gb": 1}, {"nvidia.com/mig-1g.10gb.me": 1}
    requested = [half, engines, {COUNT: "1"}, half]
    taken = given(*requested, fits=(True, True, False, False), sources=("mig", "portable"))
    names = [name.rpartition("-")[0] for each in taken for name, _ in each]
    assert names == ["gpu-0-mig-3g-40gb", "gpu-0-mig-1g-10gb-me"]


def test_a_mig_name_that_a_class_stands_for_needs_no_translation(node, given):
    node(*partitioned(0, PROFILES))
    taken = given({"nvidia.com/mig-1g.10gb": 1}, fits=(True,))
    assert [name.rpartition("-")[0] for name, _ in taken[0]] == ["gpu-0-mig-1g-10gb"]


def test_hamis_driver_is_asked_for_memory_and_cores(node, given):
    node([hami_card(0)], driver=HAMI)
    requested = {MEM: "30Gi", CORE: "60"}
    taken = given(
        requested, requested, {MEM: "30Gi", CORE: "40"}, fits=(True, False, True), policy={"deviceClass": HAMI}
    )
    assert [len(each) for each in taken] == [1, 0, 1], "the second would take 120 percent of the cores"
    assert taken[0][0][1] == {"memory": "30Gi", "cores": "60"}


def test_hamis_driver_has_claims_share_a_card_until_its_memory_is_used(node, given):
    node([hami_card(0), hami_card(1, memory=24 * GI)], driver=HAMI)
    requested = {MEM: "30Gi", CORE: "30"}
    taken = given(requested, requested, requested, fits=(True, True, False), policy={"deviceClass": HAMI})
    assert [[name for name, _ in each] for each in taken] == [["hami-gpu-0"], ["hami-gpu-0"], []]


def test_hamis_driver_gives_a_whole_card_to_one(node, given):
    node([hami_card(0)], driver=HAMI)
    taken = given({COUNT: "1"}, {MEM: "1Gi", CORE: "1"}, fits=(True, False), policy={"deviceClass": HAMI})
    assert [len(each) for each in taken] == [1, 0]
    assert taken[0][0][1] == {"memory": str(80 * GI), "cores": "100"}


def test_shares_of_two_cards_of_hamis_are_of_two_cards(node, given):
    node([hami_card(0), hami_card(1)], driver=HAMI)
    requested = {MEM: "30Gi", COUNT: "2"}
    taken = given(requested, fits=(True,), policy={"deviceClass": HAMI})
    assert [name for name, _ in taken[0]] == ["hami-gpu-0", "hami-gpu-1"]


AMD_POLICY, INTEL_POLICY = {"deviceClass": AMD}, {"driver": "intel"}


@pytest.mark.parametrize(("cards", "driver", "policy"), [
    ([amd_card(0, 64 * GI), amd_card(1)], AMD, AMD_POLICY),
    ([intel_card(0, 24 * GI), intel_card(1, 128 * GI)], INTEL, INTEL_POLICY),
], ids=["AMD", "Intel"])  # fmt: skip
def test_cards_that_are_not_shared_are_given_whole_if_they_have_the_memory(node, given, cards, driver, policy):
    """The scheduler compares what the driver publishes, in its own unit, with the request."""
    node(cards, driver=driver)
    taken = given({MEM: "100Gi"}, {MEM: "100Gi"}, {MEM: "8Gi"}, fits=(True, False, True), policy=policy)
    assert taken == [[(cards[1]["name"], None)], [], [(cards[0]["name"], None)]]


@pytest.mark.parametrize(("make", "driver", "policy"), [(amd_card, AMD, AMD_POLICY), (intel_card, INTEL, INTEL_POLICY)],
                         ids=["AMD", "Intel"])  # fmt: skip
def test_whole_cards_of_other_vendors_are_counted(node, given, make, driver, policy):
    node([make(number) for number in range(3)], driver=driver)
    taken = given({COUNT: "2"}, {COUNT: "2"}, {COUNT: "1"}, fits=(True, False, True), policy=policy)
    assert [len(each) for each in taken] == [2, 0, 1]


def test_a_whole_card_of_amd_is_not_a_partition_of_one(node, given):
    node([amd_partition(0), amd_partition(1), amd_card(2)], driver=AMD)
    taken = given({COUNT: "1"}, {COUNT: "1"}, {MEM: "16Gi"}, fits=(True, False, True), policy=AMD_POLICY)
    assert [[name for name, _ in each] for each in taken] == [["gpu-2-130"], [], [taken[2][0][0]]]
    assert taken[2][0][0] in {"gpu-0-128", "gpu-1-129"}


def test_a_pod_that_does_not_tolerate_the_nodes_taint_waits(node, given):
    node([card(0), card(1)])

    def made(name, where, limits):
        one = pod(name, where, limits)
        if name == "p0":
            del one["spec"]["tolerations"]
        return one

    taken = given({MEM: "8Gi"}, {MEM: "8Gi"}, fits=(False, True), made=made)
    assert [len(each) for each in taken] == [0, 1]


def test_the_containers_of_a_pod_share_a_claim_that_holds_what_both_ask_for(node, given):
    node([card(0, shares="memory")])

    def made(name, where, limits):
        one = pod(name, where, limits)
        first = one["spec"]["containers"][0]
        one["spec"]["containers"] = [first, {**first, "name": "second", "resources": {"limits": dict(limits)}}]
        return one

    options, policy = ["--claims"], {"consumableShares": "memory"}
    taken = given({MEM: "30Gi"}, {MEM: "30Gi"}, fits=(True, False), policy=policy, made=made, options=options)
    assert taken == [[("gpu-0", {"memory": "60Gi"})], []]


def test_the_pods_of_a_workload_share_a_claim(scheduling, node, namespace, tmp_path):
    node([card(0, shares="memory")])
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("", namespace, {MEM: "20Gi"})["spec"]}
    spec = {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "podManagementPolicy": "Parallel"}
    spec["template"] = template
    made = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "p"}, "spec": spec}
    translated, claim = translate(tmp_path, [made], ["--to", "dra", "--claims"])
    for each in (claim, translated):
        answer = scheduling.api.create(each, namespace, fieldValidation="Strict")
        assert answer.status == 201, answer
    for number in range(3):
        settle(scheduling, namespace, f"p-{number}", fits=True)
        assert devices(scheduling.api, namespace, f"p-{number}") == [("gpu-0", {"memory": "60Gi"})]


def test_a_portable_pod_is_admitted_translated_and_placed_on_a_tainted_node(scheduling, server, node, namespace):
    node([card(0, shares="memory")])
    api = scheduling.api
    template = dra.template("gpu", GpuShare(8 * GI), ClusterFacts())
    assert api.create(template, namespace).status == 201
    made = pod("p", namespace, {MEM: "8Gi"})
    del made["spec"]["tolerations"]
    with server.registered(api, "dra"):
        answer = api.create(made, namespace)
    assert answer.status == 201, answer
    settle(scheduling, namespace, "p", fits=True)
    assert devices(api, namespace, "p") == [("gpu-0", {"memory": "8Gi"})]


def test_the_templates_of_all_drivers_are_taken_by_the_api_server(api, namespace):
    requests = [
        GpuShare(memory, count, cores, share=share, profile=profile)
        for count in (1, 3, 32)
        for memory, cores, share, profile in (
            (None, None, False, ""),
            (1500 * 2**20, None, False, ""),
            (8 * GI, 210, False, ""),
            (8 * GI, 700, False, ""),
            (None, None, True, ""),
            (9 * GI, None, False, "1g.10gb.me"),
        )
    ]
    taken = 0
    for parameters in DRA_PARAMETERS.values():
        facts = ClusterFacts(parameters)
        for request in requests:
            with contextlib.suppress(RejectedRequestError):
                made = dra.template(f"t{taken}", request, facts)
                answer = api.create(made, namespace, fieldValidation="Strict", dryRun="All")
                assert answer.status == 201, (made, answer)
                taken += 1
    assert taken > len(requests) * len(DRA_PARAMETERS) / 2
