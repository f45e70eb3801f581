"""Memory and CPU of the host that containers request, as the scheduler and the kubelet will see them.

The API server copies a limit into a missing request of a Pod (SetDefaults_Pod of k8s.io/kubernetes pkg/apis/core/v1),
so a template that only has a limit will have Pods with both. Where the pod spec has ``resources`` of its own
(Kubernetes 1.34), those decide instead of the containers' for the resources that they name.
"""

from __future__ import annotations

from gpu_admission.core.quantity import QuantityError, parse
from gpu_admission.core.raw import as_dict
from gpu_admission.workloads.container import MISSING

from . import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.core.quantity import Quantity
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload


class HostRequest:
    """The limit and the request of one resource, raw, MISSING where they are absent (or null).

    ``pointer`` is that of the mapping with ``limits`` and ``requests``, which may be missing, ``existing_pointer`` the
    same or its owner where there is no such mapping, ``label`` the owner's description in messages. ``is_decided`` is
    False where an amount is not valid, or is a placeholder. ``has_room`` is whether a limit could be added.
    """

    __slots__ = (
        "existing_pointer", "has_room", "is_decided", "label", "least", "limit", "most", "name", "pointer", "request",
    )  # fmt: skip

    def __init__(self, workload: Workload, label: str, pointer: Pointer, resources: object, name: str) -> None:
        found = as_dict(resources)
        self.label = label
        self.pointer = pointer
        self.existing_pointer = pointer if isinstance(resources, dict) else pointer[:-1]
        self.has_room = isinstance(found.get("limits"), dict | None)
        self.name = name
        self.limit: Any = _given(found.get("limits"), name)
        self.request: Any = _given(found.get("requests"), name)
        self.most, self.least = _amount(self.limit), _amount(self.request)
        self.is_decided = not any(
            raw is not MISSING and (amount is None or common.unfilled(workload, raw))
            for raw, amount in ((self.limit, self.most), (self.request, self.least))
        )

    @property
    def is_given(self) -> bool:
        """Whether there is a limit or a request."""
        return self.limit is not MISSING or self.request is not MISSING

    @property
    def is_nothing(self) -> bool:
        """Whether no amount above zero is requested or limited."""
        return all(amount is None or amount.is_zero for amount in (self.most, self.least))

    @property
    def side_pointer(self) -> Pointer:
        """The pointer to the request, or to the limit where there is no request."""
        return (*self.pointer, "limits" if self.request is MISSING else "requests", self.name)


def of_container(workload: Workload, container: Container, name: str) -> HostRequest:
    """Return a container's limit and request of a resource."""
    return HostRequest(workload, container.label, container.resources_pointer, container.spec.get(container.key), name)


def of_pod(workload: Workload, pod: Pod, name: str) -> HostRequest:
    """Return a pod's own limit and request of a resource."""
    return HostRequest(workload, "the pod", (*pod.pointer, "resources"), pod.spec.get("resources"), name)


def _given(side: object, name: str) -> Any:
    raw = as_dict(side).get(name)
    return MISSING if raw is None else raw


def _amount(raw: Any) -> Quantity | None:
    if raw is MISSING:
        return None
    try:
        return parse(raw).in_thousandths()
    except QuantityError:
        return None
