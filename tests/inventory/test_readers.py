"""Each backend's records, as its own components write them, and the resulting numbers."""

import pytest
from inventory.clusters import ALL, GIB, MIB, collected, node, pod, pool_of

from gpu_admission.backends import registry as backends
from gpu_admission.inventory.readers import registry


def used(pool):
    """Bytes used of each card, by its label."""
    return {card.label: card.used_memory for card in pool.cards}


def test_every_backend_has_one_reader():
    assert sorted(name for reader in registry.ALL for name in reader.backends) == sorted(backends.NAMES)


@pytest.mark.parametrize("reader", registry.ALL, ids=lambda each: type(each).__name__)
def test_what_a_reader_believes_users_may_not_write(reader):
    """Records on pods are trusted: each of their keys is among those that GPU307 refuses to users."""
    marks = [mark for name in reader.backends for mark in backends.named(name).marks.annotations]
    for key in reader.pod_annotations:
        if key != "run.ai/reserve_for_gpu_index":  # only on KAI's own pods, and there a name to show
            assert any(key == mark or ("*" in mark and _covers(mark, key)) for mark in marks), key


def _covers(mark, key):
    start, _, end = mark.partition("*")
    return key.startswith(start) and key.endswith(end)


def test_gpushare():
    inventory = collected(ALL["gpushare"])
    first, second = pool_of(inventory, "cn-1"), pool_of(inventory, "cn-2")
    assert used(first) == {"GPU0": 3 * GIB, "GPU1": 7 * GIB}
    assert (first.allocated, first.total, first.pending) == (10 * GIB, 30 * GIB, 0)
    assert (second.allocated, second.total, second.pending) == (2 * GIB, 15 * GIB, 2 * GIB)
    assert [node.name for node in inventory.nodes] == ["cn-1", "cn-2"]


def test_gpushare_counts_in_the_unit_that_its_own_tool_guesses():
    nodes = [node("n", {"aliyun.com/gpu-mem": "32510", "aliyun.com/gpu-count": "2"})]
    pods = [pod("a", "n", {"aliyun.com/gpu-mem": "1000"}, annotations={"ALIYUN_COM_GPU_MEM_IDX": "0"})]
    pool = pool_of(collected({"nodes": nodes, "pods": pods}), "n")
    assert (pool.unit.name, used(pool)) == ("MiB", {"GPU0": 1000 * MIB, "GPU1": 0})


def test_volcano():
    inventory = collected(ALL["volcano"])
    first, second = pool_of(inventory, "old-1"), pool_of(inventory, "old-2")
    assert used(first) == {"GPU0": 8192 * MIB, "GPU1": 32768 * MIB}
    assert [card.healthy for card in second.cards] == [True, False]
    assert (second.pending, second.free) == (4096 * MIB, (32768 - 4096) * MIB)


def test_volcano_vgpu():
    pool = pool_of(collected(ALL["volcano-vgpu"]), "vol-1")
    assert used(pool) == {"GPU0": 18432 * MIB, "GPU1": 10240 * MIB}
    assert [(card.used_cores, card.used_slots, card.slots) for card in pool.cards] == [(30, 2, 10), (0, 1, 10)]
    assert pool.largest_piece == 22528 * MIB


def test_volcano_vgpu_names_partitions_behind_the_uuid():
    register = {"volcano.sh/node-vgpu-register": "GPU-1,7,40960,NVIDIA-A100,true,mig:"}
    nodes = [node("n", annotations=register)]
    pods = [pod("a", "n", annotations={"volcano.sh/vgpu-ids-new": "GPU-1[group1-0],NVIDIA,4864,0:"})]
    assert used(pool_of(collected({"nodes": nodes, "pods": pods}), "n")) == {"GPU0": 4864 * MIB}


