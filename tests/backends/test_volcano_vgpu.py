"""Volcano's vGPU: what a request must contain for the scheduler and the device plugin to count it."""

import pytest
from backends.sharing import admitted, container, found, messages, pod, policy, resources

VGPU = policy("volcano-vgpu")
NUMBER, MEMORY, CORES = (f"volcano.sh/vgpu-{name}" for name in ("number", "memory", "cores"))
MODE = "volcano.sh/vgpu-mode"


@pytest.mark.parametrize("limits", [{MEMORY: 2048}, {MEMORY: 2048, CORES: 30}, {CORES: "30", MEMORY: "2Ki"}])
def test_the_number_that_is_missing_is_written(limits):
    left, findings = admitted(VGPU, pod(limits))
    assert resources(left) == {NUMBER: 1, **limits}
    assert findings == []


def test_in_a_file_requests_stay_limits():
    document = pod(containers=[{"name": "a", "image": "b", "resources": {"limits": {MEMORY: 2048}}}])
    left, _ = admitted(VGPU, document, "file")
    assert left["spec"]["containers"][0]["resources"] == {"limits": {MEMORY: 2048, NUMBER: 1}}


def test_only_where_nothing_is_wrong():
    broken = pod(containers=[container({MEMORY: 2048}), container({CORES: 30}, "other")])
    left, findings = admitted(VGPU, broken)
    assert resources(left) == {MEMORY: 2048}
    assert {finding.rule for finding in findings if finding.severity == "error"} == {"GPU102"}


@pytest.mark.parametrize("limits", [{NUMBER: 1}, {NUMBER: 1, CORES: 30}, {NUMBER: 2, MEMORY: 2048, CORES: 30}])
def test_what_is_counted(limits):
    assert found(VGPU, pod(limits)) == []
    assert resources(admitted(VGPU, pod(limits))[0]) == limits


def test_compute_alone_is_not():
    (said,) = messages(VGPU, pod({CORES: 30}), "GPU102")
    assert "allocates nothing for compute alone" in said


@pytest.mark.parametrize("mode", ["hami-core", "mig", "mps"])
def test_modes(mode):
    assert found(VGPU, pod({NUMBER: 1}, annotations={MODE: mode})) == []


@pytest.mark.parametrize(
    ("mode", "meant"),
    [("hamicore", "hami-core"), ("MIG", "mig"), ("mips", "mps"), ("time-slicing", ""), (1, ""), ([], "")],
)
def test_other_modes(mode, meant):
    document = pod({NUMBER: 1}, annotations={MODE: mode})
    assert found(VGPU, document) == ["GPU102"]
    (said,) = messages(VGPU, document, "GPU102")
    assert "is not a mode of sharing" in said
    assert found(policy("hami"), pod({"nvidia.com/gpu": 1}, annotations={MODE: mode})) == []
    from gpu_admission import rules
    from gpu_admission.engine.engine import Engine

    (finding,) = [each for each in Engine(rules.ALL, VGPU).validate(document) if each.rule == "GPU102"]
    assert (f"{MODE}: {meant}" if meant else "one of hami-core, mig and mps") in finding.advice
