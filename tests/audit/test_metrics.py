"""Metrics of an audit: what pods take of each node's GPUs, in the format that Prometheus reads."""

import json
import re

import pytest
from audit_objects import NAILED, managed, pod, spec
from loopback import QuietHandler, serving

from gpu_admission.audit import gpus, listed, metrics
from gpu_admission.audit.result import AuditResult
from gpu_admission.commands import push
from gpu_admission.commands.main import main

GPU = "nvidia.com/gpu"


def container(amount, name=GPU, **rest):
    return {"name": "c", "resources": {"requests": {name: amount, "cpu": "4"}, "limits": {name: amount}}, **rest}


def read(obj):
    found = listed.read(json.dumps(obj).encode())
    assert found is not None
    return found


def bound(*containers, init=(), node="n1", phase="Running"):
    return read(pod("p", {"nodeName": node, "containers": list(containers), "initContainers": list(init)}, phase=phase))


def node(name="n1", **allocatable):
    return {"metadata": {"name": name}, "status": {"allocatable": {"cpu": "8", **allocatable}}}


def counted(*pods, nodes=({GPU: "8"},)):
    tally = gpus.GpuTally()
    for each in pods:
        tally.add_pod(each)
    for number, amounts in enumerate(nodes, 1):
        tally.add_node(node(f"n{number}", **amounts))
    return [tuple(each) for each in tally.counts()]


SIDECAR = {"restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("containers", "init", "taken"),
    [
        ([container("1")], [], 1),
        ([container("1"), container(2)], [], 3),
        ([container("1")], [container("4")], 4),
        ([container("3")], [container("2"), container("1")], 3),
        ([container("1")], [container("1", **SIDECAR)], 2),
        ([container("1")], [container("1", **SIDECAR), container("3")], 4),
        ([container("1")], [container("3"), container("1", **SIDECAR)], 3),
        ([{"name": "c"}], [], 0),
    ],
)
def test_what_a_pod_takes_is_what_the_scheduler_reserves(containers, init, taken):
    assert counted(bound(*containers, init=init)) == [("n1", GPU, 8, taken)]


def test_only_pods_that_hold_something_count():
    pods = [
        bound(container("1")),
        bound(container("1"), phase="Succeeded"),
        bound(container("1"), node=""),
        bound(container("1"), node="gone"),
        bound(container("8", "example.com/other")),
    ]
    assert counted(*pods) == [("n1", GPU, 8, 1)]


def test_nodes_and_names_of_every_sort():
    found = counted(
        bound(container("40", "aliyun.com/gpu-mem"), node="n1"),
        bound(container("2", "amd.com/gpu"), node="n2"),
        nodes=({"aliyun.com/gpu-mem": "640"}, {"amd.com/gpu": 1}, {}),
    )
    assert found == [("n1", "aliyun.com/gpu-mem", 640, 40), ("n2", "amd.com/gpu", 1, 2)]
    assert gpus.GpuCount("n", GPU, 1, 2).free == 0


@pytest.mark.parametrize(
    "body", [None, [], {"containers": 7}, {"containers": [7]}, {"nodeName": "n1", "containers": [{"resources": {"requests": []}}]},
             {"nodeName": "n1", "containers": [{"resources": {"requests": {GPU: "x", "amd.com/gpu": None}}}]},
             {"nodeName": "n1", "containers": [{"resources": {"requests": {GPU: "1e99"}}}]}],
)  # fmt: skip
def test_specs_of_any_shape_take_nothing(body):
    obj = pod("p", {})
    obj["spec"] = body
    assert counted(read(obj)) == [("n1", GPU, 8, 0)]


def test_the_text_is_one_that_prometheus_reads():
    result = AuditResult(cluster="c", policy="p", mode="enforce", namespace=None)
    text = metrics.exposition(result, [gpus.GpuCount('a"\\\nb', GPU, 8, 3)], 1_795_000_000)
    sample = re.compile(r'[a-z_]+(\{([a-z]+="(\\.|[^"\\\n])*",?)+\})? \d+')
    for line in text.splitlines():
        assert line.startswith("# ") or sample.fullmatch(line), line
    assert 'gpu_admission_gpus{node="a\\"\\\\\\nb",resource="nvidia.com/gpu",state="free"} 5' in text
    assert "gpu_admission_audit_timestamp_seconds 1795000000" in text


@pytest.fixture
def gateway():
    """What stands in for a Pushgateway: ``(url, what was put, the next status)``."""
    put, answer = [], [200]

    class Handler(QuietHandler):
        def _answer(self):
            put.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            body = b"pushed metrics are invalid" if answer[0] >= 400 else b""
            self.begin(answer[0], len(body))
            self.wfile.write(body)

        do_PUT = _answer  # noqa: N815 - the name that http.server looks for

    with serving(Handler) as url:
        yield url, put, answer


@pytest.fixture
def filled(api):
    api.serve("", "v1", "nodes", "Node", namespaced=False, objects=[node(**{GPU: "8"})])
    api.lists["/api/v1/pods"] += [
        pod("nailed", NAILED | {"nodeName": "n1"}, managedFields=managed("nodeName")),
        pod("b", spec(gpus=0)),
    ]
    for each in api.lists["/api/v1/pods"]:
        for one in each["spec"]["containers"]:
            one["resources"]["requests"] = one["resources"].get("limits", {})
    return api


def test_metrics_go_to_a_gateway_and_a_file(filled, config, gateway, tmp_path, capsys):
    url, put, _ = gateway
    path = tmp_path / "audit.prom"
    words = ["audit", "--kubeconfig", config, "-A", "--fail-on", "never", "--push", url, "--metrics", str(path)]
    assert main(words) == 0
    assert capsys.readouterr().err == ""
    ((target, text),) = put
    assert target == "/metrics/job/gpu-admission-audit"
    assert text == path.read_text()
    assert 'gpu_admission_audit_findings{rule="GPU203",namespace="team",admission="deny"} 1' in text
    assert 'gpu_admission_gpus{node="n1",resource="nvidia.com/gpu",state="allocated"} 1' in text
    assert "gpu_admission_audit_problems 0" in text


def test_a_gateway_that_refuses_is_one_line_and_2(filled, config, gateway, capsys):
    url, _, answer = gateway
    answer[0] = 400
    assert main(["audit", "--kubeconfig", config, "-A", "--push", url]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "answered 400: pushed metrics are invalid" in err


def test_a_gateway_that_is_away(filled, config, capsys):
    assert main(["audit", "--kubeconfig", config, "-A", "--push", "http://127.0.0.1:9"]) == 2
    assert "cannot be reached" in capsys.readouterr().err


def test_nodes_that_may_not_be_read_are_an_error(filled, config, tmp_path, capsys):
    from api_standin import status

    filled.always = [lambda path, _: status(403) if path == "/api/v1/nodes" else None]
    assert main(["audit", "--kubeconfig", config, "-A", "--metrics", str(tmp_path / "m")]) == 2
    assert "GPUs are not counted" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url", ["", "gateway:9091", "ftp://x", "http://", "file:///etc/passwd", "http://x?y", "http://[", "/x"]
)
def test_what_is_no_url_of_a_gateway(url):
    with pytest.raises(push.PushError, match="expected http://HOST:PORT"):
        push.check(url)


@pytest.mark.parametrize(
    "words", [["--push", "http://x"], ["-A", "--since", "1h", "--metrics", "m"], ["-A", "--metrics", "/no/where/m"]]
)
def test_options_that_do_not_fit(words, config, capsys):
    assert main(["audit", "--kubeconfig", config, *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
