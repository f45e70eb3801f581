"""ValidatingAdmissionPolicies and a MutatingAdmissionPolicy with their bindings, as plain objects, for a policy.

There is one mutating policy for all repairs, and one validating policy for each action (deny, warn, audit), because
every policy has a cost for each Pod, first for its conditions. Those are the webhook's, narrowed to the rules that are
enforced in-tree; a Pod without a GPU only costs their evaluation.
"""

from __future__ import annotations

import re

from gpu_admission.backends import registry
from gpu_admission.backends.base import ClusterFacts
from gpu_admission.backends.native_request import KAI
from gpu_admission.engine import reads
from gpu_admission.registration import globs, match_conditions, namespaces, touches_gpu, webhook_configurations
from gpu_admission.registration.cel_literals import text
from gpu_admission.rules import declared_reads

from . import checks, repairs, requested
from .versions import has_mutating_policies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gpu_admission.core.finding import Action
    from gpu_admission.engine.rule import Rule
    from gpu_admission.policy.model import Policy

    from .check import Check
    from .versions import Version

_GROUP = "admissionregistration.k8s.io/v1"
_WHERE = ("object.?spec", "object.?metadata")
_ACTIONS: dict[Action, str] = {"deny": "Deny", "warn": "Warn", "audit": "Audit"}
_PODS = {"apiGroups": [""], "apiVersions": ["v1"], "scope": "Namespaced"}
_CREATED = {**_PODS, "operations": ["CREATE"], "resources": ["pods"]}
_JOINED = {**_PODS, "operations": ["UPDATE"], "resources": ["pods/ephemeralcontainers"]}
# The API server drops results of a messageExpression beyond 5 KiB; of the values in a message only paths can have
# characters other than ASCII.
LONGEST_MESSAGE = 4000
_LEFT_OUT = "kube-system"  # always exempt: the control plane's pods


def objects(
    policies: Sequence[Policy], name: str, version: Version, *, fail_open: bool = False
) -> list[dict[str, Any]]:
    """Return the policies and bindings for API servers of a version.

    ``fail_open`` admits a Pod for which an expression cannot be evaluated.

    Of several policies the first that is for a namespace applies there. Raises ValueError where a policy has too many
    exemptions for a condition.
    """
    # One that is for every namespace is the last that can apply.
    last = next((number for number, policy in enumerate(policies) if not policy.match), len(policies) - 1)
    found = [each for number in range(last + 1) for each in _of_policy(policies, number, name, version)]
    for spec in [each["spec"] for each in found] if fail_open else ():
        if "failurePolicy" in spec:
            spec["failurePolicy"] = "Ignore"
    return found


def _of_policy(policies: Sequence[Policy], number: int, name: str, version: Version) -> list[dict[str, Any]]:
    policy = policies[number]
    found: list[dict[str, Any]] = []
    operations = repairs.of(policy) if has_mutating_policies(version) else {}
    if operations:
        spec = _mutating(policies, number, operations)
        found += _bound("MutatingAdmissionPolicy", f"{name}-{policy.name}-repair", spec)
    for action, members in checks.by_action(policy).items():
        repaired = {rule.id for rule in repairs.rules_of(policy)} if operations else set()
        due = [check for check in members if not is_repaired(check, repaired, action)]
        if due:
            spec = _validating(policies, number, due, action)
            found += _bound("ValidatingAdmissionPolicy", f"{name}-{policy.name}-{action}", spec, _ACTIONS[action])
    return found


def is_repaired(check: Check, repaired: set[str], action: Action) -> bool:
    """Return whether a check is unnecessary because its findings are always repaired before; denials are kept."""
    return check.fix == "safe" and action != "deny" and check.rule.id in repaired and check.rule.id != "GPU302"


def _bound(kind: str, name: str, spec: dict[str, Any], action: str | None = None) -> list[dict[str, Any]]:
    binding: dict[str, Any] = {"policyName": name}
    if action is not None:
        binding["validationActions"] = [action]
    return [_object(kind, name, spec), _object(f"{kind}Binding", name, binding)]


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "labels": dict(webhook_configurations.LABELS)}
    return {"apiVersion": _GROUP, "kind": kind, "metadata": metadata, "spec": spec}


def _mutating(policies: Sequence[Policy], number: int, operations: dict[str, str]) -> dict[str, Any]:
    policy = policies[number]
    declared = declared_reads.at_mutation(policy, repairs.rules_of(policy))
    expression = " +\n".join(operations.values())
    return {
        "matchConstraints": _matched(policies, number, [_CREATED]),
        "matchConditions": _conditions(policies, number, declared),
        "variables": _used({**_variables(policy), **repairs.variables_of(policy)}, expression),
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "IfNeeded",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
    }


def _validating(policies: Sequence[Policy], number: int, members: list[Check], action: Action) -> dict[str, Any]:
    policy = policies[number]
    declared = reads.union([check.reads(policy) for check in members])
    named = _named(members)
    found = [{"name": name, "expression": check.expression()} for name, check in named.items()]
    validations = _one_message(named) if action == "deny" else _a_message_each(named)
    return {
        "matchConstraints": _matched(policies, number, [_CREATED, _JOINED]),
        "matchConditions": _conditions(policies, number, declared),
        "variables": [*_used(_variables(policy), str(found)), *found],
        "failurePolicy": "Fail" if action == "deny" else "Ignore",
        "validations": validations,
    }


