"""The format in which HAMi's family writes cards on nodes and shares on pods: fields, ``,``, ``:`` and ``;``.

Sources: Project-HAMi/HAMi pkg/device/devices.go (DecodeNodeDevices, UnMarshalNodeDevices, DecodePodDevices) and
pkg/device/initContainer.go (CollapseInitContainerUsage); volcano-sh/volcano
pkg/scheduler/api/devices/nvidia/vgpu/utils.go (decodeNodeDevices, DecodePodDevices).
"""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.core.raw import format_value
from gpu_admission.core.record import record
from gpu_admission.inventory.decoding import UnreadableError, named, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.inventory.card import Card
    from gpu_admission.inventory.model import Pool
    from gpu_admission.inventory.pod_view import PodView

_MOST_SHARES = 4096  # of a pod: 64 containers with 64 cards each


@record
class Share:
    """One entry of a pod's record: the card, MiB (or units of them) and percents, of one container."""

    key: str
    memory: int
    cores: int


def container_shares(value: str, what: str) -> list[list[Share]]:
    """Read a pod's record: the shares of each container, in order.

    An entry is ``UUID,type,memory,cores``; ``:`` ends entries, ``;`` ends or separates containers. Raises
    UnreadableError.
    """
    if value.count(",") > _MOST_SHARES * 3:
        raise UnreadableError(f"{what} has more entries than a pod can have cards")
    containers = value.split(";")
    if containers[-1] == "":
        containers.pop()
    return [[_share(entry, what) for entry in each.split(":") if entry] for each in containers]


def _share(entry: str, what: str) -> Share:
    fields = entry.split(",")
    if len(fields) < 4:
        raise UnreadableError(f"{what} has the entry {format_value(entry)}, not UUID,type,memory,cores")
    return Share(
        named(fields[0], f"the card in {what}"),
        number(fields[2], f"the memory in {what}"),
        number(fields[3], f"the cores in {what}"),
    )


def effective(containers: list[list[Share]], pod: PodView) -> list[tuple[Share, int]]:
    """Return the amounts and slots that a pod holds of each card: of its app containers, or of an init container.

    A record without entries for init containers (older releases) is for the app containers alone. Once the init
    containers have ended, only the app containers count.
    """
    first = len(list(pod.containers("initContainers")))
    if len(containers) <= len(list(pod.containers())):
        first = 0
    apps = _summed(containers[first:])
    if pod.initialized or not first:
        return list(apps.values())
    for share, _ in [entry for each in containers[:first] for entry in _summed([each]).values()]:
        app, slots = apps.get(share.key, (share, 1))
        apps[share.key] = Share(share.key, max(share.memory, app.memory), max(share.cores, app.cores)), slots
    return list(apps.values())


def _summed(containers: Iterable[list[Share]]) -> dict[str, tuple[Share, int]]:
    found: dict[str, tuple[Share, int]] = {}
    for share in [share for each in containers for share in each]:
        before, slots = found.get(share.key, (Share(share.key, 0, 0), 0))
        found[share.key] = Share(share.key, before.memory + share.memory, before.cores + share.cores), slots + 1
    return found


def hold(pool: Pool, pod: PodView, containers: list[list[Share]], unit: int = MIB) -> bool:
    """Add a pod's record to the cards; an entry for a card that the node does not have is pending.

    Returns whether the record has any entry.
    """
    for share, slots in effective(containers, pod):
        card = find(pool, share.key)
        note = "" if card is not None else f"its record names {share.key[:80]}, a card that the node does not have"
        holding = pod.holding(memory=share.memory * unit, cores=share.cores, count=slots if card else 1, note=note)
        (pool.loose if card is None else card.holdings).append(holding)
    return any(containers)


def find(pool: Pool, key: str) -> Card | None:
    """Return the card that a record names; shares of a MIG card have ``[group-position]`` after its UUID."""
    return pool.card(key) or pool.card(key.partition("[")[0])
