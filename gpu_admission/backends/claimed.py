"""What the containers of a pod are given by claims: a native request in no resource's words."""

from __future__ import annotations

from .native_request import DRA, NativeRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.workloads.claims import ClaimReference
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.workload import Pod

    Users = dict[str, list[tuple[Container, str]]]  # by the claim's name: who uses which of its requests


def of_pod(pod: Pod) -> Iterator[NativeRequest]:
    """Yield what each container is given by claims that are known to be a GPU's."""
    users: Users = {}
    for container in pod.containers:
        for reference in pod.claims.of(container):
            users.setdefault(reference.name, []).append((container, reference.request))
    for container in pod.containers:
        given = tuple([each for each in pod.claims.of(container) if each.gpu])
        if given:
            request = NativeRequest(DRA, container, {}, claims=given)
            request.sharer = next((found for each in given if (found := _sharer(container, each, users))), None)
            yield request


def _sharer(container: Container, reference: ClaimReference, users: Users) -> Container | None:
    """Return another container that uses a device of the claim while this one runs, None where it has them alone."""
    for other, request in users[reference.name]:
        same = not request or not reference.request or request == reference.request
        if same and other is not container and not _in_turn(container, other):
            return other
    return None


def _in_turn(one: Container, other: Container) -> bool:
    """Tell whether one of two containers ends before the other starts."""
    roles = {one.role, other.role}
    return "init" in roles and roles <= {"init", "app"}
