"""Records that are not what the backends write: one card, one pod or one node is unreadable, and the rest counts."""

import json
import string
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventory.clusters import ALL, GIB, MIB, collected, device, node, pod, pool_of, slice_of

from gpu_admission.commands import inspect_gpus
from gpu_admission.commands.inspect_gpus import FORMATS
from gpu_admission.inventory import html_page, plain_text, report, tables
from gpu_admission.inventory.readers import registry

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

MEGABYTE = "x" * 1_000_000
DEEP = "[" * 100_000
VALUES = (
    "", " ", "-1", "-5,-5,-5,-5", "null", "[]", "{}", '"x"', "[null]", "[[]]", "[1]", "{", MEGABYTE, DEEP, f'"{MEGABYTE}"',
    '[{"id":"GPU-1","devmem":-5}]', '[{"id":"GPU-1","devmem":1e400}]', '[{"id":"GPU-1","devmem":"8"}]',
    '[{"id":"GPU-1","devmem":true}]', '[{"id":""}]', '[{"id":"a\\u001b[31m"}]', '[{"id":["GPU-1"]}]',
    '[{"id":"GPU-1","devmem":99999999999999999999}]', ":", ",:", ",,,,,,:", "GPU-1,x,y,z,w,v,u:", "GPU-1,1,-1,a,true,m:",
    "٣", "１", "1" * 5000, "0x10", "NaN", '{"gpu": 5}', '{"gpu": [5]}', '{"gpu": [{"minor": -1}]}',
    '{"gpu": [{"minor": 0, "resources": {"koordinator.sh/gpu-memory": "-8Gi"}}]}',
    '{"gpu": [{"minor": 0, "resources": {"koordinator.sh/gpu-memory": "1e1000000"}}]}',
    '{"gpu": [{"minor": 0, "resources": []}]}', '{"0": {"0": -3}}', '{"0": {"x": 3}}', '{"0": 3}', '{"0": {"0": 1e9}}',
    "\x00", "\ud800", "<script>alert(1)</script>",
)  # fmt: skip
NODE_KEYS = (
    "hami.io/node-nvidia-register", "hami.io/node-dcu-register", "hami.io/node-register-Ascend910B",
    "volcano.sh/node-vgpu-register", "volcano.sh/gpu-unhealthy-ids",
)  # fmt: skip
POD_KEYS = (
    "ALIYUN_COM_GPU_MEM_IDX", "scheduler.framework.gpushare.allocation", "volcano.sh/gpu-index", "volcano.sh/vgpu-ids-new",
    "hami.io/vgpu-devices-allocated", "scheduling.koordinator.sh/device-allocated", "run.ai/reserve_for_gpu_index",
    "gpu-memory", "gpu-fraction", "gpu-fraction-num-devices",
)  # fmt: skip
LABELS = {"runai-gpu-group": "g-1"}
LIMITS = {
    "aliyun.com/gpu-mem": "2", "volcano.sh/gpu-memory": "100", "volcano.sh/vgpu-number": "1", "nvidia.com/gpu": "1",
    "koordinator.sh/gpu-memory": "1Gi",
}  # fmt: skip
OFFERS = {
    "aliyun.com/gpu-mem": "30", "aliyun.com/gpu-count": "2", "volcano.sh/gpu-memory": "65536", "volcano.sh/gpu-number": "2",
    "nvidia.com/gpu": "4",
}  # fmt: skip


def shown(inventory):
    """Every format of an inventory; none of them may hold control characters or active HTML."""
    data = json.dumps(report.as_data(inventory))
    text = plain_text.written(tables.tables(inventory, wide=True))
    page = "".join(html_page.page(inventory, "t"))
    assert "\x1b" not in text
    assert "<script" not in page
    assert len(text) < 100_000, len(text)
    return data, text, page


def every_backend(annotations, on_pod):
    """A node and a pod with the records of every backend."""
    one = node("n", OFFERS, annotations=annotations, labels={"nvidia.com/gpu.memory": "40960"})
    there = pod("p", "n", LIMITS, annotations=on_pod, labels=LABELS)
    waiting = pod("w", None, LIMITS, annotations=on_pod, labels=LABELS)
    return collected({"nodes": [one], "devices": [device("n", (0, "80Gi", True))], "pods": [there, waiting]})


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_any_value_of_any_record(value):
    for key in NODE_KEYS:
        shown(every_backend({key: value}, {}))
    for key in POD_KEYS:
        shown(every_backend({}, {key: value}))


