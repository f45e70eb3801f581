"""Clusters as the backends' own components write them: nodes, pods and what else there is, and the numbers known.

The values of annotations are in the formats of the sources that the readers name; identities are made up.

A module a backend; `objects` has what they are made of.
"""

from .counted import COUNTED
from .dra import DRA, GPU_CLASS, claim, gpu, result, slice_of
from .gpushare import GPUSHARE
from .hami import HAMI
from .kai import KAI
from .koordinator import KOORDINATOR, device, shares
from .objects import GIB, MIB, collected, node, pod, pool_of
from .volcano import VOLCANO
from .volcano_vgpu import VOLCANO_VGPU

ALL = {
    "gpushare": GPUSHARE, "volcano": VOLCANO, "volcano-vgpu": VOLCANO_VGPU, "hami": HAMI, "kai": KAI,
    "koordinator": KOORDINATOR, "counted": COUNTED, "dra": DRA,
}  # fmt: skip

__all__ = [
    "ALL",
    "COUNTED",
    "DRA",
    "GIB",
    "GPUSHARE",
    "GPU_CLASS",
    "HAMI",
    "KAI",
    "KOORDINATOR",
    "MIB",
    "VOLCANO",
    "VOLCANO_VGPU",
    "claim",
    "collected",
    "device",
    "gpu",
    "node",
    "pod",
    "pool_of",
    "result",
    "shares",
    "slice_of",
]
