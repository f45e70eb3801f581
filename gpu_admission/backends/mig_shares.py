"""The share of a card that a MIG profile is (usable memory and slices), by the policy's cards or the tables."""

from __future__ import annotations

from . import cards as tables
from .portable import SEVENTHS, GpuShare, ceil_div

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .base import ClusterFacts
    from .cards import GpuModel, MigProfile


def share_of(name: str, count: int, facts: ClusterFacts, consumed: Iterable[str] = ()) -> GpuShare:
    """Return partitions of a profile as a request of usable memory and slices (unknown: a share of unknown size)."""
    profile = profile_on(name, facts.cards) or tables.lowest(name)
    if profile is None:
        return GpuShare(None, count, share=True, profile=name, consumed=consumed)
    slices = max((card.slices for card in facts.cards if card.profile_named(profile.name)), default=7)
    cores = ceil_div(profile.slices * 100 * SEVENTHS, slices)
    return GpuShare(profile.memory, count, cores, modifier=profile.modifier, profile=name, consumed=consumed)


def profile_on(name: str, cards: tuple[GpuModel, ...]) -> MigProfile | None:
    """Return the profile of this name with the least memory on any of these cards, None where no card has it."""
    found = [profile for card in cards if (profile := card.profile_named(name)) is not None]
    return min(found, key=lambda profile: profile.memory, default=None)