@given(st.dictionaries(st.sampled_from(NODE_KEYS), st.text(max_size=60)), st.dictionaries(st.sampled_from(POD_KEYS), st.text(string.printable, max_size=60)))  # fmt: skip
def test_random_values(on_node, on_pod):
    shown(every_backend(on_node, on_pod))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(ANY, st.sampled_from(("nodes", "pods", "slices", "classes", "devices", "claims")), st.data())
def test_any_json_in_place_of_any_part_of_an_object(value, kind, data):
    cluster = {each: list(ALL[name].get(each, ())) for name in ("dra",) for each in ALL[name]}
    cluster["devices"] = [device("dra-1", (0, "80Gi", True))]
    chosen = json.loads(json.dumps(cluster[kind][0]))
    place = chosen
    for _ in range(data.draw(st.integers(0, 4))):
        inner = [
            each
            for each in (place.values() if isinstance(place, dict) else place)
            if isinstance(each, dict | list) and each
        ]
        if not inner:
            break
        place = data.draw(st.sampled_from(inner))
    if isinstance(place, dict):
        place[data.draw(st.sampled_from(sorted(place)))] = value
    else:
        place[0] = value
    shown(collected({**cluster, kind: [chosen, *cluster[kind]]}))


def records(cluster):
    """Where a cluster's components have written: kind, number of the object, annotation."""
    patterns = {
        "nodes": {each for reader in registry.ALL for each in reader.node_annotations},
        "pods": {each for reader in registry.ALL for each in reader.pod_annotations},
    }
    for kind, keys in patterns.items():
        for number, obj in enumerate(cluster.get(kind, ())):
            for key in obj["metadata"]["annotations"]:
                if any(fnmatchcase(key, each) for each in keys):
                    yield kind, number, key


RECORDS = [(name, *place) for name, cluster in ALL.items() for place in records(cluster)]
WRONG = (
    "-1",
    "-5,-5,-5,-5",
    "{",
    "[null]",
    '{"gpu": [{"minor": -1}]}',
    '{"0": {"0": -3}}',
    MEGABYTE,
    DEEP,
    "\x00",
    7,
    None,
    {},
)


# Values that components write: no card was found yet, and the name of a card, which is only shown.
TAKEN = {
    ("ALIYUN_COM_GPU_MEM_IDX", "-1"),
    *(("run.ai/reserve_for_gpu_index", value) for value in WRONG if isinstance(value, str)),
}


def others(inventory, name, *, but=""):
    """What is known of a pool's cards by others than one pod, and of all other nodes."""
    return {
        (node.name, pool.resource, card.key, held.label, held.memory, held.cores)
        for node, pool in inventory.pools()
        for card in pool.cards
        for held in card.holdings
        if but not in held.pods and (but or node.name != name)
    }


@pytest.mark.parametrize(("name", "kind", "number", "key"), RECORDS)
def test_what_one_record_does_not_say_leaves_all_others(name, kind, number, key):
    """Of every backend, every record that its components write, in turn."""
    as_written = collected(ALL[name])
    for value in WRONG:
        cluster = json.loads(json.dumps(ALL[name]))
        changed = cluster[kind][number]
        changed["metadata"]["annotations"][key] = value
        inventory = collected(cluster)
        at, who = changed["metadata"]["name"], ""
        if kind == "pods":
            at, who = changed["spec"]["nodeName"], at
        assert others(inventory, at, but=who) == others(as_written, at, but=who), value
        assert [(each.name, len(each.pools)) for each in inventory.nodes if each.name != at] == [
            (each.name, len(each.pools)) for each in as_written.nodes if each.name != at
        ]
        if isinstance(value, str) and (key, value) not in TAKEN:
            text = plain_text.written(tables.tables(inventory, wide=True))
            assert "unreadable" in text or "names no card" in text, value


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("hami", "hami.io/vgpu-devices-allocated", ";"),
        ("hami", "hami.io/vgpu-devices-allocated", ":;"),
        ("volcano-vgpu", "volcano.sh/vgpu-ids-new", ""),
        ("volcano-vgpu", "volcano.sh/vgpu-ids-new", ";;"),
        ("koordinator", "scheduling.koordinator.sh/device-allocated", "{}"),
        ("koordinator", "scheduling.koordinator.sh/device-allocated", '{"rdma": [{"minor": 0}]}'),
    ],
)
def test_a_record_that_names_no_card_takes_nothing_from_what_is_requested(name, key, value):
    """A pod with an emptied annotation still has the GPU."""
    cluster = json.loads(json.dumps(ALL[name]))
    changed = next(each for each in cluster["pods"] if key in each["metadata"]["annotations"])
    changed["metadata"]["annotations"][key] = value
    inventory = collected(cluster)
    held = [each for _, pool in inventory.pools() for each in pool.loose if changed["metadata"]["name"] in each.pods]
    assert len(held) == 1
    assert "names no card" in held[0].note
    assert any(each.name == changed["metadata"]["name"] for each in inventory.uncounted)


