"""No fixed backend: requests in the portable names, under a policy that does not name the cluster's backend."""

from __future__ import annotations

from . import portable_names
from .base import Backend, BackendDocs
from .components import OF_VENDOR
from .native_request import PORTABLE
from .per_pod import PER_POD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .base import ClusterFacts
    from .native_request import NativeRequest
    from .portable import GpuShare
    from .rejection import RejectedRequestError


class AnyBackend(Backend):
    """Whichever backend's names a pod uses (the linter's default); portable names are left for the cluster."""

    name = PER_POD
    title = "the cluster's sharing system"
    reads = frozenset({PORTABLE})
    allows_mixed_vendors = True
    sharing = "whole"
    vendors = tuple(OF_VENDOR)

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read a portable request, which is not translated."""
        return portable_names.BACKEND.read(native_request, facts)

    def check_amounts(self, native_request: NativeRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield amounts that no backend would take."""
        yield from portable_names.BACKEND.check_amounts(native_request, facts)


BACKEND = AnyBackend()
BACKEND.docs = BackendDocs(
    summary="""\
For an unknown cluster: each pod is judged by the backend whose names it uses, with that backend's default parameters.
Nothing is translated, and portable names are left for the cluster.""",
    refuses=(),
    install="Nothing: it is the linter's default. For a webhook choose the policy of the cluster's backend.",
    traps=(),
    sources=(),
)
