"""HAMi's names for the cards of other vendors, and the values of its annotations."""

import pytest
from backends.sharing import admitted, container, found, messages, pod, policy, resources

HAMI = policy("hami")
ASCEND = "huawei.com/Ascend910B3"


@pytest.mark.parametrize(
    "limits",
    [
        {ASCEND: 1},
        {ASCEND: 1, f"{ASCEND}-memory": 16384},
        {ASCEND: 1, f"{ASCEND}-memory": 16384, f"{ASCEND}-core": 50},
        {ASCEND: 2, f"{ASCEND}-memory": 65536},  # as HAMi's webhook leaves a request for two whole cards
        {"huawei.com/Ascend910C": 1},
        {"huawei.com/Ascend910C": 4},
        {"hygon.com/dcunum": 2, "hygon.com/dcumem": 2048, "hygon.com/dcucores": 60},
        {"iluvatar.ai/vgpu": 1, "iluvatar.ai/vcuda-memory": 64, "iluvatar.ai/vcuda-core": 50},
        {"iluvatar.ai/MR-V100-vgpu": 2, "iluvatar.ai/MR-V100.vCore": 200},  # as HAMi's webhook writes it
        {"metax-tech.com/sgpu": 1, "metax-tech.com/vcore": 60, "metax-tech.com/vmemory": 4},
        {"metax-tech.com/sgpu": 1, "metax-tech.com/vmemory": "4Gi"},
        {"mthreads.com/vgpu": 1, "mthreads.com/sgpu-memory": 32, "mthreads.com/sgpu-core": 8},
        {"mthreads.com/vgpu": 2, "mthreads.com/sgpu-memory": 192, "mthreads.com/sgpu-core": 32},
        {"cambricon.com/mlu.smlu.vcore": 20, "cambricon.com/mlu.smlu.vmemory": 20},
        {"enflame.com/vgcu": 1, "enflame.com/vgcu-percentage": 22},
        {"kunlunxin.com/vxpu": 1, "kunlunxin.com/vxpu-memory": 24576},
        {"amd.com/gpu": 1, "amd.com/gpumem": 8192, "amd.com/gpucores": 50},
        {"aws.amazon.com/neuron": 3},
        {"aws.amazon.com/neuroncore": 1},
        {"aws.amazon.com/neuroncore": 4},
    ],
)
def test_what_hami_serves(limits):
    assert found(HAMI, pod(limits)) == []
    assert resources(admitted(HAMI, pod(limits))[0]) == limits


@pytest.mark.parametrize(
    ("limits", "rules"),
    [
        ({ASCEND: 1, f"{ASCEND}-memory": "16Gi"}, ["GPU106"]),
        ({ASCEND: 2, f"{ASCEND}-memory": 16384}, ["GPU102"]),
        ({ASCEND: 1, f"{ASCEND}-memory": 131072}, ["GPU102"]),
        ({f"{ASCEND}-memory": 16384}, ["GPU102"]),
        ({ASCEND: 1, f"{ASCEND}-core": 150}, ["GPU108"]),
        ({"huawei.com/Ascend910C": 3, "huawei.com/Ascend910C-core": 50}, ["GPU102"]),
        ({"hygon.com/dcunum": 1, "hygon.com/dcucores": 101}, ["GPU108"]),
        ({"hygon.com/dcumem": 2048}, ["GPU102"]),
        ({"hygon.com/dcunum": 1, "hygon.com/dcumem": "2Gi"}, ["GPU106"]),
        ({"iluvatar.ai/vgpu": 1, "iluvatar.ai/vcuda-core": 200}, ["GPU108"]),
        ({"iluvatar.ai/BI-V150.vMem": 64}, ["GPU102"]),
        ({"metax-tech.com/sgpu": 2, "metax-tech.com/vcore": 150}, ["GPU108"]),
        ({"mthreads.com/vgpu": 1, "mthreads.com/sgpu-memory": 24}, ["GPU102"]),
        ({"mthreads.com/vgpu": 1, "mthreads.com/sgpu-core": 17}, ["GPU108"]),
        ({"cambricon.com/mlu.smlu.vcore": 120}, ["GPU108"]),
        ({"enflame.com/vgcu": 1, "enflame.com/vgcu-percentage": 101}, ["GPU108"]),
        ({"kunlunxin.com/vxpu-memory": 24576}, ["GPU102"]),
        ({"amd.com/gpu": 1, "amd.com/gpucores": 0}, ["GPU108"]),
        ({"amd.com/gpumem": 8192}, ["GPU102"]),
        ({"aws.amazon.com/neuroncore": 3}, ["GPU102"]),
        ({"aws.amazon.com/neuron": 1, "aws.amazon.com/neuroncore": 2}, ["GPU102"]),
    ],
)
def test_what_it_drops_or_refuses(limits, rules):
    assert found(HAMI, pod(limits)) == rules
    assert "GPU102" not in found(policy("volcano-vgpu"), pod(limits))  # unknown where HAMi does not run


