"""A review imports nothing: a server without a file descriptor left could not open a module."""

import json
import subprocess
import sys

PROGRAM = """
import json, sys, yaml
from gpu_admission import rules
from gpu_admission.policyfile import loader
from gpu_admission.webhook.review.handler import Decider
from gpu_admission.webhook.server import preload

policies = {name: loader.load(name) for name in loader.shipped()}
decider = Decider(policies.get)
examples = [each for rule in rules.ALL for text in (rule.bad, rule.good) for each in yaml.safe_load_all(text)]
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


def test_a_review_imports_nothing():
    made = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert json.loads(made.stdout) == []
