"""A parameter of a backend, as ``spec.backend`` of a policy file may give it; the schema is made from these."""

from __future__ import annotations

from gpu_admission.core.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["text", "whole", "yes-no", "resource", "object"]


@record
class Parameter:
    """One parameter.

    ``kind`` is the type: ``text``, a ``whole`` number, ``yes-no``, the name of an extended ``resource`` or of
    an ``object`` of Kubernetes. ``choices`` are the only texts allowed, ``least`` and ``most`` bound a number, or the
    length of a text. ``default`` None means that it may be left out.
    """

    name: str
    kind: Kind
    description: str
    default: str | int | bool | None = None
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None


def memory_factor(resource: str, configured: str) -> Parameter:
    """Return the parameter for the size of one unit of a resource, which several device plugins have."""
    return Parameter(
        "memoryFactor", "whole", f"MiB per unit of {resource} ({configured})", default=1, least=1, most=1048576
    )
