"""The state of a server process, made once in the arbiter and inherited by every worker."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from gpu_admission.webhook import logs
from gpu_admission.webhook.certificates import ServingCertificate
from gpu_admission.webhook.health_pages import create_pages
from gpu_admission.webhook.metrics import Metrics
from gpu_admission.webhook.policy_objects import ObjectSources
from gpu_admission.webhook.policy_store import FileSources, PolicyStore
from gpu_admission.webhook.self_signed import SelfSignedCertificate, state_directory

from .app import Pages, Reviews
from .heartbeats import Heartbeats
from .readiness import Drain, Readiness

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flask import Flask

    from gpu_admission.webhook.log_writer import LogWriter
    from gpu_admission.webhook.review.types import Load, Response, ReviewEngine
    from gpu_admission.webhook.sidecar import SupervisedProcess

    from .http_request import HttpError
    from .settings import ServerSettings


class AppState:
    """Policies, certificate, metrics and the applications that use them."""

    def __init__(
        self,
        settings: ServerSettings,
        engine: ReviewEngine,
        log_writer: LogWriter,
        checks: Sequence[Callable[[], str | None]] = (),
        keeper: SupervisedProcess | None = None,
        watcher: SupervisedProcess | None = None,
    ) -> None:
        """Load everything once; raises PkiError when the server's own certificate cannot be made."""
        self.settings = settings
        self.keeper = keeper
        self.watcher = watcher
        self.drain = Drain()
        self.heartbeats = Heartbeats()
        self.log_writer = log_writer
        self._log = logs.get()
        self._throttle = logs.Throttle()
        self._decisions = logs.Decisions(settings.log_format, settings.log_level, log_writer)
        self._worker = False
        self.embedded = self._embedded_certificate()  # first: it may fail, and nothing has to be removed yet
        self.metrics = self._make_metrics()
        self._kinds = engine.kinds
        sources, further_checks = self._policy_sources(engine.load)
        self.policies = PolicyStore(
            sources, loaded=self._policy_loaded, failed=self._policy_failed, removed=self._policy_removed
        )
        self.certificate = self._serving_certificate() if settings.tls else None
        checks = (*checks, *further_checks)
        self.readiness = Readiness(self.policies, self.certificate, self.drain, checks, self.heartbeats)
        self.refresh()
        self._make_applications(engine)

    def _make_applications(self, engine: ReviewEngine) -> None:
        self._decide = engine.decider(self.policies)
        self._pool = ThreadPoolExecutor(4, "page")
        # With client certificates, neither kubelet nor Prometheus could reach the health pages: only the health port
        # serves them.
        self.pages = self._make_pages(health=not self.settings.client_ca, index=True)
        self._health_pages = self._make_pages(health=True, index=False)

    def _policy_sources(self, load: Load) -> tuple[FileSources | ObjectSources, Sequence[Callable[[], str | None]]]:
        """Return where policies come from, and the readiness checks of that."""
        settings = self.settings
        if settings.policy_source == "crd":
            objects = ObjectSources(settings.policy_directory, settings.mode)
            return objects, (objects.unready,)
        return FileSources(settings.policy, lambda source: load(source).under(settings.mode)), ()

    def _make_metrics(self) -> Metrics:
        made = Metrics(slots=2 * self.settings.workers)
        self.log_writer.dropped = made.log_lines_dropped
        if made.without_room:
            consequence = "kept elsewhere" if made.shared else "each worker counts by itself"
            fields = {"directories": made.without_room, "metrics": consequence}
            self._log.warning("no room for metrics", extra=logs.fields(fields))
        return made

    def _make_pages(self, *, health: bool, index: bool) -> Flask:
        return create_pages(self.policies, self.readiness, self.metrics, health=health, index=index)

    def reviews(self) -> Reviews:
        """Make the application of the review port; in a worker, on its event loop."""
        return Reviews(self._decide, self.policies, self.pages, self.settings, self._pool, self)

    def health(self) -> Pages:
        """Make the application of the health port, for its own event loop."""
        return Pages(self._health_pages, self.settings, self._pool, self)

    def _embedded_certificate(self) -> SelfSignedCertificate | None:
        settings = self.settings
        if settings.http or settings.tls_cert:
            return None
        directory = settings.self_signed or state_directory(os.environ)
        names = (settings.service_name, settings.service_namespace)
        made = SelfSignedCertificate(directory, *names, time.time(), settings.san)
        self._log.info("own certificate", extra=logs.fields({"ca": str(made.serving.ca_crt)}))
        return made

    def _serving_certificate(self) -> ServingCertificate:
        settings = self.settings
        cert, key = settings.tls_cert, settings.tls_key
        if self.embedded is not None:
            cert, key = str(self.embedded.serving.tls_crt), str(self.embedded.serving.tls_key)
        return ServingCertificate(
            cert,
            key,
            settings.client_ca,
            status=settings.status,
            loaded=self._certificate_loaded,
            failed=self._certificate_failed,
        )

    def refresh(self) -> None:
        """Load what changed on disk; never raises for its content."""
        self.policies.refresh()
        if self.certificate is not None:
            self.certificate.refresh(time.time())

    def maintain(self) -> None:
        """In the arbiter, every second: maintain the embedded certificate and the sidecars, and load what changed."""
        if self.keeper is not None:
            if self.keeper.watch(time.monotonic()):
                self._log.info("certificate sidecar started")
        elif self.embedded is not None:
            for event in self.embedded.maintain(time.time()):
                report = self._log.error if event.failed else self._log.info
                report("certificate maintained", extra=logs.fields({"what": event.message}))
        if self.watcher is not None and self.watcher.watch(time.monotonic()):
            self._log.info("policy sidecar started")
        self.refresh()

    def stop_sidecars(self) -> None:
        """End the sidecars; the workers have ended."""
        for process in (self.keeper, self.watcher):
            if process is not None:
                process.stop()

    def enter_worker(self, slot: int) -> None:
        """In a worker, after the fork.

        From now on only the arbiter logs and counts refused policies and certificates: it reads the same files, and
        one bad version should count once.
        """
        self._worker = True
        self.metrics.enter_slot(slot)
        if self.certificate is not None and self.certificate.context is not None:
            self.metrics.certificate_loaded(self.certificate.not_after)
        for name, when in self.policies.times.items():
            self.metrics.policy_loaded(name, when)
        self.refresh()

    def reviewed(self, endpoint: str, policy: str, answer: Response, seconds: float) -> None:
        """Log and count an answered review."""
        record = answer.record
        if answer.status >= 400:  # not an AdmissionReview, or our crash
            self.metrics.refused(answer.status)
        self.metrics.review(endpoint, policy, record, seconds)
        self._decisions.write(endpoint, policy, answer.status, seconds, record)

    def refused(self, path: str, refusal: HttpError) -> None:
        """Count a refused request; log it unless there are too many."""
        self.metrics.refused(refusal.status)
        omitted = self._throttle.admit(time.monotonic())
        if omitted is not None:
            line = {"status": refusal.status, "reason": refusal.sentence, "path": path, "unlogged": omitted}
            self._log.warning("request refused", extra=logs.fields(line))

    def crashed(self, uid: str, error: Exception) -> None:
        """Log an exception with the review's uid and the places in the code."""
        self._log.error("review failed", extra=logs.fields({"uid": uid, **logs.describe(error)}))

    def _policy_loaded(self, name: str, when: float) -> None:
        self.metrics.policy_loaded(name, when)
        self.metrics.kinds = frozenset(self._kinds(self.policies.current))
        self._log.info("policy loaded", extra=logs.fields({"policy": name}))

    def _policy_removed(self, name: str) -> None:
        self.metrics.kinds = frozenset(self._kinds(self.policies.current))
        self._log.info("policy removed", extra=logs.fields({"policy": name}))

    def _policy_failed(self, source: str, message: str) -> None:
        if self._worker:
            return
        self.metrics.policy_failed()
        self._log.error("policy refused", extra=logs.fields({"source": source, "reason": message}))

    def _certificate_loaded(self, expires: float) -> None:
        self.metrics.certificate_loaded(expires)
        self._log.info("certificate loaded", extra=logs.fields({"expires": int(expires)}))

    def _certificate_failed(self, message: str) -> None:
        if self._worker:
            return
        self.metrics.certificate_failed()
        self._log.error("certificate refused", extra=logs.fields({"reason": message}))
