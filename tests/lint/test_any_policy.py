"""The linter's default policy: each pod by the rules of the system whose names it uses, nothing translated."""

import json

import pytest
from reviews import review

from gpu_admission import rules
from gpu_admission.backends import known, per_pod, registry
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.workloads import workload

ANY = loader.load("any")
ENGINE = Engine(rules.ALL, ANY)
SYSTEMS = {
    "gpushare": {"aliyun.com/gpu-mem": 8},
    "volcano": {"volcano.sh/gpu-memory": 8192},
    "volcano-vgpu": {"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 8192},
    "hami": {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 4000},
    "koordinator": {"koordinator.sh/gpu-core": 50, "koordinator.sh/gpu-memory-ratio": 50},
    "exclusive": {"nvidia.com/gpu": 1},
    "any": {"gpu-admission.io/gpu-mem": "8Gi"},
}


def pod(*limits, **spec):
    containers = [
        {"name": f"c{index}", "image": "example.com/train:1", "resources": {"limits": each}}
        for index, each in enumerate(limits)
    ]
    metadata = {"name": "p", **spec.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers, **spec}}


def found(obj, severity="warning"):
    ranks = ("error", "warning", "info")
    return [each.rule for each in ENGINE.validate(obj) if ranks.index(each.severity) <= ranks.index(severity)]


def chosen(obj):
    (view,) = workload.read(obj, ANY)
    return per_pod.backend_name(view.pods[0], ANY)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_names_of_a_request_choose_the_backend(name):
    obj = pod(SYSTEMS[name])
    assert chosen(obj) == name
    assert found(obj) == []


@pytest.mark.parametrize("name", SYSTEMS)
def test_nothing_is_translated_and_no_request_changes(name):
    obj = pod(SYSTEMS[name])
    for unsafe in (False, True):
        made = ENGINE.mutate(obj, unsafe=unsafe, consent=True)
        assert "GPU101" not in made.applied
        assert made.object["spec"]["containers"] == obj["spec"]["containers"]


@pytest.mark.parametrize("spec", [{"schedulerName": "kai-scheduler"}, {}])
def test_annotations_choose_kai(spec):
    obj = pod({}, metadata={"annotations": {"gpu-fraction": "0.5"}, "labels": {"kai.scheduler/queue": "q"}}, **spec)
    assert chosen(obj) == "kai"
    assert found(obj) == []


@pytest.mark.parametrize(("scheduler", "name"), [("hami-scheduler", "hami"), ("kai-scheduler", "kai")])
def test_schedulers_that_allocate_whole_cards_choose_their_backend(scheduler, name):
    obj = pod({"nvidia.com/gpu": 1}, schedulerName=scheduler)
    assert chosen(obj) == name
    assert found(obj) == []
    assert chosen(pod({}, schedulerName=scheduler)) == "exclusive"
    assert chosen(pod(SYSTEMS["volcano"], schedulerName=scheduler)) == "volcano"
    assert chosen(pod({"nvidia.com/gpu": 1}, schedulerName="volcano")) == "exclusive"


@pytest.mark.parametrize(
    ("spec", "limits", "rules"),
    [
        (
            {"schedulerName": "kai-scheduler", "metadata": {"annotations": {"mps": "true"}}},
            {"nvidia.com/gpu": 1},
            ["GPU102"],
        ),
        (
            {"schedulerName": "hami-scheduler", "metadata": {"annotations": {"nvidia.com/vgpu-mode": "mog"}}},
            {"nvidia.com/gpu": 1},
            ["GPU102"],
        ),
        ({"schedulerName": "hami-scheduler"}, {"hygon.com/dcunum": 1, "hygon.com/dcumem": "4Gi"}, ["GPU106"]),
        ({"schedulerName": "hami-scheduler"}, {"mthreads.com/vgpu": 1, "mthreads.com/sgpu-core": 17}, ["GPU108"]),
        ({}, {"mthreads.com/vgpu": 1, "mthreads.com/sgpu-core": 17}, []),
    ],
)
def test_what_such_a_scheduler_refuses_is_found(spec, limits, rules):
    assert found(pod(limits, **spec)) == rules


def test_an_annotation_that_anybody_may_use_chooses_nothing():
    assert chosen(pod({}, metadata={"annotations": {"gpu-memory": "8192"}})) == "exclusive"


