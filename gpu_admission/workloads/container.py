"""A view of a container and of each GPU resource that it names: the raw values and what they request."""

from __future__ import annotations

from functools import lru_cache

from gpu_admission.core import quantity
from gpu_admission.core.raw import as_dict, as_str, escape, iter_dicts

from .claim_index import NO_CLAIMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Literal

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.core.quantity import Quantity
    from gpu_admission.policy.model import Policy

    from .claim_index import ClaimIndex
    from .resources import Resource

    Role = Literal["init", "sidecar", "app", "ephemeral"]
    Side = Literal["limits", "requests"]

_SHORT = 24  # the longest amount that is cached

MISSING: Any = type("Missing", (), {"__repr__": lambda _: "MISSING", "__slots__": ()})()
_LABELS: dict[Role, str] = {
    "app": "container",
    "init": "init container",
    "sidecar": "sidecar container",
    "ephemeral": "ephemeral container",
}


class GpuRequest:
    """One GPU resource of a container: its limit and its request, raw.

    ``limit`` and ``request`` are MISSING where the key is absent. ``wants_gpu`` is whether more than zero is requested;
    an invalid amount counts as a request. ``is_valid`` is whether Kubernetes accepts the amounts and they reserve a
    device: the limit is a whole number above zero, and the request, if any, equals it.
    """

    __slots__ = ("_amounts", "container", "is_valid", "limit", "request", "resource", "wants_gpu")

    def __init__(self, container: Container, resource: Resource, limit: Any, request: Any) -> None:
        self.container = container
        self.resource = resource
        self.limit = limit
        self.request = request
        most, least = _parsed(limit), _parsed(request)
        self._amounts: dict[Side, Quantity | None] = {"limits": most, "requests": least}
        amount = least if limit is MISSING else most
        self.wants_gpu = amount is None or not (amount.is_zero or amount.is_negative)
        whole = most is not None and most.is_integer and self.wants_gpu
        self.is_valid = whole and (least is most or request is MISSING or least == most)

    @property
    def name(self) -> str:
        """The resource's name."""
        return self.resource.name

    @property
    def value(self) -> Any:
        """The requested amount: the limit, or the request where there is no limit."""
        return self.request if self.limit is MISSING else self.limit

    @property
    def side(self) -> Side:
        """The side that has ``value``."""
        return "requests" if self.limit is MISSING else "limits"

    def sides(self) -> Iterator[tuple[Side, Any]]:
        """Yield each side that is given, with its raw value."""
        if self.limit is not MISSING:
            yield "limits", self.limit
        if self.request is not MISSING:
            yield "requests", self.request

    def quantity(self, side: Side | None = None) -> Quantity | None:
        """Return the amount on a side (by default of ``value``), or None where it is missing or does not parse."""
        return self._amounts[side or self.side]

    def pointer(self, side: Side | None = None) -> Pointer:
        """Return the pointer to the resource's key on a side, present or not."""
        return (*self.container.resources_pointer, side or self.side, self.resource.name)


def _parsed(raw: Any) -> Quantity | None:
    if raw is MISSING:
        return None
    return _read_again(raw) if isinstance(raw, str) and len(raw) < _SHORT else _read(raw)


@lru_cache(maxsize=256)
def _read_again(raw: str) -> Quantity | None:
    """Parse a short amount, cached: the same few are in every pod, and twice in each."""
    return _read(raw)


def _read(raw: Any) -> Quantity | None:
    try:
        return quantity.parse(raw).in_thousandths()  # the precision in which the API server compares and counts
    except quantity.QuantityError:
        return None


class Container:
    """A container of a pod, or a place that has a container's ``resources`` and little else.

    ``whole`` is False for the latter (KServe's ``model``, NIMService): only its resources can be judged. ``resources``
    is the mapping under ``key``, ``limits`` and ``requests`` are those in it; each is empty where there is none.
    ``gpus`` are the GPU resources named there, ``has_gpu_request`` is whether the container requests any of them (an
    explicit zero requests none). ``known_as`` is its name in messages, where it has no name of its own. ``cache`` is
    for results that rules derive from the container.
    """

    __slots__ = (
        "_env_names",
        "cache",
        "gpus",
        "has_gpu_request",
        "key",
        "known_as",
        "limits",
        "pointer",
        "requests",
        "resources",
        "role",
        "spec",
        "whole",
    )

    def __init__(
        self,
        spec: Mapping[str, Any],
        pointer: Pointer,
        role: Role,
        policy: Policy,
        *,
        key: str = "resources",
        whole: bool = True,
        known_as: str = "",
        claim_index: ClaimIndex = NO_CLAIMS,
    ) -> None:
        self.spec = spec
        self.known_as = known_as
        self.pointer = pointer
        self.role: Role = role
        self.key = key
        self.whole = whole
        self.resources: Mapping[str, Any] = as_dict(spec.get(key))
        self.limits: Mapping[str, Any] = as_dict(self.resources.get("limits"))
        self.requests: Mapping[str, Any] = as_dict(self.resources.get("requests"))
        self.gpus = self._gpus(policy, claim_index) if self.resources else ()
        self.has_gpu_request = bool(self.gpus) and any([gpu.wants_gpu for gpu in self.gpus])
        self._env_names: frozenset[str] | None = None
        self.cache: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """The container's name, or the empty string."""
        return as_str(self.spec.get("name"))

    @property
    def label(self) -> str:
        """Its name in messages: ``container "train"``, ``init container "setup"``, ``NIMService "llama"``."""
        if self.known_as:
            return self.known_as
        kind, name = _LABELS[self.role], self.name
        if name:
            return f'{kind} "{escape(name[:63])}"'
        last = self.pointer[-1] if self.pointer else ""
        return f"{kind} number {last + 1}" if isinstance(last, int) else f'"{escape(last[:63])}"'

    @property
    def resources_pointer(self) -> Pointer:
        """The pointer to the mapping with limits and requests."""
        return (*self.pointer, self.key)

    def env(self) -> Iterator[tuple[Pointer, Mapping[str, Any]]]:
        """Yield the entries of ``env`` that are mappings, with their pointers."""
        for index, entry in iter_dicts(self.spec.get("env")):
            yield (*self.pointer, "env", index), entry

    @property
    def env_names(self) -> frozenset[str]:
        """The names of the variables in ``env``."""
        if self._env_names is None:
            env = self.spec.get("env")
            entries = env if isinstance(env, list) else ()
            self._env_names = frozenset(
                [name for each in entries if isinstance(each, dict) and isinstance(name := each.get("name"), str)]
            )
        return self._env_names

    def _gpus(self, policy: Policy, claim_index: ClaimIndex) -> tuple[GpuRequest, ...]:
        limits, requests = self.limits, self.requests
        names = [name for name in limits if "/" in name]
        names += [name for name in requests if "/" in name and name not in limits]
        found = [(name, resource) for name in names if (resource := policy.classify(name)) is not None]
        if claim_index is not NO_CLAIMS and len(found) < len(names):
            known = [(name, policy.classify(name) or claim_index.resource(name)) for name in names]
            found = [(name, resource) for name, resource in known if resource is not None]
        return tuple(
            [
                GpuRequest(self, resource, limits.get(name, MISSING), requests.get(name, MISSING))
                for name, resource in found
            ]
        )
