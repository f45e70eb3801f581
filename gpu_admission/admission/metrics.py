"""Metrics that are right across worker processes, with labels that no client can make grow.

prometheus_client's multiprocess mode keeps every process's numbers in memory-mapped files. They are named by
the worker's *slot* (0, 1, …) instead of its process id, so a replaced worker goes on counting in its
predecessor's file: nothing is lost and nothing piles up, however often workers come and go.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from gpu_admission import __version__

if TYPE_CHECKING:
    from collections.abc import Collection

    from gpu_admission.admission.seam import Record

ARBITER = "arbiter"
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
OPERATIONS = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})
DECISIONS = frozenset({"allowed", "denied", "mutated", "error"})
ACTIONS = frozenset({"deny", "warn", "audit"})
RULE = re.compile(r"GPU\d{3}")
BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """All numbers of this server. One instance, made before the workers fork."""

    def __init__(self, kinds: Collection[str] = ()) -> None:
        self.kinds = frozenset(kinds)
        """Kinds that metrics may name; every other, which a client could invent, is "other"."""
        self._slot = ARBITER
        self._directory = tempfile.mkdtemp(prefix="gpu-admission-metrics-", dir=memory_directory())
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = self._directory
        values.ValueClass = values.MultiProcessValue(lambda: self._slot)  # type: ignore[no-untyped-call]
        self._children: dict[tuple[object, ...], Counter] = {}
        # Made with the first certificate: without labels it would be there at once, and 0 reads as expired.
        self._expiry: Gauge | None = None
        self._make_counters()
        self._make_gauges()

    def _make_counters(self) -> None:
        self._reviews = Counter(
            "gpu_admission_reviews_total",
            "Admission reviews answered.",
            ("endpoint", "policy", "operation", "kind", "decision"),
            registry=None,
        )
        self._duration = Histogram(
            "gpu_admission_review_duration_seconds",
            "Time from a complete request to its answer.",
            registry=None,
            buckets=BUCKETS,
        )
        self._findings = Counter(
            "gpu_admission_findings_total", "Findings by rule and action.", ("rule", "action"), registry=None
        )
        self._patches = Counter(
            "gpu_admission_patches_total", "Reviews that a rule's fix changed.", ("rule",), registry=None
        )
        self._refused = Counter(
            "gpu_admission_requests_refused_total",
            "Requests that got no review, by status.",
            ("status",),
            registry=None,
        )
        self._policy_failures = Counter(
            "gpu_admission_policy_load_failures_total", "Policy versions that were refused.", registry=None
        )
        self._certificate_failures = Counter(
            "gpu_admission_certificate_load_failures_total", "Certificates that were refused.", registry=None
        )

    def _make_gauges(self) -> None:
        self._policy_loaded = Gauge(
            "gpu_admission_policy_loaded_timestamp_seconds",
            "When the policy in force was loaded.",
            ("policy",),
            registry=None,
            multiprocess_mode="livemin",
        )
        info = Gauge(
            "gpu_admission_build_info",
            "Always 1; the labels say what runs.",
            ("version", "python"),
            registry=None,
            multiprocess_mode="max",
        )
        info.labels(__version__, platform.python_version()).set(1)

    def enter_slot(self, slot: int) -> None:
        """In a worker, after the fork: count in this slot's files."""
        self._slot = str(slot)

    def leave_slot(self, slot: int) -> None:
        """In the arbiter, when that slot's worker is gone: its gauges no longer speak; its counts stay."""
        mark_process_dead(str(slot), self._directory)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """In the arbiter, at the end: remove the files."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def review(self, endpoint: str, policy: str, record: Record, seconds: float) -> None:
        """Count one answered review. ``policy`` must be a loaded policy's name: it is a label as it stands."""
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

    def refused(self, status: int) -> None:
        """Count a request that was answered without a review."""
        self._refused.labels(str(status)).inc()

    def policy_loaded(self, name: str, when: float) -> None:
        """Note that a policy version is in force since ``when`` (Unix seconds)."""
        self._policy_loaded.labels(name).set(when)

    def policy_failed(self) -> None:
        """Count a policy version that was refused."""
        self._policy_failures.inc()

    def certificate_loaded(self, expires: float) -> None:
        """Note when the certificate served expires (Unix seconds)."""
        if self._expiry is None:
            self._expiry = Gauge(
                "gpu_admission_certificate_expiry_timestamp_seconds",
                "When the serving certificate expires.",
                registry=None,
                multiprocess_mode="livemin",
            )
        self._expiry.set(expires)

    def certificate_failed(self) -> None:
        """Count a certificate that was refused."""
        self._certificate_failures.inc()

    def render(self) -> bytes:
        """Write the sums over all processes in the Prometheus text format."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, self._directory)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def memory_directory() -> str | None:
    """Find a folder in memory, so that no disk can stall a heartbeat or a count; None where there is none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def _known(value: object, known: frozenset[str]) -> str:
    return value if isinstance(value, str) and value in known else "other"


def _rule(value: str) -> str:
    return value if RULE.fullmatch(value) else "other"
