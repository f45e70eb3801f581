"""Volcano's vGPU: the device plugin registers cards on the node, the scheduler writes shares on pods.

Sources: volcano-sh/volcano pkg/scheduler/api/devices/nvidia/vgpu (utils.go, type.go, device_info.go, mig.go);
Project-HAMi/volcano-vgpu-device-plugin pkg/util/util.go (EncodeNodeDevices), pkg/plugin/register.go (memory is in MiB
divided by gpuMemoryFactor).

On nodes the annotation ``volcano.sh/node-vgpu-register: "UUID,10,32768,NVIDIA-A100,true,hami-core:…"`` (UUID, slots,
memory, model, health, mode; older plugins leave out the mode). On pods ``volcano.sh/vgpu-ids-new:
"UUID,NVIDIA,8192,30:;…"``.
"""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.core.raw import format_value
from gpu_admission.inventory.card import Card
from gpu_admission.inventory.decoding import UnreadableError, named, number, text
from gpu_admission.inventory.model import IN_MIB, Pool

from . import registers
from .base import Reader, cards_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.inventory.node_view import NodeView
    from gpu_admission.inventory.pod_view import PodView

_REGISTER = "volcano.sh/node-vgpu-register"
_SHARES = "volcano.sh/vgpu-ids-new"
_NUMBER = "volcano.sh/vgpu-number"
_MEMORY = "volcano.sh/vgpu-memory"
_NAMES = frozenset({_NUMBER, _MEMORY, "volcano.sh/vgpu-cores", "volcano.sh/vgpu-memory-percentage"})
_MOST_CARDS = 1024


class VolcanoVgpuReader(Reader):
    """Cards by UUID, with memory, compute and slots."""

    backends = ("volcano-vgpu",)
    node_annotations = (_REGISTER,)
    pod_annotations = (_SHARES,)

    def pools(self, node: NodeView, parameters: Mapping[str, Any]) -> list[Pool]:
        """Return the cards that the node's plugin registered."""
        if node.annotations.get(_REGISTER) is None:
            return []
        unit = int(parameters.get("memoryFactor") or 1) * MIB
        pool = Pool("volcano-vgpu", _MEMORY, "memory", 0, unit=IN_MIB, names=_NAMES)
        pool.size = unit
        try:
            value = text(node.annotations, _REGISTER) or ""
            entries = [entry for entry in value.split(":") if entry]
            if not entries or len(entries) > _MOST_CARDS:
                raise UnreadableError(f"{_REGISTER} has {len(entries)} cards: {format_value(value)}")
            pool.cards = cards_of(entries, lambda entry, index: _card(entry, index, unit))
        except UnreadableError as error:
            pool.cards = [Card("#0", problem=str(error))]
        pool.total = sum([card.memory or 0 for card in pool.cards if card.usable])
        pool.model = next((card.model for card in pool.cards if card.model), "")
        return [pool]

    def concerns(self, pool: Pool, pod: PodView) -> bool:
        """The scheduler trusts the annotation and ignores the pod's requests."""
        return _SHARES in pod.annotations or super().concerns(pool, pod)

    def hold(self, pool: Pool, pod: PodView) -> None:
        """Add the pod's shares to their cards."""
        value = text(pod.annotations, _SHARES)
        if value is None:
            self.unrecorded(pool, pod, f"no card is recorded on it ({_SHARES}): was it bound by nodeName?")
            return
        if not registers.hold(pool, pod, registers.container_shares(value, _SHARES), pool.size or MIB):
            self.empty(pool, pod, _SHARES)

    def unrecorded(self, pool: Pool, pod: PodView, note: str) -> None:
        """Count the pod's requests on unknown cards."""
        memory = pod.requests.get(_MEMORY, 0) * (pool.size or MIB)
        pool.loose.append(pod.holding(memory=memory or None, count=max(pod.requests.get(_NUMBER, 1), 1), note=note))


def _card(entry: str, index: int, unit: int) -> Card:
    fields = entry.split(",")
    if len(fields) < 5:
        raise UnreadableError(
            f"{_REGISTER} has the entry {format_value(entry)}, not UUID,slots,memory,model,health,mode"
        )
    return Card(
        named(fields[0], f"the UUID in {_REGISTER}"),
        index,
        slots=number(fields[1], f"the slots in {_REGISTER}"),
        memory=number(fields[2], f"the memory in {_REGISTER}") * unit,
        cores=100,
        model=fields[3][:100],
        healthy=fields[4] == "true",
    )
