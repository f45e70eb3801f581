"""The policy file's schema, as pydantic models.

Only policy files of users are validated with these (importing pydantic takes 100 ms); the shipped ones are validated by
the tests. ``policies/policy.schema.json`` is generated from ``PolicyFile``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, create_model, model_validator
from pydantic_core import PydanticCustomError

from gpu_admission import rules
from gpu_admission.backends import registry
from gpu_admission.backends.per_pod import PER_POD
from gpu_admission.core import pointer

from .cluster_schema import Cluster, ResourceName
from .guardrails_schema import GuardrailsSection, PolicySection

if TYPE_CHECKING:
    from gpu_admission.backends.base import Backend as SharingBackend
    from gpu_admission.backends.parameter import Parameter

API_VERSION = "gpu-admission.io/v1alpha1"
KIND = "GPUPolicy"
_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"  # RFC 1123: the name of an object


def _action(value: Any) -> Any:
    return "off" if value is False else value  # YAML reads an unquoted off as false


Action = Annotated[
    Literal["deny", "warn", "audit", "off"],
    BeforeValidator(_action, json_schema_input_type=Literal["deny", "warn", "audit", "off", False]),
]


UNKNOWN_RULE = "unknown_rule"  # the type of pydantic's error


def _rule_id(value: str) -> str:
    if value not in rules.BY_ID:
        raise PydanticCustomError(UNKNOWN_RULE, "there is no rule of this ID")
    return value


def _pod_spec_path(value: str) -> str:
    if not pointer.from_text(value):
        raise ValueError("the path of a pod spec must begin with a slash, such as /spec/template/spec")
    return value


class RuleSetting(PolicySection):
    """The action on findings of a rule, and whether admission may apply the rule's fix."""

    action: Action | None = Field(None, description="the action on a finding; default: by the rule's severity")
    fix: bool = Field(True, description="whether admission may apply the rule's safe fix")


_KINDS: dict[str, Any] = {
    "text": str,
    "whole": int,
    "yes-no": bool,
    "resource": ResourceName,
    "object": Annotated[str, Field(min_length=1, max_length=253, pattern=_SUBDOMAIN)],
}


def _field(parameter: Parameter) -> Any:
    """Return the type and the default of a parameter of a backend, for pydantic."""
    kind = Literal[parameter.choices] if parameter.choices else _KINDS[parameter.kind]
    bounds = {"text": ("min_length", "max_length"), "whole": ("ge", "le")}.get(parameter.kind, ())
    limits: dict[str, Any] = dict(zip(bounds, (parameter.least, parameter.most), strict=False))
    limits = {name: value for name, value in limits.items() if value is not None}
    if limits:
        kind = Annotated[kind, Field(**limits)]
    if parameter.default is None:
        kind = kind | None
    return (kind, Field(parameter.default, description=parameter.description))


def _backend(backend: SharingBackend) -> type[BaseModel]:
    """Return the model of a backend: its name and the parameters of its class."""
    fields: dict[str, Any] = {"name": (Literal[backend.name], Field(description="its name; docs/backends.md"))}
    fields |= {parameter.name: _field(parameter) for parameter in backend.parameters}
    title = "".join(part.capitalize() for part in backend.name.split("-"))
    return create_model(title, __base__=PolicySection, __doc__=type(backend).__doc__, **fields)


BACKENDS = (*registry.NAMES, PER_POD)
if TYPE_CHECKING:
    Backend = BaseModel
else:
    Backend = Annotated[Union[tuple(map(_backend, map(registry.named, BACKENDS)))], Field(discriminator="name")]  # noqa: UP007


class Resources(PolicySection):
    """Resource names that are GPUs on this cluster only."""

    extra: list[ResourceName] = Field([], description="names of extended resources, such as example.com/gpu")


class Toleration(PolicySection):
    """A toleration that GPU201 adds to pods that request a GPU of one of the vendors (by default, of any)."""

    key: Annotated[str, Field(min_length=1)]
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    vendors: list[str] | None = None

    @model_validator(mode="after")
    def _value_only_with_equal(self) -> Toleration:
        if self.operator == "Exists" and self.value:
            raise ValueError("a toleration with operator Exists has no value")
        return self


class VisibleDevices(PolicySection):
    """The value of NVIDIA_VISIBLE_DEVICES; ``leave`` sets nothing."""

    gpu_less: str = Field(
        "leave",
        alias="gpuLess",
        description="in containers without a GPU in a pod that requests one; void where only everyPod is given",
    )
    served: str = Field("leave", description="in containers that request a GPU")
    every_pod: bool = Field(
        False,
        alias="everyPod",
        description="gpuLess for all pods, all of which then reach the webhook and are denied where it is missing",
    )


