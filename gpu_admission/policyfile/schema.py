"""The policy file's schema, as pydantic models.

Only policy files of users are validated with these (importing pydantic takes 100 ms); the shipped ones are validated by
the tests. ``policies/policy.schema.json`` is generated from ``PolicyFile``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_origin

from pydantic import BaseModel, BeforeValidator, Field, JsonValue, create_model, model_validator
from pydantic_core import PydanticCustomError

from gpu_admission import rules
from gpu_admission.backends import registry
from gpu_admission.backends.per_pod import PER_POD
from gpu_admission.core import pointer, quantity
from gpu_admission.workloads import resources

from .guardrails_schema import STRICT, GuardrailsSection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.backends.base import Backend as SharingBackend
    from gpu_admission.backends.parameter import Parameter
    from gpu_admission.engine.rule import Rule

API_VERSION = "gpu-admission.io/v1alpha1"
KIND = "GPUPolicy"
_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"  # RFC 1123: the name of an object


class _Model(BaseModel):
    model_config = STRICT


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


def _quantity(value: Any) -> Any:
    try:
        amount = quantity.parse(value)
    except quantity.QuantityError as error:
        raise ValueError(str(error)) from error
    if value is None or amount.is_zero or amount.is_negative:
        raise ValueError("a card's memory must be greater than zero, such as 80Gi")
    if isinstance(value, float):
        raise ValueError("a card's memory needs a unit, such as 80Gi")  # noqa: TRY004 - pydantic only reports ValueError
    return value


Memory = Annotated[str | int, BeforeValidator(_quantity)]


def _resource_name(value: str) -> str:
    if not resources.is_extended(value):
        raise ValueError(f"{value!r} is not a valid name of an extended resource, such as example.com/gpu")
    return value


def _pod_spec_path(value: str) -> str:
    if not pointer.from_text(value):
        raise ValueError("the path of a pod spec must begin with a slash, such as /spec/template/spec")
    return value


class RuleSetting(_Model):
    """The action on findings of a rule, and whether admission may apply the rule's fix."""

    action: Action | None = Field(None, description="the action on a finding; default: by the rule's severity")
    fix: bool = Field(True, description="whether admission may apply the rule's safe fix")


_KINDS: dict[str, Any] = {
    "text": str,
    "whole": int,
    "yes-no": bool,
    "resource": Annotated[str, BeforeValidator(_resource_name)],
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
    return create_model(title, __base__=_Model, __doc__=type(backend).__doc__, **fields)


BACKENDS = (*registry.NAMES, PER_POD)
if TYPE_CHECKING:
    from collections.abc import Iterator

    Backend = BaseModel
else:
    Backend = Annotated[Union[tuple(map(_backend, map(registry.named, BACKENDS)))], Field(discriminator="name")]  # noqa: UP007


class Resources(_Model):
    """Resource names that are GPUs on this cluster only."""

    extra: list[Annotated[str, BeforeValidator(_resource_name)]] = Field(
        [], description="names of extended resources, such as example.com/gpu"
    )


class Toleration(_Model):
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


class VisibleDevices(_Model):
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


class Limits(_Model):
    """How many GPUs are allowed."""

    per_container: Annotated[int, Field(ge=0)] | None = Field(
        None, alias="perContainer", description="most GPUs of one container"
    )
    per_pod: Annotated[int, Field(ge=0)] | None = Field(None, alias="perPod", description="most GPUs of one pod")
    counts: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, description="the only numbers of GPUs that a container may request"
    )


class Profile(_Model):
    """A MIG profile of a card: its usable memory, and how many fit on a card."""

    name: Annotated[str, Field(pattern=r"^\d+g\.\d+gb([.+-][a-z.]+)?$")]
    memory: Memory
    count: Annotated[int, Field(ge=1, le=64)] | None = None


class CardEntry(_Model):
    """A card model in the cluster."""

    model: Annotated[str, Field(min_length=1)]
    memory: Memory | None = None
    per_node: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, alias="perNode", description="cards in the largest node"
    )
    mig: Literal["mixed", "single", "none"] | None = None
    profile: str | None = Field(None, description="the one profile of strategy single")
    product: Annotated[str, Field(min_length=1, max_length=63)] | None = Field(
        None, description="the node label nvidia.com/gpu.product without MIG's suffix; default: the model"
    )
    profiles: list[Profile] | None = Field(
        None, description="where they differ from the table, or the model is not in it"
    )


