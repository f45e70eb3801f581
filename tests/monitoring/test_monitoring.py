"""Alerts and dashboard: with Debian's promtool, and with a real Prometheus that scrapes a running server."""

import json
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import fast_yaml
import pytest
import yaml
from serve_process import Served
from webhook_server import ROOT, free_port, review, until

from gpu_admission import rules
from gpu_admission.audit import metrics
from gpu_admission.audit.gpus import CARDS, MEMORY, REPLICAS, GpuCount
from gpu_admission.audit.judge import Judged
from gpu_admission.audit.owners import Owner
from gpu_admission.audit.result import AuditResult
from gpu_admission.engine.engine import Engine
from gpu_admission.policyfile import loader

FOLDER = ROOT / "deploy" / "monitoring"
ALERTS = fast_yaml.load((FOLDER / "alerts.yaml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
TARGETS = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]
OURS = re.compile(r"\bgpu_admission_[a-z_]+")
# Of the API server (1.36) and of kube-state-metrics: whoever adds a name here has looked it up.
THEIRS = {
    "apiserver_admission_webhook_rejection_count",
    "apiserver_admission_webhook_fail_open_count",
    "apiserver_admission_webhook_admission_duration_seconds_bucket",
    "kube_deployment_status_replicas_ready",
    "kube_deployment_spec_replicas",
}


def expressions():
    yield from ((rule["alert"], rule["expr"]) for rule in ALERTS)
    yield from TARGETS


def as_query(expression):
    """An expression of the dashboard as Grafana sends it."""
    return expression.replace("$__rate_interval", "1m").replace("$policy", ".*")


@pytest.fixture(scope="module")
def promtool():
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: apt-get install prometheus")
    return found


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "deploy/monitoring/alerts.yaml"), ("test", "rules", "tests/monitoring/alerts.test.yaml")],
)
def test_promtool(promtool, arguments):
    done = subprocess.run([promtool, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that has answered, denied, repaired and refused."""
    folder = tmp_path_factory.mktemp("monitored")
    with Served(folder, "--self-signed", folder / "state") as running:
        for limits in ({}, {"nvidia.com/gpu": "1"}, {"nvidia.com/gpu": "1.5"}):
            containers = [{"name": "c", "image": "i", "resources": {"limits": limits, "requests": limits}}]
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": containers}}
            for path in ("/mutate", "/validate"):
                assert running.post(path, review(object=pod))[0] == 200
        assert running.post(body=b"nonsense")[0] == 400
        yield running


@pytest.fixture(scope="module")
def exposed(server):
    def names():
        text = server.get("/metrics", health=True)[2].decode()
        found = set(re.findall(r"^(gpu_admission_[a-z_]+)", text, re.MULTILINE))
        return found if "gpu_admission_requests_refused_total" in found else None  # counted after the answer is sent

    return until(names, 10)


@pytest.fixture(scope="module")
def audited():
    """What an audit pushes: a finding, and a node with GPUs."""
    result = AuditResult(cluster="c", policy="p", mode="enforce", namespace=None)
    finding = Engine(rules.ALL, loader.load("default")).validate(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "resources": {"limits": {"nvidia.com/gpu": 1}}}]},
        }
    )[0]
    result.add(Owner("v1", "Pod", "team", "p"), "Pod", [Judged(finding, "deny")], registered=True)
    counts = [GpuCount(measure, "n", "nvidia.com/gpu", 8, 1, 7) for measure in (CARDS, MEMORY, REPLICAS)]
    return metrics.exposition(result, counts, int(time.time()))


@pytest.fixture(scope="module")
def known(exposed, audited):
    """The names of all metrics, the server's and the audit's."""
    return exposed | set(re.findall(r"^(gpu_admission_[a-z_]+)", audited, re.MULTILINE))


def test_every_metric_named_exists(known):
    for where, expression in expressions():
        for name in OURS.findall(expression.replace("\\\\", "")):
            assert name in known, (where, name)
    variable = DASHBOARD["templating"]["list"][1]["query"]["query"]
    assert OURS.search(variable)[0] in known


def test_nothing_else_is_named_unawares():
    word = re.compile(r"\b(?:apiserver|kube|gpu)_[a-z_]+")
    for where, expression in expressions():
        for name in word.findall(expression):
            assert name in THEIRS or name.startswith("gpu_admission_"), (where, name)


def test_every_alert_has_its_section_in_the_runbook():
    runbook = (ROOT / "docs" / "runbook.md").read_text().lower()
    for rule in ALERTS:
        link, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert link == "docs/runbook.md"
        assert rule["alert"].lower().startswith(anchor)
        assert f"### {anchor}\n" in runbook


@pytest.fixture(scope="module")
def exporter(audited):
    """The address of a stand-in for the Pushgateway or node-exporter that serves the audit's metrics."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(audited.encode())

        def log_message(self, *args):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"127.0.0.1:{served.server_address[1]}"
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture(scope="module")
def prometheus(server, exporter, tmp_path_factory):
    """A real Prometheus with our rules, scraping the server every second; ask(path, **query) its API."""
    found = shutil.which("prometheus")
    if found is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    targets = [{"targets": [f"127.0.0.1:{server.health_port}"]}, {"targets": [exporter]}]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(FOLDER / "alerts.yaml")],
        "scrape_configs": [{"job_name": "gpu-admission", "static_configs": targets}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [found, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip

    def ask(path, **query):
        url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def up():
        try:
            return len(ask("query", query="up == 1")["result"]) == 2
        except OSError:
            return False

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until(up, 30)
        yield ask
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.slow
class TestARealPrometheus:
    def test_evaluates_every_alert_and_fires_none(self, prometheus):
        def evaluated():
            (group,) = prometheus("rules")["groups"]
            return group["rules"] if all(rule["health"] == "ok" for rule in group["rules"]) else None

        rules = until(evaluated, 20)
        assert len(rules) == len(ALERTS)
        assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []

    def test_knows_the_types_of_all_our_metrics(self, prometheus, known):
        typed = until(lambda: {name for name in prometheus("metadata") if name.startswith("gpu_")}, 20)
        assert {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in known} <= typed

    @pytest.mark.parametrize(("title", "expression"), TARGETS)
    def test_answers_every_panel(self, prometheus, title, expression):
        def result():
            return prometheus("query", query=as_query(expression))["result"]

        if "apiserver_" in expression and "vector" not in expression:
            assert result() == []  # it parses; there is no API server here
        elif "> 0" in expression:
            result()
        else:
            assert until(lambda: result() or None, 20), title
