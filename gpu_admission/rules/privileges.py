"""What makes a container the master of its node's devices: privileged mode, and capabilities that come to the same."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, format_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.workloads.container import Container

CAPABILITIES = frozenset({"SYS_ADMIN", "ALL"})
_LONGEST = 32  # letters of a capability's name with its prefix


def of_container(container: Container) -> Iterator[tuple[Pointer, str]]:
    """Yield where a container gets the run of its node, and how a message says it.

    Source: NVIDIA/nvidia-container-toolkit internal/config/image/privileged.go.
    """
    context = as_dict(container.spec.get("securityContext"))
    place = (*container.pointer, "securityContext")
    if context.get("privileged") is True:
        yield (*place, "privileged"), "is privileged"
    added = as_dict(context.get("capabilities")).get("add")
    for index, given in enumerate(added if isinstance(added, list) else ()):
        if as_str(given)[:_LONGEST].upper().removeprefix("CAP_") in CAPABILITIES:
            yield (*place, "capabilities", "add", index), f"adds the capability {format_value(given)}"
