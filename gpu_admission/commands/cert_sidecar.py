"""The certificate sidecar, ``python -m gpu_admission.commands.cert_sidecar``: a process that ``serve`` starts.

It alone loads the Kubernetes client. Workers read the files that it writes, and its result as pki.trust_status.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_admission.cluster.api import connect
from gpu_admission.cluster.ca_bundle import ca_bundle_targets
from gpu_admission.cluster.secret_store import SecretStore
from gpu_admission.pki.directory_store import DirectoryStore
from gpu_admission.pki.errors import PkiError
from gpu_admission.pki.rotation import RotationPlan
from gpu_admission.pki.rotator import Rotator, run
from gpu_admission.pki.subject_alt_names import merged, parse_name, serving_names
from gpu_admission.pki.trust_status import CertificateObserver, Event
from gpu_admission.webhook import logs

from .parent_watch import until_terminated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_admission.cluster.api import KubernetesApi
    from gpu_admission.pki.certificate_set import CertificateStore

TOLERATED = timedelta(minutes=5)  # between two clocks; certificates are backdated by an hour


class ServerClock:
    """The API server's time: it verifies certificates, and nodes whose clock is wrong share the Secret.

    Our own clock is used where the API server cannot be reached. ``report`` is called when the two begin to differ.
    """

    def __init__(
        self, api: KubernetesApi, rotator: Rotator | CertificateObserver, report: Callable[[Event], None]
    ) -> None:
        self._api = api
        self._rotator = rotator
        self._report = report
        self._differs = False

    def __call__(self) -> datetime:
        """Return the time, UTC."""
        self._rotator.has_news()  # requests versions from the API server, whose answers contain its time
        ours = datetime.now(UTC)
        theirs = self._api.time() or ours
        differs = abs(theirs - ours) > TOLERATED
        if differs and not self._differs:
            text = (
                f"this machine's clock is at {ours:%Y-%m-%d %H:%M} UTC, the API server's at {theirs:%Y-%m-%d %H:%M} UTC"
            )
            self._report(Event(f"{text}; the API server's time is used", failed=True))
        self._differs = differs
        return theirs


def main(argv: Sequence[str]) -> int:
    """Maintain certificates until SIGTERM; return 1 when that cannot begin (the server starts us again)."""
    options = _parser().parse_args(argv)
    logs.setup(options.log_format, "info")
    watch = until_terminated(options.parent)
    try:
        api = connect()
        rotator = _rotator(options, api)
    except PkiError as error:
        _report(Event(str(error), failed=True))
        return 1
    run(rotator, watch, ServerClock(api, rotator, _report), _report, options.interval)
    if watch.orphaned and (options.secret or options.observe):
        # The server was killed before it could do this. The directory is a copy, and contains a key.
        shutil.rmtree(options.directory, ignore_errors=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--secret")
    parser.add_argument("--observe", type=Path)
    parser.add_argument("--webhook-configuration", action="append", default=[])
    parser.add_argument("--service", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--san", action="append", default=[])
    parser.add_argument("--log-format", default="json")
    parser.add_argument("--interval", type=float, default=60.0)
    return parser


def _rotator(options: argparse.Namespace, api: KubernetesApi) -> Rotator | CertificateObserver:
    """Return the rotator of our own certificate, or the observer of another's. Raises PkiError."""
    published = [place for name in options.webhook_configuration for place in ca_bundle_targets(api, name)]
    if options.observe is not None:
        return CertificateObserver(published, options.observe, options.directory)
    names = merged(serving_names(options.service, options.namespace), map(parse_name, options.san))
    plan = RotationPlan(names, random.random())  # noqa: S311 - only so that replicas do not renew in the same minute
    store: CertificateStore = DirectoryStore(options.directory)
    if options.secret:
        store = SecretStore(api, *options.secret.split("/"))
    return Rotator(store, plan, targets=published, serving=options.directory)


def _report(event: Event) -> None:
    log = logs.get().error if event.failed else logs.get().info
    log("certificate maintained", extra=logs.fields({"what": event.message}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
