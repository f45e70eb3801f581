"""What need not be parsed: nothing in which a rule could have a finding, however its letters are escaped."""

import json
import os
from pathlib import Path

import fast_yaml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_admission import rules
from gpu_admission.engine.reads import NOTHING
from gpu_admission.lint.file_linter import FileLinter, LintOptions
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.rules import relevance
from gpu_admission.rules.tolerations import TAINT_KEYS
from gpu_admission.workloads import resources

from policies import ALL  # isort: skip

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

ANY = loader.load("any")
EVERY = [*ALL, Policy("everything", {"rules": {rule.id: "warn" for rule in rules.ALL}})]
ORDINARY = b"""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {prometheus.io/scrape: "true"}}
spec:
  template:
    spec:
      containers:
        - {name: web, image: "example.com/web@sha256:abc", env: [{name: A, value: "x\\ty\\n"}]}
"""
# What most pods of a cluster are, as the API server stores them.
STORED = b"""\
{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-5d8f7c9b4-x2x4z","generateName":"web-5d8f7c9b4-","namespace":"shop",
"labels":{"app":"web","pod-template-hash":"5d8f7c9b4"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet",
"name":"web-5d8f7c9b4","uid":"0","controller":true}]},"spec":{"volumes":[{"name":"kube-api-access-x2x4z","projected":{
"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}}],"defaultMode":420}}],"containers":[{"name":
"web","image":"example.com/web:1","resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"1","memory":"1Gi"}},
"terminationMessagePath":"/dev/termination-log","imagePullPolicy":"IfNotPresent","securityContext":{"runAsUser":1}}],
"restartPolicy":"Always","dnsPolicy":"ClusterFirst","nodeName":"node-1","schedulerName":"default-scheduler","tolerations":[
{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],"priority":0,
"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}}"""
CORPUS = os.environ.get("GPU_LINT_CORPUS")


class Source:
    name = "a.yaml"
    relative = "a.yaml"
    path = None


def made(policy):
    return relevance.Relevance(rules.ALL, policy)


@pytest.mark.parametrize("policy", ["any", "default", "hami", "volcano-vgpu"])
def test_what_most_pods_are_is_passed_over(policy):
    assert not made(loader.load(policy)).may_matter(STORED)


@pytest.mark.parametrize("rule", rules.ALL, ids=lambda rule: rule.id)
def test_every_example_of_a_rule_is_read(rule):
    turn = rules.ALL.index(rule)
    for policy in (ALL[turn % len(ALL)], ALL[(turn + 7) % len(ALL)], ALL[-1]):
        own = Policy("own", {**policy.spec, **rule.policy}).selecting(frozenset({rule.id}))
        assert relevance.Relevance([rule], own).may_matter(rule.bad.encode()), policy.name


@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
def test_findings_are_the_same_both_ways(policy):
    for rule in rules.ALL:
        own = Policy("own", {**policy.spec, **rule.policy})
        for text in (rule.bad, rule.good):
            found = []
            for parse_all in (False, True):
                settings = LintOptions(own)
                settings.parse_all = parse_all
                outcome, _ = FileLinter(settings).judge(Source(), text.encode())
                found.append([each.finding for each in outcome.findings])
            assert found[0] == found[1]


@pytest.mark.skipif(not CORPUS, reason="GPU_LINT_CORPUS names no folder of manifests")
@pytest.mark.parametrize("policy", ALL, ids=lambda policy: policy.name)
def test_a_corpus_has_the_same_findings_both_ways(policy):
    quick, full = LintOptions(policy), LintOptions(policy)
    full.parse_all = True
    one, other = FileLinter(quick), FileLinter(full)
    for path in sorted(Path(CORPUS).rglob("*.y*ml")):
        data = path.read_bytes()
        if not made(policy).may_matter(data):
            assert other.judge(Source(), data)[0].findings == [], path
            assert one.judge(Source(), data)[0].findings == []


def test_every_rule_that_judges_pods_without_gpus_says_what_it_reads():
    for rule in rules.ALL:
        if rule.scope == "pod" and rule.reads is NOTHING:
            assert rule.id in relevance.UNDECLARED, f"{rule.id} declares no markers (reads=, or in relevance.py)"


def test_ordinary_files_are_not_read():
    for policy in ALL:
        expected = policy.visible_devices.get("everyPod") is True
        assert made(policy).may_matter(ORDINARY) is expected, policy.name


MISSPELT = [
    "nvidia.com/gpus", "nvidai.com/gpu", "nvidia/gpu", "NVIDIA.com/GPU", "gpu", "nvidia", "mig-1g.5gb", "mig1g.5gb",
    "gogle.com/tpu", "google.com/tpuu", "habana.ai/gaudii", "habna.ai/gaudi", "aws.amazon.com/neurn", "hygon.com/dcus",
    "tpu", "xe", "tiles", "i915", "mlu", "vxpu-mem", "ascend310", "gpu.intl.com/memory.max", "enflme.com/gcu-memory",
]  # fmt: skip


