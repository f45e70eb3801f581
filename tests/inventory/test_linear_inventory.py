"""The work for an inventory is linear in the cluster and in the length of records: counted, never timed."""

import functools
import importlib
import tracemalloc

import pytest
import work
from inventory.clusters import device, node, pod
from inventory.test_hostile import LABELS, LIMITS, NODE_KEYS, OFFERS, POD_KEYS
from test_linear import assert_linear

from gpu_admission.inventory.collector import Collector

pytestmark = pytest.mark.unmeasured  # what is measured is a copy of the code that counts

UNITS = ("a", ",", ":", ";", "GPU-1,1,1,1,a,0,true:", "GPU-1,NVIDIA,1,1:;", "[")


@pytest.fixture(scope="module")
def load():
    with work.counting():
        yield functools.cache(lambda name: importlib.import_module(f"gpu_admission.inventory.{name}"))


def inventory(load, cluster):
    collector = load("collector").Collector()
    for each in cluster.get("devices", ()):
        collector.add_device(each)
    for each in cluster["nodes"]:
        collector.add_node(each)
    for each in cluster["pods"]:
        collector.add_pod(each)
    found = collector.finish()
    load("report").as_data(found)
    load("plain_text").written(load("tables").tables(found, wide=True))
    for _ in load("html_page").page(found, "t"):
        pass


def of_size(count, *, distinct=False):
    """So many nodes with ten pods each, and as many pods that wait, all for the same or each for another amount."""
    register = '[{"id":"GPU-1","count":10,"devmem":81920,"devcore":100,"health":true}]'
    held = {"hami.io/vgpu-devices-allocated": "GPU-1,NVIDIA,1024,1:;"}
    limits = {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "1024"}
    nodes = [
        node(f"n{number}", {"nvidia.com/gpu": "80"}, annotations={"hami.io/node-nvidia-register": register})
        for number in range(count)
    ]
    pods = [pod(f"p{number}", f"n{number % count}", limits, annotations=held) for number in range(10 * count)]
    large = {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "80000"}
    pods += [
        pod(f"w{number}", None, {**large, "nvidia.com/gpumem": str(90000 + number)} if distinct else large)
        for number in range(count)
    ]
    return {"nodes": nodes, "pods": pods}


def test_nodes_and_pods(load):
    sizes = {times * 20: of_size(times * 20) for times in (1, 2, 3, 6, 9)}
    assert_linear(lambda count: work.measure(inventory, load, sizes[count]), length=20)


def test_many_pods_that_wait_for_different_amounts(load, monkeypatch):
    """Each takes a look at every node, so that there is a bound to them."""
    monkeypatch.setattr(load("collector"), "_MOST_REASONS", 5)
    sizes = {times * 20: of_size(times * 20, distinct=True) for times in (1, 2, 3, 6, 9)}
    assert_linear(lambda count: work.measure(inventory, load, sizes[count]), length=20)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("key", [*NODE_KEYS, *POD_KEYS])
def test_long_records(load, key, unit):
    def measured(count):
        value = {key: unit * count}
        on_node, on_pod = (value, {}) if key in NODE_KEYS else ({}, value)
        cluster = {
            "devices": [device("n", (0, "80Gi", True))],
            "nodes": [node("n", OFFERS, annotations=on_node, labels={"nvidia.com/gpu.memory": "40960"})],
            "pods": [pod("p", "n", LIMITS, annotations=on_pod, labels=LABELS)],
        }
        return work.measure(inventory, load, cluster)

    assert_linear(measured, length=300)


def test_pods_without_gpus_leave_nothing_behind(load):
    """Memory grows with the pods that hold or request a GPU, not with the pods of the cluster."""
    del load

    def kept(count):
        collector = Collector()
        collector.add_node(node("gpu", {"nvidia.com/gpu": "8"}))
        collector.add_node(node("cpu"))
        tracemalloc.start()
        for number in range(count):
            collector.add_pod(pod(f"p{number}", ("cpu", "gpu", None)[number % 3]))
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return size

    kept(10)  # what is imported and remembered once
    assert kept(1500) < kept(300) + 100 * 1024
