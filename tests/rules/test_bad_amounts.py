"""An invalid amount is one error, for any name and backend, and nothing of the pod is translated."""

import pytest
from backends.sharing import CORE, COUNT, MEM, POLICIES, container, pod, policy

from gpu_admission import rules
from gpu_admission.engine.engine import Engine

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

NEVER = ("0.5Gi", "8Gi", "1e30", "1e19", 1e30, 2**63 - 1)  # as a number of devices, percents, or units of memory
UNREADABLE = (-1, 1.5, "abc", "", True, [], {})
ZERO = (0, "0", 0.0)
BESIDES = ("GPU005", "GPU201", "GPU202")  # report valid requests too


# The names beside it in a request, by the backend whose name it is.
DEVICES = {
    "nvidia.com/gpu": ({}, ("exclusive", "time-slicing", "mps", "hami", "kai", "koordinator")),
    "amd.com/gpu": ({}, ("exclusive",)),
    "gpu.intel.com/i915": ({}, ("exclusive",)),
    "nvidia.com/mig-1g.10gb": ({}, ("mig", "kai")),
    "volcano.sh/gpu-number": ({}, ("volcano",)),
    "volcano.sh/vgpu-number": ({}, ("volcano-vgpu",)),
    "koordinator.sh/gpu": ({}, ("koordinator",)),
    "koordinator.sh/gpu.shared": ({"koordinator.sh/gpu-memory": "8Gi"}, ("koordinator",)),
    COUNT: ({}, tuple(POLICIES)),
}
PERCENTS = {
    "aliyun.com/gpu-core.percentage": ({"aliyun.com/gpu-mem": 8}, ("gpushare",)),
    "volcano.sh/vgpu-cores": ({"volcano.sh/vgpu-number": 1}, ("volcano-vgpu",)),
    "volcano.sh/vgpu-memory-percentage": ({"volcano.sh/vgpu-number": 1}, ("volcano-vgpu",)),
    "nvidia.com/gpucores": ({"nvidia.com/gpu": 1}, ("hami",)),
    "nvidia.com/gpumem-percentage": ({"nvidia.com/gpu": 1}, ("hami",)),
    "koordinator.sh/gpu-core": ({"koordinator.sh/gpu.shared": 1, "koordinator.sh/gpu-memory": "8Gi"}, ("koordinator",)),
    "koordinator.sh/gpu-memory-ratio": ({"koordinator.sh/gpu.shared": 1}, ("koordinator",)),
    CORE: ({MEM: "8Gi"}, tuple(POLICIES)),
}
MEMORY = {
    "aliyun.com/gpu-mem": ({}, ("gpushare",)),
    "volcano.sh/gpu-memory": ({}, ("volcano",)),
    "volcano.sh/vgpu-memory": ({"volcano.sh/vgpu-number": 1}, ("volcano-vgpu",)),
    "nvidia.com/gpumem": ({"nvidia.com/gpu": 1}, ("hami",)),
}
BYTES = {
    "koordinator.sh/gpu-memory": ({"koordinator.sh/gpu.shared": 1}, ("koordinator",)),
    MEM: ({}, tuple(POLICIES)),
}
FOREIGN = {
    "volcano.sh/vgpu-memory": "hami",
    "nvidia.com/gpumem": "volcano-vgpu",
    "aliyun.com/gpu-mem": "kai",
    "volcano.sh/gpu-memory": "gpushare",
}


def cases(table, values):
    return [
        pytest.param(backend, {**besides, name: value}, id=f"{backend}-{name}-{str(value)[:24]}")
        for name, (besides, backends) in table.items()
        for backend in backends
        for value in values
    ]


def verdict(backend, limits, **said):
    """The findings on a request, and the operations that would translate it."""
    review = Engine(rules.ALL, policy(backend)).review(pod(limits, **said), "admission")
    found = [each for each in review.findings if not each.repaired and each.rule not in BESIDES]
    return found, [each for each in review.mutation.patch if each.rule == "GPU101"]