def test_every_backend_that_keeps_records_is_tried():
    readers = {name: reader for reader in registry.ALL for name in reader.backends}
    recorded = {reader for reader in registry.ALL if reader.node_annotations or reader.pod_annotations}
    assert {readers[name] for name, *_ in RECORDS} == recorded


def test_one_card_that_cannot_be_read_leaves_the_others():
    register = json.dumps([
        {"id": "GPU-1", "devmem": -1, "count": 10, "health": True},
        {"id": "GPU-2", "index": 1, "devmem": 1000, "count": 10, "devcore": 100, "health": True},
        {"id": "GPU-2", "index": 2, "devmem": 1000, "count": 10, "health": True},
    ])  # fmt: skip
    record = {"hami.io/vgpu-devices-allocated": "GPU-2,NVIDIA,400,0:;"}
    cluster = {
        "nodes": [node("n", annotations={"hami.io/node-nvidia-register": register})],
        "pods": [pod("p", "n", annotations=record)],
    }
    inventory = collected(cluster)
    pool = pool_of(inventory, "n")
    assert [bool(card.problem) for card in pool.cards] == [True, False, True]
    assert (pool.total, pool.allocated) == (1000 * MIB, 400 * MIB)
    _, text, page = shown(inventory)
    assert text.count("unreadable") >= 2
    assert "devmem is -1, not a number from 0 to 2147483647" in text
    assert 'class="bar bad"' in page


def test_one_record_that_cannot_be_read_leaves_the_other_pods():
    good = pod("good", "n", {"aliyun.com/gpu-mem": "2"}, annotations={"ALIYUN_COM_GPU_MEM_IDX": "0"})
    bad = pod("bad", "n", {"aliyun.com/gpu-mem": "3"}, annotations={"ALIYUN_COM_GPU_MEM_IDX": "0x0"})
    far = pod("far", "n", {"aliyun.com/gpu-mem": "4"}, annotations={"ALIYUN_COM_GPU_MEM_IDX": "7"})
    inventory = collected(
        {"nodes": [node("n", {"aliyun.com/gpu-mem": "15", "aliyun.com/gpu-count": "1"})], "pods": [good, bad, far]}
    )
    pool = pool_of(inventory, "n")
    assert (pool.allocated, pool.pending) == (9 * GIB, 7 * GIB)
    notes = {held.label: held.note for _, held in pool.holdings()}
    assert notes["team-a/good"] == ""
    assert notes["team-a/bad"] == 'unreadable: ALIYUN_COM_GPU_MEM_IDX is "0x0", not a number from 0 to 2147483647'
    assert notes["team-a/far"] == "its record names card 7, which the node does not have"


def test_a_slice_that_cannot_be_read_leaves_its_other_devices():
    devices = [{"name": "gpu-0", "capacity": {"memory": {"value": "-80Gi"}}}, {"name": "gpu-1"}, {"name": 5}, "x"]
    pool = pool_of(collected({"slices": [slice_of("n", devices)], "nodes": [node("n")]}), "n")
    assert [bool(card.problem) for card in pool.cards] == [True, False, True]
    assert pool.total == 1


def test_names_of_namespaces_and_models_are_text_in_the_page():
    evil = '"><script>alert(1)</script>'
    cluster = {
        "nodes": [node("n", {"nvidia.com/gpu": "2"}, labels={"nvidia.com/gpu.product": evil})],
        "pods": [pod(evil, "n", {"nvidia.com/gpu": "1"}, namespace=evil)],
    }
    shown(collected(cluster))


def test_names_that_no_api_server_would_take_are_escaped_in_every_format():
    evil = "a\x1b[31m\n"  # a lone surrogate does not pass the decoder of pages
    cluster = {
        "nodes": [node(evil, {"nvidia.com/gpu": "2"}, unschedulable=True)],
        "pods": [pod(evil, evil, {"nvidia.com/gpu": "1"}, namespace=evil), pod(evil, None, {"nvidia.com/gpu": "9"})],
    }
    inventory = collected(cluster)
    for form in FORMATS:
        data = inspect_gpus._rendered(form, inventory, evil).encode("utf-8", "backslashreplace")
        assert b"\x1b" not in data or form == "html"
