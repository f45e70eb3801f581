"""GPU012, GPU013 and GPU209 on inputs that are right, or undecidable."""

import pytest

from rules.table import engine, one, pod, requesting

GPU = "nvidia.com/gpu"


def variable(value, count=1, name="CUDA_VISIBLE_DEVICES", **more):
    return requesting({"limits": {GPU: count}}, env=[{"name": name, "value": value}], **more)


@pytest.mark.parametrize("value", ["", "0", "-1", "all", "none", "GPU-8f", "MIG-1", "0,GPU-8f", "$(CARD)", "0 1", "٣"])
def test_lists_of_cards_that_are_right_or_not_numbers(value):
    assert engine("GPU013").validate(pod(variable(value))) == []


@pytest.mark.parametrize("value", ["1", "0,1", " 3 ", "7,0", "1" * 30])
@pytest.mark.parametrize("role", ["containers", "initContainers", "sidecars"])
def test_numbers_beyond_the_last_card_in_every_role(value, role):
    where = {"containers": "containers"}.get(role, "initContainers")
    more = {"restartPolicy": "Always"} if role == "sidecars" else {}
    found = engine("GPU013").validate(
        {
            **pod(),
            "spec": {where: [variable(value, **more)], "containers": []}
            if where != "containers"
            else {where: [variable(value)]},
        }
    )
    assert [each.rule for each in found] == ["GPU013"]


@pytest.mark.parametrize(
    "resources",
    [
        {"limits": {"nvidia.com/gpumem": 4000}},
        {"limits": {GPU: "x"}},
        {"limits": {GPU: 0}},
        {"limits": {"amd.com/gpu": 1}},
    ],
)
def test_cards_that_nobody_can_count(resources):
    entry = {"name": "CUDA_VISIBLE_DEVICES", "value": "4"}
    assert engine("GPU013").validate(one(resources, env=[entry])) == []


def test_a_privileged_container_sees_every_card():
    assert engine("GPU013").validate(pod(variable("4", securityContext={"privileged": True}))) == []


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("nvidia.com/gpu.present", "true"),
        ("nvidia.com/gpu.present", "false"),
        ("nvidia.com/gpu.present", "maybe"),
        ("nvidia.com/gpu.present", True),
        ("nvidia.com/gpu.present", ["true"]),
        ("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB"),
        ("nvidia.com/gpu.product", "Tesla-T4"),
        ("cloud.google.com/gke-accelerator", "nvidia-l4"),
        ("cloud.google.com/gke-accelerator", "nvidia-l40"),
        ("cloud.google.com/gke-accelerator", "x" * 5000),
        ("cloud.google.com/gke-accelerator", "{{ .Values.card }}"),
        ("example.com/gpu", "yes"),
    ],
)
def test_values_of_labels_that_are_right_or_nobodys(label, value):
    assert engine("GPU209").validate(pod(requesting({"limits": {GPU: 1}}), nodeSelector={label: value})) == []


@pytest.mark.parametrize("spec", [None, [], {"metrics": None}, {"metrics": [None, 1, {"resource": [GPU]}]}])
def test_autoscalers_of_any_shape(spec):
    manifest = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {}, "spec": spec}
    assert engine("GPU012").validate(manifest) == []
