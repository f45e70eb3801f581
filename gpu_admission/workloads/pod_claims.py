"""The claims of a pod and what its containers use of them; ``claims`` reads them from a pod spec."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.pointer import Pointer

    from .claims import PodClaim
    from .container import Container


class ClaimReference:
    """An entry of a container's ``resources.claims``: ``claim`` is the pod's claim that it names, None for none.

    ``gpu`` tells whether the container is given a GPU by it (a ``request`` narrows it down), None where nobody knows.
    """

    __slots__ = ("claim", "gpu", "name", "pointer", "request")

    def __init__(self, name: str, request: str, pointer: Pointer, claim: PodClaim | None, *, gpu: bool | None) -> None:
        self.name = name
        self.request = request
        self.pointer = pointer
        self.claim = claim
        self.gpu = gpu


class PodClaims:
    """The claims of a pod, and what each of its containers uses of them.

    ``references`` are those of a container, by the container's pointer. ``gpu`` tells whether any claim is a GPU's,
    ``unknown`` whether there is one of which nobody knows, ``idle`` whether a GPU's is used by no container.
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
        """Return what a container uses of the claims."""
        return self.references.get(container.pointer, ())

    def serve(self, container: Container) -> bool | None:
        """Tell whether a claim gives a container a GPU; None where that is unknown."""
        known = [reference.gpu for reference in self.of(container)]
        return True if True in known else None if None in known else False

    def vendors(self) -> frozenset[str]:
        """Return the vendors of the cards that the claims give; ``any`` where only the policy knows of them."""
        from .device_classes import ANY_VENDOR  # noqa: PLC0415 - start-up is rationed, and most pods have no claims

        found = {facts.vendor for claim in self.claims if claim.gpu for facts in claim.classes if facts.is_gpu}
        if any([claim.gpu and not any([facts.is_gpu for facts in claim.classes]) for claim in self.claims]):
            found.add(ANY_VENDOR)
        return frozenset(found)


NO_POD_CLAIMS = PodClaims((), {})
