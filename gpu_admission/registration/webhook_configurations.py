"""The webhook configurations for policies, as plain objects.

Rules are enforced on Pods: they are validated under ``failurePolicy: Fail``, and only those that touch a GPU are sent.
Other objects only get warnings (a Deployment, of what its Pods will be denied for), under ``Ignore``: they are not
blocked while the webhook is down.
"""

from __future__ import annotations

import base64

from gpu_admission.engine.rule import POD, TEMPLATE
from gpu_admission.policy.model import Policy
from gpu_admission.rules import BY_ID, time_limits

from . import claim_conditions, custom_kinds, match_conditions, namespaces
from .cel_literals import any_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

DOMAIN = "gpu-admission.io"
LABELS = {"app.kubernetes.io/name": "gpu-admission"}
_READS_CPU, _READS_DEADLINES = "GPU501", "GPU503"
_TEMPLATES = ("object.?spec.?template.?spec", "object.?spec.?template.?metadata")
_CRON = ("object.?spec.?jobTemplate.?spec.?template.?spec", "object.?spec.?jobTemplate.?spec.?template.?metadata")


_CHANGED_SPEC = "request.operation != 'UPDATE' ||\nobject.?spec != oldObject.?spec"


class RegistrationOptions:
    """The webhook's address and how it is called.

    ``service`` and ``namespace`` name the Service; ``url`` replaces it where the server runs outside of the cluster
    (``https://127.0.0.1:8443``). ``ca_bundle`` is PEM, empty where it is filled in later. ``route`` is the name of the
    policy in the path, empty for the server's first policy.
    """

    __slots__ = ("annotations", "ca_bundle", "fail_open", "name", "namespace", "port", "route", "service", "url")

    def __init__(
        self,
        *,
        name: str = "gpu-admission",
        service: str = "gpu-admission",
        namespace: str = "gpu-admission",
        port: int = 443,
        url: str = "",
        ca_bundle: bytes = b"",
        route: str = "",
        annotations: Mapping[str, str] | None = None,
        fail_open: bool = False,
    ) -> None:
        self.name = name
        self.service = service
        self.namespace = namespace
        self.port = port
        self.url = url.rstrip("/")
        self.ca_bundle = ca_bundle
        self.route = route
        self.annotations = dict(annotations or {})
        self.fail_open = fail_open


def configurations(policy: Policy | Sequence[Policy], options: RegistrationOptions) -> list[dict[str, Any]]:
    """Return the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration.

    Of several policies, in the server's order, the first that is for a namespace applies there: what any of them judges
    is sent.

    Raises ValueError where the policy has too many exemptions for a condition.
    """
    policies = (policy,) if isinstance(policy, Policy) else tuple(policy)
    return [
        _configuration("MutatingWebhookConfiguration", options, [_mutate_pods(policies, options)]),
        _configuration("ValidatingWebhookConfiguration", options, list(_validate(policies, options))),
    ]


def _configuration(kind: str, options: RegistrationOptions, webhooks: list[dict[str, Any]]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": options.name, "labels": dict(LABELS)}
    if options.annotations:
        metadata["annotations"] = dict(options.annotations)
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "webhooks": webhooks,
    }


def _mutate_pods(policies: Sequence[Policy], options: RegistrationOptions) -> dict[str, Any]:
    hook = _webhook("mutate", options, policies, "mutate", "Ignore", 3, [_rule([""], ["pods"], ["CREATE"])])
    hook["reinvocationPolicy"] = "IfNeeded"
    where = ("object.?spec", "object.?metadata")
    touching = _touching(policies, (match_conditions.touches_at_mutation(policy, *where) for policy in policies))
    hook["matchConditions"] += [*touching, *_no_mirrors(*where)]
    return hook


