"""``gpu-admission inspect`` through its front door, against an API server's stand-in that fails as they do."""

import json

import fast_yaml
import pytest
from api_standin import CUT, ApiStandin, Reply, kubeconfig, standin, status
from inventory.clusters import DRA, GPUSHARE, KOORDINATOR, pod

from gpu_admission.cluster import connection as connections
from gpu_admission.commands.main import main

pytest.importorskip("kubernetes")
DRA_KINDS = (("deviceclasses", "DeviceClass", "classes"), ("resourceslices", "ResourceSlice", "slices"))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Retries wait, but not in tests."""
    kept = connections.Connection.__init__

    def made(self, *args, **kwargs):
        kept(self, *args, **{**kwargs, "sleep": lambda _: None})

    monkeypatch.setattr(connections.Connection, "__init__", made)


def serving(cluster):
    api = ApiStandin()
    api.lists["/api/v1/pods"] += cluster["pods"]
    api.serve("", "v1", "nodes", "Node", namespaced=False, objects=cluster["nodes"])
    for each in cluster["nodes"]:
        api.single[f"/api/v1/nodes/{each['metadata']['name']}"] = each
    if "slices" in cluster:
        for plural, kind, key in DRA_KINDS:
            api.serve("resource.k8s.io", "v1", plural, kind, namespaced=False, objects=cluster[key])
        api.serve("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim", objects=cluster["claims"])
    if "devices" in cluster:
        group = "scheduling.koordinator.sh"
        api.serve(group, "v1alpha1", "devices", "Device", namespaced=False, objects=cluster["devices"])
    return api


@pytest.fixture
def inspect(tmp_path, capsys):
    def run(api, *argv):
        with standin(api) as url:
            code = main(["inspect", "--kubeconfig", kubeconfig(tmp_path, url), *argv])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_gpushares_own_table(inspect):
    code, out, err = inspect(serving(GPUSHARE))
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split() == ["cn-1", "10.0.0.4", "3/15", "7/15", "10/30"]
    assert "12/45 (26%)" in out


@pytest.mark.parametrize(("form", "load"), [("json", json.loads), ("yaml", fast_yaml.load)])
def test_data(inspect, form, load):
    code, out, _ = inspect(serving(DRA), "-f", form)
    data = load(out)
    assert code == 0
    assert [each["name"] for each in data["nodes"]] == ["dra-1", "dra-2", "dra-3"]
    assert {each["name"] for each in data["waiting"]} == {"late", "lost"}


def test_koordinators_objects_are_listed(inspect):
    _, out, _ = inspect(serving(KOORDINATOR), "-f", "json")
    (node,) = json.loads(out)["nodes"]
    assert [card["usedMemory"] >> 30 for card in node["pools"][0]["cards"]] == [40, 80, 0]


def test_named_nodes_are_read_and_no_others(inspect):
    api = serving(GPUSHARE)
    code, out, err = inspect(api, "cn-2", "no/such", "-f", "json")
    assert code == 2
    assert "node no/such: there is no node of that name" in err
    assert [each["name"] for each in json.loads(out)["nodes"]] == ["cn-2"]
    assert [query["fieldSelector"] for path, query in api.requests if path == "/api/v1/pods"] == [
        "spec.nodeName=cn-2",
        "spec.nodeName=no/such",
    ]
    assert not [path for path, _ in api.requests if path == "/api/v1/nodes"]


def test_a_page_goes_to_a_file(inspect, tmp_path):
    target = tmp_path / "gpus.html"
    code, out, _ = inspect(serving(GPUSHARE), "-f", "html", "-o", str(target))
    assert (code, out) == (0, "")
    assert "cn-1" in target.read_text()


def test_a_directory_that_is_not_there_is_named_before_anything_is_asked(inspect, tmp_path):
    api = serving(GPUSHARE)
    code, _, err = inspect(api, "-o", str(tmp_path / "no" / "x"))
    assert (code, api.requests) == (2, [])
    assert err == f"gpu-admission inspect: --output: there is no directory {tmp_path}/no\n"


def test_one_namespaces_waiting_pods(inspect):
    more = [*GPUSHARE["pods"], pod("e", None, {"aliyun.com/gpu-mem": "14"}, namespace="team-b")]
    _, out, _ = inspect(serving({**GPUSHARE, "pods": more}), "-n", "team-b", "-f", "json")
    assert [each["name"] for each in json.loads(out)["waiting"]] == ["e"]


def denied(*paths):
    return lambda path, _: status(403, "forbidden: User cannot list") if path in paths else None


@pytest.mark.parametrize(
    ("fault", "remaining", "named"),
    [
        (denied("/api/v1/pods"), 3, "who holds the GPUs is not known"),
        (denied("/apis/resource.k8s.io/v1/resourceclaims"), 3, "who holds devices by claims is not known"),
        (denied("/apis/resource.k8s.io/v1/resourceslices"), 0, "what dynamic resource allocation offers is not known"),
    ],
)
def test_what_may_not_be_listed_is_named_once_and_the_rest_is_there(inspect, fault, remaining, named):
    api = serving(DRA)
    api.always.append(fault)
    code, out, err = inspect(api, "-f", "json")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert named in err
    data = json.loads(out)
    assert len(data["nodes"]) == remaining
    assert len(data["incomplete"]) == 1


def test_without_nodes_there_is_nothing_to_show(inspect):
    api = serving(DRA)
    api.always.append(denied("/api/v1/nodes"))
    code, out, err = inspect(api)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "nodes" in err


def on_page(number, answer, path="/api/v1/pods"):
    seen = []

    def fault(requested, _):
        if requested != path:
            return None
        seen.append(requested)
        return answer if len(seen) == number + 1 else None

    return fault


@pytest.mark.parametrize(
    "answer",
    [CUT, status(500, "boom"), Reply(429, {}, {"Retry-After": "1"}), status(410, "expired")],
    ids=["cut", "500", "429", "410"],
)
def test_a_list_that_breaks_on_the_way_loses_nothing_and_counts_nothing_twice(inspect, answer):
    nodes = [
        {
            **GPUSHARE["nodes"][0],
            "status": {"allocatable": {"nvidia.com/gpu": "2000"}, "capacity": {"nvidia.com/gpu": "2000"}},
        }
    ]
    pods = [pod(f"p{number:04}", "cn-1", {"nvidia.com/gpu": "1"}) for number in range(1200)]
    api = serving({"nodes": nodes, "pods": pods})
    api.faults.append(on_page(1, answer))
    code, out, _ = inspect(api, "-f", "json")
    (summary,) = json.loads(out)["summary"]
    assert (code, summary["allocated"], summary["total"]) == (0, 1200, 2000)


def test_an_empty_cluster(inspect):
    assert inspect(serving({"nodes": [], "pods": []})) == (0, "No node offers a GPU, and no pod waits for one.\n", "")


@pytest.mark.parametrize("argv", [["--context", "no"], ["--kubeconfig", "/no/such"], ["-p", "no-such-policy"]])
def test_a_wrong_choice_is_one_line(inspect, argv):
    code, out, err = inspect(serving(GPUSHARE), *argv)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert err.startswith("gpu-admission inspect: ")


def test_a_policy_tells_the_units(inspect, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "apiVersion: gpu-admission.io/v1alpha1\nkind: GPUPolicy\nmetadata: {name: p}\n"
        "spec: {backend: {name: gpushare, unit: MiB}}\n"
    )
    _, out, _ = inspect(serving(GPUSHARE), "-p", str(policy))
    assert "GPU Memory(MiB)" in out
