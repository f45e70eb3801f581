"""Neither reviews nor pages import anything: a server without a file descriptor left could not open a module."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys, yaml
from gpu_admission import rules
from gpu_admission.policyfile import loader
from gpu_admission.webhook.review.handler import Decider
from gpu_admission.webhook.server import preload

policies = {name: loader.load(name) for name in loader.shipped()}
decider = Decider(policies.get)
examples = [each for rule in rules.ALL for text in (rule.bad, rule.good) for each in fast_yaml.load_all(text)]
preload.load_all()
before = set(sys.modules)
for made in examples:
    group, _, version = made["apiVersion"].rpartition("/")
    kind = {"group": group, "version": version, "kind": made["kind"]}
    request = {"uid": "u", "kind": kind, "resource": {"group": group, "version": version, "resource": "x"},
               "operation": "CREATE", "namespace": "n", "userInfo": {"username": "alice"}, "object": made}
    body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()
    for name in policies:
        for endpoint in ("mutate", "validate"):
            assert decider(body, endpoint, name).status == 200
print(json.dumps(sorted(set(sys.modules) - before)))
"""


PAGES = """
import json, sys
from types import SimpleNamespace
from gpu_admission.webhook.health_pages import create_pages
from gpu_admission.webhook.server import preload
from gpu_admission.webhook.server.http_request import RequestHead
from gpu_admission.webhook.server.wsgi import call

policies = SimpleNamespace(times={"default": 0.0})
metrics = SimpleNamespace(render=lambda: b"")
apps = [create_pages(policies, SimpleNamespace(reasons=lambda now, found=found: found), metrics, health=True, index=True)
        for found in ([], ["draining"])]
preload.load_all()
before = set(sys.modules)
for app in apps:
    for path, status in (("/", 200), ("/healthz", 200), ("/readyz", None), ("/metrics", 200), ("/nowhere", 404)):
        head = RequestHead("GET", path.encode(), [(b"host", b"x")])
        assert call(app, head).status in ({status} if status else {200, 503})
    assert call(app, RequestHead("PUT", b"/readyz", [(b"host", b"x")])).status == 405
print(json.dumps(sorted(set(sys.modules) - before)))
"""


@pytest.mark.parametrize("program", [PROGRAM, PAGES], ids=["reviews", "pages"])
def test_nothing_is_imported(program):
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(made.stdout) == []
