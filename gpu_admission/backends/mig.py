"""MIG: hardware partitions of NVIDIA cards, mixed (a resource a profile) or single (every device alike)."""

from __future__ import annotations

from gpu_admission.workloads.resources import mig_name

from . import mig_shares
from .amount_checks import too_much
from .base import Backend, BackendDocs
from .checks import memory_needed, only_count
from .native_request import NVIDIA, NVIDIA_SHARED
from .parameter import Parameter
from .portable import SEVENTHS, BackendPatch, GpuShare, format_memory
from .rejection import EXCEEDS, UNTRANSLATABLE, RejectedRequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from .base import ClusterFacts, ContainerRequest
    from .cards import GpuModel, MigProfile
    from .native_request import NativeRequest


class Mig(Backend):
    """Partitions: the profile defines memory and compute, not the request."""

    name = "mig"
    title = "MIG"
    reads = frozenset({"mig"})
    parameters = (
        Parameter(
            "strategy",
            "text",
            "a resource a profile, or nvidia.com/gpu for partitions that are all alike",
            default="mixed",
            choices=("mixed", "single"),
        ),
        Parameter("allowSeveral", "yes-no", "more than one MIG device per container", default=False),
    )
    sample_cards: tuple[Mapping[str, Any], ...] = ({"model": "A100-80"},)

    def own(self, facts: ClusterFacts) -> frozenset[str]:
        """Return MIG's names, or ``nvidia.com/gpu``, which is a partition under strategy single."""
        return frozenset({NVIDIA if _single(facts) else "mig"})

    def ignored_systems(self, facts: ClusterFacts) -> frozenset[str]:
        """Return the other names of NVIDIA's device plugin: other nodes have them."""
        return frozenset({NVIDIA, NVIDIA_SHARED, "mig"}) - self.own(facts)

    def read(self, native_request: NativeRequest, facts: ClusterFacts) -> GpuShare:
        """Read a profile's usable memory and slices: of the cards of the policy, else the least of all cards."""
        if native_request.system == NVIDIA:
            return GpuShare(
                None, only_count(native_request, "nvidia.com/gpu"), share=True, consumed=("nvidia.com/gpu",)
            )
        names = [name for name in native_request.gpus if native_request.amount(name)]
        count = sum(native_request.amount(name) or 0 for name in names)
        if len(names) != 1:
            return GpuShare(None, count, share=True, consumed=native_request.gpus)
        return mig_shares.share_of(profile_name(names[0]), count, facts, consumed=native_request.gpus)

    def write(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        """Choose the smallest profile with the memory and the slices."""
        if request.whole:
            return self._whole(request, facts)
        memory_needed(self, request)
        if request.count > 1 and not facts.parameters.get("allowSeveral"):
            raise _several(request.count)
        return self._single(request, facts) if _single(facts) else self._mixed(request, facts)

    def check_container(self, asked: ContainerRequest, facts: ClusterFacts) -> Iterator[RejectedRequestError]:
        """Yield rejections of several partitions, and of profiles that no card of the policy offers."""
        if not asked.native:
            yield from super().check_container(asked, facts)
            return
        if asked.request.count > 1 and not facts.parameters.get("allowSeveral"):
            yield _several(asked.request.count)
        for name in asked.native_request.gpus:
            if (
                asked.native_request.system == "mig"
                and _mixed_cards(facts)
                and offered(name, _mixed_cards(facts)) is None
            ):
                yield _not_offered(name, facts)

    def _whole(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        if _single(facts):
            raise RejectedRequestError.amount(
                UNTRANSLATABLE,
                ("a whole GPU", ", and every GPU of this cluster is cut into partitions"),
                ("write the memory that the process needs", " (gpu-admission.io/gpu-mem: 8Gi)"),
            )
        return BackendPatch({"nvidia.com/gpu": request.count})

    def _mixed(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        found = _mixed_cards(facts)
        if not found:
            raise _unknown_cards()
        profile = smallest(request, found)
        if profile is None:
            raise _none_fits(request, facts, [profile for card in found for profile in card.profiles])
        return BackendPatch({profile.resource: request.count}, notes=_usable(profile, request))

    def _single(self, request: GpuShare, facts: ClusterFacts) -> BackendPatch:
        choices = [(card, profile) for card in facts.cards if (profile := _configured(card)) is not None]
        if not choices:
            raise _unknown_cards()
        fitting = [(card, profile) for card, profile in choices if fits(profile, request, card.slices)]
        if not fitting:
            raise _none_fits(request, facts, [profile for _, profile in choices])
        card, profile = min(fitting, key=lambda pair: (pair[1].memory, pair[1].slices))
        return BackendPatch(
            {"nvidia.com/gpu": request.count},
            node_selector={"nvidia.com/gpu.product": f"{card.product}-MIG-{profile.name}"},
            notes=_usable(profile, request),
        )


def _single(facts: ClusterFacts) -> bool:
    return facts.parameters.get("strategy") == "single"


def _mixed_cards(facts: ClusterFacts) -> tuple[GpuModel, ...]:
    return tuple(card for card in facts.cards if card.mig in {None, "mixed"} and card.profiles)


def _configured(card: GpuModel) -> MigProfile | None:
    """Return the one profile of a card under strategy single."""
    if card.mig not in {None, "single"} or card.profile is None:
        return None
    return card.profile_named(card.profile)


def profile_name(resource: str) -> str:
    """Return the profile of a resource's name: ``nvidia.com/mig-1g.10gb.me`` gives ``1g.10gb.me``."""
    return resource.removeprefix("nvidia.com/mig-").removesuffix(".shared")


def offered(resource: str, cards: tuple[GpuModel, ...]) -> MigProfile | None:
    """Return the profile of a resource's name, on the card with the least memory for it; None where no card has it."""
    return mig_shares.profile_on(profile_name(resource), cards)


def fits(profile: MigProfile, request: GpuShare, slices: int) -> bool:
    """Return whether a partition has the usable memory, the share of compute and the engines that are requested."""
    memory = request.memory is None or profile.memory >= request.memory
    cores = request.cores is None or profile.slices * 100 * SEVENTHS >= request.cores * slices
    return memory and cores and profile.modifier == request.modifier


def smallest(request: GpuShare, cards: tuple[GpuModel, ...]) -> MigProfile | None:
    """Return the smallest profile that fits: by usable memory, then by slices.

    A name that several cards offer counts as the smallest, because any of them may serve it.
    """
    names = dict.fromkeys(profile.name for card in cards for profile in card.profiles)
    found = []
    for name in names:
        pairs = [(card, profile) for card in cards if (profile := card.profile_named(name)) is not None]
        if all(fits(profile, request, card.slices) for card, profile in pairs):
            found.append(min((profile for _, profile in pairs), key=lambda profile: profile.memory))
    return min(found, key=lambda profile: (profile.memory, profile.slices), default=None)


def _usable(profile: MigProfile, request: GpuShare) -> tuple[str, ...]:
    if request.memory is None:
        return ()
    return (f"{profile.name} has {format_memory(profile.memory)} usable, despite its name",)


def _several(count: int) -> RejectedRequestError:
    return RejectedRequestError.amount(
        UNTRANSLATABLE,
        (f"{count} MIG devices", ", and a CUDA process sees only one"),
        ("request one MIG device, of a larger profile if need be", ", or a whole GPU"),
    )


def _unknown_cards() -> RejectedRequestError:
    return RejectedRequestError(
        UNTRANSLATABLE,
        "and the policy does not list the MIG profiles of this cluster",
        ("request a profile by its name", " (nvidia.com/mig-1g.10gb: 1); the policy needs cluster.cards"),
    )


def _none_fits(request: GpuShare, facts: ClusterFacts, profiles: list[MigProfile]) -> RejectedRequestError:
    if request.memory is not None and request.memory > (facts.largest or 0):
        return too_much(request.memory, facts)
    largest = max(profiles, key=lambda profile: profile.memory)
    return RejectedRequestError.amount(
        EXCEEDS if request.memory is not None and request.memory > largest.memory else UNTRANSLATABLE,
        (
            f"{request}",
            (
                f", and no MIG profile of this cluster has that: the largest, {largest.name}, has "
                f"{format_memory(largest.memory)} usable"
            ),
        ),
        (f"request at most {format_memory(largest.memory)}", ", or a whole GPU (nvidia.com/gpu: 1)"),
    )


def _not_offered(resource: str, facts: ClusterFacts) -> RejectedRequestError:
    match = mig_name(resource)
    meant = mig_shares.share_of(profile_name(resource), 1, facts)
    near = smallest(meant, _mixed_cards(facts)) if match and meant.memory else None
    names = sorted({profile.resource for card in _mixed_cards(facts) for profile in card.profiles})
    return RejectedRequestError.amount(
        UNTRANSLATABLE,
        ("a MIG profile that no card of this cluster offers", ": it would stay Pending forever"),
        f"write {near.resource}: 1" if near else f"write one of {', '.join(names[:8])}",
    )


BACKEND = Mig()
BACKEND.docs = BackendDocs(
    summary="""\
A card is cut into hardware partitions, each with its own memory and compute. Under strategy `mixed` a request becomes
the smallest profile whose *usable* memory (not the number in its name) and slices suffice; under `single` every GPU of
a node is cut into one profile, and the request becomes `nvidia.com/gpu` with a node selector for the product. The
cards, and so the profiles, come from the policy's `cluster.cards`.""",
    refuses=(
        ("more memory than the largest profile has usable", "no partition has it"),
        ("a profile that no configured card offers", "the pod would stay Pending forever"),
        ("more than one MIG device, unless `allowSeveral`", "a CUDA process sees only one"),
        ("any amount, where the policy names no cards", "which profiles there are is the cluster's choice"),
    ),
    install="""\
Set `mig.strategy` of the device plugin (or GPU operator), let the MIG manager cut the cards, and describe them in the
policy: the model, and under strategy `single` its `profile` and its `product` as the label `nvidia.com/gpu.product`
gives it without the suffix `-MIG-...`. A card that is not in the table below, or a driver that reports other sizes, is
described by its own `profiles`.""",
    traps=(
        "The GB in a profile's name is a rounded share of the card: `1g.10gb` of an A100 has 9.5 GiB usable.",
        "One name means different sizes on different cards: the smallest of the configured cards counts.",
        "In resource names the `+` of `1g.10gb+me` is written as a dot: `nvidia.com/mig-1g.10gb.me`.",
    ),
    sources=(
        "NVIDIA/k8s-device-plugin: internal/rm/rm.go",
        "NVIDIA/gpu-operator: assets/state-mig-manager",
        "https://docs.nvidia.com/datacenter/tesla/mig-user-guide/",
    ),
)
