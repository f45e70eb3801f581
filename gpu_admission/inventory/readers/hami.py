"""HAMi: the device plugins register cards on the node, the scheduler writes shares on pods.

Sources: Project-HAMi/HAMi pkg/device/devices.go (both formats of the register, the shares), pkg/device (a folder a
vendor: the annotations' names), pkg/device-plugin/nvidiadevice/nvinternal/plugin/register.go (what is registered).

On nodes the annotations ``hami.io/node-nvidia-register``, ``hami.io/node-amd-register``, ``hami.io/node-dcu-register``,
``hami.io/node-register-<chip>`` and so on. Their value is JSON, ``[{"id", "index", "count", "devmem", "devcore",
"type", "numa", "mode", "health"}]`` (zeroes and false are left out), or with older plugins and of some vendors text,
``id,count,devmem,devcore,type,numa,health[,index,mode]:``. Memory is in MiB and scaled already. On pods
``hami.io/vgpu-devices-allocated``, ``hami.io/<vendor>-devices-allocated``: ``UUID,type,MiB,cores:;…``. Vendors whose
cards HAMi derives from the node's capacity (Cambricon, Kunlunxin's whole cards, MetaX, Moore Threads, Enflame, Neuron)
register nothing: their devices are counted by resource.
"""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.core.raw import as_str, format_value
from gpu_admission.inventory.card import Card
from gpu_admission.inventory.decoding import INT32, UnreadableError, decoded, named, number, text, whole
from gpu_admission.inventory.model import IN_MIB, Pool

from . import registers
from .base import Reader, cards_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.inventory.node_view import NodeView
    from gpu_admission.inventory.pod_view import PodView

_NODE = "hami.io/node-"
_REGISTER = "register"
_SHARES = "-devices-allocated"
_POD = "hami.io/"
_NUMBER, _MEMORY = "nvidia.com/gpu", "nvidia.com/gpumem"
_NVIDIA = frozenset({_NUMBER, _MEMORY, "nvidia.com/gpumem-percentage", "nvidia.com/gpucores"})
# prefix of the register's word for a vendor -> the domain of its resource names, and the word on pods, where it
# differs. Chips of Ascend and Iluvatar are registered one by one, under their own names.
_VENDORS = {
    "nvidia": ("nvidia.com/", "vgpu"),
    "amd": ("amd.com/", ""),
    "dcu": ("hygon.com/", ""),
    "biren": ("birentech.com/", ""),
    "va": ("vastaitech.com/", "vastai"),
    "xpu": ("kunlunxin.com/", ""),
    "Ascend": ("huawei.com/", ""),
    "MR-": ("iluvatar.ai/", ""),
    "BI-": ("iluvatar.ai/", ""),
}
_MOST_CARDS = 1024
_TEXT_FIELDS = {7, 9}


class HamiReader(Reader):
    """Cards by UUID, with memory, compute and slots, one pool per vendor."""

    backends = ("hami",)
    node_annotations = ("hami.io/node-*-register", "hami.io/node-register-*")
    pod_annotations = ("hami.io/*-devices-allocated",)

    def pools(self, node: NodeView, parameters: Mapping[str, Any]) -> list[Pool]:
        """Return a pool for each register on the node."""
        del parameters  # amounts are written in MiB, whatever the factor
        return [_pool(node, key, word) for key in sorted(map(as_str, node.annotations)) if (word := _word(key))]

    def concerns(self, pool: Pool, pod: PodView) -> bool:
        """The scheduler trusts the annotation and ignores the pod's requests."""
        return _key(pool, pod) is not None or super().concerns(pool, pod)

    def hold(self, pool: Pool, pod: PodView) -> None:
        """Add the pod's shares to their cards."""
        key = _key(pool, pod)
        value = None if key is None else text(pod.annotations, key)
        if key is None or not value:
            note = "HAMi has recorded no card on it: it was bound without one, or by nodeName"
            self.unrecorded(pool, pod, note)
            return
        if not registers.hold(pool, pod, registers.container_shares(value, key)):
            self.empty(pool, pod, key)

    def unrecorded(self, pool: Pool, pod: PodView, note: str) -> None:
        """Count the pod's requests on unknown cards."""
        memory = pod.requests.get(_MEMORY, 0) * MIB if pool.resource == _MEMORY else 0
        counted = max([pod.requests.get(name, 0) for name in pool.names if name != _MEMORY], default=1)
        count = pod.requests.get(_NUMBER, 1) if pool.resource == _MEMORY else counted
        pool.loose.append(pod.holding(memory=memory or None, count=max(count, 1), note=note))