def _validate(policies: Sequence[Policy], options: RegistrationOptions) -> Iterable[dict[str, Any]]:
    closed = "Ignore" if options.fail_open else "Fail"
    yield _pods(policies, options, closed)
    if any(policy.is_enabled(BY_ID[rule]) for rule in ("GPU306", "GPU307") for policy in policies):
        yield _marks(policies, options, closed)
    apps = ["deployments", "statefulsets", "daemonsets", "replicasets"]
    rules = [_rule(["apps"], apps), _rule(["batch"], ["jobs"]), _rule([""], ["replicationcontrollers"])]
    yield _templates("templates", options, policies, rules, *_TEMPLATES)
    yield _templates("cronjobs", options, policies, [_rule(["batch"], ["cronjobs"])], *_CRON)
    custom = _webhook("custom", options, policies, "validate", "Ignore", 3, list(_custom(policies)))
    custom["matchConditions"] += [_has_no_owner(), _condition("changed", _CHANGED_SPEC)]
    yield custom
    rules = [_rule([""], ["resourcequotas", "limitranges"])]
    quotas = _webhook("quotas", options, policies, "validate", "Ignore", 3, rules)
    quotas["matchConditions"] += [_condition("names-a-gpu", _any(map(match_conditions.quota, policies)))]
    yield quotas
    judging = [policy for policy in policies if claim_conditions.judged(policy)]
    if judging:
        yield _claims(policies, judging, options)


def _pods(policies: Sequence[Policy], options: RegistrationOptions, failure: str) -> dict[str, Any]:
    rules = [_rule([""], ["pods"], ["CREATE", "UPDATE"]), _rule([""], _pod_subresources(policies), ["UPDATE"])]
    pods = _webhook("pods", options, policies, "validate", failure, 5, rules)
    where = ("object.?spec", "object.?metadata")
    changed = _condition("changed", match_conditions.changed(*where))
    pods["matchConditions"] += [*_pod_conditions(policies, *where), changed]
    return pods


def _claims(policies: Sequence[Policy], judging: Sequence[Policy], options: RegistrationOptions) -> dict[str, Any]:
    """Return the webhook on claims, claim templates and device classes, in any API version.

    Claims that Kubernetes makes from templates have an owner, and are not sent, because their template was.
    """
    rules = [_rule(["resource.k8s.io"], ["resourceclaims", "resourceclaimtemplates", "deviceclasses"])]
    claims = _webhook("claims", options, policies, "validate", "Ignore", 3, rules)
    claims["matchConditions"] += [
        _has_no_owner(),
        _condition("may-be-a-gpu", _any(map(claim_conditions.of_object, judging))),
        _condition("changed", _CHANGED_SPEC),
    ]
    return claims


def _pod_subresources(policies: Sequence[Policy]) -> list[str]:
    """Return the subresources that change what rules read of a running pod: ``resize`` only if one in force does."""
    resized = ["pods/resize"] if any(policy.is_enabled(BY_ID[_READS_CPU]) for policy in policies) else []
    return ["pods/ephemeralcontainers", *resized]


def _marks(policies: Sequence[Policy], options: RegistrationOptions, failure: str) -> dict[str, Any]:
    """Return the webhook on other ways to change a pod's metadata: a status has it, a binding's is copied there."""
    rules = [_rule([""], ["pods/status"], ["UPDATE"]), _rule([""], ["pods/binding", "bindings"], ["CREATE"])]
    marks = _webhook("marks", options, policies, "validate", failure, 5, rules)
    marks["matchConditions"] += [_condition("writes-marks", match_conditions.marks_written())]
    return marks


def _templates(
    name: str,
    options: RegistrationOptions,
    policies: Sequence[Policy],
    rules: list[dict[str, Any]],
    spec: str,
    metadata: str,
) -> dict[str, Any]:
    hook = _webhook(name, options, policies, "validate", "Ignore", 3, rules)
    hook["matchConditions"] += [
        _has_no_owner(),
        *_pod_conditions(policies, spec, metadata, TEMPLATE),
        _condition("changed", _any([match_conditions.changed(spec, metadata), *_job_changes(policies, spec)])),
    ]
    return hook


