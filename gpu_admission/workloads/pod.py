"""The view of a pod spec."""

from __future__ import annotations

from gpu_admission.core import pointer as pointers
from gpu_admission.core.raw import as_dict, as_str

from . import share_annotations
from .pod_claims import NO_POD_CLAIMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.engine.rule import Scope

    from .container import Container
    from .pod_claims import PodClaims
    from .workload import Workload


class Pod:
    """A view of a pod spec.

    ``pointer`` is that of the pod spec; ``holder`` that of the mapping with the pods' ``metadata`` (the Pod itself, or
    the template), None where the kind has none. ``complete`` is False for fragments, for resources outside of a
    container, and for kinds found by shape: there only the containers can be judged, not placement.

    ``merged`` is whether it is merged over a pod spec of another object.

    ``metadata`` is the pods' metadata, at ``metadata_pointer``: a pod spec without a template has it inside (Argo's
    templates) or takes it from the object itself (KServe passes its annotations on). ``gpus`` are the GPU resources of
    all containers and ``has_gpu_request`` is whether any is requested; ``shared_container`` is the container for which
    an annotation requests a share of a card (KAI), ``annotated`` is whether there are such annotations at all, valid or
    not. ``claims`` are the resource claims of the pod. ``wants_gpu`` is whether the pod requests a GPU in any of these
    ways, ``may_want_gpu`` whether it does or has an unknown claim. ``scope`` is ``request`` if a GPU is named at all.
    ``cache`` is for results that rules derive from the pod, and is never stale: a view is made for one policy and never
    changed.
    """

    __slots__ = (
        "annotated",
        "cache",
        "claims",
        "complete",
        "containers",
        "gpus",
        "has_gpu_request",
        "holder",
        "merged",
        "metadata",
        "metadata_pointer",
        "pointer",
        "scope",
        "shared_container",
        "spec",
        "wants_gpu",
    )

    def __init__(
        self,
        spec: Mapping[str, Any],
        pointer: Pointer,
        holder: Pointer | None,
        containers: tuple[Container, ...],
        workload: Workload,
        *,
        complete: bool,
        merged: bool = False,
    ) -> None:
        self.spec = spec
        self.pointer = pointer
        self.holder = holder
        self.containers = containers
        self.complete = complete
        self.merged = merged
        around = holder if holder is not None else pointer if "metadata" in spec else workload.pointer
        carrier = workload.object if around == workload.pointer else pointers.resolve(workload.document, around)
        self.metadata_pointer: Pointer = (*around, "metadata")
        self.metadata = as_dict(as_dict(carrier).get("metadata"))
        self.gpus = tuple([gpu for container in containers for gpu in container.gpus])
        self.has_gpu_request = bool(self.gpus) and any([gpu.wants_gpu for gpu in self.gpus])
        annotations = as_dict(self.metadata.get("annotations"))
        self.annotated = bool(annotations) and share_annotations.may_request_share(annotations)
        self.shared_container = self._shared_container(annotations) if self.annotated else None
        self.claims: PodClaims = NO_POD_CLAIMS
        if "resourceClaims" in spec or any(["claims" in each.resources for each in containers]):
            from . import claims  # noqa: PLC0415 - start-up time: needed only for pods with claims

            index, space = workload.claim_index, workload.namespace
            self.claims = claims.of_pod(spec, pointer, containers, workload.policy, index, space)
        claimed = self.claims.gpu
        self.wants_gpu = self.has_gpu_request or self.shared_container is not None or claimed
        self.scope: Scope = "request" if self.gpus or self.annotated or claimed else "pod"
        self.cache: dict[str, Any] = {}

    @property
    def may_want_gpu(self) -> bool:
        """Whether the pod requests a GPU, or has a claim that may give one."""
        return self.wants_gpu or self.claims.unknown

    def serves(self, container: Container) -> bool:
        """Return whether a container will be given a GPU."""
        return container.has_gpu_request or container is self.shared_container or self.claims.serve(container) is True

    def _shared_container(self, annotations: Mapping[str, Any]) -> Container | None:
        named = [
            name
            for name, word in map(share_annotations.for_container, annotations)
            if word in share_annotations.CONTAINER_AMOUNTS
        ]
        if not named and annotations.keys().isdisjoint(share_annotations.REQUEST_ANNOTATIONS):
            return None
        wanted = named[0] if named else as_str(annotations.get(share_annotations.CONTAINER_ANNOTATION))
        found = [each for each in self.containers if each.name == wanted and each.role != "ephemeral"]
        apps = [each for each in self.containers if each.role == "app"]
        return next(iter(found or apps), None)
