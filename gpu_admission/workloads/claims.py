"""Resource claims: what a claim requests, which claims a pod uses, and whether they give GPUs.

``read_spec`` reads ResourceClaims and ResourceClaimTemplates of every API version, leniently; rules report errors of
their structure. ``of_pod`` reads a pod's ``spec.resourceClaims`` and its containers' use of them. Whether a claim gives
GPUs is decided by the template, claim or class among the inputs, then by the policy (``cluster.claims``), then by the
table of known classes; None means unknown.
"""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, iter_dicts

from . import device_classes
from .claim_index import CLAIM, DEVICE_CLASS, NO_CLAIMS, TEMPLATE
from .pod_claims import ClaimReference, PodClaims

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy

    from .claim_index import ClaimIndex
    from .container import Container
    from .device_classes import ClassFacts

EXACT_COUNT, ALL_DEVICES = "ExactCount", "All"
_SOURCES = (("resourceClaimTemplateName", TEMPLATE), ("resourceClaimName", CLAIM))


class DeviceRequest:
    """One request of a claim, or one of the alternatives of ``firstAvailable``.

    ``raw`` is the mapping with ``deviceClassName`` (the value of ``exactly``; of v1beta1 the request itself),
    ``pointer`` its place relative to the claim's spec (the one that has ``devices``). ``count`` is the number of
    devices: 1 by default, None for ``All`` and for what is not a whole number. ``capacity`` are the amounts of
    ``capacity.requests``, raw; ``alternatives`` are in the order of preference.
    """

    __slots__ = ("alternatives", "name", "pointer", "raw")

    def __init__(
        self, name: str, raw: Mapping[str, Any], pointer: Pointer, alternatives: tuple[DeviceRequest, ...] = ()
    ) -> None:
        self.name = name
        self.raw = raw
        self.pointer = pointer
        self.alternatives = alternatives

    @property
    def class_name(self) -> str:
        """The name of the DeviceClass; empty for a request with alternatives."""
        return as_str(self.raw.get("deviceClassName"))

    @property
    def mode(self) -> str:
        """``ExactCount`` (the default), ``All``, or another value as written."""
        return as_str(self.raw.get("allocationMode")) or EXACT_COUNT

    @property
    def count(self) -> int | None:
        """How many devices are requested."""
        count = self.raw.get("count", 1)
        whole = isinstance(count, int) and not isinstance(count, bool)
        return count if whole and self.mode == EXACT_COUNT else None

    @property
    def capacity(self) -> Mapping[str, Any]:
        """The capacity requested of each device: name -> raw quantity."""
        return as_dict(as_dict(self.raw.get("capacity")).get("requests"))

    @property
    def is_admin(self) -> bool:
        """Whether devices are accessed alongside their users, without reserving them."""
        return self.raw.get("adminAccess") is True

    def selectors(self) -> Iterator[tuple[Pointer, str]]:
        """Yield the CEL expressions with their pointers relative to the claim's spec."""
        for index, selector in iter_dicts(self.raw.get("selectors")):
            expression = as_dict(selector.get("cel")).get("expression")
            if isinstance(expression, str):
                yield (*self.pointer, "selectors", index, "cel", "expression"), expression

    def each(self) -> tuple[DeviceRequest, ...]:
        """Return the alternatives, of which one is allocated, or the request itself."""
        return self.alternatives or (self,)


class ClaimSpec:
    """What a ResourceClaim requests, or the claims that a ResourceClaimTemplate makes.

    ``raw`` is the mapping that has ``devices``, at ``pointer`` in the object; ``requests`` are its requests, in order.
    """

    __slots__ = ("_by_name", "api_version", "kind", "name", "namespace", "pointer", "raw", "requests")

    def __init__(self, obj: Mapping[str, Any], raw: Mapping[str, Any], pointer: Pointer) -> None:
        metadata = as_dict(obj.get("metadata"))
        self.api_version = as_str(obj.get("apiVersion"))
        self.kind = as_str(obj.get("kind"))
        self.name = as_str(metadata.get("name"))
        self.namespace = as_str(metadata.get("namespace"))
        self.raw = raw
        self.pointer = pointer
        self.requests = tuple(_requests(raw))
        self._by_name: dict[str, DeviceRequest] = {}
        for request in self.requests:
            self._by_name.setdefault(request.name, request)
            for each in request.alternatives:
                self._by_name.setdefault(f"{request.name}/{each.name}", each)

    def request(self, name: str) -> DeviceRequest | None:
        """Return a request by its name, or an alternative by ``request/alternative``; None where there is none."""
        return self._by_name.get(name)

    def names(self) -> list[str]:
        """Return the names by which requests can be referred to, alternatives too."""
        return list(self._by_name)

    def all_requests(self) -> Iterator[DeviceRequest]:
        """Yield what can be allocated: each request, or its alternatives in place of it."""
        for request in self.requests:
            yield from request.each()


