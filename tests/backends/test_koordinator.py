"""Koordinator's combinations: koord-scheduler judges the sum of a pod and divides it evenly over its cards."""

import pytest
from backends.sharing import MEM, admitted, container, found, messages, pod, policy, resources

KOORDINATOR = policy("koordinator")
SHARED, MEMORY, RATIO, CORES, BOTH = (
    f"koordinator.sh/{name}" for name in ("gpu.shared", "gpu-memory", "gpu-memory-ratio", "gpu-core", "gpu")
)
WHOLE = "nvidia.com/gpu"


def of(*containers, init=()):
    named = [container(limits, f"c{index}") for index, limits in enumerate(containers)]
    more = {"initContainers": [container(limits, f"i{n}", **fields) for n, (limits, fields) in enumerate(init)]}
    return pod(containers=named, **(more if init else {}))


@pytest.mark.parametrize(
    "limits",
    [
        {WHOLE: 2},
        {BOTH: 50},
        {BOTH: 200},
        {MEMORY: "8Gi"},
        {RATIO: 50},
        {RATIO: 300},
        {CORES: 30, MEMORY: "8Gi"},
        {CORES: 30, RATIO: 50},
        {CORES: 200, RATIO: 200},
        {SHARED: 2, MEMORY: "16Gi"},
        {SHARED: 2, RATIO: 100},
        {SHARED: 2, CORES: 100, MEMORY: "16Gi"},
        {SHARED: 2, CORES: 100, RATIO: 80},
        {SHARED: 1, BOTH: 100},  # koord-manager makes it compute and memory
    ],
)
def test_what_koord_scheduler_takes(limits):
    assert found(KOORDINATOR, of(limits)) == []


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({CORES: 30}, "GPU102"),
        ({CORES: 200}, "GPU108"),
        ({SHARED: 2}, "GPU102"),
        ({SHARED: 2, CORES: 60}, "GPU102"),
        ({MEMORY: "8Gi", RATIO: 50}, "GPU102"),
        ({CORES: 50, MEMORY: "8Gi", RATIO: 50}, "GPU102"),
        ({BOTH: 50, MEMORY: "8Gi"}, "GPU102"),
        ({SHARED: 2, CORES: 101, MEMORY: "8Gi"}, "GPU102"),
        ({SHARED: 3, RATIO: 200}, "GPU102"),
        ({SHARED: 1, CORES: 200, MEMORY: "8Gi"}, "GPU108"),
        ({SHARED: 2, CORES: 300, MEMORY: "8Gi"}, "GPU108"),
        ({SHARED: 1, RATIO: 200}, "GPU108"),
        ({CORES: 200, MEMORY: "8Gi"}, "GPU108"),  # of one card
        ({RATIO: 150}, "GPU108"),
    ],
)
def test_what_it_never_places(limits, rule):
    assert found(KOORDINATOR, of(limits)) == [rule]


@pytest.mark.parametrize("role", ["init", "sidecar"])
def test_in_every_role(role):
    fields = {"restartPolicy": "Always"} if role == "sidecar" else {}
    assert found(KOORDINATOR, of({}, init=[({CORES: 30}, fields)])) == ["GPU102"]
    assert found(KOORDINATOR, of({}, init=[({SHARED: 1, MEMORY: "8Gi"}, fields)])) == []


@pytest.mark.parametrize(
    ("first", "second", "rules"),
    [
        ({SHARED: 1, MEMORY: "8Gi"}, {SHARED: 1, MEMORY: "8Gi"}, []),
        ({SHARED: 1, MEMORY: "8Gi"}, {SHARED: 2, MEMORY: "16Gi"}, []),
        ({SHARED: 1, MEMORY: "8Gi"}, {SHARED: 1, MEMORY: "24Gi"}, ["GPU107"]),
        ({SHARED: 1, RATIO: 50}, {SHARED: 1, RATIO: 30}, ["GPU107"]),
        ({MEMORY: "8Gi", CORES: 10}, {MEMORY: "8Gi", CORES: 30}, ["GPU107"]),
        ({SHARED: 1, MEMORY: "8Gi"}, {SHARED: 1, RATIO: 50}, ["GPU102"]),
        ({SHARED: 1, MEMORY: "8Gi", CORES: 25}, {SHARED: 1, MEMORY: "8Gi"}, ["GPU102", "GPU107"]),
        ({SHARED: 1, MEMORY: "8Gi"}, {WHOLE: 1}, ["GPU102"]),
        ({WHOLE: 1}, {WHOLE: 2}, []),
        ({MEM: "8Gi"}, {MEM: "24Gi"}, ["GPU107"]),
        ({SHARED: 1, MEMORY: "8Gi"}, {MEM: "24Gi"}, ["GPU107"]),
    ],
)
def test_several_containers(first, second, rules):
    assert found(KOORDINATOR, of(first, second)) == rules


def test_an_init_container_that_runs_before():
    larger = {SHARED: 1, MEMORY: "24Gi"}
    assert found(KOORDINATOR, of({SHARED: 1, MEMORY: "8Gi"}, init=[(larger, {})])) == []
    assert found(KOORDINATOR, of({BOTH: 50}, init=[({BOTH: 50}, {})])) == ["GPU102"]  # rewritten in one of the two


def test_equal_shares_are_translated_and_others_not():
    left, findings = admitted(KOORDINATOR, of({MEM: "8Gi"}, {MEM: "8Gi"}))
    assert findings == []
    assert resources(left, 1) == {SHARED: 1, MEMORY: "8Gi"}
    document = of({MEM: "8Gi"}, {MEM: "24Gi"})
    assert resources(admitted(KOORDINATOR, document)[0], 1) == {MEM: "24Gi"}


def test_the_message_says_what_to_write():
    (said,) = messages(KOORDINATOR, of({CORES: 30}), "GPU102")
    assert "how much memory" in said
    (said,) = messages(KOORDINATOR, of({SHARED: 3, CORES: 100, MEMORY: "24Gi"}), "GPU102")
    assert "cannot be divided by koordinator.sh/gpu.shared: 3" in said