class Limits(PolicySection):
    """How many GPUs are allowed."""

    per_container: Annotated[int, Field(ge=0)] | None = Field(
        None, alias="perContainer", description="most GPUs of one container"
    )
    per_pod: Annotated[int, Field(ge=0)] | None = Field(None, alias="perPod", description="most GPUs of one pod")
    counts: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, description="the only numbers of GPUs that a container may request"
    )


class Match(PolicySection):
    """The namespaces that the policy is for. In each, the first policy of the server that matches it is in force."""

    namespaces: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="names, or shell patterns of names (team-*); leave match out for every namespace"
    )


class Exempt(PolicySection):
    """Exemptions: names, or shell patterns of names (``team-*``, ``ops-?``, ``[a-c]-*``)."""

    namespaces: list[str] = Field([], description="namespaces whose objects are not judged")
    users: list[str] = Field([], description="names of users, such as system:serviceaccount:NS:NAME")


class WorkloadEntry(PolicySection):
    """The pod specs of a custom kind; ``*`` in a path is every item of a list or value of a mapping."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    pod_specs: list[Annotated[str, BeforeValidator(_pod_spec_path)]] = Field(alias="podSpecs")


class Spec(PolicySection):
    """The settings of a policy."""

    mode: Literal["enforce", "warn", "audit"] = Field("enforce", description="a ceiling on every action")
    match: Match | None = None
    backend: Backend | None = Field(
        None, description="how GPUs are shared in the cluster, with parameters; default: exclusive"
    )
    rules: dict[Annotated[str, BeforeValidator(_rule_id)], Action | RuleSetting] = Field(
        {}, description="the action on a finding, by the rule's ID; by default it follows from the severity"
    )
    resources: Resources = Resources()
    tolerations: list[Toleration] = Field([], description="what GPU201 adds to pods that request a GPU")
    scheduler_name: str | None = Field(None, alias="schedulerName", description="default: the backend's")
    overwrite_scheduler_name: bool = Field(
        False, alias="overwriteSchedulerName", description="replace a scheduler that the author chose"
    )
    runtime_class_name: str | None = Field(
        None, alias="runtimeClassName", description="what GPU204 sets on pods that request a GPU; default: nothing"
    )
    visible_devices: VisibleDevices | None = Field(None, alias="visibleDevices")
    limits: Limits | None = None
    cluster: Cluster | None = None
    guardrails: GuardrailsSection | None = None
    exempt: Exempt | None = None
    workloads: list[WorkloadEntry] = Field([], description="further custom kinds that hold pod specs")


POLICY_NAME = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
# Fields that an API server adds to objects: they are ignored.
_WRITTEN_BY_SERVER = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generation", "managedFields",
    "ownerReferences", "resourceVersion", "selfLink", "uid",
)  # fmt: skip


class _Metadata(PolicySection):
    """The policy's name, which metrics and ``/mutate/NAME`` use."""

    name: Annotated[str, Field(pattern=POLICY_NAME)]
    labels: dict[str, JsonValue] | None = None
    annotations: dict[str, JsonValue] | None = None


if TYPE_CHECKING:
    PolicyMetadata = _Metadata
else:
    PolicyMetadata = create_model(
        "PolicyMetadata",
        __base__=_Metadata,
        __doc__=_Metadata.__doc__,
        **{name: (JsonValue, Field(None, description="written by the API server")) for name in _WRITTEN_BY_SERVER},
    )


class PolicyFile(PolicySection):
    """A policy file, or a GPUPolicy object as an API server returns it."""

    api_version: Literal["gpu-admission.io/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["GPUPolicy"]
    metadata: PolicyMetadata
    spec: Spec = Spec()
    status: JsonValue = Field(None, description="written by the webhook's replicas, ignored in files")


def schema() -> dict[str, Any]:
    """Return the JSON Schema of policy files, with every rule ID, for completion in editors."""
    made = PolicyFile.model_json_schema(by_alias=True)
    described = made["$defs"]["Spec"]["properties"]["rules"]
    made["$defs"]["RuleConsequence"] = described["additionalProperties"]
    described["additionalProperties"] = False
    described["properties"] = {
        rule.id: {"$ref": "#/$defs/RuleConsequence", "title": rule.name, "description": rule.summary}
        for rule in rules.ALL
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "GPUPolicy of gpu-admission"}