def test_every_system_that_shares_cards_is_tried():
    assert {*SYSTEMS, "kai"} >= known.SHARES_CARDS - {"mps", "time-slicing"}, "those two share nvidia.com/gpu itself"


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 4000, "nvidia.com/gpumem-percentage": 50}, "GPU102"),
        ({"nvidia.com/gpu": 1, "nvidia.com/gpumem-percentage": 150}, "GPU108"),
        ({"nvidia.com/gpu": 1, "nvidia.com/gpumem": "8Gi"}, "GPU106"),
        ({"gpu-admission.io/gpu-mem": 8}, "GPU106"),
        ({"gpu-admission.io/gpu-mem": 0}, "GPU102"),
        ({"volcano.sh/vgpu-number": 1, "aliyun.com/gpu-mem": 8}, "GPU103"),
        ({"nvidia.com/gpu": 1, "amd.com/gpu": 1}, "GPU103"),
        ({"nvidia.com/gpu": 1, "gpu-admission.io/gpu-mem": "8Gi"}, "GPU103"),
    ],
)
def test_mistakes_of_the_system_itself_are_found(limits, rule):
    assert rule in found(pod(limits))


def test_systems_in_different_containers_are_left_alone_where_a_node_may_offer_both():
    assert "GPU103" not in found(pod(SYSTEMS["hami"], {"nvidia.com/gpu": 1}))
    assert "GPU101" not in found(pod(SYSTEMS["hami"], SYSTEMS["any"]), "info")


def test_another_scheduler_is_a_warning_and_an_unset_one_no_safe_repair():
    named = [each for each in ENGINE.validate(pod(SYSTEMS["hami"], schedulerName="mine")) if each.rule == "GPU202"]
    assert [(each.severity, each.fix) for each in named] == [("warning", None)]
    assert "in this cluster" not in named[0].message
    unset = [each for each in ENGINE.validate(pod(SYSTEMS["hami"])) if each.rule == "GPU202"]
    assert [(each.severity, each.fix) for each in unset] == [("info", "unsafe")]
    assert ENGINE.mutate(pod(SYSTEMS["hami"])).object["spec"].get("schedulerName") is None


def test_a_queue_is_the_clusters_matter():
    obj = pod({}, metadata={"annotations": {"gpu-fraction": "0.5"}}, schedulerName="kai-scheduler")
    assert found(obj, "error") == []


def test_a_quota_that_only_some_scheduler_counts_is_no_error():
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}}
    assert found({**quota, "spec": {"hard": {"limits.nvidia.com/gpu": 4}}}, "error") == []
    assert found({**quota, "spec": {"hard": {"limits.amd.com/gpu": 4}}}, "error") == ["GPU010"]


def test_advice_on_half_a_gpu_claims_nothing_about_the_cluster():
    (finding,) = [each for each in ENGINE.validate(pod({"nvidia.com/gpu": 0.5})) if each.rule == "GPU003"]
    assert "policy" not in finding.advice
    assert "sharing system" in finding.advice


def test_thousands_of_containers_in_other_names_are_not_refused_for_their_number():
    assert found(pod(SYSTEMS["hami"], *[SYSTEMS["any"]] * 600)) == []


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_answers_are_those_of_the_systems_own_policy(name):
    own = Engine(rules.ALL, Policy("own", {"backend": {"name": name}}))
    mistakes = {"GPU102", "GPU103", "GPU105", "GPU106", "GPU107", "GPU108"}
    for amount in (0, 1, 3, 101, 70000, "16Gi", "1e9"):
        obj = pod(dict.fromkeys(SYSTEMS[name], amount))
        wanted = [each.message for each in own.validate(obj) if each.rule in mistakes]
        assert [each.message for each in ENGINE.validate(obj) if each.rule in mistakes] == wanted


def test_a_policy_of_ones_own_may_say_any():
    text = loader.source("any").replace("name: any\nspec", "name: mine\nspec")
    assert loader.parse(text.encode(), "mine.yaml").backend.name == "any"
    assert registry.named("any").name == "any"
    assert "any" not in registry.NAMES


def test_a_webhook_can_serve_it():
    from gpu_admission.webhook.review.handler import Decider

    decide = Decider(lambda _: ANY)
    body = json.dumps(review(pod(SYSTEMS["hami"]))).encode()
    for endpoint in ("mutate", "validate"):
        assert json.loads(decide(body, endpoint).body)["response"]["allowed"] is True


class TestTheCommandLine:
    def test_it_is_the_default(self, lint):
        lint.write("a.yaml", "{}")
        assert lint("-f", "json", "a.yaml").json["policy"] == "any"

    @pytest.mark.parametrize("name", SYSTEMS)
    def test_fix_leaves_the_request_alone(self, lint, name):
        path = lint.write("a.yaml", json.dumps(pod(SYSTEMS[name], tolerations=[{"operator": "Exists"}])))
        before = path.read_bytes()
        assert lint("--fix", "--min-severity", "info", "a.yaml").code == 0
        assert path.read_bytes() == before