class PodClaim:
    """An entry of a pod's ``spec.resourceClaims``, with the claim that it names as far as it is known.

    ``source`` is the kind that it names (empty where that is unclear), ``source_name`` the name; ``spec`` is the
    claim's spec if it is among the inputs. ``gpu`` is whether the claim gives a GPU, None where that is unknown.
    ``classes`` are the facts of the known classes of its requests.
    """

    __slots__ = ("_index", "_space", "classes", "gpu", "name", "pointer", "raw", "source", "source_name", "spec")

    def __init__(self, raw: Mapping[str, Any], pointer: Pointer, policy: Policy, index: ClaimIndex, space: str) -> None:
        self.raw = raw
        self.pointer = pointer
        self.name = as_str(raw.get("name"))
        old = raw.get("source")  # the fields' place before Kubernetes 1.31
        given = raw if old is None else {**as_dict(old), **{key: raw[key] for key in raw if raw[key] is not None}}
        named = [(kind, name) for field, kind in _SOURCES if (name := as_str(given.get(field)))]
        self.source, self.source_name = named[0] if len(named) == 1 else ("", "")
        self._index, self._space = index, space
        self.spec = index.claim(self.source, self.source_name, space) if self.source else None
        self.classes: tuple[ClassFacts, ...] = ()
        if self.spec is not None:
            self.classes = _known([each.class_name for each in self.spec.all_requests()], policy, index)
        self.gpu = self._is_gpu(policy, index)

    @property
    def pods(self) -> int | None:
        """The number of pods that share the claim: 1 where a template makes one for each, None if unknown."""
        return 1 if self.source == TEMPLATE else self._index.pods_naming(self.source_name, self._space)

    @property
    def uses_mps(self) -> bool:
        """Whether the claim configures NVIDIA's driver to share its devices by the Multi-Process Service."""
        if self.spec is None:
            return False
        configs = [
            as_dict(each.get("opaque")) for _, each in iter_dicts(as_dict(self.spec.raw.get("devices")).get("config"))
        ]
        return any(
            [as_dict(as_dict(each.get("parameters")).get("sharing")).get("strategy") == "MPS" for each in configs]
        )

    def _is_gpu(self, policy: Policy, index: ClaimIndex) -> bool | None:
        if self.spec is not None:
            return _any_gpu(self.spec.all_requests(), policy, index)
        stated = policy.claims.templates if self.source == TEMPLATE else policy.claims.claims
        return True if self.source and stated.match(self.source_name) else None


def _of_request(claim: PodClaim, request: str, policy: Policy, index: ClaimIndex) -> bool | None:
    """Return whether a request of a claim (empty: any of them) is for a GPU."""
    if not request or claim.spec is None:
        return claim.gpu
    found = claim.spec.request(request)
    return None if found is None else _any_gpu(found.each(), policy, index)


def read_spec(obj: Mapping[str, Any]) -> ClaimSpec:
    """Return the spec of a ResourceClaim or ResourceClaimTemplate, without the parts that cannot be read.

    A template has its claim's spec under ``spec.spec``; a missing inner level is tolerated.
    """
    spec, pointer = as_dict(obj.get("spec")), ("spec",)
    if obj.get("kind") == TEMPLATE and ("spec" in spec or "devices" not in spec):
        return ClaimSpec(obj, as_dict(spec.get("spec")), (*pointer, "spec"))
    return ClaimSpec(obj, spec, pointer)


def of_pod(
    spec: Mapping[str, Any],
    pointer: Pointer,
    containers: Iterable[Container],
    policy: Policy,
    index: ClaimIndex = NO_CLAIMS,
    namespace: str = "",
) -> PodClaims:
    """Return the claims of a pod spec that has ``resourceClaims``."""
    claims = tuple(
        PodClaim(raw, (*pointer, "resourceClaims", at), policy, index, namespace)
        for at, raw in iter_dicts(spec.get("resourceClaims"))
    )
    by_name: dict[str, PodClaim] = {}
    for claim in claims:
        by_name.setdefault(claim.name, claim)
    references = {
        container.pointer: tuple(_references(container, by_name, policy, index))
        for container in containers
        if container.resources.get("claims")
    }
    return PodClaims(claims, references)


def _references(
    container: Container, claims: Mapping[str, PodClaim], policy: Policy, index: ClaimIndex
) -> Iterator[ClaimReference]:
    """Yield a container's references to the claims of its pod."""
    for at, raw in iter_dicts(container.resources["claims"]):
        name, request = as_str(raw.get("name")), as_str(raw.get("request"))
        named = claims.get(name)
        gpu = None if named is None else _of_request(named, request, policy, index)
        yield ClaimReference(name, request, (*container.resources_pointer, "claims", at), named, gpu=gpu)


def class_facts(name: str, policy: Policy, index: ClaimIndex = NO_CLAIMS) -> ClassFacts | None:
    """Return the facts of a device class by its object in the input, the policy or the table; None if unknown."""
    if not name:
        return None
    seen = index.find(DEVICE_CLASS, name)
    facts = None if seen is None else device_classes.of_object(seen.object)
    if facts is not None:
        return facts
    if policy.claims.classes.match(name):
        return device_classes.stated(name)
    return device_classes.known(name)


def _known(names: Iterable[str], policy: Policy, index: ClaimIndex) -> tuple[ClassFacts, ...]:
    found = [class_facts(name, policy, index) for name in dict.fromkeys(names)]
    return tuple([facts for facts in found if facts is not None])


def _any_gpu(requests: Iterable[DeviceRequest], policy: Policy, index: ClaimIndex) -> bool | None:
    known = set()
    for name in {request.class_name for request in requests}:
        facts = class_facts(name, policy, index)
        known.add(None if facts is None else facts.is_gpu)
    return True if True in known else None if None in known or not known else False


def _requests(raw: Mapping[str, Any]) -> Iterator[DeviceRequest]:
    for index, request in iter_dicts(as_dict(raw.get("devices")).get("requests")):
        name, place = as_str(request.get("name")), ("devices", "requests", index)
        exactly = request.get("exactly")
        if isinstance(exactly, dict):
            yield DeviceRequest(name, exactly, (*place, "exactly"))
            continue
        given = request.get("firstAvailable")
        alternatives = tuple(
            DeviceRequest(as_str(each.get("name")), each, (*place, "firstAvailable", at))
            for at, each in iter_dicts(given)
        )
        yield DeviceRequest(name, request, place, alternatives)  # v1beta1 has the fields directly in the request
