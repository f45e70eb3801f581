"""What ``gpu-admission probe`` makes of the API server's answers; tests/e2e/test_chart.py asks a real one."""

import json

import pytest
from fake_kubernetes import FakeKubernetes, served
from webhook_server import free_port

from gpu_admission import rules
from gpu_admission.cluster import probe as probes
from gpu_admission.cluster.api import _warnings
from gpu_admission.commands.main import main
from gpu_admission.engine.engine import Engine
from gpu_admission.policyfile import loader

MADE = (201, {"kind": "Pod", "spec": {}}, [])
TOLERATED = (201, {"kind": "Pod", "spec": {"tolerations": [{"key": "nvidia.com/gpu"}]}}, [])
DENIAL = 'admission webhook "pods.gpu-admission.io" denied the request: GPU301 container "probe"'
DENIED = (403, {"kind": "Status", "message": DENIAL}, [])
DOWN = (500, {"message": 'Internal error occurred: failed calling webhook "pods.gpu-admission.io": x509'}, [])
FORBIDDEN = (403, {"message": 'pods is forbidden: User "alice" cannot create resource "pods"'}, [])
OTHER = (403, {"message": 'admission webhook "other.example.com" denied the request: no'}, [])
WARNED = (201, {"kind": "Pod", "spec": {}}, ['GPU301 container "probe" …'])
STRANGE = (201, {"kind": "Pod", "spec": {"tolerations": None}}, ["something else"])


class Api:
    def __init__(self, good, bad):
        self.answers = [good, bad]
        self.asked = []

    def try_create(self, path, body):
        self.asked.append((path, body))
        return self.answers[len(self.asked) - 1]


@pytest.mark.parametrize(
    ("answer", "ok", "text"),
    [
        (MADE, True, "good pod: admitted"),
        (TOLERATED, True, "good pod: admitted, with the tolerations of GPU nodes"),
        (STRANGE, True, "good pod: admitted, with the warning: something else"),
        (DENIED, False, f"good pod: expected it to be admitted, but it was refused: {DENIAL}"),
        (FORBIDDEN, False, "good pod: expected it to be admitted, but it was refused: pods is forbidden"),
        (DOWN, False, "good pod: expected it to be admitted"),
        ((502, {}, []), False, "refused: HTTP 502"),
    ],
)
def test_the_good_pod(answer, ok, text):
    good, _ = probes.probe(Api(answer, MADE), "default", "audit")
    assert good.ok == ok
    assert text in good.text


@pytest.mark.parametrize(
    ("stage", "answer", "ok", "text"),
    [
        ("enforce", DENIED, True, f"bad pod: denied, as it should be: {DENIAL}"),
        (
            "enforce",
            MADE,
            False,
            "expected it to be denied by GPU301, but it was admitted. Either no policy applies to the namespace (it is exempt, or no GPUPolicy object matches it)",
        ),
        ("enforce", WARNED, False, "but it was admitted, with the warning: GPU301"),
        (
            "enforce",
            DOWN,
            False,
            "denied by the webhook at stage enforce, but the API server could not call the webhook:",
        ),
        ("enforce", FORBIDDEN, False, "but it was refused: pods is forbidden"),
        ("enforce", OTHER, False, 'but it was refused: admission webhook "other.example.com"'),
        ("repair", WARNED, True, "bad pod: admitted at stage repair, with the warning: GPU301"),
        ("warn", STRANGE, False, "expected it to be warned of by GPU301, but it was admitted"),
        ("warn", DENIED, False, "expected it to be admitted at stage warn, but it was refused"),
        ("audit", MADE, True, 'gpu_admission_findings_total{rule="GPU301"} counts it'),
        ("audit", DENIED, False, "expected it to be admitted at stage audit"),
    ],
)
def test_the_bad_pod(stage, answer, ok, text):
    api = Api(MADE, answer)
    _, bad = probes.probe(api, "research", stage)
    assert bad.ok == ok, bad.text
    assert text in bad.text
    assert [path for path, _ in api.asked] == ["/api/v1/namespaces/research/pods"] * 2


@pytest.mark.parametrize("name", loader.shipped())
def test_every_shipped_policy_denies_the_bad_one_and_admits_the_good_one(name):
    """The rule that the report names is the one that denies."""
    api = Api(MADE, MADE)
    probes.probe(api, "default", "audit")
    engine = Engine(rules.ALL, loader.load(name))
    found = [
        {finding.rule for finding in engine.review(pod, "admission").findings if finding.action == "deny"}
        for _, pod in api.asked
    ]
    assert found == [set(), {probes.RULE}]


@pytest.mark.parametrize(
    ("header", "texts"),
    [
        ('299 - "a"', ["a"]),
        ('299 - "a", 299 - "b \\"c\\" \\\\"', ["a", 'b "c" \\']),
        ("", []),
        ("nonsense", []),
        ('299 - "unfinished', []),
    ],
)
def test_warnings_are_read_from_their_headers(header, texts):
    assert _warnings({"Warning": header, "Other": '299 - "x"'}) == texts


def test_what_is_not_an_api_server_is_one_line(capsys, monkeypatch, tmp_path):
    """A proxy that answers in HTML, and a port on which nobody listens."""
    pytest.importorskip("kubernetes")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    config = tmp_path / "config"
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(config))
    for url, reason in (
        (None, "the API server's answer is not an object"),
        (f"http://127.0.0.1:{free_port()}", "cannot be reached"),
    ):
        with served(FakeKubernetes()) as fake:
            context = {"cluster": "c", "user": "u"}
            config.write_text(
                json.dumps(
                    {
                        "current-context": "here",
                        "clusters": [{"name": "c", "cluster": {"server": url or fake}}],
                        "users": [{"name": "u", "user": {}}],
                        "contexts": [{"name": "here", "context": context}],
                    }
                )
            )
            assert main(["probe"]) == 2
        err = capsys.readouterr().err
        assert reason in err
        assert err.count("\n") == 1


@pytest.mark.parametrize("namespace", ["", "A", "a/b", "a b", "-a", "a" * 64, "../x"])
def test_what_is_not_a_namespace_is_not_put_into_a_path(namespace, capsys):
    assert main(["probe", f"--namespace={namespace}"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("gpu-admission probe: --namespace: ")
    assert err.count("\n") == 1


def test_without_a_cluster_it_is_one_line(capsys, monkeypatch, tmp_path):
    pytest.importorskip("kubernetes")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    assert main(["probe"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("gpu-admission probe: no cluster to talk to: ")
    assert err.count("\n") == 1