def _job_changes(policies: Sequence[Policy], spec: str) -> list[str]:
    """Return the conditions that an update changed the time limits of a Job, inside or outside of its pod template."""
    if not any(policy.is_enabled(BY_ID[_READS_DEADLINES]) for policy in policies):
        return []
    around = spec.removesuffix(".?template.?spec")
    return [
        *match_conditions.differing(around, time_limits.OF_JOBS),
        *match_conditions.differing(spec, (time_limits.DEADLINE,)),
    ]


def _pod_conditions(policies: Sequence[Policy], spec: str, metadata: str, sight: str = POD) -> list[dict[str, str]]:
    mirrors = _no_mirrors(spec, metadata) if sight == POD else []
    return [
        *_touching(policies, (match_conditions.touches(policy, spec, metadata, sight) for policy in policies)),
        *mirrors,
    ]


def _no_mirrors(spec: str, metadata: str) -> list[dict[str, str]]:
    return [_condition("not-a-mirror-pod", f"!({match_conditions.mirror(spec, metadata)})")]


def _touching(policies: Sequence[Policy], expressions: Iterable[str]) -> list[dict[str, str]]:
    if any(policy.visible_devices.get("everyPod") for policy in policies):
        return []
    return [_condition("touches-a-gpu", _any(expressions))]


def _any(expressions: Iterable[str]) -> str:
    """Return the disjunction of the conditions of several policies, without duplicates."""
    return any_of(dict.fromkeys(expressions))


def _of_nobody_exempt(policies: Sequence[Policy], options: RegistrationOptions) -> list[dict[str, str]]:
    """Return the condition on user and namespace: while the webhook is down, exempt requests are not blocked."""
    expression = match_conditions.not_exempt(policies, _left_out(policies, options))
    return [_condition("not-exempt", expression)] if expression else []


def _has_no_owner() -> dict[str, str]:
    """Return the condition that the object has no owner, which is judged instead: a Deployment for its ReplicaSets."""
    return _condition("has-no-owner", "object.?metadata.?ownerReferences.orValue([]).size() == 0")


def _condition(name: str, expression: str) -> dict[str, str]:
    return {"name": name, "expression": expression}


def _webhook(
    name: str,
    options: RegistrationOptions,
    policies: Sequence[Policy],
    endpoint: str,
    failure: str,
    seconds: int,
    rules: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "name": f"{name}.{DOMAIN}",
        "admissionReviewVersions": ["v1"],
        "clientConfig": _client(options, endpoint),
        "failurePolicy": failure,
        "matchPolicy": "Equivalent",
        "namespaceSelector": namespaces.selector(_left_out(policies, options)),
        "rules": rules,
        "sideEffects": "None",
        "timeoutSeconds": seconds,
        "matchConditions": _of_nobody_exempt(policies, options),
    }


def _client(options: RegistrationOptions, endpoint: str) -> dict[str, Any]:
    path = f"/{endpoint}/{options.route}" if options.route else f"/{endpoint}"
    client: dict[str, Any] = {}
    if options.url:
        client["url"] = options.url + path
    else:
        client["service"] = {
            "name": options.service, "namespace": options.namespace, "path": path, "port": options.port,
        }  # fmt: skip
    if options.ca_bundle:
        client["caBundle"] = base64.b64encode(options.ca_bundle).decode()
    return client


def _left_out(policies: Sequence[Policy], options: RegistrationOptions) -> set[str]:
    """Return the namespaces that no webhook is called for: kube-system, the webhook's, and those exempt by name."""
    return {"kube-system", options.namespace, *namespaces.exempt_by_name(policies)}


def _rule(groups: list[str], resources: list[str], operations: list[str] | None = None) -> dict[str, Any]:
    return {
        "apiGroups": groups,
        "apiVersions": ["*"],
        "operations": operations or ["CREATE", "UPDATE"],
        "resources": resources,
        "scope": "*",
    }


def _custom(policies: Sequence[Policy]) -> Iterable[dict[str, Any]]:
    """Yield a rule for each group of custom kinds: those of the table and of the policies, never ``*/*``."""
    groups = custom_kinds.custom(entry for policy in policies for entry in policy.workloads)
    for group in sorted(groups):
        yield _rule([group], sorted(groups[group]))
