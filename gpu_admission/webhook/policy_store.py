"""The loaded policies: replaced whole and atomically, so that a review sees one version from start to end."""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING

from gpu_admission.policyfile.loader import PolicyError

from .file_watch import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Protocol

    from gpu_admission.policy.model import Policy
    from gpu_admission.webhook.review.types import Load

    from .file_watch import Fingerprint

    class Sources(Protocol):
        """Where policies come from."""

        def look(self) -> Sequence[str]:
            """List the present sources, the default policy's first."""

        def mark(self, source: str) -> Fingerprint:
            """Return a value that changes when a source does."""

        def load(self, source: str) -> Policy:
            """Load a source; raises PolicyError."""

        def required(self) -> Sequence[str]:
            """Name the sources without which the server is not ready."""

        def vacant(self) -> Policy | None:
            """Return the default policy while there is none; None where the server then must not answer."""

    Loaded = Callable[[str, float], None]
    Failed = Callable[[str, str], None]


RETRY = 10  # refreshes after which a refused source is tried again although it has not changed


def _ignore(*_: object) -> None: ...


class FileSources:
    """Shipped policies by name and files by path, all of them required."""

    def __init__(self, sources: Sequence[str], load: Load) -> None:
        self._sources = tuple(sources)
        self.load = load

    def look(self) -> Sequence[str]:
        """Return them in the order given."""
        return self._sources

    def mark(self, source: str) -> Fingerprint:
        """Return the file's fingerprint; that of a shipped policy's name never changes."""
        return fingerprint((source,))

    required = look

    def vacant(self) -> None:
        """Return None: without a policy no review is answered."""


class PolicyStore:
    """Policies by name, the first source's first; ``refresh`` loads what changed, and keeps the old version on failure.

    Refused sources are tried again every `RETRY` refreshes: a file may become readable, or another policy's name free,
    without a change of the file itself.

    ``loaded(name, unix_seconds)``, ``failed(source, message)`` and ``removed(name)`` are called for every change.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        loaded: Loaded = _ignore,
        failed: Failed = _ignore,
        removed: Callable[[str], None] = _ignore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._origin = sources
        self._sources: tuple[str, ...] = ()
        self._loaded = loaded
        self._failed = failed
        self._removed = removed
        self._clock = clock
        self._seen: dict[str, Fingerprint] = {}
        self._refused: dict[str, tuple[Fingerprint, str]] = {}
        self._looks = 0
        self._by_source: dict[str, Policy] = {}
        self._default: Policy | None = None
        self._current: Mapping[str, Policy] = MappingProxyType({})
        self._times: dict[str, float] = {}

    @property
    def current(self) -> Mapping[str, Policy]:
        """Name -> policy, the default one first. Take it once per review: it may be replaced at any moment."""
        return self._current

    @property
    def times(self) -> Mapping[str, float]:
        """Name -> when it was loaded, in Unix seconds."""
        return dict(self._times)

    @property
    def default(self) -> Policy | None:
        """The first policy, None while it has never loaded; the sources' vacant policy where there is one."""
        return self._default

    @property
    def missing(self) -> tuple[str, ...]:
        """Required sources of which no version has ever loaded."""
        return tuple(source for source in self._origin.required() if source not in self._by_source)

    def get(self, name: str | None) -> Policy | None:
        """Return the policy of that name, or the default one."""
        return self.default if name is None else self._current.get(name)

    def refresh(self) -> bool:
        """Load every source that changed since the last refresh; True when a policy was replaced."""
        changed = False
        self._looks += 1
        retrying = self._looks % RETRY == 0
        listed = tuple(self._origin.look())
        if listed != self._sources:
            changed = self._arrange(listed)
        for source in self._sources:
            # Taken before the file is read: a write in between is found by the next refresh.
            mark = self._origin.mark(source)
            if self._seen.get(source) != mark or (retrying and source in self._refused):
                self._seen[source] = mark
                changed |= self._take(source)
        self._default = self._choose_default()
        return changed

    def _choose_default(self) -> Policy | None:
        """Return the first policy. Where the sources have a vacant policy: that without any, None if one is missing."""
        vacant = self._origin.vacant()
        if vacant is None:
            return self._by_source.get(self._sources[0]) if self._sources else None
        return None if self.missing else next(iter(self._current.values()), vacant)

    def _take(self, source: str) -> bool:
        try:
            policy = self._origin.load(source)
            self._check_name_is_free(source, policy)
        except PolicyError as error:
            return self._refuse(source, str(error))
        except Exception as error:  # noqa: BLE001 - a bug of the loader must not remove the old policy
            return self._refuse(source, f"the loader failed: {type(error).__name__}")
        self._refused.pop(source, None)
        self._by_source[source] = policy
        self._order()
        self._times[policy.name] = self._clock()
        self._loaded(policy.name, self._times[policy.name])
        return True

    def _arrange(self, sources: tuple[str, ...]) -> bool:
        """Replace the list of sources, and remove the policies of those no longer in it; True where any was."""
        missing = [source for source in self._sources if source not in sources]
        self._sources = sources
        removed = [self._by_source.pop(source) for source in missing if source in self._by_source]
        for source in missing:
            self._seen.pop(source, None)
            self._refused.pop(source, None)
        self._order()
        for policy in removed:
            self._removed(policy.name)
        return bool(removed)

    def _order(self) -> None:
        ordered = (self._by_source[known] for known in self._sources if known in self._by_source)
        self._current = MappingProxyType({each.name: each for each in ordered})
        self._times = {name: when for name, when in self._times.items() if name in self._current}

    def _refuse(self, source: str, message: str) -> bool:
        refused = self._seen[source], message
        if self._refused.get(source) != refused:
            self._refused[source] = refused
            self._failed(source, message)
        return False

    def _check_name_is_free(self, source: str, policy: Policy) -> None:
        for other, known in self._by_source.items():
            if other != source and known.name == policy.name:
                raise PolicyError(f"{source}: {other} already has a policy named {policy.name!r}")
