"""Policy files: the shipped ones load, and a mistake is answered with its line and the nearest valid word."""

import json
import os

import fast_yaml
import jsonschema
import pytest

from gpu_admission import rules
from gpu_admission.policyfile import loader, schema

HEAD = "apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata:\n  name: mine\n"


def parse(spec, head=HEAD):
    return loader.parse((head + spec).encode(), "p.yaml")


def mistake(spec, head=HEAD):
    with pytest.raises(loader.PolicyError) as caught:
        parse(spec, head)
    return str(caught.value)


@pytest.mark.parametrize("name", loader.shipped())
def test_every_shipped_policy_passes_the_check_that_a_users_own_must_pass(name):
    path = loader.path_of(name)
    with open(path, "rb") as file:
        policy = loader.parse(file.read(), path)
    assert policy.name == name
    assert loader.load(name).spec == policy.spec


def test_default_comes_first():
    assert loader.shipped()[0] == "default"


def test_the_policy_of_the_design_page_is_valid():
    policy = parse(
        """\
spec:
  mode: enforce
  backend: {name: volcano-vgpu, memoryFactor: 1}
  rules: {GPU005: deny, GPU206: warn, GPU009: off, GPU201: {action: warn, fix: false}}
  resources: {extra: [example.com/gpu]}
  tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule, vendors: [nvidia]}]
  schedulerName: volcano
  runtimeClassName: null
  visibleDevices: {gpuLess: void, served: leave}
  limits: {perContainer: 8, perPod: 16, counts: [1, 2, 4, 8]}
  cluster:
    cards: [{model: A100-80, memory: 80Gi, perNode: 8, mig: mixed}]
  exempt: {namespaces: [kube-system], users: ["system:serviceaccount:gpu-operator:*"]}
  workloads: [{apiVersion: example.com/v1, kind: Train, podSpecs: [/spec/template/spec]}]
"""
    )
    assert policy.backend.name == "volcano-vgpu"
    assert policy.scheduler_name == "volcano"
    assert policy.settings["GPU201"].fix is False
    assert policy.limits["counts"] == [1, 2, 4, 8]
    assert policy.classify("example.com/gpu").unit == "device"


def test_off_is_what_yaml_reads_as_false():
    assert parse("spec:\n  rules: {GPU001: off}\n").settings["GPU001"].action == "off"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            "spec: {tolerration: []}\n",
            "p.yaml:5:8: spec.tolerration: unknown key 'tolerration'; did you mean 'tolerations'?",
        ),
        ("spec:\n  mode: enforced\n", "p.yaml:6:3: spec.mode: \"enforced\" is not valid here; did you mean 'enforce'?"),
        (
            "spec:\n  rules:\n    GPU01: deny\n",
            "p.yaml:7:5: spec.rules.GPU01: there is no rule 'GPU01'; did you mean 'GPU",
        ),
        ("spec:\n  rules:\n    request-without-limit: deny\n", "did you mean 'GPU001'?"),
        ("spec:\n  rules: {GPU001: denny}\n", "did you mean 'deny'?"),
        ("spec:\n  backend: {name: hamii}\n", "there is no backend \"hamii\"; did you mean 'hami'?"),
        ("spec:\n  backend: {}\n", "spec.backend"),
        ("spec:\n  backend: {name: dra, template: GPU_large}\n", "spec.backend.template"),
        ("spec:\n  backend: {name: hami, memoryfactor: 2}\n", "did you mean 'memoryFactor'?"),
        ("spec:\n  backend: {name: kai, memoryFactor: 2}\n", "unknown key 'memoryFactor'; choose from: name, queue"),
        ("spec:\n  backend: {name: mps, hostIPC: maybe}\n", "choose from: deny, allow"),
        ("spec:\n  backend: {name: time-slicing, hostIPC: allow}\n", "unknown key 'hostIPC'"),
        ("spec:\n  resources: {extra: [gpu]}\n", "not a valid name of an extended resource"),
        ("spec:\n  cluster: {cards: [{model: X, memory: 0}]}\n", "greater than zero"),
        ("spec:\n  cluster: {cards: [{model: X, memory: 80GB}]}\n", "spec.cluster.cards.0.memory"),
        ("spec:\n  limits: {perPod: '8'}\n", "spec.limits.perPod"),
        ("spec:\n  limits: {perPod: -1}\n", "spec.limits.perPod"),
        ("spec:\n  tolerations: {key: a}\n", "spec.tolerations"),
        ("spec:\n  tolerations: [{key: a, operator: Exists, value: b}]\n", "has no value"),
        ("spec:\n  workloads: [{apiVersion: a/v1, kind: B, podSpecs: [spec]}]\n", "begins with a slash"),
        ("spec:\n  workloads: [{apiVersion: a/v1, kind: B}]\n", "the key 'podSpecs' is missing"),
        ("spec: []\n", "p.yaml:5:1: spec: expected a mapping, got a list"),
        ("spec:\n  rules: {GPU0O5: deny}\n", "did you mean 'GPU005'?"),
        ("spec:\n  rules: {GPU001: {action: warn, fixx: false}}\n", "unknown key 'fixx'; did you mean 'fix'?"),
        ("spec:\n  rules: {GPU001: {fix: 3}}\n", "spec.rules.GPU001.fix: expected true or false, got 3"),
        ("spec:\n  mode: {a: 1}\n", "a mapping is not valid here; choose from: enforce, warn, audit"),
        ("spec:\n  visibleDevices: 5\n", "expected a mapping, got 5"),
        ("spec:\n  mode: warn\n  mode: audit\n", "p.yaml:7:3"),
    ],
)
def test_a_mistake_is_named_with_its_line(spec, said):
    assert said in mistake(spec)


