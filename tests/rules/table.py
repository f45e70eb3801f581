"""Rows of a rule's table of cases, and the checks of each."""

import copy
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jsonpatch

from gpu_admission import rules
from gpu_admission.core import patch, pointer
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy

LIMITS = "/spec/containers/0/resources/limits/"
REQUESTS = "/spec/containers/0/resources/requests/"
_COPIES = frozenset({"GPU005"})  # finds in files what the API server itself writes into Pods


class Found(NamedTuple):
    """An expected finding: where, how bad, words of its message or advice (one or several), how it can be repaired."""

    pointer: str
    severity: str = "error"
    words: str | Sequence[str] = ()
    fix: str | None = None


class Row(NamedTuple):
    """A case: what it shows, the object, the findings; the policy; the object that all fixes lead to.

    ``origin`` is where the object comes from; ``storable`` tells whether an API server would keep it as it stands (it
    drops unknown fields and cannot hold NaN): only then its defaults must make no difference.
    """

    name: str
    object: Any
    found: tuple[Found, ...] = ()
    policy: Mapping[str, Any] = MappingProxyType({})
    fixed: Any = None
    origin: str = "file"
    storable: bool = True


def requesting(resources, name="train", **fields):
    """Return a container with these resources."""
    return {"name": name, "image": "example.com/train:1", "resources": resources, **fields}


def one(resources, **fields):
    """Return a Pod of one container with these resources."""
    return pod(requesting(resources, **fields))


def container(name="train", gpu=None, **fields):
    limits = {"resources": {"limits": {"nvidia.com/gpu": gpu} if isinstance(gpu, int) else gpu}} if gpu else {}
    return {"name": name, "image": f"example.com/{name}:1", **limits, **fields}


def env(*pairs, **literals):
    entries = [{"name": name, "value": value} for name, value in literals.items()]
    return [*entries, *({"name": name, "value": value} for name, value in pairs)]


def pod(*containers, annotations=None, labels=None, uid=None, **spec):
    metadata = {"name": "p", "annotations": annotations, "labels": labels, "uid": uid}
    metadata = {key: value for key, value in metadata.items() if value is not None}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**spec, "containers": list(containers)}}


def template(kind, *containers, api_version="apps/v1", **spec):
    made = pod(*containers, **spec)
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "w"},
        "spec": {"template": {"metadata": {"labels": {"app": "w"}}, "spec": made["spec"]}},
    }


def engine(rule, policy=None):
    return Engine(rules.ALL, Policy("table", policy).selecting(frozenset({rule})))


def judge(rule, row, origin=None):
    return engine(rule, row.policy).validate(row.object, origin or row.origin)


def verify(rule, row):
    """Check a row: its findings exactly, its fixes, the laws of fixes, and the same once Kubernetes has defaulted it."""
    before = copy.deepcopy(row.object)
    found = judge(rule, row)
    assert [(pointer.to_text(f.pointer), f.severity, f.fix) for f in found] == [
        (want.pointer, want.severity, want.fix) for want in row.found
    ]
    for finding, want in zip(found, row.found, strict=True):
        said = f"{finding.message} {finding.advice}"
        assert said.isprintable()
        for words in [want.words] if isinstance(want.words, str) else want.words:
            assert words in said
        assert pointer.exists(row.object, finding.pointer)
        assert not finding.message[0].isupper() or finding.message.startswith("NVIDIA")
        assert not finding.message.endswith(".")
        assert finding.advice
    _verify_fixes(rule, row)
    if row.storable and rule not in _COPIES:
        _verify_defaulted(rule, row, found)
    assert row.object == before


def _verify_fixes(rule, row):
    judged = engine(rule, row.policy)
    mutation = judged.mutate(row.object, row.origin, unsafe=True, consent=True)
    assert mutation.object == (row.object if row.fixed is None else row.fixed)
    assert patch.apply(row.object, mutation.patch) == mutation.object
    assert jsonpatch.apply_patch(row.object, patch.to_json(mutation.patch)) == mutation.object
    assert not judged.mutate(mutation.object, row.origin, unsafe=True, consent=True).patch
    assert not [finding for finding in judged.validate(mutation.object, row.origin) if finding.fix]
    if rule in _COPIES:
        return
    between = defaulted(mutation.object)
    assert not judged.mutate(between, row.origin, unsafe=True, consent=True).patch
    if all(each.get("image") for each in mappings(row.object.get("spec", {}).get("containers"))):  # no part of a pod
        assert not judged.mutate(between, "admission").patch


def _verify_defaulted(rule, row, found):
    made = defaulted(row.object)
    if rule == "GPU202" and isinstance(made.get("metadata"), dict):
        made["metadata"]["uid"] = "u"  # what a cluster wrote is not what an author chose
    again = judge(rule, row._replace(object=made))
    assert [(f.severity, f.message, f.fix) for f in again] == [(f.severity, f.message, f.fix) for f in found]


def defaulted(obj):
    """Return an object as the API server would hand it to a webhook: what matters here of its defaults."""
    made = copy.deepcopy(obj)
    is_pod = made.get("kind") == "Pod"
    spec = made.get("spec") if is_pod else ((made.get("spec") or {}).get("template") or {}).get("spec")
    if not isinstance(spec, dict) or made.get("apiVersion") not in {"v1", "apps/v1", "batch/v1"}:
        return made
    for name in ("initContainers", "containers"):
        for each in mappings(spec.get(name)):
            _default_container(each, is_pod=is_pod)
    for volume in mappings(spec.get("volumes")):
        if isinstance(volume.get("hostPath"), dict):
            volume["hostPath"].setdefault("type", "")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("securityContext", {})
    if is_pod and isinstance(spec.get("tolerations") or [], list):
        unready = [f"node.kubernetes.io/{state}" for state in ("not-ready", "unreachable")]
        given = [t for t in spec.get("tolerations") or () if not isinstance(t, dict) or t.get("key") not in unready]
        spec["tolerations"] = given + [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for key in unready
        ]
    return made


def mappings(value):
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _default_container(each, *, is_pod):
    each.setdefault("terminationMessagePath", "/dev/termination-log")
    each.setdefault("imagePullPolicy", "IfNotPresent")
    if each.get("resources") is None:
        each["resources"] = {}
    resources = each["resources"]
    if is_pod and isinstance(resources.get("limits"), dict):
        resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    for entry in mappings(each.get("env")):
        if isinstance((entry.get("valueFrom") or {}).get("fieldRef"), dict):
            entry["valueFrom"]["fieldRef"].setdefault("apiVersion", "v1")
        if entry.get("value") == "":
            del entry["value"]
