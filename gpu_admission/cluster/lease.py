"""Leader election among replicas by a Lease (coordination.k8s.io/v1).

As client-go's leaderelection: a Lease belongs to its holder until it was not renewed for its duration. That is measured
by our own monotonic clock from when we saw it change, never by the times in it, so that clock skew does no harm. An
update has the resourceVersion that was read, so that one of two concurrent ones succeeds. A holder that cannot renew
stops before another may begin.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gpu_admission.core.raw import as_dict

from .errors import ClusterError, ForbiddenError, NotServedError, StaleWriteError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .connection import Connection

DURATION = 15  # seconds that a Lease lasts without being renewed
DEADLINE = 10.0  # seconds after its last renewal at which a holder stops
INTERVAL = 4.0  # seconds between two renewals, or two reads of another holder's Lease
LONGEST = 120  # longest duration of another's Lease that we respect, in seconds
PATH = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


class Elector:
    """Tries to hold a Lease; ``tick`` must be called often and returns whether we hold it."""

    def __init__(
        self,
        connection: Connection,
        namespace: str,
        name: str,
        identity: str,
        *,
        problem: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.identity = identity
        self._connection = connection
        self._collection = PATH.format(namespace=namespace)
        self._path = f"{self._collection}/{name}"
        self._namespace = namespace
        self._name = name
        self._problem = problem
        self._clock = clock
        self._now = now
        self._next = 0.0
        self._observed: tuple[str, float] = ("", 0.0)  # the Lease's resourceVersion, and when we first saw it
        self._renewed: float | None = None  # when we last wrote it as its holder

    @property
    def is_leader(self) -> bool:
        """Whether we hold it, by our own clock."""
        return self._renewed is not None and self._clock() - self._renewed < DEADLINE

    def tick(self) -> bool:
        """Take or renew the Lease where that is due; True where we hold it. Never raises a ClusterError."""
        now = self._clock()
        if now >= self._next:
            self._next = now + INTERVAL
            try:
                self._try(now)
                self._problem("")
            except StaleWriteError:  # another replica was faster
                self._renewed = None
            except ClusterError as error:
                self._problem(self._advice(error))
        return self.is_leader

    def release(self) -> None:
        """Release it, so that another need not wait. Never raises a ClusterError."""
        if not self.is_leader:
            return
        self._renewed = None
        try:
            lease = self._connection.read(self._path)
            if as_dict(lease.get("spec")).get("holderIdentity") == self.identity:
                self._write(lease, holder="", duration=1)
        except ClusterError:
            return  # it expires by itself

    def _try(self, now: float) -> None:
        lease = self._read()
        spec = as_dict(lease.get("spec"))
        version = str(as_dict(lease.get("metadata")).get("resourceVersion"))
        if version != self._observed[0]:
            self._observed = (version, now)
        holder = spec.get("holderIdentity") or ""
        if holder not in {"", self.identity} and now - self._observed[1] < _duration(spec):
            self._renewed = None
            return
        written = self._write(lease, holder=self.identity, duration=DURATION)
        self._observed = (str(as_dict(written.get("metadata")).get("resourceVersion")), now)
        self._renewed = now

    def _read(self) -> dict[str, Any]:
        try:
            return self._connection.read(self._path)
        except NotServedError:
            metadata = {"name": self._name, "namespace": self._namespace}
            self._connection.write(
                "POST",
                self._collection,
                {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata},
            )
            return self._connection.read(self._path)

    def _write(self, lease: dict[str, Any], *, holder: str, duration: int) -> dict[str, Any]:
        """Replace the Lease and return it as it was stored. Raises StaleWriteError where it was changed meanwhile."""
        spec = as_dict(lease.get("spec"))
        stamp = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        changes: dict[str, Any] = {"holderIdentity": holder, "leaseDurationSeconds": duration, "renewTime": stamp}
        if holder and spec.get("holderIdentity") != holder:
            changes |= {"acquireTime": stamp, "leaseTransitions": _count(spec.get("leaseTransitions")) + 1}
        return self._connection.replace(self._path, {**lease, "spec": {**spec, **changes}})

    def _advice(self, error: ClusterError) -> str:
        where = f"Lease {self._namespace}/{self._name}"
        if isinstance(error, ForbiddenError):
            return f"{error}: RBAC must grant get and update on {where}, which must exist"
        if isinstance(error, NotServedError):
            return f"{where} cannot be created: is there a namespace {self._namespace}?"
        return str(error)


def _duration(spec: Mapping[str, Any]) -> int:
    found = spec.get("leaseDurationSeconds")
    return min(found, LONGEST) if isinstance(found, int) and found > 0 else DURATION


def _count(found: object) -> int:
    return found if isinstance(found, int) and 0 <= found < 2**31 - 1 else 0
