"""Which resource claims give GPUs on this cluster: ``spec.cluster.claims`` of a policy file."""

from __future__ import annotations

from gpu_admission.workloads.resources import CLASS_PREFIX

from .exemptions import NamePatterns, is_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class ClaimFacts:
    """Names, or shell patterns of names, of claims and classes that give GPUs; of others it is unknown.

    ``templates`` are ResourceClaimTemplates, ``claims`` are ResourceClaims, ``classes`` are DeviceClasses. They include
    what the policy's backend ``dra`` writes and names, by its ``parameters``. ``extended`` are the resources that a
    class stands for (``extendedResourceName``), each with the class; ``resources`` are all resource names of the
    policy's classes, except of classes that are patterns.
    """

    __slots__ = ("claims", "classes", "extended", "resources", "templates")

    def __init__(self, spec: Mapping[str, Any] | None = None, parameters: Mapping[str, Any] | None = None) -> None:
        spec, parameters = spec or {}, parameters or {}
        template = parameters.get("template")
        own = [template, f"{template}-*"][: 1 + bool(parameters.get("templatePerRequest"))] if template else []
        classes = [name for key in ("deviceClass", "migDeviceClass") if (name := parameters.get(key))]
        self.templates = NamePatterns([*(spec.get("templates") or ()), *own])
        self.claims = NamePatterns(spec.get("claims") or ())
        self.extended: dict[str, str] = dict(spec.get("extendedResources") or {})
        self.classes = NamePatterns([*(spec.get("classes") or ()), *classes, *self.extended.values()])
        plain = [name for name in self.classes.patterns if not is_pattern(name)]
        self.resources: tuple[str, ...] = (*self.extended, *[f"{CLASS_PREFIX}{name}" for name in plain])