@pytest.mark.parametrize("said", ["deny", "allow"])
def test_the_clients_of_mps_may_be_allowed_the_nodes_memory(said):
    content = HEAD + f"spec:\n  backend: {{name: mps, replicas: 4, hostIPC: {said}}}\n"
    assert loader.parse(content.encode(), "p.yaml").backend.parameters["hostIPC"] == said


@pytest.mark.parametrize("setting", ["denny", "[deny]", "5", "{action: denny}", "{fixx: false}"])
def test_a_rule_that_is_set_wrongly_is_one_mistake(setting):
    assert len(mistake(f"spec:\n  rules: {{GPU001: {setting}}}\n").splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "contains 0"),
        (b"---\n---\n", "contains 0"),
        (HEAD.encode() * 1 + b"---\n" + HEAD.encode(), "contains 2"),
        (b"[]\n", "the file"),
        (b"just text\n", "the file"),
        (b"a: [\n", "p.yaml:"),
        (b"\xff\xfe\x00", "p.yaml:"),
        (b"a: {{ .Values.x }}\n{{ end }}\n", "template"),
        (b"[" * 100_000, "p.yaml:"),
        (b"kind: GPUPolicy\nmetadata: {name: a}\n", "'apiVersion' is missing"),
        (b"apiVersion: v1\nkind: GPUPolicy\nmetadata: {name: a}\n", "gpu-admission.io/v1alpha1"),
        (HEAD.replace("mine", "Not A Name").encode(), "metadata.name"),
    ],
)
def test_what_is_no_policy_is_refused(content, said):
    with pytest.raises(loader.PolicyError) as caught:
        loader.parse(content, "p.yaml")
    assert said in str(caught.value)


def test_several_mistakes_are_told_at_once_and_not_without_end():
    said = mistake("spec:\n" + "".join(f"  odd{i}: 1\n" for i in range(30)))
    assert said.count("\n") == 10
    assert said.endswith("and 20 more")


def test_an_unknown_name_is_answered_with_the_nearest_shipped_one():
    with pytest.raises(loader.PolicyError, match="did you mean 'default'"):
        loader.load("defualt")


@pytest.mark.parametrize("path", ["missing.yaml", "no/such/folder/p.yaml"])
def test_a_missing_file_is_named(path):
    with pytest.raises(loader.PolicyError, match="there is no such policy file"):
        loader.load(path)


def test_what_is_no_regular_file_is_never_opened(tmp_path):
    fifo = tmp_path / "p.yaml"
    os.mkfifo(fifo)
    with pytest.raises(loader.PolicyError, match="not a regular file"):
        loader.load(str(fifo))


def test_a_huge_file_is_refused(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_bytes(b"#" * (1 << 21))
    with pytest.raises(loader.PolicyError, match="1 MiB"):
        loader.load(str(path))


def test_every_backend_of_the_model_is_listed():
    text = str(schema.PolicyFile.model_json_schema())
    assert all(f"'{name}'" in text for name in schema.BACKENDS)


class TestSchema:
    def test_it_names_every_rule_so_that_editors_offer_them(self):
        offered = schema.schema()["$defs"]["Spec"]["properties"]["rules"]["properties"]
        assert {key: entry["title"] for key, entry in offered.items()} == {rule.id: rule.name for rule in rules.ALL}

    @pytest.mark.parametrize(
        ("settings", "valid"),
        [
            ({"GPU001": "deny"}, True),
            ({"GPU001": False, "GPU301": {"action": "warn", "fix": False}}, True),
            ({"GPU999": "deny"}, False),
            ({"request-without-limit": "deny"}, False),
            ({"GPU001": "denny"}, False),
            ({"GPU001": {"fixx": False}}, False),
        ],
    )
    def test_it_agrees_with_what_is_read(self, settings, valid, tmp_path):
        said = {"apiVersion": "gpu-admission.io/v1alpha1", "kind": "GPUPolicy", "metadata": {"name": "p"}}
        said["spec"] = {"rules": settings}
        assert jsonschema.Draft202012Validator(schema.schema()).is_valid(said) is valid
        path = tmp_path / "p.yaml"
        path.write_text(json.dumps(said))
        try:
            loader.load(str(path))
        except loader.PolicyError:
            assert not valid
        else:
            assert valid

    @pytest.mark.parametrize("name", loader.shipped())
    def test_the_shipped_policies_are_valid(self, name):
        said = fast_yaml.load(loader.content(loader.path_of(name)))
        jsonschema.Draft202012Validator(schema.schema()).validate(said)