def test_hami():
    inventory = collected(ALL["hami"])
    pool = pool_of(inventory, "hami-1")
    assert used(pool) == {"GPU0": 36864 * MIB, "GPU1": 20480 * MIB}
    assert [(card.used_cores, card.used_slots) for card in pool.cards] == [(30, 2), (0, 1)]
    assert [held.label for held in pool.loose] == ["team-a/nodename"]
    assert pool_of(inventory, "hami-2").total == 24576 * MIB
    assert used(pool_of(inventory, "dcu-1")) == {"GPU0": 2048 * MIB}
    assert [(each.name, each.rule) for each in inventory.uncounted] == [("nodename", "GPU203")]


@pytest.mark.parametrize(
    ("initialized", "memory"),
    [("False", 8000), ("True", 3000)],
    ids=["the largest init container counts", "once it is through, no more"],
)
def test_hami_counts_init_containers_as_its_scheduler_does(initialized, memory):
    register = {
        "hami.io/node-nvidia-register": '[{"id":"GPU-1","count":10,"devmem":10000,"devcore":100,"health":true}]'
    }
    record = {"hami.io/vgpu-devices-allocated": "GPU-1,NVIDIA,8000,0:;GPU-1,NVIDIA,1000,0:;GPU-1,NVIDIA,2000,0:;"}
    one = pod("a", "n", annotations=record)
    one["spec"]["initContainers"] = [{"name": "first"}]
    one["spec"]["containers"].append({"name": "second"})
    one["status"]["conditions"] = [{"type": "Initialized", "status": initialized}]
    pool = pool_of(collected({"nodes": [node("n", annotations=register)], "pods": [one]}), "n")
    assert used(pool) == {"GPU0": memory * MIB}


def test_kai():
    pool = pool_of(collected(ALL["kai"]), "kai-1")
    card = 81500 * MIB  # the label, rounded down to 100 MiB
    assert (pool.backend, pool.allocated, pool.total, pool.free) == ("kai", 3, 4, 1)
    (shared,) = pool.cards
    assert shared.uuid.startswith("GPU-1111")
    assert {held.label: held.memory for held in shared.holdings} == {
        "team-a/half": card // 2,
        "team-b/memory": 20480 * MIB,
    }
    assert [held.label for held in pool.loose] == ["team-a/whole"]


def test_kai_shares_several_cards():
    labels = {"runai-gpu-group/g-1": "g-1", "runai-gpu-group/g-2": "g-2"}
    annotations = {"gpu-memory": "1000", "gpu-fraction-num-devices": "2"}
    pods = [pod("two", "n", labels=labels, annotations=annotations)]
    nodes = [node("n", {"nvidia.com/gpu": "4"}, labels={"nvidia.com/gpu.memory": "40000"})]
    pool = pool_of(collected({"nodes": nodes, "pods": pods}), "n")
    assert (pool.allocated, used(pool)) == (2, {"g-1": 1000 * MIB, "g-2": 1000 * MIB})


def test_koordinator():
    pool = pool_of(collected(ALL["koordinator"]), "koord-1")
    assert used(pool) == {"GPU0": 40 * GIB, "GPU1": 80 * GIB, "GPU2": 0}
    assert (pool.total, pool.free, pool.largest_piece) == (160 * GIB, 40 * GIB, 40 * GIB)
    assert [card.used_cores for card in pool.cards] == [50, 100, 0]


@pytest.mark.parametrize(
    ("name", "backend", "numbers"),
    [
        ("dgx-1", "exclusive", (6, 8)),
        ("slice-1", "time-slicing", (1, 8)),
        ("mps-1", "mps", (1, 10)),
        ("mig-2", "mig", (1, 14)),
        ("amd-1", "exclusive", (2, 8)),
    ],
)
def test_counted(name, backend, numbers):
    pool = pool_of(collected(ALL["counted"]), name)
    assert (pool.backend, (pool.allocated, pool.total)) == (backend, numbers)


def test_mig_profiles_are_counted_one_by_one():
    inventory = collected(ALL["counted"])
    found = {pool.resource: (pool.allocated, pool.total) for at, pool in inventory.pools() if at.name == "mig-1"}
    assert found == {"nvidia.com/mig-1g.10gb": (2, 7), "nvidia.com/mig-3g.40gb": (0, 2)}


