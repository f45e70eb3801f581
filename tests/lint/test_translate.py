"""gpu-admission translate through its front door."""

import io
import json
import sys

import fast_yaml
import pytest

from gpu_admission.commands.main import main

VOLCANO = """\
# serves the model
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  schedulerName: volcano   # where the queue is
  containers:
  - name: serve   # the only one
    image: i
    resources:
      limits:
        cpu: 4
        volcano.sh/vgpu-number: 1
        volcano.sh/vgpu-memory: 8192
"""
WHOLE = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers: [{name: a, image: i, resources: {limits: {nvidia.com/gpu: 2}}}]
"""
PORTABLE = WHOLE.replace("nvidia.com/gpu: 2", "gpu-admission.io/gpu-mem: 10Gi")
TWICE = PORTABLE.replace("10Gi", "10Gi, gpu-admission.io/gpu-count: 2")


def translated(capsys, *arguments):
    code = main(["translate", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_authors_bytes_are_kept_around_the_translation(file, capsys):
    code, out, err = translated(capsys, "--to", "hami", file(VOLCANO))
    assert (code, err) == (0, "")
    expected = VOLCANO.replace("schedulerName: volcano", "schedulerName: hami-scheduler")
    expected = expected.replace("volcano.sh/vgpu-number", "nvidia.com/gpu")
    assert out == expected.replace("volcano.sh/vgpu-memory", "nvidia.com/gpumem")


def test_the_file_itself_is_not_touched(file, capsys):
    name = file(VOLCANO)
    translated(capsys, "--to", "hami", name)
    with open(name) as kept:
        assert kept.read() == VOLCANO


def test_a_diff_is_a_patch(file, capsys):
    code, out, _ = translated(capsys, "--to", "gpushare", "--diff", file(VOLCANO))
    assert code == 0
    assert "--- a/p.yaml\n+++ b/p.yaml\n" in out
    assert "-        volcano.sh/vgpu-memory: 8192\n+        aliyun.com/gpu-mem: 8\n" in out


def test_standard_input_is_read(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PORTABLE.encode())))
    code, out, _ = translated(capsys, "--to", "koordinator", "-")
    assert code == 0
    limits = fast_yaml.load(out)["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"koordinator.sh/gpu.shared": 1, "koordinator.sh/gpu-memory": "10Gi"}


def test_what_is_refused_is_left_and_told(file, capsys):
    code, out, err = translated(capsys, "--to", "gpushare", file(TWICE))
    assert code == 1
    assert out == TWICE
    assert err.startswith("p.yaml:5:")
    assert "GPU102" in err
    assert "gpushare gives a container one GPU" in err


def test_amounts_that_nobody_can_read_are_told(file, capsys):
    code, out, err = translated(capsys, "--to", "hami", file(PORTABLE.replace("10Gi", "10GB")))
    assert code == 1
    assert out == PORTABLE.replace("10Gi", "10GB")
    assert "GPU004" in err


@pytest.mark.parametrize(("target", "arrives"), [("gpushare", None), ("dra", None), ("kai", None)])
def test_whole_gpus_are_left_alone_unless_they_are_named(file, capsys, target, arrives):
    _, out, _ = translated(capsys, "--to", target, file(WHOLE))
    limits = fast_yaml.load(out)["spec"]["containers"][0]["resources"]["limits"]
    assert limits == {"nvidia.com/gpu": 2}


def test_whole_gpus_are_translated_on_request(file, capsys):
    code, out, _ = translated(capsys, "--to", "dra", "--from", "exclusive", file(WHOLE))
    assert code == 0
    pod, template = fast_yaml.load_all(out)
    assert pod["spec"]["resourceClaims"] == [{"name": "gpu", "resourceClaimTemplateName": "gpu-2x"}]
    assert template["metadata"]["name"] == "gpu-2x"
    assert template["spec"]["spec"]["devices"]["requests"][0]["exactly"] == {
        "deviceClassName": "gpu.nvidia.com",
        "count": 2,
    }


def test_only_what_is_named_is_translated(file, capsys):
    code, out, _ = translated(capsys, "--to", "hami", "--from", "gpushare", file(VOLCANO))
    assert (code, out) == (0, VOLCANO)
    code, out, _ = translated(capsys, "--to", "hami", "--from", "gpushare", "--from", "volcano-vgpu", file(VOLCANO))
    assert code == 0
    assert "nvidia.com/gpumem: 8192" in out


def test_shares_of_unknown_size_are_refused(file, capsys):
    code, _, err = translated(capsys, "--to", "hami", "--from", "time-slicing", file(VOLCANO), file(WHOLE, "w.yaml"))
    assert code == 0, "HAMi reads nvidia.com/gpu itself"
    code, _, err = translated(capsys, "--to", "volcano-vgpu", "--from", "time-slicing", "w.yaml")
    assert code == 1
    assert "whose size only the cluster it was written for knows" in err


def test_a_policys_cards_and_parameters_count(file, capsys):
    policy = file(
        "apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata: {name: mine}\n"
        "spec: {backend: {name: mig}, cluster: {cards: [{model: H200-141}]}}\n",
        "policy.yaml",
    )
    _, out, _ = translated(capsys, "--to", "mig", "-p", policy, file(PORTABLE))
    assert "nvidia.com/mig-1g.18gb: 1" in out
    _, out, _ = translated(capsys, "--to", "mig", "p.yaml")
    assert "nvidia.com/mig-1g.20gb: 1" in out, "the shipped policy's cards"


def test_a_scheduler_of_the_authors_own_is_kept(file, capsys):
    text = VOLCANO.replace("schedulerName: volcano", "schedulerName: mine")
    code, out, err = translated(capsys, "--to", "hami", file(text))
    assert code == 1
    assert "schedulerName: mine" in out
    assert "GPU202" in err


def test_a_scheduler_that_the_target_does_not_use_is_told(file, capsys):
    code, out, err = translated(capsys, "--to", "gpushare", file(VOLCANO))
    assert code == 0
    assert "schedulerName: volcano" in out
    assert "p.yaml: schedulerName: volcano stays" in err


CHOSEN = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: serve}
spec:
  template:
    metadata: {annotations: {nvidia.com/use-gputype: A100, nvidia.com/vgpu-mode: hami-core}}
    spec:
      containers:
        - {name: serve, image: example.com/serve:1, resources: {limits: {nvidia.com/gpu: 1, nvidia.com/gpumem: 8000}}}
"""


