"""What gives a container all devices of its node: privileged mode, and equivalent capabilities."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str, format_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.workloads.container import Container

CAPABILITIES = frozenset({"SYS_ADMIN", "ALL"})
_LONGEST = 32  # length of a capability's name with its prefix


def of_container(container: Container) -> Iterator[tuple[Pointer, str]]:
    """Yield what gives a container all devices: the pointer, and the description for a message.

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