class ClaimsSection(_Model):
    """Which resource claims give GPUs, for claims whose class is unknown (admission sees each object alone)."""

    templates: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="names of ResourceClaimTemplates, or shell patterns of names (gpu-*)"
    )
    claims: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="names of ResourceClaims, or shell patterns of names"
    )
    classes: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="names of DeviceClasses besides those that drivers ship, or shell patterns of names"
    )
    extended_resources: dict[Annotated[str, BeforeValidator(_resource_name)], Annotated[str, Field(min_length=1)]] = (
        Field(
            {},
            alias="extendedResources",
            description="resources that DeviceClasses of GPUs stand for (extendedResourceName), each with its class",
        )
    )


class Cluster(_Model):
    """Facts about the cluster; a rule without the facts that it needs reports nothing."""

    cards: list[CardEntry] = Field([], description="models of cards that the nodes have")
    claims: ClaimsSection | None = None


class Match(_Model):
    """The namespaces that the policy is for. In each, the first policy of the server that matches it is in force."""

    namespaces: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="names, or shell patterns of names (team-*); leave match out for every namespace"
    )


class Exempt(_Model):
    """Exemptions: names, or shell patterns of names (``team-*``, ``ops-?``, ``[a-c]-*``)."""

    namespaces: list[str] = Field([], description="namespaces whose objects are not judged")
    users: list[str] = Field([], description="names of users, such as system:serviceaccount:NS:NAME")


class WorkloadEntry(_Model):
    """The pod specs of a custom kind; ``*`` in a path is every item of a list or value of a mapping."""

    api_version: str = Field(alias="apiVersion")
    kind: str
    pod_specs: list[Annotated[str, BeforeValidator(_pod_spec_path)]] = Field(alias="podSpecs")


class Spec(_Model):
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


class _Metadata(_Model):
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


class PolicyFile(_Model):
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


def valid_keys(location: tuple[str | int, ...]) -> list[str]:
    """Return the keys that are valid at a place of a policy file: fields, rule IDs."""
    if location == ("spec", "rules"):
        return [*rules.BY_ID, *(rule.name for rule in rules.ALL)]
    return sorted({name for found in _models(_at(location)) for name in _keys(found)})


def choices(location: tuple[str | int, ...]) -> list[str]:
    """Return the valid values of an enumeration at a place, in the order of the schema."""
    return list(dict.fromkeys(_literals(_at(location))))


def rule_named(name: str) -> Rule | None:
    """Return the rule of a name, for names that are written in place of IDs."""
    return next((rule for rule in rules.ALL if rule.name == name), None)


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _at(location: tuple[str | int, ...]) -> Any:
    """Return the annotation at pydantic's location of an error."""
    annotation: Any = PolicyFile
    for token in location:
        annotation = _inside(annotation, token)
    return annotation


def _literals(annotation: Any) -> Iterator[str]:
    """Yield the values of every Literal in an annotation, outside of models."""
    inner = annotation if isinstance(annotation, tuple) else getattr(annotation, "__args__", ())
    for item in inner:
        if get_origin(annotation) is Literal:
            yield str(item)
        else:
            yield from _literals(item)


def _inside(annotation: Any, token: str | int) -> Any:
    """Return the annotation of a child, by a token of pydantic's location of an error.

    A token is a field, an index, or the tag by which pydantic chose among several models (a backend's name).
    """
    models = _models(annotation)
    fields = [
        field.annotation
        for model in models
        for name, field in model.model_fields.items()
        if token in {name, field.alias}
    ]
    if fields:
        return tuple(fields)
    tagged = tuple(model for model in models if "name" in model.model_fields and token in _tags(model))
    return tagged or annotation


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    return getattr(model.model_fields["name"].annotation, "__args__", ())


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return every model in an annotation, at any depth of unions and lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, tuple):
        return [model for item in annotation for model in _models(item)]
    return [model for item in getattr(annotation, "__args__", ()) for model in _models(item)]
