"""Why pods wait: the arithmetic, for each way of sharing."""

import pytest
from inventory.clusters import ALL, collected, node, pod

REASONS = {
    "gpushare": {"d": "needs 14Gi on one card; what cn-2 has free is held by pods whose card is not known"},
    "volcano-vgpu": {"c": "needs 24Gi on one card; the largest free piece is 22Gi (vol-1, GPU1); 36Gi free in all"},
    "hami": {
        "wait": "needs about 68.35Gi on one card; the largest free piece is 60Gi (hami-1, GPU1); 128Gi free in all"
    },
    "kai": {
        "wait": "needs 50 % of a card on each of 2 cards of one node; the largest free piece of a shared card is "
        "about 19.79Gi, and 1 whole card is free on one node"
    },
    "koordinator": {"c": "needs 60Gi on one card; the largest free piece is 40Gi (koord-1, GPU0); 40Gi free in all"},
    "counted": {
        "wait": "needs 20 nvidia.com/gpu on one node; the largest node has 14: it would stay Pending forever; 22 free in all"
    },
    "dra": {
        "late": "needs 2 gpu.nvidia.com on one node; the most free on one node is 1 (dra-1)",
        "lost": "a claim of the template gone does not exist",
    },
}


@pytest.mark.parametrize("name", REASONS)
def test_the_arithmetic(name):
    assert {each.name: each.reason for each in collected(ALL[name]).waiting} == REASONS[name]


def reason(one, *nodes, pods=()):
    (found,) = collected({"nodes": nodes, "pods": [*pods, one]}).waiting
    return found.reason


GPU = "nvidia.com/gpu"


def test_nobody_offers_it():
    assert reason(pod("p", None, {"amd.com/gpu": "1"}), node("n", {GPU: "1"})) == "no node offers amd.com/gpu"


def test_one_name_in_common_is_not_enough():
    """HAMi's amounts do not request whole GPUs of another node, nor KAI's shares those of HAMi."""
    register = '[{"id":"GPU-1","count":10,"devmem":10000,"devcore":100,"health":true}]'
    hami = node("h", {GPU: "10"}, annotations={"hami.io/node-nvidia-register": register})
    amount = {GPU: "1", "nvidia.com/gpumem": "20000"}
    assert "the largest card has about 9.76Gi" in reason(pod("p", None, amount), hami, node("n", {GPU: "2"}))
    share = pod("p", None, annotations={"gpu-fraction": "0.5"}, schedulerName="kai-scheduler")
    assert reason(share, hami) == "no node offers whole GPUs for KAI to share"
    assert reason(share, hami, node("n", {GPU: "2"})).startswith("there is room: 2 nvidia.com/gpu free on n")


def test_none_is_free():
    held = pod("a", "n", {GPU: "2"})
    said = reason(pod("p", None, {GPU: "1"}), node("n", {GPU: "2"}), pods=[held])
    assert said == "needs 1 nvidia.com/gpu on one node; none is free"


def test_they_are_free_on_different_nodes():
    held = [pod("a", "n1", {GPU: "2"}), pod("b", "n2", {GPU: "3"})]
    said = reason(pod("p", None, {GPU: "4"}), node("n1", {GPU: "4"}), node("n2", {GPU: "4"}), pods=held)
    assert said == "needs 4 nvidia.com/gpu on one node; the most free on one node is 2 (n1); 3 free in all"


def test_there_is_room():
    said = reason(pod("p", None, {GPU: "1"}), node("n", {GPU: "2"}))
    assert said == "there is room: 2 nvidia.com/gpu free on n: it waits for something else"


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"unschedulable": True}, {}),
        ({"taints": [{"key": GPU, "effect": "NoSchedule"}]}, {}),
        ({}, {"nodeSelector": {"zone": "a"}}),
    ],
    ids=["cordoned", "taint", "nodeSelector"],
)
def test_nodes_that_do_not_take_the_pod_do_not_count(spec, fields):
    said = reason(pod("p", None, {GPU: "1"}, **fields), node("n", {GPU: "2"}, **spec))
    assert said == f"no other node offers {GPU} (1 more node does not take the pod)"


@pytest.mark.parametrize(
    "toleration", [{"operator": "Exists"}, {"key": GPU, "operator": "Exists"}, {"key": GPU, "effect": "NoSchedule"}]
)
def test_a_taint_that_is_tolerated_does_not_matter(toleration):
    tainted = node("n", {GPU: "2"}, taints=[{"key": GPU, "effect": "NoSchedule"}])
    assert reason(pod("p", None, {GPU: "1"}, tolerations=[toleration]), tainted).startswith("there is room")


def test_compute_may_be_what_lacks():
    register = '[{"id":"GPU-1","count":10,"devmem":10000,"devcore":100,"health":true}]'
    nodes = [node("n", {GPU: "10"}, annotations={"hami.io/node-nvidia-register": register})]
    held = pod("a", "n", annotations={"hami.io/vgpu-devices-allocated": "GPU-1,NVIDIA,1000,70:;"})
    wants = pod("p", None, {GPU: "1", "nvidia.com/gpumem": "1000", "nvidia.com/gpucores": "50"})
    said = reason(wants, *nodes, pods=[held])
    assert said.endswith("on one card with 50 % of its compute; the most that is free beside the memory is 30 %")


def test_gates_and_the_schedulers_own_words_are_shown():
    one = pod(
        "p", None, {GPU: "1"}, message="0/1 nodes are available\x1b[31m", schedulingGates=[{"name": "example.com/q"}]
    )
    (found,) = collected({"nodes": [node("n", {GPU: "1"})], "pods": [one]}).waiting
    assert found.reason.startswith("held back by the scheduling gate example.com/q; there is room")
    assert found.scheduler == "0/1 nodes are available\\x1b[31m"
