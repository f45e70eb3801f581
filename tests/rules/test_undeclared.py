"""A rule that reads a marker which it does not declare is silent at admission: here it fails, without an API server.

Every string of the rules, the backends and what they share is put, one at a time, wherever a pod without a GPU can have
a marker. Where a rule then has a finding that the webhook must report, its own declaration (``Rule.reads``) must name
the string.
"""

import ast
from pathlib import Path

import pytest
import touching

import gpu_admission
from gpu_admission import rules
from gpu_admission.core.finding import Problem
from gpu_admission.engine.reads import NOTHING
from gpu_admission.engine.rule import POD
from gpu_admission.rules import declared_reads
from gpu_admission.workloads import workload as workloads

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

SOURCES = [path for part in ("rules", "backends", "core") for path in (Path(gpu_admission.__file__).parent / part).rglob("*.py")]  # fmt: skip
LONGEST = 80
POLICY = touching.EVERY_RULE


def texts():
    """Every short string without spaces in the sources, with * and without."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                if 2 < len(text) <= LONGEST and text.isprintable() and " " not in text:
                    found |= {text.replace("*", "x"), text.rstrip("*")}
    return sorted(found - {""})


def pod(container=None, metadata=None, **spec):
    made = {"name": "c", "image": "i", **(container or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata or {}, "spec": {"containers": [made], **spec}}


def placed(text):
    """The field of a declaration that has to cover it, and a pod that has the text there."""
    yield "annotations", pod(metadata={"annotations": {text: "- path: /dev/nvidia0"}})
    for value in ("x", "ignore", "true", "false", "disabled"):
        yield "labels", pod(metadata={"labels": {text: value}})
    for value in ("all", "true", "enabled"):
        yield "variables", pod({"env": [{"name": text, "value": value}]})
        yield "variables", pod({"env": [{"name": text, "value": value}]}, hostIPC=True, hostPID=True)
    yield "completed", pod({"envFrom": [{"prefix": text[:-1], "configMapRef": {"name": "m"}}]})
    yield "runtime_classes", pod(runtimeClassName=text)
    yield "tolerations", pod(tolerations=[{"key": text, "operator": "Exists"}])
    yield "capabilities", pod({"securityContext": {"capabilities": {"add": [text]}}})
    if text.startswith("/"):
        yield "host_paths", pod(volumes=[{"name": "v", "hostPath": {"path": text}}])
        mount = {"name": "v", "mountPath": text}
        yield "mounts", pod({"volumeMounts": [mount]}, volumes=[{"name": "v", "hostPath": {"path": "/data"}}])


def declares(reads, field, text):
    """Whether a declaration names a text for a field."""
    if field == "completed":
        return any(name.startswith(text[:-1]) or text[:-1].startswith(name.rstrip("*")) for name in reads.completed)
    if field == "capabilities":
        text = text.upper().removeprefix("CAP_")
    if field == "host_paths":
        return reads.host_parents or _is_below(text, reads.host_paths)
    if field == "mounts":
        return _is_below(text, reads.mounts)
    if field == "tolerations" and reads.near_tolerations:
        return True
    more = reads.label_values if field == "labels" else ()
    return _is_among(text, (*getattr(reads, field), *more))


def _is_among(text, patterns):
    for pattern in patterns:
        start, star, end = pattern.partition("*")
        if text == pattern or (star and text.startswith(start) and text.endswith(end.replace("*", ""))):
            return True
        if pattern.startswith("*") and pattern.strip("*") in text:
            return True
    return False


def _is_below(text, places):
    return any(place.rstrip("*") in text.replace("/var/run", "/run") for place in places)


def undeclared(all_rules, words):
    """Findings of rules on strings that they do not declare: (rule, field, text)."""
    found = set()
    for text in words:
        for field, obj in placed(text):
            (view,) = workloads.read(obj, POLICY, "admission")
            if view.scope == "request":
                continue
            for rule in all_rules:
                if POD not in rule.admission_kinds or rule.scope == "request" or (rule.id, field, text) in found:
                    continue
                if any((problem.severity or rule.severity) != "info" for problem in rule.check(view, POLICY)):
                    reads = declared_reads.of_rule(rule, POLICY) or NOTHING
                    if not declares(reads, field, text):
                        found.add((rule.id, field, text))
    return found


def test_every_rule_declares_what_it_reads():
    words = texts()
    assert len(words) > 800
    assert undeclared(rules.ALL, words) == set()


class Careless:
    """A rule that reads an annotation and declares nothing."""

    id, severity, scope, admission_kinds, reads = "GPU599", "error", "pod", frozenset({POD}), NOTHING

    @staticmethod
    def check(workload, _policy):
        for each in workload.pods:
            if "example.com/give-me-a-card" in (each.metadata.get("annotations") or {}):
                yield Problem(each.metadata_pointer, "gives a card", "remove it")


def test_one_that_does_not_is_found():
    assert undeclared([Careless()], ["example.com/give-me-a-card", "other"]) == {
        ("GPU599", "annotations", "example.com/give-me-a-card")
    }
