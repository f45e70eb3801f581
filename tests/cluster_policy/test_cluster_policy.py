"""A policy from what a cluster shows: the right backend, valid whatever the cluster holds, and without drift."""

import pytest
from api_standin import ApiStandin, kubeconfig, standin, status

from gpu_admission.backends import registry
from gpu_admission.cluster_policy import detect, drift, observation, write
from gpu_admission.cluster_policy.observation import Observation, gpu_node, programs
from gpu_admission.commands.main import main
from gpu_admission.policyfile import loader

GPU = "nvidia.com/gpu"
A100 = {
    "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
    "nvidia.com/gpu.memory": "81920",
    "nvidia.com/gpu.count": "8",
}


def node(name="n1", amounts=None, labels=None, taints=(), annotations=None):
    return {
        "metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": {"cpu": "8", **({GPU: "8"} if amounts is None else amounts)}},
    }


def program(image, kind="DaemonSet", namespace="system", name="d"):
    spec = {"containers": [{"name": "c", "image": image}]}
    return {"kind": kind, "metadata": {"namespace": namespace, "name": name}, "spec": {"template": {"spec": spec}}}


def observed(*nodes, runs=(), namespaces=("kube-system", "default"), queues=None, classes=(), problems=(), webhooks=()):
    return Observation(
        nodes=tuple(filter(None, map(gpu_node, nodes))),
        namespaces=frozenset(namespaces),
        programs=tuple(each for obj in runs for each in programs(obj)),
        device_classes=tuple(classes),
        queues=queues or {},
        webhooks=tuple(webhooks),
        problems=tuple(problems),
    )


