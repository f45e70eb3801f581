"""Tables of cases for rules: a manifest, what is found in it, and what the fixes make of it."""

import copy
from typing import Any, NamedTuple

from gpu_admission import rules
from gpu_admission.core import patch, pointer
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy

LIMITS = "/spec/containers/0/resources/limits/"
REQUESTS = "/spec/containers/0/resources/requests/"


class Expected(NamedTuple):
    """A finding: where, how bad, and what message or advice must say (one fragment or several)."""

    pointer: str
    severity: str = "error"
    said: Any = ()


class Case(NamedTuple):
    """A manifest, its findings in order, and what the fixes make of it (None: no finding has one)."""

    name: str
    manifest: Any
    found: tuple[Expected, ...] = ()
    fixed: Any = None
    policy: Any = None
    origin: str = "file"


def container(resources, name="train", **more):
    return {"name": name, "image": "example.com/train:1", "resources": resources, **more}


def pod(*containers, **spec):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [*containers], **spec}}


def one(resources, **more):
    """Return a Pod of one container with these resources."""
    return pod(container(resources, **more))


def engine(rule, spec=None):
    return Engine(rules.ALL, Policy("test", spec).selecting(frozenset({rule})))


def check(rule, case):
    """Run one case: its findings, each exactly, the repair, and silence after it (law 3)."""
    judge, before = engine(rule, case.policy), copy.deepcopy(case.manifest)
    found = judge.validate(case.manifest, case.origin)
    assert [(pointer.to_text(f.pointer), f.severity) for f in found] == [(e.pointer, e.severity) for e in case.found]
    for finding, expected in zip(found, case.found, strict=True):
        assert pointer.exists(case.manifest, finding.pointer)
        said = f"{finding.message}; {finding.advice}"
        assert said.isprintable()
        for fragment in [expected.said] if isinstance(expected.said, str) else expected.said:
            assert fragment in said
    mutation = judge.mutate(case.manifest, case.origin, unsafe=True, consent=True)
    assert case.manifest == before, "the input was changed"
    assert patch.apply(case.manifest, mutation.patch) == mutation.object
    if case.fixed is None:
        assert mutation.patch == ()
        assert all(finding.fix is None for finding in found)
        return
    assert mutation.object == case.fixed
    assert [finding.fix for finding in judge.validate(mutation.object, case.origin) if finding.fix] == []