def is_one_error(backend, limits, **said):
    found, patch = verdict(backend, limits, **said)
    assert [each.severity for each in found] == ["error"], [f"{each.rule} {each.message}" for each in found]
    assert found[0].advice
    assert not patch


EVERY = {**DEVICES, **PERCENTS, **MEMORY, **BYTES}


@pytest.mark.parametrize(("backend", "limits"), cases(EVERY, UNREADABLE))
def test_what_kubernetes_refuses_is_one_error(backend, limits):
    is_one_error(backend, limits)


@pytest.mark.parametrize(("backend", "limits"), cases({**DEVICES, **PERCENTS, **MEMORY}, NEVER))
def test_what_no_node_has_is_one_error(backend, limits):
    is_one_error(backend, limits)


@pytest.mark.parametrize(("backend", "limits"), cases(BYTES, ("1e30", "1e19", 2**63 - 1, 8, "8Ti", 8192)))
def test_bytes_that_no_gpu_has_and_forgotten_suffixes_are_one_error(backend, limits):
    is_one_error(backend, limits)


@pytest.mark.parametrize(("backend", "limits"), cases({**PERCENTS, **BYTES}, ZERO))
def test_zero_percent_and_zero_bytes_are_one_error(backend, limits):
    is_one_error(backend, limits)


@pytest.mark.parametrize(
    ("backend", "limits"),
    cases({name: MEMORY[name] for name in ("aliyun.com/gpu-mem", "volcano.sh/gpu-memory")}, (*ZERO, None)),
)
def test_zero_units_of_memory_are_one_error(backend, limits):
    is_one_error(backend, limits)


@pytest.mark.parametrize("backend", POLICIES)
@pytest.mark.parametrize("limits", [{COUNT: 0}, {MEM: 0, COUNT: 0}, {MEM: "8Gi", COUNT: 0}, {MEM: "8Gi", CORE: 0}])
def test_zero_in_the_portable_names_is_one_error(backend, limits):
    is_one_error(backend, limits)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("value", [0, 2**63 - 1, "8Gi", -1, 1.5, "abc"])
def test_foreign_words_are_no_better(name, value):
    is_one_error(FOREIGN[name], {**MEMORY[name][0], name: value})


@pytest.mark.parametrize(
    ("backend", "limits"),
    [
        ("hami", {"nvidia.com/gpu": 0, "nvidia.com/gpumem": 8192}),
        ("volcano-vgpu", {"volcano.sh/vgpu-number": 0, "volcano.sh/vgpu-memory": 8192}),
        ("koordinator", {"koordinator.sh/gpu.shared": 0, "koordinator.sh/gpu-memory": "8Gi"}),
        ("exclusive", {"nvidia.com/gpu": 0, "nvidia.com/gpumem": 8192}),
    ],
)
def test_memory_of_no_card_is_one_error(backend, limits):
    is_one_error(backend, limits)


@pytest.mark.parametrize(
    ("backend", "limits"),
    [
        *((name, {"nvidia.com/gpu": 0}) for name in POLICIES),
        ("hami", {"nvidia.com/gpu": 0, "nvidia.com/gpumem": 0}),
        ("hami", {"nvidia.com/gpu": 0, "nvidia.com/gpumem": 0, "nvidia.com/gpucores": 0}),
        ("volcano-vgpu", {"volcano.sh/vgpu-number": 0, "volcano.sh/vgpu-memory": 0}),
        ("volcano", {"volcano.sh/gpu-number": 0, "volcano.sh/gpu-memory": 0}),
        ("koordinator", {"koordinator.sh/gpu": 0}),
        ("mig", {"nvidia.com/mig-1g.10gb": 0}),
        ("exclusive", {"amd.com/gpu": 0}),
    ],
)
def test_zero_devices_mean_none_and_are_no_error(backend, limits):
    """A chart's default for "no GPU": legal, and warned of, because the image may see every card all the same."""
    found, patch = verdict(backend, limits)
    assert {(each.rule, each.severity) for each in found} == {("GPU006", "warning")}
    assert not patch


