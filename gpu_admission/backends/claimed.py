"""The devices that containers of a pod get by claims, as native requests without resource names."""

from __future__ import annotations

from .native_request import DRA, NativeRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.workloads.container import Container, Role
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.pod_claims import ClaimReference

    # By claim, request (ANY: all requests of it) and role: two containers are enough to find another one.
    Users = dict[tuple[str, str, Role], list[Container]]

_ANY = "*"  # not a valid request name
_EVERYBODY: tuple[Role, ...] = ("app", "sidecar", "ephemeral", "init")
_BESIDE: dict[Role, tuple[Role, ...]] = {  # init containers end before the next one and the app containers start
    "init": ("sidecar",),
    "app": ("app", "sidecar", "ephemeral"),
    "sidecar": _EVERYBODY,
    "ephemeral": _EVERYBODY,
}


def of_pod(pod: Pod) -> Iterator[NativeRequest]:
    """Yield what each container gets by claims that are known to be for GPUs."""
    users: Users = {}
    for container in pod.containers:
        for reference in pod.claims.of(container):
            for request in {reference.request, _ANY}:
                known = users.setdefault((reference.name, request, container.role), [])
                if len(known) < 2 and container not in known:
                    known.append(container)
    for container in pod.containers:
        given = tuple([each for each in pod.claims.of(container) if each.gpu])
        if given:
            native = NativeRequest(DRA, container, {}, claims=given)
            native.sharer = next((found for each in given if (found := _sharer(container, each, users))), None)
            yield native


def _sharer(container: Container, reference: ClaimReference, users: Users) -> Container | None:
    """Return another container that uses a device of the claim while this one runs, None where there is none."""
    requests = (reference.request, "") if reference.request else (_ANY,)
    for role in _BESIDE[container.role]:
        for request in requests:
            for other in users.get((reference.name, request, role), ()):
                if other is not container:
                    return other
    return None
