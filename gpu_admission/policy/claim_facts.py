"""Which resource claims give GPUs on this cluster: ``spec.cluster.claims`` of a policy file."""

from __future__ import annotations

from .exemptions import NamePatterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class ClaimFacts:
    """Names, or shell patterns of names, of what gives a GPU; whatever else is named may or may not.

    ``templates`` are ResourceClaimTemplates, ``claims`` are ResourceClaims, ``classes`` are DeviceClasses. What the
    policy's backend ``dra`` writes and names is among them: those are the ``parameters`` of that backend.
    """

    __slots__ = ("claims", "classes", "templates")

    def __init__(self, spec: Mapping[str, Any] | None = None, parameters: Mapping[str, Any] | None = None) -> None:
        spec, parameters = spec or {}, parameters or {}
        template = parameters.get("template")
        own = [template, f"{template}-*"][: 1 + bool(parameters.get("templatePerRequest"))] if template else []
        classes = [name for key in ("deviceClass", "migDeviceClass") if (name := parameters.get(key))]
        self.templates = NamePatterns([*(spec.get("templates") or ()), *own])
        self.claims = NamePatterns(spec.get("claims") or ())
        self.classes = NamePatterns([*(spec.get("classes") or ()), *classes])