def test_dra_whole_devices():
    pool = pool_of(collected(ALL["dra"]), "dra-1")
    assert (pool.measure, pool.allocated, pool.total, pool.free, pool.unavailable) == ("count", 1, 2, 1, 1)
    by_card = {card.label: [held.label for held in card.holdings] for card in pool.cards}
    assert by_card == {"gpu-0": ["team-a/train,eval"], "gpu-1": ["ops/watch"], "gpu-2": []}
    assert [card.taken for card in pool.cards] == [True, False, False]  # admin access reserves nothing
    assert "nvidia.com/gpu" in pool.names


def test_dra_consumed_capacity():
    pool = pool_of(collected(ALL["dra"]), "dra-2")
    assert (pool.measure, used(pool)) == ("memory", {"gpu-0": 30 * GIB, "gpu-1": 0})
    notes = {held.label: held.note for held in pool.cards[0].holdings}
    assert notes == {"team-a/serve": "", "team-a/peek": ""}


def test_dra_partitions_are_parts_of_one_card():
    pool = pool_of(collected(ALL["dra"]), "dra-3")
    assert (pool.total, used(pool)) == (80 * GIB, {"set-0": 10 * GIB})


def test_dra_only_the_newest_generation_counts():
    from inventory.clusters import gpu, slice_of

    for order in (1, -1):
        slices = [slice_of("n", [gpu("gpu-0"), gpu("gpu-1")]), slice_of("n", [gpu("gpu-0")], generation=2)][::order]
        assert pool_of(collected({"slices": slices, "nodes": [node("n")]}), "n").total == 1


def test_dra_reads_the_older_version_of_the_api():
    from inventory.clusters import slice_of

    device = {"name": "gpu-0", "basic": {"capacity": {"memory": {"value": "40Gi"}}}}
    pool = pool_of(collected({"slices": [slice_of("n", [device])], "nodes": [node("n")]}), "n")
    assert [card.memory for card in pool.cards] == [40 * GIB]


def test_pods_that_ended_hold_nothing_and_those_being_deleted_do():
    nodes = [node("n", {"nvidia.com/gpu": "4"})]
    going = pod("going", "n", {"nvidia.com/gpu": "1"})
    going["metadata"]["deletionTimestamp"] = "2026-11-26T03:00:00Z"
    failed = {**pod("failed", "n", {"nvidia.com/gpu": "1"}), "status": {"phase": "Failed"}}
    pool = pool_of(collected({"nodes": nodes, "pods": [going, failed]}), "n")
    assert [(held.label, held.terminating) for held in pool.loose] == [("team-a/going", True)]


def test_init_containers_and_sidecars_are_counted_as_kubernetes_counts_them():
    def container(name, count, **more):
        return {"name": name, "resources": {"limits": {"nvidia.com/gpu": count}}, **more}

    one = pod("p", "n")
    one["spec"]["containers"] = [container("a", "1"), container("b", "1")]
    one["spec"]["initContainers"] = [container("side", "1", restartPolicy="Always"), container("init", "4")]
    pool = pool_of(collected({"nodes": [node("n", {"nvidia.com/gpu": "8"})], "pods": [one]}), "n")
    assert pool.allocated == 5


def test_a_claim_stands_for_an_extended_resource():
    """Without the right to list slices, too, such a pod is not reported as uncounted."""
    one = pod("p", "n", {"nvidia.com/gpu": "1"})
    one["status"]["extendedResourceClaimStatus"] = {"resourceClaimName": "p-extended", "requestMappings": []}
    assert collected({"nodes": [node("n")], "pods": [one]}).uncounted == []


def test_a_node_name_beside_the_scheduler_is_named():
    inventory = collected({"nodes": [node("cpu")], "pods": [pod("p", "cpu", {"nvidia.com/gpu": "1"})]})
    assert [(each.rule, each.name) for each in inventory.uncounted] == [("GPU203", "p")]