@pytest.mark.parametrize("backend", ["gpushare", "hami", "kai"])
def test_a_zero_beside_a_good_request_asks_for_nothing(backend):
    found, _ = verdict(backend, {"nvidia.com/gpu": 1, "volcano.sh/gpu-memory": 0})
    assert not found


@pytest.mark.parametrize("backend", ["hami", "gpushare"])
def test_a_null_in_a_part_of_a_container_deletes_a_key(backend):
    part = {"name": "main", "resources": {"limits": {"aliyun.com/gpu-mem": None, MEM: None}}}
    whole = {**part, "image": "example.com/image:1"}
    for each, count in ((part, 0), (whole, 1)):
        engine = Engine(rules.ALL, policy(backend))
        found = engine.validate(pod(containers=[each]), "file")
        assert len([finding for finding in found if finding.rule == "GPU102"]) == count


@pytest.mark.parametrize("zero", [0, "0", "-1", "1.5", "0.5Gi", "abc", "1e30", str(2**63 - 1), "", None, 4000, [], {}])
@pytest.mark.parametrize("name", ["gpu-memory", "gpu-fraction", "gpu-fraction-num-devices"])
def test_the_annotations_of_kai(name, zero):
    besides = {"gpu-memory": "4000"} if name == "gpu-fraction-num-devices" else {}
    is_one_error("kai", None, annotations={**besides, name: zero})


@pytest.mark.parametrize("amount", [0, "0", "-1", "1.5", "abc", "1e30", str(2**63 - 1), "", None, 4000, [], {}])
@pytest.mark.parametrize("backend", ["kai", "hami", "exclusive"])
def test_the_annotations_of_kai_for_one_container(backend, amount):
    is_one_error(backend, None, annotations={"nvidia.com/container.main.gpu-memory.request": amount})


@pytest.mark.parametrize(
    ("limits", "requests"),
    [
        ({MEM: "8Gi", "aliyun.com/gpu-mem": 8}, None),
        ({MEM: "8Gi", "aliyun.com/gpu-mem": 16}, None),
        ({MEM: "8Gi", "nvidia.com/gpu": 1}, None),
        ({"aliyun.com/gpu-mem": 8, "volcano.sh/gpu-memory": 4096}, None),
        ({"volcano.sh/gpu-memory": 4096, "nvidia.com/gpu": 1, "nvidia.com/gpumem": 8192}, None),
        ({MEM: "8Gi"}, {MEM: "16Gi"}),
        ({"aliyun.com/gpu-mem": 8}, {"aliyun.com/gpu-mem": 16}),
    ],
)
@pytest.mark.parametrize("backend", ["gpushare", "volcano-vgpu", "hami", "kai", "koordinator", "dra"])
def test_one_request_said_twice_is_one_error(backend, limits, requests):
    made = container(limits)
    made["resources"]["requests"] = requests or limits
    is_one_error(backend, None, containers=[made])


@pytest.mark.parametrize("bad", [0, -1, 1.5, 8, "1e30", "abc", 2**63 - 1])
@pytest.mark.parametrize("backend", POLICIES)
def test_a_pod_is_never_half_translated(backend, bad):
    good, wrong = container({MEM: "8Gi"}, "good"), container({MEM: bad}, "wrong")
    found, patch = verdict(backend, None, containers=[good, wrong])
    assert [each.container for each in found if each.severity == "error"] == ["wrong"]
    assert not patch


def test_a_warning_about_one_container_keeps_none_from_being_translated():
    native = container({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 0}, "native")
    found, patch = verdict("hami", None, containers=[native, container({MEM: "8Gi"}, "portable")])
    assert {(each.rule, each.severity, each.container) for each in found} == {("GPU106", "warning", "native")}
    assert patch
