"""Every backend, one line each."""

from __future__ import annotations

from . import (
    dra,
    exclusive,
    gpushare,
    hami,
    kai,
    koordinator,
    mig,
    mps,
    portable_names,
    time_slicing,
    volcano,
    volcano_vgpu,
)
from .spelling import KAI, NVIDIA, NVIDIA_SHARED, PORTABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Backend

ALL: tuple[Backend, ...] = (
    exclusive.BACKEND,
    time_slicing.BACKEND,
    mps.BACKEND,
    mig.BACKEND,
    gpushare.BACKEND,
    volcano.BACKEND,
    volcano_vgpu.BACKEND,
    hami.BACKEND,
    kai.BACKEND,
    koordinator.BACKEND,
    dra.BACKEND,
)
BY_NAME: dict[str, Backend] = {backend.name: backend for backend in ALL}

# Who reads a system's words where the policy's own backend does not.
READERS: dict[str, Backend] = {
    PORTABLE: portable_names.BACKEND,
    NVIDIA: exclusive.BACKEND,
    NVIDIA_SHARED: time_slicing.BACKEND,
    KAI: kai.BACKEND,
    **{name: BY_NAME[name] for name in ("mig", "gpushare", "volcano", "volcano-vgpu", "hami", "koordinator")},
}
