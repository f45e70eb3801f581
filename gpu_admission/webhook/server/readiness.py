"""Readiness and drain of the server: facts that the arbiter and all workers share."""

from __future__ import annotations

import mmap
import time
from typing import TYPE_CHECKING

from .heartbeats import STALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_admission.webhook.certificates import ServingCertificate
    from gpu_admission.webhook.policy_store import PolicyStore

    from .heartbeats import Heartbeats


class Drain:
    """Two flags in memory shared over fork: the arbiter sets them, every worker sees it at once."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, mmap.PAGESIZE)

    def begin(self) -> None:
        """From now on: not ready, and every answer closes its connection."""
        self._shared[0] = 1

    @property
    def begun(self) -> bool:
        """Whether the server as a whole shuts down (a worker that a reload replaces does not set it)."""
        return self._shared[0] == 1

    def end(self) -> None:
        """From now on: no worker is needed any more."""
        self._shared[1] = 1

    @property
    def ended(self) -> bool:
        """Whether every worker should end, also one that was still starting when the signal arrived."""
        return self._shared[1] == 1


class Readiness:
    """Why this server should get no new requests."""

    def __init__(
        self,
        policies: PolicyStore,
        certificate: ServingCertificate | None,
        drain: Drain,
        checks: Sequence[Callable[[], str | None]] = (),
        heartbeats: Heartbeats | None = None,
    ) -> None:
        self._policies = policies
        self._certificate = certificate
        self._drain = drain
        self._heartbeats = heartbeats
        self._checks = tuple(checks)

    def reasons(self, now: float) -> list[str]:
        """Return one line per reason, none when ready. ``now`` is in Unix seconds.

        A check returns a reason only for what it has observed; one that fails is not a reason, because a
        server must not become unready when it merely cannot check.
        """
        found = [f"policy not loaded: {source}" for source in self._policies.missing]
        if self._certificate is not None and not self._certificate.valid_at(now):
            found.append("no certificate that is valid now")
        elif self._certificate is not None and self._certificate.distrusted:
            found.append("the published CA bundle does not verify the certificate served")
        if self._drain.begun:
            found.append("draining")
        stalled = self._heartbeats.stalled(time.monotonic()) if self._heartbeats is not None else 0
        if stalled:
            found.append(f"{stalled} of the workers did not run for {STALLED:g} s")
        found += filter(None, map(_result, self._checks))
        return found


def _result(check: Callable[[], str | None]) -> str | None:
    try:
        return check()
    except Exception:  # noqa: BLE001 - see Readiness.reasons
        return None
