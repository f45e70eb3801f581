"""The examples work as written, each under the policy it was written for, and the shipped policies do what they say."""

import copy
import json
from pathlib import Path

import fast_yaml
import pytest

from gpu_admission import rules
from gpu_admission.backends import registry
from gpu_admission.commands import docs
from gpu_admission.engine.engine import Engine
from gpu_admission.policyfile import loader
from gpu_admission.webhook.review.handler import Decider

FOLDER = Path(__file__).parents[2] / "examples" / "sharing"
# file -> the policy, and the rules that deny or warn
EXAMPLES = {
    "amd": ("default", []),
    "dra": ("dra", []),
    "gpushare": ("gpushare", []),
    "gpushare-visible-devices": ("gpushare", ["GPU301"]),
    "hami": ("hami", []),
    "kai": ("kai", []),
    "koordinator": ("koordinator", []),
    "mig": ("mig", []),
    "mps": ("mps", []),
    "portable": ("volcano-vgpu", []),
    "time-slicing": ("time-slicing", []),
    "two-containers": ("default", []),
    "volcano": ("volcano", []),
    "volcano-kserve": ("volcano", ["GPU205"]),
    "volcano-vgpu": ("volcano-vgpu", []),
}
SHARED = {backend.name for backend in registry.ALL} - {"exclusive"}
# What a pod of 8 GiB requests once it is admitted, and by which scheduler.
ARRIVES = {
    "default": ({"nvidia.com/gpu": 1}, None),
    "strict": ({"nvidia.com/gpu": 1}, None),
    "guardrails": ({"nvidia.com/gpu": 1}, None),
    "time-slicing": ({"nvidia.com/gpu": 1}, None),
    "mps": ({"nvidia.com/gpu": 1}, None),
    "mig": ({"nvidia.com/mig-1g.10gb": 1}, None),
    "gpushare": ({"aliyun.com/gpu-mem": 8}, None),
    "volcano": ({"volcano.sh/gpu-memory": 8192}, "volcano"),
    "volcano-vgpu": ({"volcano.sh/vgpu-number": 1, "volcano.sh/vgpu-memory": 8192}, "volcano"),
    "hami": ({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 8192}, "hami-scheduler"),
    "kai": (None, "kai-scheduler"),
    "koordinator": ({"koordinator.sh/gpu.shared": 1, "koordinator.sh/gpu-memory": "8Gi"}, "koord-scheduler"),
    "dra": (None, None),
}


def documents(name):
    return list(fast_yaml.load_all((FOLDER / f"{name}.yaml").read_text()))


def test_every_example_and_every_policy_is_tried():
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(EXAMPLES)
    assert sorted(ARRIVES) == sorted({*loader.shipped()} - {"any"}), "any translates nothing"
    assert set(ARRIVES) >= SHARED
    assert set(EXAMPLES) >= SHARED, "every backend has an example"


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_readme_says_what_each_example_shows(name):
    policy, expected = EXAMPLES[name]
    (row,) = [line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith(f"| `{name}.yaml` |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    if name != "portable":
        assert cells[1] == f"`{policy}`"
        assert cells[3] == (", ".join(expected) or "nothing")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_work_as_written(name):
    policy, expected = EXAMPLES[name]
    engine = Engine(rules.ALL, loader.load(policy))
    findings = [finding for document in documents(name) for finding in engine.validate(document)]
    assert sorted({finding.rule for finding in findings if finding.action != "audit"}) == expected


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"portable", "gpushare-visible-devices"}))
def test_an_example_in_the_backends_own_words_is_not_rewritten(name):
    engine = Engine([rule for rule in rules.ALL if rule.id[3] == "1"], loader.load(EXAMPLES[name][0]))
    for document in documents(name):
        assert engine.mutate(document).patch == ()


@pytest.mark.parametrize("name", ARRIVES)
def test_a_portable_pod_is_admitted_under_every_shipped_policy(name):
    (document,) = documents("portable")
    resources = document["spec"]["containers"][0]["resources"]
    resources["requests"] = dict(resources["limits"])
    document["spec"]["schedulerName"] = "default-scheduler"
    review = Engine(rules.ALL, loader.load(name)).review(document, "admission")
    after = review.mutation.object
    wanted, scheduler = ARRIVES[name]
    said = after["spec"]["containers"][0].get("resources", {})
    assert said.get("limits") == said.get("requests") == wanted
    assert after["spec"]["schedulerName"] == (scheduler or "default-scheduler")
    assert [finding for finding in review.findings if finding.action == "deny" and not finding.repaired] == []
    assert Engine(rules.ALL, loader.load(name)).mutate(after, "admission").patch == ()


def test_what_arrives_besides_resources():
    def admitted(name):
        (document,) = documents("portable")
        return Engine(rules.ALL, loader.load(name)).mutate(document, "admission").object

    assert admitted("kai")["metadata"]["annotations"] == {"gpu-memory": "8192"}
    assert "labels" not in admitted("kai")["metadata"]  # KAI has a queue of its own for pods that name none
    assert admitted("dra")["spec"]["resourceClaims"] == [{"name": "gpu", "resourceClaimTemplateName": "gpu"}]


