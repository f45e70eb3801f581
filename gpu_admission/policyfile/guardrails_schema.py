"""The settings of the guardrails in a policy file (``spec.guardrails``), as pydantic models."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gpu_admission.core import quantity

# The syntax of labels: k8s.io/apimachinery pkg/util/validation, IsQualifiedName and IsValidLabelValue.
_LABEL_KEY = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
_LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
_Seconds = Annotated[int, Field(ge=1, le=2**31 - 1)]  # an int32 in ttlSecondsAfterFinished
_Name = Annotated[str, Field(min_length=1)]


class PolicySection(BaseModel):
    """A mapping of a policy file: immutable, without unknown keys and conversions of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _amount_of_memory(value: Any) -> Any:
    try:
        amount = quantity.parse(value)
    except quantity.QuantityError as error:
        raise ValueError(str(error)) from error
    if value is None or isinstance(value, float) or amount.is_zero or amount.is_negative or not amount.is_integer:
        raise ValueError(f"{value!r} is not a valid amount of memory; write it with its unit, such as 16Gi")
    return value


class SharedMemory(PolicySection):
    """When GPU502 requires a memory-backed volume at /dev/shm, and what its repair writes."""

    gpus: Annotated[int, Field(ge=1, le=1024)] = Field(
        2, description="whole GPUs of one container from which its processes are taken to share memory"
    )
    size: Annotated[str | int, BeforeValidator(_amount_of_memory)] | None = Field(
        None, description="sizeLimit of the volume that the repair adds; without it the repair is not a safe one"
    )


class Jobs(PolicySection):
    """What GPU503 requires of Jobs with a GPU."""

    require: Literal["any", "deadline", "ttl"] = Field(
        "any", description="a deadline, a time to live after the end, or any of the two"
    )
    longest_seconds: _Seconds | None = Field(
        None, alias="longestSeconds", description="the longest deadline that is allowed"
    )
    deadline_seconds: _Seconds | None = Field(
        None, alias="deadlineSeconds", description="the deadline that the (unsafe) repair writes"
    )

    @model_validator(mode="after")
    def _repair_is_allowed(self) -> Jobs:
        if self.longest_seconds and self.deadline_seconds and self.deadline_seconds > self.longest_seconds:
            raise ValueError("deadlineSeconds must not be greater than longestSeconds")
        return self


class NodeLabel(PolicySection):
    """A node label that GPU504 adds to the nodeSelector of pods that do not select GPU nodes."""

    key: Annotated[str, Field(min_length=1, max_length=317, pattern=_LABEL_KEY)]
    value: Annotated[str, Field(max_length=63, pattern=_LABEL_VALUE)]
    vendors: list[str] | None = Field(None, description="vendors of the cards it is for; left out: all")


class Nodes(PolicySection):
    """The labels by which GPU504 requires nodes to be selected."""

    labels: Annotated[list[_Name], Field(min_length=1)] | None = Field(
        None, description="keys of node labels, or shell patterns of keys; default: the well-known ones of GPU nodes"
    )
    add: list[NodeLabel] = Field([], description="what the repair adds where a pod selects no GPU node")


class GuardrailsSection(PolicySection):
    """Settings of the guardrails, GPU501 to GPU506; the rules are switched on under ``rules``."""

    shared_memory: SharedMemory | None = Field(None, alias="sharedMemory")
    jobs: Jobs | None = None
    nodes: Nodes | None = None
    runtime_classes: list[_Name] | None = Field(
        None,
        alias="runtimeClasses",
        description="runtimeClassName values allowed for GPU pods (GPU505): names or shell patterns; left out: all",
    )
    namespaces: Annotated[list[_Name], Field(min_length=1)] | None = Field(
        None, description="where GPUs may be requested (GPU506): names or shell patterns; left out: everywhere"
    )
