"""The readers in the order in which they read a node: later ones skip what an earlier one took."""

from __future__ import annotations

from .counted import CountedReader
from .dra import READER as DRA
from .gpushare import GpushareReader
from .hami import HamiReader
from .kai import KaiReader
from .koordinator import KoordinatorReader
from .volcano import VolcanoReader
from .volcano_vgpu import VolcanoVgpuReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Reader

COUNTED = CountedReader()
ALL: tuple[Reader, ...] = (
    KoordinatorReader(),
    HamiReader(),
    VolcanoVgpuReader(),
    VolcanoReader(),
    GpushareReader(),
    KaiReader(),
    COUNTED,
    DRA,
)