@pytest.mark.parametrize("name", sorted(ARRIVES))
def test_the_shipped_policies_pass_the_check_of_policy_files(name):
    data = Path(loader.path_of(name)).read_bytes()
    assert loader.parse(data, name).name == name
    assert loader.load(name).visible_devices.get("served") == "leave"


@pytest.mark.parametrize("name", [backend.name for backend in registry.ALL if backend.sample or backend.sample_cards])
def test_the_page_shows_what_the_shipped_policies_do(name):
    policy = loader.load(name)
    backend = registry.named(name)
    said = backend.sample
    assert {key: policy.backend.parameters[key] for key in said} == said
    assert [card["model"] for card in policy.cards] == [card["model"] for card in backend.sample_cards]


def test_the_page_tells_everything_of_every_backend():
    page = docs.GENERATED["docs/backends.md"]()
    for backend in registry.ALL:
        assert f"### {backend.name}\n" in page
        assert all(what in page and why in page for what, why in backend.docs.refuses)
        assert all(trap in page for trap in backend.docs.traps)
    assert '| `gpu-mem: 8Gi` | annotation `gpu-memory: "8192"` |' in page
    assert "| `A30-24` | 24 | 1g.6gb 5.81 (4), 2g.12gb 11.4 (2), 4g.24gb 22.8 (1) |" in page
    assert "| `RTX-PRO-6000-96` | 96 | 1g.24gb 23.62 (4), 2g.48gb 47.37 (2), 4g.96gb 95 (1) |" in page
    assert "| `B300-269` | 269 | 1g.34gb 30.6 (7), 1g.67gb 66 (4), 2g.67gb 66 (3), 3g.135gb 132.9 (2)," in page


def test_every_backend_of_the_schema_is_in_the_registry():
    from gpu_admission.policyfile import schema

    assert [*registry.NAMES, "any"] == list(schema.BACKENDS)


# policy -> who writes what GPU307 refuses to users, an annotation of theirs, and who creates the pods of users there.
# Names: charts/hami (Project-HAMi/HAMi), installer/helm/chart/volcano (volcano-sh/volcano), volcano-vgpu-device-plugin.yml
# (volcano-sh/devices), config/gpushare-schd-extender.yaml and device-plugin-rbac.yaml (AliyunContainerService),
# pkg/operator/operands/binder (NVIDIA/KAI-Scheduler), rbac/koord-scheduler.yaml (koordinator-sh/charts)
WRITERS = {
    "gpushare": (
        ["kube-system:gpushare-schd-extender", "kube-system:gpushare-device-plugin"],
        "ALIYUN_COM_GPU_MEM_IDX",
    ),
    "volcano": (["volcano-system:volcano-scheduler", "kube-system:volcano-device-plugin"], "volcano.sh/gpu-index"),
    "volcano-vgpu": (
        ["volcano-system:volcano-scheduler", "kube-system:volcano-device-plugin"],
        "volcano.sh/vgpu-ids-new",
    ),
    "hami": (
        [
            f"{place}:{name}"
            for place in ("hami-system", "kube-system")
            for name in ("hami-scheduler", "hami-device-plugin")
        ],
        "hami.io/vgpu-devices-allocated",
    ),
    "kai": (["kai-scheduler:binder", "kai-scheduler:node-scale-adjuster"], "received-resource-type"),
    "koordinator": (["koordinator-system:koord-scheduler"], "scheduling.koordinator.sh/device-allocated"),
}
CREATORS = [
    *(f"kube-system:{kind}-controller" for kind in ("replicaset", "job", "daemon-set", "statefulset")),
    "volcano-system:volcano-controllers",
    "kai-scheduler:podgrouper",
    "koordinator-system:koord-manager",
    "research:default",
]


def test_every_policy_whose_backend_writes_on_pods_says_who_does():
    exempt = {name for name in loader.shipped() if loader.load(name).exempt.users}
    assert exempt == {*WRITERS, "any"}
    everybody = {f"system:serviceaccount:{account}" for accounts, _ in WRITERS.values() for account in accounts}
    assert set(loader.load("any").exempt.users.patterns) == everybody


@pytest.mark.parametrize("name", WRITERS)
def test_schedulers_mark_pods_that_run_and_nobody_else_may(name):
    accounts, annotation = WRITERS[name]
    policy = loader.load(name)
    assert sorted(policy.exempt.users.patterns) == sorted(f"system:serviceaccount:{account}" for account in accounts)
    old = next(document for document in documents(name) if document)
    old = old if old["kind"] == "Pod" else {"apiVersion": "v1", "kind": "Pod", **old["spec"]["template"]}
    new = copy.deepcopy(old)
    new["metadata"].setdefault("annotations", {})[annotation] = "0"
    for account in [*accounts, *CREATORS]:
        assert updated(policy, old, new, account) is (account in accounts), account


def updated(policy, old, new, account):
    """Whether an update of a pod by a service account is let through."""
    request = {
        "uid": "1",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "operation": "UPDATE",
        "namespace": "research",
        "userInfo": {"username": f"system:serviceaccount:{account}"},
        "object": new,
        "oldObject": old,
    }
    body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()
    return json.loads(Decider(lambda _: policy)(body, "validate").body)["response"]["allowed"]
