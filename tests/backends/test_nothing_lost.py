"""A translation loses nothing: an amount that makes no difference to it is rejected, not dropped."""

import itertools

import pytest

import policies
from gpu_admission import rules
from gpu_admission.backends import kai_annotations, registry
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.rules import backend_plan
from gpu_admission.workloads import resources, share_annotations, workload

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

CARDS = {"cluster": {"cards": [{"model": "A100-80", "perNode": 8}]}}
TARGETS = [
    *(each for each in policies.SHIPPED if each.name in {"default", "volcano-vgpu"}),
    *(Policy(f"{name} with cards", {"backend": {"name": name}, **CARDS}) for name in ("hami", "koordinator")),
]
SYSTEMS = sorted({"portable", "nvidia", "hami", "gpushare", "volcano", "volcano-vgpu", "koordinator", "mig"})
AMOUNTS = {
    "nvidia.com/gpumem": (8192,),
    "aliyun.com/gpu-mem": (8,),
    "volcano.sh/gpu-memory": (8192,),
    "volcano.sh/vgpu-memory": (8192,),
    "nvidia.com/priority": (1,),
    "koordinator.sh/gpu-memory": ("8Gi",),
    "gpu-admission.io/gpu-mem": ("8Gi",),
    "koordinator.sh/gpu": (50, 200),
}
BY_UNIT = {"device": (1, 2), "memory": (8192,), "percent": (50,), "cores": (30,)}


def names_of(system):
    if system == "mig":
        return ["nvidia.com/mig-1g.10gb", "nvidia.com/mig-2g.20gb"]
    found = [name for name in resources.known_names() if resources.classify(name).system == system]
    return ["nvidia.com/gpu", *found] if system == "hami" else found


def requests(system):
    """Every combination of a system's names with every amount of each."""
    names = names_of(system)
    for size in range(1, min(len(names), 4) + 1):
        for chosen in itertools.combinations(names, size):
            amounts = [AMOUNTS.get(name) or BY_UNIT[resources.classify(name).unit] for name in chosen]
            for values in itertools.product(*amounts):
                yield dict(zip(chosen, values, strict=True))


def pod(limits, annotations=None):
    container = {"name": "c", "image": "i", "resources": {"limits": limits}}
    metadata = {"name": "p", "annotations": annotations or {}, "labels": {"kai.scheduler/queue": "q"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def translated(made, policy):
    """What the pod's request was read as, of which the translation is made; None where nothing is translated."""
    (view,) = workload.read(made, policy)
    for _, plan in backend_plan.of_pods(view, policy):
        if plan.translatable and plan.translations:
            return [one.source.read(one.native_request, plan.facts.elsewhere()) for one in plan.translations]
    return None


def is_default(name, value, others):
    """Whether an amount is redundant: one card; as many as the percents of all cards make."""
    if name == "koordinator.sh/gpu.shared" and others.get("koordinator.sh/gpu") == 100 * value:
        return True
    return value in {1, "1", "1.0"} and (name == kai_annotations.DEVICES or resources.classify(name).unit == "device")


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_word_of_resources_counts(system):
    counted = 0
    for policy in TARGETS:
        for limits in requests(system):
            result = translated(pod(limits), policy)
            if result is None:
                continue
            counted += 1
            for name in limits if len(limits) > 1 else ():
                rest = {key: value for key, value in limits.items() if key != name}
                if not is_default(name, limits[name], rest):
                    assert translated(pod(rest), policy) != result, (policy.name, limits, name, result)
    assert counted > 1, "no request in these words was translated at all"


SAID = {
    kai_annotations.MEMORY: "8192",
    kai_annotations.FRACTION: "0.5",
    kai_annotations.MEMORY_LIMIT: "8Gi",
    kai_annotations.FRACTION_LIMIT: "0.6",
    kai_annotations.DEVICES: "2",
    kai_annotations.CONTAINER: "c",
    f"{share_annotations.CONTAINER_PREFIX}c.{kai_annotations.REQUEST}": "8Gi",
    f"{share_annotations.CONTAINER_PREFIX}c.{kai_annotations.LIMIT}": "8Gi",
    f"{share_annotations.CONTAINER_PREFIX}c.{kai_annotations.COMPUTE}": "0.3",
}
# Both agree where both are given, and the limit of memory equals its request.
SAME_TWICE = {
    kai_annotations.CONTAINER,
    kai_annotations.MEMORY,
    kai_annotations.MEMORY_LIMIT,
    *(key for key in SAID if "gpu-memory." in key),
}


def test_every_word_of_annotations_counts():
    counted = 0
    for policy in TARGETS:
        for size in (1, 2, 3, 4):
            for chosen in itertools.combinations(SAID, size):
                said = {key: SAID[key] for key in chosen}
                result = translated(pod({}, said), policy)
                if result is None:
                    continue
                counted += 1
                for name in said.keys() - SAME_TWICE:
                    rest = {key: value for key, value in said.items() if key != name}
                    assert translated(pod({}, rest), policy) != result, (policy.name, said, name, result)
    assert counted > 5


@pytest.mark.parametrize(
    ("limits", "lost"),
    [
        ({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 8192, "nvidia.com/gpumem-percentage": 50}, "nvidia.com/gpumem-percentage: 50"),
        ({"koordinator.sh/gpu.shared": 1, "koordinator.sh/gpu-memory": "8Gi", "koordinator.sh/gpu-memory-ratio": 10}, "koordinator.sh/gpu-memory-ratio: 10"),
        ({"nvidia.com/gpu": 1, "nvidia.com/pgpu": 1}, "nvidia.com/pgpu: 1"),
        ({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 8192, "nvidia.com/vgpu-cores": 30}, "nvidia.com/vgpu-cores: 30"),
    ],
)  # fmt: skip
def test_the_message_names_what_would_be_lost(limits, lost):
    policy = next(each for each in policies.SHIPPED if each.name == "volcano-vgpu").spec
    everything = Policy("all sources", {**policy, "translateFrom": ["hami", "koordinator", "exclusive"]})
    found = [each for each in Engine(rules.ALL, everything).validate(pod(limits)) if each.rule == "GPU102"]
    assert [lost in each.message for each in found] == [True]


def test_a_fraction_beside_memory_is_one_or_the_other():
    said = {"gpu-fraction": "0.5", f"{share_annotations.CONTAINER_PREFIX}c.{kai_annotations.REQUEST}": "4Gi"}
    policy = Policy("hami", {"backend": {"name": "hami"}, **CARDS})
    (found,) = (each for each in Engine(rules.ALL, policy).validate(pod({}, said)) if each.rule == "GPU102")
    assert 'gpu-fraction: "0.5" would be lost' in found.message


def test_a_reader_that_reports_nothing_translates_nothing(monkeypatch):
    """A backend that does not report what it consumed fails at once."""
    reader = registry.reader("portable")
    read = reader.read

    def forgetful(native_request, facts):
        request = read(native_request, facts)
        request.consumed = frozenset()
        return request

    monkeypatch.setattr(reader, "read", forgetful)
    policy = Policy("fresh", {"backend": {"name": "hami"}})
    assert translated(pod({"gpu-admission.io/gpu-mem": "8Gi"}), policy) is None
