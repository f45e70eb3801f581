"""The parameters of a policy for claims: the driver's class, and how its devices are shared."""

from __future__ import annotations

from .dra_drivers import DRIVERS, MIG_CLASS, NVIDIA, chosen
from .parameter import Parameter
from .rejection import UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .dra_drivers import DraDriver

PARAMETERS = (
    Parameter("template", "object", "an existing ResourceClaimTemplate"),
    Parameter(
        "templatePerRequest",
        "yes-no",
        "template begins the names of templates by what they give (gpu-8gi), as translate prints them",
        default=False,
    ),
    Parameter("deviceClass", "object", f"the DeviceClass of GPUs; default: {NVIDIA.device_class}, or the driver's"),
    Parameter(
        "driver",
        "text",
        "the DRA driver that serves deviceClass; default: the one that ships a class of that name, else nvidia",
        choices=tuple(DRIVERS),
    ),
    Parameter("migDeviceClass", "object", "the DeviceClass of MIG devices", default=MIG_CLASS),
    Parameter(
        "consumableShares",
        "text",
        "how NVIDIA's driver runs (--consumable-shares); count is a number of shares, which sharesPerDevice gives",
        default="disabled",
        choices=("disabled", "memory", "unlimited", "count"),
    ),
    Parameter("sharesPerDevice", "whole", "that number", least=1, most=1024),
    Parameter(
        "sharing",
        "text",
        "how users share a device of NVIDIA's driver, whose gate TimeSlicingSettings or MPSSupport is on",
        default="none",
        choices=("none", "time-slicing", "mps"),
    ),
    Parameter(
        "timeSlice",
        "text",
        "how long a time slice is",
        default="Default",
        choices=("Default", "Short", "Medium", "Long"),
    ),
)


class DraSettings:
    """The parameters of a policy, with their defaults.

    ``per_request`` means that each kind of request has a template of its own, ``shared`` that it is a claim which the
    pods of a workload share (set by the command ``translate`` only).
    """

    __slots__ = (
        "device_class", "driver", "mig_class", "per_request", "shared", "shares", "shares_per_device", "sharing",
        "template", "time_slice",
    )  # fmt: skip

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.template: str | None = parameters.get("template")
        self.per_request = bool(parameters.get("templatePerRequest"))
        self.shared = bool(parameters.get("sharedClaims"))
        self.driver: DraDriver = chosen(parameters)
        self.device_class: str = parameters.get("deviceClass") or self.driver.device_class
        self.mig_class: str = parameters.get("migDeviceClass") or MIG_CLASS
        own = self.driver is NVIDIA  # only NVIDIA's driver has these three
        self.shares: str = (parameters.get("consumableShares") if own else None) or "disabled"
        self.shares_per_device: int = int(parameters.get("sharesPerDevice") or 0)
        self.sharing: str = (parameters.get("sharing") if own else None) or "none"
        self.time_slice: str = parameters.get("timeSlice") or "Default"

    def require_consistent(self) -> None:
        """Raise RejectedRequestError where the driver does not accept the policy's settings."""
        if self.sharing == "mps" and self.shares != "disabled":
            raise RejectedRequestError(
                UNTRANSLATABLE,
                (
                    "and the policy has NVIDIA's DRA driver run MPS and consumableShares",
                    ", which that does not do together",
                ),
                "leave backend.sharing or backend.consumableShares out of the policy",
            )
        if self.shares == "count" and not self.shares_per_device:
            raise RejectedRequestError(
                UNTRANSLATABLE,
                "and the policy does not define how many shares a device has",
                "write backend.sharesPerDevice into the policy, the number of --consumable-shares",
            )