@pytest.mark.parametrize("target", ["kai", "volcano-vgpu", "koordinator", "gpushare"])
def test_a_choice_of_cards_that_the_target_does_not_read_is_told(file, capsys, target):
    code, out, err = translated(capsys, "--to", target, file(CHOSEN))
    assert code == 0
    assert "nvidia.com/use-gputype: A100" in out
    assert 'p.yaml: Deployment serve: annotation nvidia.com/use-gputype: "A100" stays: only HAMi' in err
    assert "vgpu-mode" not in err


def test_nothing_is_told_of_it_where_nothing_is_translated(file, capsys):
    assert translated(capsys, "--to", "hami", file(CHOSEN))[2] == ""


def test_claims_come_with_their_templates(file, capsys):
    code, out, _ = translated(capsys, "--to", "dra", file(PORTABLE), file(TWICE, "t.yaml"))
    assert code == 0
    documents = list(fast_yaml.load_all(out))
    names = {one["metadata"]["name"] for one in documents if one["kind"] == "ResourceClaimTemplate"}
    assert names == {"gpu-10gi", "gpu-2x-10gi"}
    used = [one["spec"]["resourceClaims"][0]["resourceClaimTemplateName"] for one in documents if one["kind"] == "Pod"]
    assert set(used) == names


def test_json_stays_json_and_the_templates_are_shown_apart(file, capsys):
    pod = json.dumps(fast_yaml.load(PORTABLE))
    _, out, err = translated(capsys, "--to", "dra", file(pod, "p.json"))
    assert json.loads(out)["spec"]["resourceClaims"]
    assert "kind: ResourceClaimTemplate" in err


def test_a_diff_shows_the_templates_apart(file, capsys):
    _, out, err = translated(capsys, "--to", "dra", "--diff", file(PORTABLE))
    assert "kind: ResourceClaimTemplate" not in out
    assert "kind: ResourceClaimTemplate" in err


def test_wrong_usage(file, capsys):
    assert translated(capsys, "--to", "hami", "--from", "hami", file(WHOLE))[0] == 2
    assert translated(capsys, "--to", "hami", "-p", "nowhere", "p.yaml")[0] == 2
    with pytest.raises(SystemExit) as caught:
        main(["translate", "--to", "nowhere", "p.yaml"])
    assert caught.value.code == 2


def test_a_file_that_cannot_be_read_does_not_stop_the_others(file, capsys):
    code, out, err = translated(capsys, "--to", "hami", file("a: [", "bad.yaml"), file(PORTABLE))
    assert code == 2
    assert "nvidia.com/gpumem: 10240" in out
    assert "bad.yaml:1:" in err