@pytest.mark.parametrize("name", [*resources.known_names(), *TAINT_KEYS, *MISSPELT])
def test_names_and_what_is_nearly_one_are_found(name):
    for text in (f"a: {name}", f'"{name}": 1', f"x:\n  {name.upper()}: 1", f"[{name}]"):
        assert made(ANY).may_matter(text.encode()), text


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"resources": {"extra": ["example.com/thing"]}}, "example.com/thing: 1"),
        ({"resources": {"extra": ["example.com/thing"]}}, "exmple.com/thing: 1"),
        ({"tolerations": [{"key": "acme.dev/pool", "operator": "Exists"}]}, "key: acme.dev/pol"),
        ({"rules": {"GPU310": "warn"}}, "envFrom: [{secretRef: {name: x}}]"),
        ({"rules": {"GPU507": "warn"}}, "privileged: true"),
        ({}, "volumes: [{name: d, hostPath: {path: /dev}}]"),
        ({}, "envFrom: [{prefix: N, secretRef: {name: x}}]"),
        ({}, "schedulerName: kai-scheduler"),
        ({"visibleDevices": {"everyPod": True}}, "kind: Pod"),
    ],
)
def test_what_a_policy_adds(spec, text):
    assert made(Policy("own", spec)).may_matter(text.encode())
    assert not made(Policy("own", spec)).may_matter(b"a: b") or spec.get("visibleDevices")


def escaped(letters, how):
    """A text in double quotes of YAML or JSON, each letter written or escaped in one of their ways."""
    ways = [
        lambda c: c,
        lambda c: f"\\x{ord(c):02x}",
        lambda c: f"\\u{ord(c):04X}",
        lambda c: f"\\U{ord(c):08x}",
        lambda c: "\\/" if c == "/" else c,
        lambda c: f"{c}\\\n    ",
        lambda c: f"{c}\\\r\n  ",
    ]
    return '"' + "".join(ways[way % len(ways)](letter) for letter, way in zip(letters, how, strict=True)) + '"'


@given(data=st.data())
def test_no_spelling_hides_a_name(data):
    name = data.draw(st.sampled_from([*resources.known_names(), "NVIDIA_VISIBLE_DEVICES", "hostPath", "mig-1g.5gb"]))
    how = data.draw(st.lists(st.integers(0, 6), min_size=len(name), max_size=len(name)))
    text = f"a:\n  - {escaped(name, how)}\n".encode()
    assert fast_yaml.load(text) == {"a": [name]}
    assert made(ANY).may_matter(text)


@given(name=st.sampled_from(list(resources.known_names())), ways=st.lists(st.booleans(), min_size=80, max_size=80))
def test_no_spelling_of_json_hides_a_name(name, ways):
    text = '{"' + "".join(f"\\u{ord(c):04x}" if way else c for c, way in zip(name, ways, strict=False)) + '": 1}'
    assert json.loads(text) == {name: 1}
    assert made(ANY).may_matter(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "a: &x tpu\nb: *x\n", "a: 'tpu'\n", "a: !!str tpu\n", "? tpu\n: 1\n", "a: |\n  tpu\n", "a: {tpu: 1}", "\ufeffa: tpu",
        "a: \u212aoordinator.sh/x", "a: \u0130ntel.com/x", "%YAML 1.1\n---\na: tpu\n", "a: >-\n  x\n  tpu\n",
    ],
)  # fmt: skip
def test_other_spellings_hide_nothing(text):
    assert made(ANY).may_matter(text.encode())


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_read_and_refused(codec):
    assert made(ANY).may_matter("tpu: 1".encode(codec))


def test_a_word_at_the_edge_of_a_slice_is_found():
    for before in range((1 << 18) - 8, (1 << 18) + 2):
        assert made(ANY).may_matter(b"a " * (before // 2) + b"x" * (before % 2) + b" gaudi " + b"b " * 10)
        assert not made(ANY).may_matter(b"a " * (before // 2) + b"b " * 10)
    assert made(ANY).may_matter(b"envFrom: " + b"a " * (1 << 19) + b"prefix")


class TestTheCommandLine:
    def test_what_is_not_parsed_has_no_errors(self, tmp_path, capsys):
        from gpu_admission.commands import lint

        (tmp_path / "a.yaml").write_text("a: 1\na: 2\nb: [")
        assert lint.main([str(tmp_path), "--no-config", "-f", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["summary"]["files"] == 1
        assert lint.main([str(tmp_path), "--no-config", "--parse-all"]) == 2
