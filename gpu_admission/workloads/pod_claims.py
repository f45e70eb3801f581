"""The claims of a pod and its containers' use of them; ``claims`` reads them from a pod spec."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.pointer import Pointer

    from .claims import PodClaim
    from .container import Container


class ClaimReference:
    """An entry of a container's ``resources.claims``: ``claim`` is the pod's claim that it names, if there is one.

    ``gpu`` is whether it gives the container a GPU (a ``request`` selects a part of the claim), None where unknown.
    """

    __slots__ = ("claim", "gpu", "name", "pointer", "request")

    def __init__(self, name: str, request: str, pointer: Pointer, claim: PodClaim | None, *, gpu: bool | None) -> None:
        self.name = name
        self.request = request
        self.pointer = pointer
        self.claim = claim
        self.gpu = gpu


class PodClaims:
    """The claims of a pod, and the references of its containers to them.

    ``references`` are those of a container, by the container's pointer. ``gpu`` is whether any claim gives a GPU,
    ``unknown`` whether that is unknown of any, ``idle`` whether one that gives a GPU is used by no container.
    """

    __slots__ = ("claims", "gpu", "idle", "references", "unknown")

    def __init__(self, claims: tuple[PodClaim, ...], references: dict[Pointer, tuple[ClaimReference, ...]]) -> None:
        self.claims = claims
        self.references = references
        self.gpu = any([claim.gpu for claim in claims])
        self.unknown = any([claim.gpu is None for claim in claims])
        used = {each.name for uses in references.values() for each in uses} if self.gpu else ()
        self.idle = self.gpu and any([claim.gpu is True and claim.name not in used for claim in claims])

    def of(self, container: Container) -> tuple[ClaimReference, ...]:
        """Return a container's references to claims."""
        return self.references.get(container.pointer, ())

    def serve(self, container: Container) -> bool | None:
        """Return whether a claim gives a container a GPU; None where that is unknown."""
        known = [reference.gpu for reference in self.of(container)]
        return True if True in known else None if None in known else False

    def vendors(self) -> frozenset[str]:
        """Return the vendors of the cards that the claims give; ``any`` where only the policy declares them GPUs."""
        from .device_classes import ANY_VENDOR  # noqa: PLC0415 - start-up time: needed only for pods with claims

        found = {facts.vendor for claim in self.claims if claim.gpu for facts in claim.classes if facts.is_gpu}
        if any([claim.gpu and not any([facts.is_gpu for facts in claim.classes]) for claim in self.claims]):
            found.add(ANY_VENDOR)
        return frozenset(found)


NO_POD_CLAIMS = PodClaims((), {})
