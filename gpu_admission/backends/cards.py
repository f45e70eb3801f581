"""Cards and their MIG profiles: data that a policy's ``cluster.cards`` overrides.

Usable memory is what a MIG device offers (the number in a profile's name is a rounded share of the card). It varies by
1-7 percent with the driver; the table is rounded down already. Read from NVIDIA/k8s-device-plugin
``internal/rm/rm.go``, NVIDIA/gpu-operator ``assets/state-mig-manager`` and NVIDIA/mig-parted in August 2026.
"""

from __future__ import annotations

import re

from gpu_admission.core import quantity
from gpu_admission.core.quantity import GIB
from gpu_admission.core.raw import iter_dicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

# model: memory in GiB, slices of compute, and per profile: slices, name's GB, usable hundredths of GiB, per card
_Row = tuple[int, int, tuple[tuple[int, int, int, int], ...]]
_H100_94 = ((1, 12, 1075, 7), (1, 24, 2162, 4), (2, 24, 2162, 3), (3, 47, 4638, 2), (4, 47, 4638, 1), (7, 94, 9300, 1))
_TABLE: dict[str, _Row] = {
    "A30-24": (24, 4, ((1, 6, 581, 4), (2, 12, 1140, 2), (4, 24, 2280, 1))),
    "A100-40": (
        40,
        7,
        ((1, 5, 475, 7), (1, 10, 962, 4), (2, 10, 962, 3), (3, 20, 1950, 2), (4, 20, 1950, 1), (7, 40, 3925, 1)),
    ),
    "A100-80": (
        80,
        7,
        ((1, 10, 950, 7), (1, 20, 1950, 4), (2, 20, 1950, 3), (3, 40, 3925, 2), (4, 40, 3925, 1), (7, 80, 7850, 1)),
    ),
    "H100-80": (
        80,
        7,
        ((1, 10, 975, 7), (1, 20, 1962, 4), (2, 20, 1962, 3), (3, 40, 3950, 2), (4, 40, 3950, 1), (7, 80, 7925, 1)),
    ),
    "H100-94": (94, 7, _H100_94),
    # Its usable values are not published: those of the card with 94 GB, which has less.
    "H100-96": (
        96,
        7,
        tuple((g, {47: 48, 94: 96}.get(gb, gb), usable, count) for g, gb, usable, count in _H100_94),
    ),
    "H200-141": (
        141,
        7,
        (
            (1, 18, 1600, 7),
            (1, 35, 3225, 4),
            (2, 35, 3225, 3),
            (3, 71, 6950, 2),
            (4, 71, 6950, 1),
            (7, 141, 13975, 1),
        ),
    ),
    # The larger profiles of these two are not published: two and four of the next smaller ones are in them.
    "GH200-144": (
        144,
        7,
        (
            (1, 18, 1750, 7),
            (1, 36, 3525, 4),
            (2, 36, 3525, 3),
            (3, 72, 7050, 2),
            (4, 72, 7050, 1),
            (7, 144, 14100, 1),
        ),
    ),
    "B200-180": (
        180,
        7,
        (
            (1, 23, 2050, 7),
            (1, 45, 4425, 4),
            (2, 45, 4425, 3),
            (3, 90, 8900, 2),
            (4, 90, 8900, 1),
            (7, 180, 17800, 1),
        ),
    ),
    # Its usable values are not published: those of the B200, in proportion.
    "B300-269": (
        269,
        7,
        (
            (1, 34, 3060, 7),
            (1, 67, 6600, 4),
            (2, 67, 6600, 3),
            (3, 135, 13290, 2),
            (4, 135, 13290, 1),
            (7, 269, 26590, 1),
        ),
    ),
    # The larger card's values for the smaller one, whose own are not published.
    "RTX-PRO-6000-96": (96, 4, ((1, 24, 2362, 4), (2, 48, 4737, 2), (4, 96, 9500, 1))),
    "RTX-PRO-5000-48": (48, 2, ((1, 24, 2362, 2), (2, 48, 4737, 1))),
}  # fmt: skip
_ALIASES = {
    "A30": "A30-24",
    "A800-40": "A100-40",
    "A800-80": "A100-80",
    "H800-80": "H100-80",
    "GH200-96": "H100-96",
    "H20-96": "H100-96",
    "H20-141": "H200-141",
}

