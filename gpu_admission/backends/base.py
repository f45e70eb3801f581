"""The one interface of every sharing backend, and what the policy tells it."""

from __future__ import annotations

from . import cards
from .portable import LEAST_MEMORY, Emission, ceil_div, in_words
from .refusal import EXCEEDS, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from gpu_admission.core.container import Container
    from gpu_admission.core.policy import Policy
    from gpu_admission.core.workload import Pod

    from .cards import Card
    from .portable import Request
    from .spelling import Spelling


class Facts:
    """What a policy says: the parameters of the backend at hand, and the cluster's cards.

    For a backend that is not the policy's own (the source of a request), parameters have their defaults.
    ``sources`` names the only backends whose words are translated; empty means all (the command
    ``translate --from`` sets it: no policy file can).
    """

    __slots__ = ("cards", "parameters", "sources")

    def __init__(
        self,
        parameters: Mapping[str, Any] | None = None,
        found: Iterable[Mapping[str, Any]] = (),
        sources: Iterable[str] = (),
    ) -> None:
        self.parameters: Mapping[str, Any] = parameters or {}
        self.cards: tuple[Card, ...] = tuple(cards.card(said) for said in found)
        self.sources = frozenset(sources)

    @classmethod
    def of(cls, policy: Policy) -> Facts:
        """Return what a policy says of its own backend."""
        return cls(policy.backend.parameters, policy.cards, policy.spec.get("translateFrom") or ())

    def elsewhere(self, parameters: Mapping[str, Any] | None = None) -> Facts:
        """Return the same cluster as another backend sees it, which has default parameters."""
        facts = Facts(parameters)
        facts.cards = self.cards
        return facts

    @property
    def factor(self) -> int:
        """MiB per unit of the backend's memory resource."""
        return int(self.parameters.get("memoryFactor") or 1)

    @property
    def largest(self) -> int | None:
        """The memory of the largest card in bytes; None where the policy names no cards."""
        return max((card.memory for card in self.cards), default=None)

    @property
    def smallest(self) -> int | None:
        """The memory of the smallest card in bytes; None where the policy names no cards."""
        return min((card.memory for card in self.cards), default=None)


class Asked:
    """One container's request, read: by whom it is spelled, what it means, and what becomes of it.

    ``native`` tells that the policy's own backend reads it as it stands; ``emission`` is the translation of
    one that it does not.
    """

    __slots__ = ("emission", "native", "request", "source", "spelling")

    def __init__(self, spelling: Spelling, source: Backend, request: Request, *, native: bool) -> None:
        self.spelling = spelling
        self.source = source
        self.request = request
        self.native = native
        self.emission: Emission | None = None

    @property
    def container(self) -> Container:
        """The container that asks."""
        return self.spelling.container


class Page:
    """What an administrator reads about a backend (``docs/backends.md`` is written from it).

    ``refuses`` are pairs of what is refused and why; ``install`` says how to run it beside this webhook.
    """

    __slots__ = ("install", "refuses", "sources", "summary", "traps")

    def __init__(
        self,
        *,
        summary: str,
        refuses: tuple[tuple[str, str], ...],
        install: str,
        traps: tuple[str, ...],
        sources: tuple[str, ...],
    ) -> None:
        self.summary = summary
        self.refuses = refuses
        self.install = install
        self.traps = traps
        self.sources = sources


