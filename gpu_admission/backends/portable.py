"""The portable request: the GPUs that a container requests, independent of a backend.

Memory is counted in bytes per GPU, GPUs in devices, compute in sevenths of a percent: a MIG slice is a seventh
of a card, and no rounding may accumulate on the way from one backend to another.
"""

from __future__ import annotations

from gpu_admission.core.byte_amounts import format_bytes
from gpu_admission.core.quantity import GIB, KIB, MIB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

SEVENTHS = 7  # of a percent, in which compute is counted
WHOLE = 100 * SEVENTHS

MOST_MEMORY = 1024 * GIB  # no GPU has a quarter of it
LEAST_MEMORY = 100 * MIB  # no process starts on a GPU with so little: its CUDA context takes more
_MOST_LISTED = 8  # names in one message


class GpuShare:
    """What a container requests: ``count`` GPUs, each with ``memory`` bytes and ``cores`` of its compute.

    ``memory`` None is all of a card where ``share`` is False; where it is True it is a share whose size only its own
    cluster defines. ``thousandths`` is memory given as a part of a card. ``cores`` is in sevenths of a percent per GPU,
    None where nothing is requested. ``modifier`` is MIG's ``me`` or ``gfx``, if requested, ``profile`` the name of the
    MIG profile by which it is requested. ``lost`` is what no other backend can express: the reason, and what to do
    about it. ``least`` is the minimum memory of a whole card. ``consumed`` are the names, of resources and annotations,
    that this was read from: a translation would drop others, so they are rejected. Equality ignores ``consumed`` and
    ``profile``.
    """

    __slots__ = ("consumed", "cores", "count", "least", "lost", "memory", "modifier", "profile", "share", "thousandths")

    def __init__(
        self,
        memory: int | None = None,
        count: int = 1,
        cores: int | None = None,
        *,
        share: bool = False,
        thousandths: int | None = None,
        modifier: str = "",
        profile: str = "",
        least: int | None = None,
        lost: tuple[str, str] | None = None,
        consumed: Iterable[str] = (),
    ) -> None:
        self.consumed = frozenset(consumed)
        self.memory = memory
        self.count = count
        self.cores = cores
        self.share = share
        self.thousandths = thousandths
        self.modifier = modifier
        self.profile = profile
        self.least = least
        self.lost = lost

    @property
    def percent(self) -> int | None:
        """The compute per GPU in whole percents, rounded up; None where nothing is requested."""
        return None if self.cores is None else ceil_div(self.cores, SEVENTHS)

    @property
    def whole(self) -> bool:
        """Whether whole cards are requested."""
        return self.memory is None and not self.share and self.thousandths is None and not self.limits_cores

    @property
    def limits_cores(self) -> bool:
        """Whether less than all of a card's compute is requested."""
        return self.cores is not None and self.cores < WHOLE

    def with_memory(self, memory: int) -> GpuShare:
        """Return the same request with its memory in bytes."""
        return GpuShare(memory, self.count, self.cores, modifier=self.modifier, profile=self.profile)

    def covers(self, other: GpuShare) -> bool:
        """Return whether this is at least as much as another request (memory None is a whole card)."""
        memory = self.memory is None or (other.memory is not None and self.memory >= other.memory)
        cores = self.cores is None or (other.cores or 0) <= self.cores
        return memory and cores and self.count >= other.count

    def __str__(self) -> str:
        """Return the request in words: ``8Gi on each of 2 GPUs, 30 percent of the compute``."""
        what = "all" if self.memory is None else format_memory(self.memory)
        where = "of one GPU" if self.count == 1 else f"of each of {self.count} GPUs"
        cores = "" if self.percent is None else f", {self.percent} percent of the compute"
        return f"{what} {where}{cores}"

    def __repr__(self) -> str:
        return f"<Request {self}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GpuShare):
            return NotImplemented
        meaning = set(GpuShare.__slots__) - {"consumed", "profile"}
        return all(getattr(self, field) == getattr(other, field) for field in meaning)

    def __hash__(self) -> int:
        return hash((self.memory, self.count, self.cores))


class BackendPatch:
    """A portable request in a backend's names: what to write, besides deleting the original.

    ``resources`` goes to limits (and requests on a Pod); ``annotations`` and ``labels`` to the pod's metadata;
    ``node_selector`` and ``affinity`` (matchExpressions that every term must hold) to the pod spec; ``claims``
    maps the names of resource claims of the container to the ResourceClaimTemplate of each, or, where they are
    ``shared``, to what a ResourceClaim of the workload gives. ``notes`` are remarks on the amounts.
    """

    __slots__ = ("affinity", "annotations", "claims", "labels", "node_selector", "notes", "resources", "shared")

    def __init__(
        self,
        resources: Mapping[str, int | str] | None = None,
        *,
        annotations: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        node_selector: Mapping[str, str] | None = None,
        affinity: tuple[Mapping[str, Any], ...] = (),
        claims: Mapping[str, str] | None = None,
        shared: bool = False,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.resources = dict(resources or {})
        self.annotations = dict(annotations or {})
        self.labels = dict(labels or {})
        self.node_selector = dict(node_selector or {})
        self.affinity = affinity
        self.claims = dict(claims or {})
        self.shared = shared
        self.notes = notes

    @property
    def touches_pod(self) -> bool:
        """Whether anything is written outside of the container."""
        return bool(self.annotations or self.labels or self.node_selector or self.affinity or self.claims)

    def description(self) -> str:
        """Return the patch on one line: ``volcano.sh/vgpu-number: 1 and volcano.sh/vgpu-memory: 8192``."""
        parts = [f"{name}: {value}" for name, value in self.resources.items()]
        parts += [f'annotation {name}: "{value}"' for name, value in self.annotations.items()]
        parts += [f"label {name}: {value}" for name, value in self.labels.items()]
        parts += [f"nodeSelector {name}: {value}" for name, value in self.node_selector.items()]
        parts += [f"node affinity {one['key']} {one['operator']} {one['values'][0]}" for one in self.affinity]
        parts += [f"claim {name} of template {template}" for name, template in self.claims.items()]
        return listed(parts)


def format_memory(count: int) -> str:
    """Return a number of bytes in readable form: ``8Gi``, ``78.5Gi``, ``about 9.31Gi``, ``8 bytes``."""
    if count < KIB:
        return f"{count} bytes"
    if count < GIB or count % GIB == 0:
        return format_bytes(count)
    hundredths = count * 100 // GIB
    exact = "" if hundredths * GIB == count * 100 else "about "
    return f"{exact}{hundredths / 100:g}Gi" if count < 1 << 50 else format_bytes(count)


def ceil_div(amount: int, unit: int) -> int:
    """Divide, rounding up."""
    return -(-amount // unit)


def listed(parts: list[str]) -> str:
    """Return a list as prose: ``a, b and c``; a long one cut: ``a, b and 98 more``."""
    if len(parts) > _MOST_LISTED:
        parts = [*parts[: _MOST_LISTED - 1], f"{len(parts) - _MOST_LISTED + 1} more"]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""