_PROFILE = re.compile(r"^(\d+)g\.(\d+)gb(?:[.+-]([a-z]+(?:\.all)?))?$")
_SLICES = 7  # of compute on every card but the A30


class MigProfile:
    """A MIG profile: its name as the driver writes it, slices of compute, usable bytes, and how many fit on a card.

    ``modifier`` is ``me`` (media engines), ``gfx`` (graphics) or empty.
    """

    __slots__ = ("count", "memory", "modifier", "name", "slices")

    def __init__(self, name: str, memory: int, count: int | None) -> None:
        match = _PROFILE.match(name)
        self.name = name
        self.slices = int(match[1]) if match else 0
        self.modifier = (match[3] or "") if match else ""
        self.memory = memory
        self.count = count

    @property
    def resource(self) -> str:
        """The extended resource under which the device plugin offers it, with ``.`` for ``+``."""
        return f"nvidia.com/mig-{self.name.replace('+', '.')}"

    def __repr__(self) -> str:
        return f"<Profile {self.name} {self.memory}>"


class GpuModel:
    """A model of card: memory in bytes, slices, and MIG profiles.

    ``mig`` is ``mixed``, ``single``, ``none`` or None (the policy's strategy); ``profile`` the one profile of
    strategy single. ``product`` is the value of its nodes' label ``nvidia.com/gpu.product`` without MIG's suffix.
    """

    __slots__ = ("memory", "mig", "model", "product", "profile", "profiles", "slices")

    def __init__(
        self, model: str, memory: int, profiles: tuple[MigProfile, ...], value: Mapping[str, Any], slices: int
    ) -> None:
        self.model = model
        self.memory = memory
        self.profiles = profiles
        self.slices = slices
        self.mig: str | None = value.get("mig")
        self.profile: str | None = value.get("profile")
        self.product: str = value.get("product") or model

    def profile_named(self, name: str) -> MigProfile | None:
        """Return the profile of that name, however its ``+`` is written, or None."""
        wanted = _folded(name)
        return next((profile for profile in self.profiles if _folded(profile.name) == wanted), None)

    def __repr__(self) -> str:
        return f"<Card {self.model}>"


def _folded(name: str) -> str:
    return name.replace("+", ".").replace("-me", ".me")


def gpu_model(value: Mapping[str, Any]) -> GpuModel:
    """Return a card of a policy's ``cluster.cards``, completed from the table where the model is in it."""
    model = value["model"]
    row = _TABLE.get(_ALIASES.get(model, model))
    own = tuple(
        MigProfile(entry["name"], quantity.parse(entry["memory"]).ceil(), entry.get("count"))
        for _, entry in iter_dicts(value.get("profiles"))
    )
    profiles = own or (_profiles(row[2]) if row else ())
    if value.get("memory") is not None:
        memory = quantity.parse(value["memory"]).ceil()
    else:
        memory = row[0] * GIB if row else max((profile.memory for profile in profiles), default=0)
    return GpuModel(model, memory, profiles, value, row[1] if row else _SLICES)


def _profiles(rows: Iterable[tuple[int, int, int, int]]) -> tuple[MigProfile, ...]:
    """Return the profiles of a table's row, and the one with media engines that every card also has."""
    found = [MigProfile(f"{g}g.{gb}gb", usable * GIB // 100, count) for g, gb, usable, count in rows]
    first = found[0]
    return (*found, MigProfile(f"{first.name}+me", first.memory, 1))


def models() -> tuple[str, ...]:
    """Return the models of the table."""
    return tuple(_TABLE)


def names() -> tuple[str, ...]:
    """Return the models of the table and their other names."""
    return (*_TABLE, *_ALIASES)


def known(model: str) -> bool:
    """Return whether a model, or another name of it, is in the table."""
    return _ALIASES.get(model, model) in _TABLE


def table() -> tuple[GpuModel, ...]:
    """Return every card of the table."""
    return tuple(gpu_model({"model": model}) for model in _TABLE)


def lowest(name: str) -> MigProfile | None:
    """Return the profile of that name with the least usable memory among all cards of the table, or None."""
    found = [profile for model in table() if (profile := model.profile_named(name)) is not None]
    return min(found, key=lambda profile: profile.memory, default=None)