def _named(members: list[Check]) -> dict[str, Check]:
    """Return the checks by the names of the CEL variables of their findings: the rule's ID and a letter."""
    seen: dict[Rule, int] = {}
    found = {}
    for check in members:
        letter = chr(ord("a") + seen.setdefault(check.rule, 0))
        seen[check.rule] += 1
        found[f"{check.rule.id}{letter}"] = check
    return found


def _one_message(named: dict[str, Check]) -> list[dict[str, Any]]:
    """Return one validation for all checks: a denial has a single message, which must name every rule."""
    lists = {f"variables.{name}": check for name, check in named.items()}
    parts = ",\n".join(f"({found}.size() == 0 ? '' : {check.sentence(found)})" for found, check in lists.items())
    rules = ", ".join(dict.fromkeys(check.rule.id for check in named.values()))
    return [
        {
            "expression": " && ".join(f"{found}.size() == 0" for found in lists),
            "messageExpression": f"[[\n{parts}\n].filter(m, m != '').join('; ')].map(m, {_short_of(lists)})[0]",
            "message": f"the pod breaks a rule on GPUs, one of {rules}",
            "reason": "Forbidden",
        }
    ]


def _short_of(lists: dict[str, Check]) -> str:
    """Return a CEL string: the message ``m``, or the rules' IDs where it is longer than the API server allows."""
    names = ", ".join(
        f"({found}.size() == 0 ? '' : {text(f'{check.rule.id} {check.rule.name}')})" for found, check in lists.items()
    )
    short = f"'the pod breaks these rules on GPUs: ' + [{names}].filter(n, n != '').join(', ')"
    return f"m.size() <= {LONGEST_MESSAGE} ? m : {short}"


def _a_message_each(named: dict[str, Check]) -> list[dict[str, Any]]:
    return [
        {
            "expression": f"variables.{name}.size() == 0",
            "messageExpression": check.sentence(f"variables.{name}"),
            "message": f"{check.rule.id} {check.rule.name}: {check.rule.summary}",
        }
        for name, check in named.items()
    ]


def _variables(policy: Policy) -> dict[str, str]:
    """Return the variables that several expressions use, in the order of their dependencies."""
    own = registry.named(policy.backend.name).own(ClusterFacts.of(policy))
    served = f"variables.all.exists(c, {requested.native(policy)})"
    nvidia = f"variables.all.exists(c, {requested.of_vendors(policy, frozenset({'nvidia'}))})"
    before = "oldObject.spec.?ephemeralContainers.orValue([])"
    joined = f"object.spec.?ephemeralContainers.orValue([]).filter(c, !{before}.exists(o, o.name == c.name))"
    lists = [f"object.spec.?{field}.orValue([])" for field in ("containers", "initContainers", "ephemeralContainers")]
    return {
        "all": " + ".join(lists),
        "judged": f"request.operation == 'CREATE' ? variables.all : {joined}",
        "shares": requested.shares(),
        "share": requested.share_names(),
        "wants": f"variables.shares || variables.all.exists(c, {requested.of(policy)})",
        "nvidia": f"variables.shares || {nvidia}",
        "served": f"variables.shares || {served}" if KAI in own else served,
    }


def _used(known: dict[str, str], expressions: str) -> list[dict[str, str]]:
    """Return the variables that the expressions use, directly or indirectly, in their order."""
    needed: list[dict[str, str]] = []
    for name, expression in reversed(known.items()):
        used = re.compile(rf"\bvariables\.{name}\b")
        if used.search(expressions) or any(used.search(each["expression"]) for each in needed):
            needed.insert(0, {"name": name, "expression": expression})
    return needed


def _matched(policies: Sequence[Policy], number: int, rules: list[dict[str, Any]]) -> dict[str, Any]:
    selector = namespaces.selector(left_out(policies, number))
    return {"matchPolicy": "Equivalent", "namespaceSelector": selector, "resourceRules": rules}


def left_out(policies: Sequence[Policy], number: int) -> set[str]:
    """Return the namespaces that a policy exempts by name, and that of the control plane."""
    return {_LEFT_OUT, *(name for name in policies[number].exempt.namespaces.patterns if not globs.is_pattern(name))}


def _conditions(policies: Sequence[Policy], number: int, declared: list[Any]) -> list[dict[str, str]]:
    judging = match_conditions.judging(policies, number, left_out(policies, number))
    found = [{"name": "judged-by-this-policy", "expression": judging}] if judging else []
    if not policies[number].visible_devices.get("everyPod"):
        touching = touches_gpu.of_reads(policies[number], declared, *_WHERE)
        found.append({"name": "touches-a-gpu", "expression": touching})
    return [*found, {"name": "not-a-mirror-pod", "expression": f"!({match_conditions.mirror(*_WHERE)})"}]
