"""Metrics summed over worker processes, with a bounded number of label values.

prometheus_client's multiprocess mode keeps every process's numbers in memory-mapped files. They are named by
the worker's *slot* (0, 1, …) instead of its process ID, so a replacement continues in its
predecessor's file: no counts are lost and no files accumulate. Where there is no room for these files each process
counts by itself, and logs that.
"""

from __future__ import annotations

import functools
import platform
import re
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gpu_admission import __version__

from . import logs, metrics_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Concatenate, ParamSpec

    from gpu_admission.webhook.review.types import ReviewRecord

    P = ParamSpec("P")
    Method = Callable[Concatenate["Metrics", P], None]

ARBITER = "arbiter"
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
OPERATIONS = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})
DECISIONS = frozenset({"allowed", "denied", "mutated", "error"})
ACTIONS = frozenset({"deny", "warn", "audit"})
RULE = re.compile(r"GPU\d{3}")
BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def _never_fails(method: Method[P]) -> Method[P]:
    """Log errors of counting instead of raising them, so that no review fails."""

    def count(self: Metrics, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - most likely OSError: no room to reserve
            self.note_incomplete(error)

    return functools.update_wrapper(count, method)


class Metrics:
    """All numbers of this server. One instance, made before the workers fork.

    ``slots`` is how many workers there can be at a time; a reload has old and new ones beside each other.
    """

    def __init__(self, kinds: Collection[str] = (), slots: int = 4) -> None:
        self.kinds = frozenset(kinds)
        """Kinds that metrics may name; every other, which a client could invent, is "other"."""
        self._slot = ARBITER
        self._directory, self.without_room = metrics_memory.make_directory(slots)
        """``without_room`` names the directories that were too small for the numbers, with the reasons."""
        self._own_registry = CollectorRegistry() if self._directory is None else None
        self._incomplete = False
        if self._directory is None:
            metrics_memory.uninstall()
        else:
            metrics_memory.install(self._directory, lambda: self._slot)
        self._children: dict[tuple[object, ...], Counter] = {}
        # Made with the first certificate: without labels it would be exported at once, and 0 means expired.
        self._expiry: Gauge | None = None
        counter = partial(Counter, registry=self._own_registry)
        self._make_review_metrics(counter)
        self._make_failure_counters(counter)
        self._make_gauges()

    @property
    def shared(self) -> bool:
        """Whether /metrics shows the sums over all processes, and not only the one that answers."""
        return self._directory is not None

    def _make_review_metrics(self, counter: Callable[..., Counter]) -> None:
        self._reviews = counter(
            "gpu_admission_reviews_total",
            "Admission reviews answered.",
            ("endpoint", "policy", "operation", "kind", "decision"),
        )
        self._duration = Histogram(
            "gpu_admission_review_duration_seconds",
            "Time from a complete request to its answer.",
            registry=self._own_registry,
            buckets=BUCKETS,
        )
        self._findings = counter("gpu_admission_findings_total", "Findings by rule and action.", ("rule", "action"))
        self._patches = counter("gpu_admission_patches_total", "Reviews that a rule's fix changed.", ("rule",))
        self._refused = counter(
            "gpu_admission_requests_refused_total", "Requests that got no review, by status.", ("status",)
        )

    def _make_failure_counters(self, counter: Callable[..., Counter]) -> None:
        self._policy_failures = counter(
            "gpu_admission_policy_load_failures_total", "Policy versions that were refused."
        )
        self._certificate_failures = counter(
            "gpu_admission_certificate_load_failures_total", "Certificates that were refused."
        )
        self._lines_dropped = counter(
            "gpu_admission_log_lines_dropped_total", "Log lines dropped because standard error was not being read."
        )

    def _make_gauges(self) -> None:
        self._policy_loaded = Gauge(
            "gpu_admission_policy_loaded_timestamp_seconds",
            "When the policy in force was loaded.",
            ("policy",),
            registry=self._own_registry,
            multiprocess_mode="livemin",
        )
        info = Gauge(
            "gpu_admission_build_info",
            "Always 1; the labels are the versions of this server and of Python.",
            ("version", "python"),
            registry=self._own_registry,
            multiprocess_mode="max",
        )
        info.labels(__version__, platform.python_version()).set(1)

    def enter_slot(self, slot: int) -> None:
        """In a worker, after the fork: count in this slot's files."""
        self._slot = str(slot)

    def leave_slot(self, slot: int) -> None:
        """In the arbiter, when that slot's worker has ended: its gauges no longer count; its counts stay."""
        if self._directory is not None:
            metrics_memory.forget_gauges(self._directory, str(slot))

    def close(self) -> None:
        """In the arbiter, at the end: remove the files."""
        if self._directory is not None:
            metrics_memory.remove_directory(self._directory)

    def note_incomplete(self, error: Exception) -> None:
        """Log, once in a process, that something could not be counted (no room for another time series)."""
        if not self._incomplete:
            self._incomplete = True
            logs.get().error("metrics incomplete", exc_info=error)

    @_never_fails
    def review(self, endpoint: str, policy: str, record: ReviewRecord, seconds: float) -> None:
        """Count one answered review. ``policy`` must be a loaded policy's name: it becomes a label."""
        key = (
            endpoint,
            policy,
            _known(record.get("operation"), OPERATIONS),
            _known(record.get("kind"), self.kinds),
            _known(record.get("decision"), DECISIONS),
        )
        self._child(self._reviews, *key).inc()
        self._duration.observe(seconds)
        for rule, action in record.get("rules", ()):
            self._child(self._findings, _rule(rule), _known(action, ACTIONS)).inc()
        for rule in record.get("applied", ()):
            self._child(self._patches, _rule(rule)).inc()

    def _child(self, counter: Counter, *labels: str) -> Counter:
        """Return a counter's child; looking it up by its labels costs the library more than counting does."""
        key = (id(counter), *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = counter.labels(*labels)
        return child

    @_never_fails
    def refused(self, status: int) -> None:
        """Count a request that was answered without a review."""
        self._refused.labels(str(status)).inc()

    @_never_fails
    def policy_loaded(self, name: str, when: float) -> None:
        """Note that a policy version is in force since ``when`` (Unix seconds)."""
        self._policy_loaded.labels(name).set(when)

    @_never_fails
    def policy_failed(self) -> None:
        """Count a policy version that was refused."""
        self._policy_failures.inc()

    @_never_fails
    def certificate_loaded(self, expires: float) -> None:
        """Note when the certificate served expires (Unix seconds)."""
        if self._expiry is None:
            self._expiry = Gauge(
                "gpu_admission_certificate_expiry_timestamp_seconds",
                "When the serving certificate expires.",
                registry=self._own_registry,
                multiprocess_mode="livemin",
            )
        self._expiry.set(expires)

    @_never_fails
    def certificate_failed(self) -> None:
        """Count a certificate that was refused."""
        self._certificate_failures.inc()

    @_never_fails
    def log_lines_dropped(self, count: int) -> None:
        """Count log lines that were dropped."""
        self._lines_dropped.inc(count)

    def render(self) -> bytes:
        """Write the sums over all processes in the Prometheus text format."""
        if self._own_registry is not None:
            return generate_latest(self._own_registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _known(value: object, known: frozenset[str]) -> str:
    return value if isinstance(value, str) and value in known else "other"


def _rule(value: str) -> str:
    return value if RULE.fullmatch(value) else "other"
