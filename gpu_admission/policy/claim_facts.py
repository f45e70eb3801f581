"""Which resource claims give GPUs on this cluster: ``spec.cluster.claims`` of a policy file."""

from __future__ import annotations

from .exemptions import NamePatterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class ClaimFacts:
    """Names, or shell patterns of names, of what gives a GPU; whatever else is named may or may not.

    ``templates`` are ResourceClaimTemplates, ``claims`` are ResourceClaims, ``classes`` are DeviceClasses.
    """

    __slots__ = ("claims", "classes", "templates")

    def __init__(self, spec: Mapping[str, Any] | None = None) -> None:
        spec = spec or {}
        self.templates = NamePatterns(spec.get("templates") or ())
        self.claims = NamePatterns(spec.get("claims") or ())
        self.classes = NamePatterns(spec.get("classes") or ())
