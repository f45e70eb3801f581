"""Metrics of an audit: what pods take of each node's GPUs, in the format that Prometheus reads."""

import re

import audit_objects
import pytest
from audit_objects import NAILED, managed, spec
from inventory.clusters import ALL, GIB, KAI, collected, node, pod
from loopback import QuietHandler, serving

from gpu_admission.audit import gpus, metrics
from gpu_admission.audit.result import AuditResult
from gpu_admission.commands import push
from gpu_admission.commands.main import main
from gpu_admission.inventory.model import Inventory, Node, Pool
from gpu_admission.registration import audit_access

GPU = "nvidia.com/gpu"


def counted(cluster, measure=gpus.CARDS, policy=None):
    """What is counted of a cluster, by node and resource."""
    return {each[1:3]: each[3:] for each in gpus.counts(collected(cluster, policy)) if each.measure == measure}


def of(name, *pods, **rest):
    """One node and pods on it; each pod is (resources, annotations)."""
    made = [pod(f"p{number}", "n1", limits, annotations=marks) for number, (limits, marks) in enumerate(pods)]
    return {"nodes": [node("n1", **rest)], "pods": made}


MEM, COUNT = "aliyun.com/gpu-mem", "aliyun.com/gpu-count"
SLICED = {
    "nvidia.com/gpu.replicas": "10",
    "nvidia.com/gpu.sharing-strategy": "time-slicing",
    "nvidia.com/gpu.count": "2",
}


def on(card, amount=6):
    return {MEM: str(amount)}, {"ALIYUN_COM_GPU_MEM_IDX": str(card)}


@pytest.mark.parametrize(
    ("pods", "taken"),
    [
        ([], 0),
        ([on(0)], 1),
        ([on(0), on(0, 4)], 1),
        ([on(0), on(1)], 2),
        ([on(0, 30), on(0, 30)], 1),  # more than it has is still one card
        ([on(-1)], 1),  # an unknown card counts as one
        ([on(9)], 1),
        ([on("x")], 1),
        ([on(0), on(-1), on(-1), on(-1), on(-1)], 4),
    ],
)
def test_a_card_that_several_share_is_one(pods, taken):
    cluster = of("n1", *pods, resources={MEM: "60", COUNT: "4"})
    assert counted(cluster) == {("n1", MEM): (4, taken, 4 - taken)}


def test_memory_is_counted_in_bytes():
    cluster = of("n1", on(0), on(0, 4), on(-1, 2), resources={MEM: "60", COUNT: "4"})
    assert counted(cluster, gpus.MEMORY) == {("n1", MEM): (60 * GIB, 12 * GIB, 48 * GIB)}


@pytest.mark.parametrize(("shares", "taken"), [([], 0), ([1], 1), ([1, 1], 2), ([1, 1, 1], 2), ([20], 2)])
def test_shares_of_cards_are_counted_beside_the_cards(shares, taken):
    cluster = of("n1", *[({GPU: str(each)}, None) for each in shares], resources={GPU: "20"}, labels=SLICED)
    assert counted(cluster) == {("n1", GPU): (2, taken, 2 - taken)}
    assert counted(cluster, gpus.REPLICAS) == {("n1", GPU): (20, sum(shares), 20 - sum(shares))}


def test_how_many_cards_have_shares_is_not_guessed():
    labels = {key: value for key, value in SLICED.items() if key != "nvidia.com/gpu.count"}
    cluster = of("n1", ({GPU: "3"}, None), resources={GPU: "20"}, labels=labels)
    assert counted(cluster) == {}
    assert counted(cluster, gpus.REPLICAS) == {("n1", GPU): (20, 3, 17)}


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_backend(name):
    """A card is counted once however many pods share it: no more are allocated than exist, and none is lost."""
    inventory = collected(ALL[name])
    found = counted(ALL[name])
    assert found
    for at, pool in inventory.pools():
        allocatable, allocated, free = found[at.name, pool.resource]
        assert allocatable == allocated + free or pool.unavailable
        if pool.measure == "memory":
            assert allocatable == sum(card.usable for card in pool.cards)
            assert allocated >= sum(card.taken for card in pool.cards if card.usable)
            assert free == sum(card.is_free for card in pool.cards) or pool.loose


def test_kai_s_shares_of_one_card_are_one():
    """Two pods have parts of one card, a third has two whole ones."""
    (pool,) = [pool for _, pool in collected(KAI).pools()]
    assert [len(card.holdings) for card in pool.cards] == [2]
    assert counted(KAI) == {("kai-1", GPU): (4, 3, 1)}


def test_pools_of_one_resource_are_one_sample():
    """Prometheus refuses all of a text in which one sample is there twice."""
    one = Node("n1")
    one.pools = [Pool("mig", GPU, "count", 2), Pool("exclusive", GPU, "count", 3)]
    text = metrics.exposition(RESULT, gpus.counts(Inventory([one])), 0)
    assert text.count("gpu_admission_gpus{") == len(gpus.STATES)
    assert 'gpu_admission_gpus{node="n1",resource="nvidia.com/gpu",state="free"} 5' in text


RESULT = AuditResult(cluster="c", policy="p", mode="enforce", namespace=None)


def test_the_text_is_one_that_prometheus_reads():
    text = metrics.exposition(RESULT, [gpus.GpuCount(gpus.CARDS, 'a"\\\nb', GPU, 8, 3, 5)], 1_795_000_000)
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
    api.serve("", "v1", "nodes", "Node", namespaced=False, objects=[node("n1", {GPU: "8"})])
    api.lists["/api/v1/pods"] += [
        audit_objects.pod("nailed", NAILED | {"nodeName": "n1"}, managedFields=managed("nodeName")),
        audit_objects.pod("b", spec(gpus=0)),
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


def test_what_may_not_be_read_is_an_error_and_what_it_does_not_touch_is_counted(filled, config, tmp_path, capsys):
    from api_standin import status

    filled.serve("resource.k8s.io", "v1", "resourceslices", "ResourceSlice", namespaced=False)
    filled.always = [lambda path, _: status(403) if path.endswith("/resourceslices") else None]
    path = tmp_path / "m"
    assert main(["audit", "--kubeconfig", config, "-A", "--fail-on", "never", "--metrics", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert (
        "resourceslices: RBAC does not allow to read it: str (what dynamic resource allocation offers is not known)"
        in err
    )
    assert 'gpu_admission_gpus{node="n1",resource="nvidia.com/gpu",state="allocated"} 1' in path.read_text()
    assert "gpu_admission_audit_problems 1" in path.read_text()


def test_the_account_of_the_audit_may_read_all_that_is_listed(filled, config, tmp_path):
    for group, version, plural, kind in (
        ("resource.k8s.io", "v1", "deviceclasses", "DeviceClass"),
        ("resource.k8s.io", "v1", "resourceslices", "ResourceSlice"),
        ("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim"),
        ("scheduling.koordinator.sh", "v1alpha1", "devices", "Device"),
    ):
        filled.serve(group, version, plural, kind)
    assert main(["audit", "--kubeconfig", config, "-A", "--fail-on", "never", "--metrics", str(tmp_path / "m")]) == 0
    readable = {
        (group, name)
        for each in audit_access.access()
        for rule in each.get("rules", ())
        for group in rule["apiGroups"]
        for name in rule["resources"]
    }
    listed = {(root.split("/")[2] if root.startswith("/apis/") else "", name)
              for root, _, name in (path.rpartition("/") for path, query in filled.requests if "limit" in query)}  # fmt: skip
    assert ("scheduling.koordinator.sh", "devices") in listed
    assert listed <= readable


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