def _word(key: str) -> str:
    """Return the vendor whose cards a node's annotation registers; empty for other annotations."""
    if not key.startswith(_NODE) or len(key) > 128:
        return ""
    rest = key[len(_NODE) :]
    if rest.startswith(f"{_REGISTER}-"):
        return rest[len(_REGISTER) + 1 :]
    return rest.removesuffix(f"-{_REGISTER}") if rest.endswith(f"-{_REGISTER}") else ""


def _vendor(word: str) -> tuple[str, str]:
    """Return the domain of a vendor's names and the word for it on pods."""
    domain, on_pods = next((value for start, value in _VENDORS.items() if word.startswith(start)), ("", ""))
    return domain, (on_pods or word).lower()


def _key(pool: Pool, pod: PodView) -> str | None:
    """Return the annotation of a pod for its shares of a pool's vendor."""
    _, wanted = _vendor(pool.word)
    for key in pod.annotations:
        if key.startswith(_POD) and key.endswith(_SHARES) and key[len(_POD) : -len(_SHARES)].lower() == wanted:
            return key
    return None


def _names(node: NodeView, word: str) -> frozenset[str]:
    """Return the resources of a vendor: those with the chip's name where it has one, else all of the domain."""
    if word == "nvidia":
        return _NVIDIA
    domain, _ = _vendor(word)
    offered = [name for name in node.allocatable if domain and name.startswith(domain)]
    return frozenset([name for name in offered if word in name] or offered)


def _pool(node: NodeView, key: str, word: str) -> Pool:
    names = _names(node, word) or frozenset({key})
    pool = Pool("hami", _MEMORY if word == "nvidia" else min(names), "memory", 0, unit=IN_MIB, names=names)
    pool.word = word
    try:
        pool.cards = cards_of(_entries(node, key), _card)
    except UnreadableError as error:
        pool.cards = [Card("#0", problem=str(error))]
    pool.total = sum([card.memory or 0 for card in pool.cards if card.usable])
    pool.model = next((card.model for card in pool.cards if card.model), "")
    return pool


def _entries(node: NodeView, key: str) -> list[Any]:
    value = (text(node.annotations, key) or "").strip()
    is_json = value.startswith("[")
    entries: Any = decoded(value, key) if is_json else [entry for entry in value.split(":") if entry]
    if not isinstance(entries, list) or not 0 < len(entries) <= _MOST_CARDS:
        raise UnreadableError(f"{key} is {format_value(value)}, not a list of cards")
    return entries


def _card(entry: Any, index: int) -> Card:
    if isinstance(entry, str):
        entry = _fields(entry)
    if not isinstance(entry, dict):
        raise UnreadableError(f"the register has {format_value(entry)} where a card should be")
    return Card(
        named(entry.get("id"), "the card's id"),
        whole(entry.get("index", index), "the card's index"),
        slots=whole(entry.get("count", 0), "the card's count"),
        memory=whole(entry.get("devmem", 0), "the card's devmem") * MIB,
        cores=whole(entry.get("devcore", 0), "the card's devcore"),
        model=as_str(entry.get("type"))[:100],
        healthy=entry.get("health") is True,
    )


def _fields(entry: str) -> dict[str, Any]:
    """Return a card of the older format as the newer one writes it."""
    fields = entry.split(",")
    if len(fields) not in _TEXT_FIELDS:
        raise UnreadableError(f"the register has the entry {format_value(entry)}, not 7 or 9 fields")
    names = ("count", "devmem", "devcore")
    found: dict[str, Any] = {
        name: number(value, f"the card's {name}", INT32) for name, value in zip(names, fields[1:4], strict=True)
    }
    found |= {"id": fields[0], "type": fields[4], "health": fields[6] == "true"}
    if len(fields) == max(_TEXT_FIELDS):
        found["index"] = number(fields[7], "the card's index")
    return found
