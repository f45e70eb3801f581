"""The embedded default: a CA and serving certificate of the server's own, kept in a directory and renewed there."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_admission.pki.directory import DirectoryStore, ensure
from gpu_admission.pki.maintain import Event, Maintainer
from gpu_admission.pki.names import merged, parse_name, serving_names
from gpu_admission.pki.rotation import Plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gpu_admission.pki.directory import Serving

INTERVAL = 60.0  # seconds between looks at whether something is due


class EmbeddedCertificate:
    """Makes the certificate at the start and renews it before it expires. Used in the arbiter only.

    ``san`` are further DNS names and IP addresses beside those of the service and of this machine.
    """

    def __init__(self, directory: str, service: str, namespace: str, now: float, san: Iterable[str] = ()) -> None:
        """Make what is missing; raises PkiError, whose message is one line for the user."""
        names = merged(serving_names(service, namespace), map(parse_name, san))
        path = Path(directory)
        jitter = random.random()  # noqa: S311 - only so that replicas do not renew in the same minute
        self.serving: Serving = ensure(path, names, datetime.fromtimestamp(now, UTC), jitter=jitter)
        self._maintainer = Maintainer(DirectoryStore(path), Plan(names, jitter))
        self._next = now + INTERVAL

    def maintain(self, now: float) -> list[Event]:
        """Do what is due, once a minute; the workers see the new files as they see any others."""
        if now < self._next:
            return []
        self._next = now + INTERVAL
        try:
            return self._maintainer.settle(datetime.fromtimestamp(now, UTC))
        except Exception as error:  # noqa: BLE001 - the arbiter must outlive whatever this is
            return [Event(f"unexpected {type(error).__name__} while maintaining the certificate", failed=True)]


def state_directory(environ: Mapping[str, str]) -> str:
    """Where the certificate lies when nobody says (XDG Base Directory Specification: state)."""
    own = environ.get("GPU_ADMISSION_STATE", "")
    if own:
        return own
    base = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "gpu-admission")