SHARED = {"nvidia.com/gpu.sharing-strategy": "time-slicing", "nvidia.com/gpu.replicas": "4"}
MPS = {"nvidia.com/gpu.sharing-strategy": "mps", "nvidia.com/gpu.replicas": "3"}
SINGLE = {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", "nvidia.com/mig.strategy": "single"}
# what the nodes show -> the backend and its parameters
CASES = {
    "whole cards": (observed(node(labels=A100)), "exclusive", {}),
    "AMD": (observed(node(amounts={"amd.com/gpu": "8"})), "exclusive", {}),
    "time-slicing": (
        observed(node(amounts={GPU: "32"}, labels=A100 | SHARED)), "time-slicing", {"replicas": 4, "renameByDefault": False},
    ),
    "time-slicing, renamed": (
        observed(node(amounts={"nvidia.com/gpu.shared": "32"}, labels=SHARED)), "time-slicing", {"replicas": 4, "renameByDefault": True},
    ),
    "MPS": (observed(node(amounts={"nvidia.com/gpu.shared": "24"}, labels=MPS)), "mps", {"replicas": 3, "renameByDefault": True}),
    "MIG, mixed": (
        observed(node(amounts={"nvidia.com/mig-1g.10gb": "7"}, labels=A100 | {"nvidia.com/mig.strategy": "mixed"})), "mig", {"strategy": "mixed"},
    ),
    "MIG, single": (observed(node(labels=SINGLE)), "mig", {"strategy": "single"}),
    "gpushare": (observed(node(amounts={"aliyun.com/gpu-mem": "640", "aliyun.com/gpu-count": "8"}, labels=A100)), "gpushare", {"unit": "GiB"}),
    "gpushare in MiB": (observed(node(amounts={"aliyun.com/gpu-mem": "655360"}, labels=A100)), "gpushare", {"unit": "MiB"}),
    "Volcano": (observed(node(amounts={"volcano.sh/gpu-memory": "655360"})), "volcano", {}),
    "Volcano vGPU": (observed(node(amounts={"volcano.sh/vgpu-number": "80", "volcano.sh/vgpu-memory": "655360"})), "volcano-vgpu", {}),
    "HAMi by its register": (observed(node(amounts={GPU: "80"}, annotations={"hami.io/node-nvidia-register": "…"})), "hami", {}),
    "KAI by its queues": (observed(node(labels=A100), queues={"kai": ("research", "default-queue")}), "kai", {"queue": "default-queue"}),
    "Koordinator": (observed(node(amounts={"koordinator.sh/gpu-core": "800", "koordinator.sh/gpu-memory": "640Gi"})), "koordinator", {}),
    "DRA": (observed(classes=["gpu.nvidia.com"]), "dra", {}),
    "nothing": (observed(node(amounts={})), "exclusive", {}),
}  # fmt: skip


def made(found, tmp_path, **options):
    text = write.policy_text(found, **options)
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return loader.load(str(path)), text


@pytest.mark.parametrize("case", CASES)
def test_the_backend_and_its_parameters(case, tmp_path):
    found, backend, parameters = CASES[case]
    policy, text = made(found, tmp_path)
    assert policy.backend.name == backend
    assert parameters.items() <= policy.backend.parameters.items()
    assert policy.mode == "audit"
    assert "Found: " in text or case == "nothing"
    assert drift.drift(policy, found) == [] or case == "nothing"


def test_every_backend_can_be_found():
    assert {backend for _, backend, _ in CASES.values()} >= set(detect.ORDER)
    assert set(detect.ORDER) <= set(registry.NAMES)


@pytest.mark.parametrize("name", ["hami", "kai", "koordinator"])
def test_a_backend_that_shares_the_device_plugins_name_is_found_by_its_programs(name):
    parts = registry.named(name).components
    images = [image.replace("*", "x") for part in parts for image in part.images]
    namespaces = [namespace for part in parts for namespace in part.namespaces]
    ran = [program(f"{image}:v1") for image in images] + [program("x", namespace=each) for each in namespaces]
    for one in ran:
        found = detect.candidates(observed(node(labels=A100), runs=[one]))
        assert [candidate.name for candidate in found] == [name, "exclusive"]
        assert found[0].evidence[0].startswith("DaemonSet ")


@pytest.mark.parametrize(
    ("product", "memory", "model"),
    [
        ("NVIDIA-A100-SXM4-80GB", 81920, "A100-80"),
        ("NVIDIA-A100-SXM4-40GB", 40960, "A100-40"),
        ("A100-PCIE-40GB", 0, "A100-40"),
        ("NVIDIA-H100-80GB-HBM3", 81559, "H100-80"),
        ("NVIDIA-H100-NVL", 95830, "H100-94"),
        ("NVIDIA-H200", 143771, "H200-141"),
        ("NVIDIA-B200", 183359, "B200-180"),
        ("NVIDIA-A30", 24576, "A30-24"),
        ("NVIDIA-L40S", 46068, None),
        ("NVIDIA-A100-SXM4-80GB", 9728, None),
        ("", 0, None),
    ],
)
def test_the_model_of_a_product(product, memory, model):
    assert detect.model_of(product, memory) == model


def test_cards_tolerations_and_exemptions(tmp_path):
    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    own = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    nodes = [node(f"n{number}", labels=A100, taints=[taint, own]) for number in range(3)]
    nodes.append(node("odd", labels={"nvidia.com/gpu.product": "NVIDIA-L40S", "nvidia.com/gpu.memory": "46068"}))
    nodes.append(node("bare"))
    found = observed(*nodes, namespaces=["gpu-operator", "team"], problems=["/x: RBAC does not allow to read it"])
    policy, text = made(found, tmp_path, name="research")
    assert policy.name == "research"
    assert policy.cards == (
        {"model": "A100-80", "product": "NVIDIA-A100-SXM4-80GB", "perNode": 8},
        {"model": "NVIDIA-L40S", "memory": "46068Mi"},
    )
    assert policy.tolerations == ({"key": GPU, "operator": "Exists", "effect": "NoSchedule", "vendors": ["nvidia"]},)
    assert policy.spec["exempt"]["namespaces"] == ["kube-system", "gpu-admission", "gpu-operator"]
    assert "1 of 5 nodes with GPUs have no label nvidia.com/gpu.product" in text
    assert "# Unknown: /x: RBAC does not allow to read it" in text
    assert "on 3 nodes" in text


HOSTILE = ["a\nspec: {}", "x: y", "- a", "#", '"', "'", "{}", "\x1b[31m", "*", "!!python/object:x", "yes", "1", "é", "&a", "%"]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_cluster_holds_the_policy_is_valid(text, tmp_path):
    labels = {"nvidia.com/gpu.product": text, "nvidia.com/gpu.memory": "81920", "nvidia.com/mig.strategy": text}
    taint = {"key": text, "value": text, "effect": text}
    found = observed(
        node(text, labels=labels, taints=[taint]),
        runs=[program("nvcr.io/nvidia/k8s-device-plugin:v1", namespace=text, name=text)],
        namespaces=[text, "gpu-operator"],
        queues={"kai": ("default-queue", text)},
        classes=[text],
        problems=[text],
        webhooks=[text],
    )
    policy, written = made(found, tmp_path, name=text, cluster=text)
    assert "\x1b" not in written
    assert all("\x1b" not in line and "\n" not in line for line in drift.drift(policy, found))


@pytest.mark.parametrize(
    "raw",
    [{}, {"metadata": None}, {"status": {"allocatable": []}}, node(amounts={GPU: None, "aliyun.com/gpu-mem": "x"}), node(amounts={GPU: -1}),
     node(amounts={GPU: "1e99"}), node(amounts={GPU: [1]}, labels={"nvidia.com/gpu.memory": "٣", "nvidia.com/gpu.count": "9" * 99})],
)  # fmt: skip
def test_nodes_of_any_shape(raw):
    found = gpu_node(raw)
    assert found is None or all(0 < amount <= observation._LARGEST for amount in found.amounts.values())


POLICY = {
    "backend": {"name": "time-slicing", "replicas": 2, "memory": "advisory"},
    "cluster": {"cards": [{"model": "A100-80", "perNode": 4}, {"model": "H100-80"}]},
    "tolerations": [{"key": "amd.com/gpu", "operator": "Exists"}],
    "resources": {"extra": ["example.com/card"]},
    "exempt": {"namespaces": ["gone", "team-*", "kube-system"]},
}


def test_what_has_drifted():
    from gpu_admission.policy.model import Policy

    taint = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    l40s = {"nvidia.com/gpu.product": "NVIDIA-L40S", "nvidia.com/gpu.memory": "46068"}
    nodes = [node("a", labels=A100 | SHARED, taints=[taint]), node("b", labels=l40s)]
    plugin = program("nvcr.io/nvidia/k8s-device-plugin:v1", namespace="gpu-operator")
    operator = program("nvcr.io/nvidia/gpu-operator:v1", namespace="gpu-operator", kind="Deployment")
    lines = drift.drift(Policy("p", POLICY), observed(*nodes, runs=[plugin, operator]))
    text = "\n".join(lines)
    for expected in (
        "backend.replicas is 2, and the cluster shows 4: write 4",
        "cluster.cards: perNode of A100-80 is 4, and nodes show 8",
        "cluster.cards has H100-80, which no node has: remove it",
        "1 node has NVIDIA-L40S, which cluster.cards does not know",
        "1 node with GPUs has the taint nvidia.com/gpu=present:NoSchedule, which no entry of tolerations tolerates",
        "resources.extra has example.com/card, which no node with GPUs offers",
        "exempt.namespaces has gone, which does not exist",
        "NVIDIA GPU Operator runs in gpu-operator (Deployment gpu-operator/d), which is not exempt",
    ):
        assert expected in text, (expected, text)
    assert len(lines) == 8


def test_device_classes_that_are_not_there():
    from gpu_admission.policy.model import Policy

    spec = {"cluster": {"claims": {"classes": ["gpu.nvidia.com", "gone.example.com", "team-*"]}}}
    lines = drift.drift(Policy("p", spec), observed(node(labels=A100), classes=["gpu.nvidia.com", "mig.nvidia.com"]))
    (line,) = lines
    assert line.startswith("cluster.claims.classes has gone.example.com, which the cluster does not have")
    assert line.endswith("it has the DeviceClasses gpu.nvidia.com, mig.nvidia.com")


def test_another_backend_than_the_clusters():
    found = observed(node(amounts={"aliyun.com/gpu-mem": "80"}))
    assert (
        "backend.name is hami, of which the cluster shows nothing; it shows gpushare"
        in drift.drift(loader.load("hami"), found)[0]
    )
    assert not [line for line in drift.drift(loader.load("any"), found) if "backend" in line]
    assert "no node offers a GPU" in drift.drift(loader.load("hami"), observed())[0]


class TestCommand:
    @pytest.fixture
    def api(self):
        api = ApiStandin()
        api.serve("", "v1", "nodes", "Node", namespaced=False, objects=[node(labels=A100)])
        api.serve("apps", "v1", "daemonsets", "DaemonSet")
        api.lists["/api/v1/namespaces"].append({"metadata": {"name": "kube-system"}})
        return api

    @pytest.fixture
    def config(self, api, tmp_path):
        pytest.importorskip("kubernetes")
        with standin(api) as url:
            yield kubeconfig(tmp_path, url)

    def test_init_and_then_check(self, config, tmp_path, capsys):
        assert main(["policy", "init", "--kubeconfig", config, "--context", "here"]) == 0
        path = tmp_path / "policy.yaml"
        path.write_text(capsys.readouterr().out)
        assert "A policy for here" in path.read_text()
        assert main(["policy", "check", str(path), "--kubeconfig", config]) == 0
        assert f"{path}: agrees with the cluster" in capsys.readouterr().out

    def test_drift_is_1(self, config, tmp_path, capsys):
        path = tmp_path / "policy.yaml"
        path.write_text(loader.source("gpushare"))
        assert main(["policy", "check", str(path), "--context", "here", "--kubeconfig", config]) == 1
        assert f"{path}: backend.name is gpushare, of which the cluster shows nothing" in capsys.readouterr().out

    def test_without_a_cluster_nothing_is_asked(self, api, config, tmp_path, capsys):
        path = tmp_path / "policy.yaml"
        path.write_text(loader.source("gpushare"))
        assert main(["policy", "check", str(path)]) == 0
        assert api.requests == []

    @pytest.mark.parametrize("command", [["init"], ["check", "policies/default.yaml"]])
    def test_a_cluster_that_cannot_be_looked_at_is_one_line_and_2(self, api, config, command, capsys):
        api.always = [lambda *_: status(401)]
        assert main(["policy", *command, "--kubeconfig", config]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "credentials are not accepted" in err

    def test_what_may_not_be_read_is_said_in_the_policy(self, api, config, capsys, tmp_path):
        api.always = [lambda path, _: status(403, "no") if path != "/api/v1/nodes" and path.count("/") > 2 else None]
        assert main(["policy", "init", "--kubeconfig", config]) == 0
        said = capsys.readouterr()
        assert "# Unknown: /api/v1/namespaces: RBAC does not allow to read it" in said.out
        assert "/api/v1/namespaces: RBAC does not allow" in said.err
        (tmp_path / "p.yaml").write_text(said.out)
        assert loader.load(str(tmp_path / "p.yaml")).name == "cluster"
