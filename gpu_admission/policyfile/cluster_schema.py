"""Facts about the cluster in a policy file (``spec.cluster``), as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from gpu_admission.core import quantity
from gpu_admission.workloads import resources

from .guardrails_schema import PolicySection


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


ResourceName = Annotated[str, BeforeValidator(_resource_name)]


class Profile(PolicySection):
    """A MIG profile of a card: its usable memory, and how many fit on a card."""

    name: Annotated[str, Field(pattern=r"^\d+g\.\d+gb([.+-][a-z.]+)?$")]
    memory: Memory
    count: Annotated[int, Field(ge=1, le=64)] | None = None


class CardEntry(PolicySection):
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


class ClaimsSection(PolicySection):
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
    extended_resources: dict[ResourceName, Annotated[str, Field(min_length=1)]] = Field(
        {},
        alias="extendedResources",
        description="resources that DeviceClasses of GPUs stand for (extendedResourceName), each with its class",
    )


class Cluster(PolicySection):
    """Facts about the cluster; a rule without the facts that it needs reports nothing."""

    cards: list[CardEntry] = Field([], description="models of cards that the nodes have")
    claims: ClaimsSection | None = None