class Backend:
    """A sharing backend.

    ``name`` is its name in policies, ``title`` in prose, ``scheduler`` the schedulerName its pods need (None
    leaves it). ``reads`` are the systems whose words it reads as its own; ``leaves`` those it does not serve
    and does not translate either, because something else on the cluster does (``nvidia.com/gpu`` on nodes
    with NVIDIA's own device plugin). ``excludes`` are systems that no node has beside this backend, and
    ``spares_vendors`` tells that a pod may ask for cards of several makers, and ``whole_cards`` that a request
    for any part of a card is given all of one. ``preloads`` tells that it limits a share, or can be set up to, by a
    library that is loaded into the container's programs.
    """

    name: str
    title: str
    page: Page
    scheduler: str | None = None
    reads: frozenset[str] = frozenset()
    leaves: frozenset[str] = frozenset()
    excludes: frozenset[str] = frozenset()
    spares_vendors = False
    whole_cards = False
    preloads = False

    def own(self, facts: Facts) -> frozenset[str]:
        """Return the systems whose words are this backend's own under these parameters."""
        del facts
        return self.reads

    def left(self, facts: Facts) -> frozenset[str]:
        """Return the systems that are left alone under these parameters."""
        del facts
        return self.leaves

    def read(self, spelling: Spelling, facts: Facts) -> Request:
        """Return the portable request of what is spelled in this backend's words.

        Raises Refused where it means nothing, Unreadable where another rule speaks of the amounts.
        """
        raise NotImplementedError

    def write(self, request: Request, facts: Facts) -> Emission:
        """Return the portable request in this backend's words, never less than asked.

        Raises Refused where it cannot be honoured.
        """
        raise NotImplementedError

    def inspect(self, spelling: Spelling, facts: Facts) -> Iterator[Refused]:
        """Yield what is wrong with amounts in this backend's words: units in doubt, percentages out of range."""
        del spelling, facts
        yield from ()

    def judge(self, asked: Asked, facts: Facts) -> Iterator[Refused]:
        """Yield what is wrong with one container's request, native or about to be translated."""
        yield from exceeds(asked.request, facts)

    def together(self, pod: Pod, asked: list[Asked], facts: Facts) -> Iterator[tuple[Asked, Refused]]:
        """Yield what is wrong with the requests of a pod taken together."""
        del pod, asked, facts
        yield from ()

    def address(self, emission: Emission, pod: Pod, container: Container) -> None:
        """Say in a translation for which container it is, where its words stand outside of the container."""
        del emission, pod, container

    def complete(self, pod: Pod, labels: Mapping[str, Any], facts: Facts) -> Emission:
        """Return what a pod of this backend lacks besides its resources.

        Raises Refused where it lacks what nobody here can know.
        """
        del pod, labels, facts
        return Emission()

    def writes_variable(self, entry: Mapping[str, Any], asked: Asked, pod: Pod) -> bool:
        """Tell whether an entry of ``env`` is exactly one that this backend's own components write.

        It is asked for a container whose request the backend has read and found nothing wrong with, and only where
        the policy names the backend; such an entry is not held against the pod.
        """
        del entry, asked, pod
        return False

    def writes_source(self, source: Mapping[str, Any], asked: Asked, pod: Pod) -> bool:
        """Tell whether an entry of ``envFrom`` is exactly one that this backend's own components write, as above."""
        del source, asked, pod
        return False


def exceeds(request: Request, facts: Facts) -> Iterator[Refused]:
    """Yield a refusal where a GPU is asked for more memory than the largest card has."""
    if request.memory is not None and facts.largest is not None and request.memory > facts.largest:
        yield too_much(request.memory, facts)


def too_much(memory: int, facts: Facts) -> Refused:
    """Return the refusal of more memory on one GPU than any card of the policy has."""
    largest = facts.largest or 0
    model = max(facts.cards, key=lambda card: card.memory).model
    guesses = [ceil_div(memory, 1024**slip) for slip in range(1, 4)]  # one unit off, or a suffix on a number of units
    guess = next((guess for guess in guesses if LEAST_MEMORY <= guess <= largest), None)
    hint = "" if guess is None else f" (was {in_words(guess)} meant?)"
    return Refused(
        EXCEEDS,
        f"{in_words(memory)} on one GPU, and the largest card of this cluster, {model}, has "
        f"{in_words(largest)}: it would wait for ever",
        f"ask for at most {in_words(largest)} per GPU{hint}",
    )