def test_its_scheduler_is_set_for_its_own_words_only():
    spec = admitted(HAMI, pod({"hygon.com/dcunum": 1, "hygon.com/dcumem": 2048}))[0]["spec"]
    assert spec["schedulerName"] == "hami-scheduler"
    assert admitted(HAMI, pod({"huawei.com/Ascend910": 8}))[0]["spec"]["schedulerName"] == "default-scheduler"


@pytest.mark.parametrize("name", ["exclusive", "kai", "volcano"])
def test_neurons_names_say_nothing_about_hami_elsewhere(name):
    assert found(policy(name), pod({"aws.amazon.com/neuroncore": 3})) == []


def test_every_container_is_looked_at():
    document = pod(containers=[container({"nvidia.com/gpu": 1}, "a"), container({"hygon.com/dcumem": 2048}, "b")])
    assert found(HAMI, document) == ["GPU102"]
    (said,) = messages(HAMI, document, "GPU102")
    assert 'container "b"' in said


@pytest.mark.parametrize("amount", ["x", None, -1, "1.5", [], 10**30, "9" * 400])
def test_hostile_amounts(amount):
    for name in (
        "hygon.com/dcumem",
        "hygon.com/dcucores",
        f"{ASCEND}-memory",
        "metax-tech.com/vmemory",
        "hygon.com/dcunum",
    ):
        found(HAMI, pod({"hygon.com/dcunum": 1, ASCEND: 1, "metax-tech.com/sgpu": 1, name: amount}))


@pytest.mark.parametrize(
    ("annotation", "severity"),
    [
        ({"hami.io/node-scheduler-policy": "binpack"}, None),
        ({"hami.io/node-scheduler-policy": "bin-pack"}, "warning"),
        ({"hami.io/gpu-scheduler-policy": "binpack, numa"}, None),
        ({"hami.io/gpu-scheduler-policy": "topology"}, "warning"),
        ({"nvidia.com/vgpu-mode": "mig"}, None),
        ({"nvidia.com/vgpu-mode": "hamicore"}, "error"),
        ({"nvidia.com/vgpu-mode": ["mig"]}, "error"),
        ({"metax-tech.com/sgpu-qos-policy": "fixed-share"}, None),
        ({"metax-tech.com/sgpu-qos-policy": "fixed"}, "error"),
        ({"metax-tech.com/sgpu-app-class": "on-line"}, "error"),
        ({"huawei.com/vnpu-mode": "hami-core"}, None),
        ({"huawei.com/vnpu-mode": "hamicore"}, "warning"),
    ],
)
def test_annotations(annotation, severity):
    document = pod({"nvidia.com/gpu": 1}, annotations=annotation, schedulerName="hami-scheduler")
    _, findings = admitted(HAMI, document)
    assert [finding.severity for finding in findings] == ([severity] if severity else [])
    assert found(policy("exclusive"), document) == []


def test_priority_is_never_left_behind():
    limits = {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 3000, "nvidia.com/priority": 1}
    assert found(HAMI, pod(limits)) == []
    assert resources(admitted(HAMI, pod(limits))[0]) == limits
    after, findings = admitted(policy("volcano-vgpu"), pod(limits))
    assert resources(after) == limits
    (finding,) = [each for each in findings if each.rule == "GPU102"]
    assert "only HAMi knows priorities" in finding.message
    after, findings = admitted(policy("volcano-vgpu"), pod({**limits, "nvidia.com/priority": 0}))
    assert resources(after) == {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 3000}
    assert findings == []
