"""The embedded default: a CA and serving certificate of the server's own, kept in a directory and renewed there."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_admission.pki.directory import DirectoryStore, ensure
from gpu_admission.pki.maintain import Maintainer
from gpu_admission.pki.names import serving_names
from gpu_admission.pki.rotation import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_admission.pki.directory import Serving
    from gpu_admission.pki.maintain import Event

INTERVAL = 60.0  # seconds between looks at whether something is due


class EmbeddedCertificate:
    """Makes the certificate at the start and renews it before it expires. Used in the arbiter only."""

    def __init__(self, directory: str, service: str, namespace: str, now: float) -> None:
        """Make what is missing; raises PkiError, whose message is one line for the user."""
        names = serving_names(service, namespace)
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
        return self._maintainer.settle(datetime.fromtimestamp(now, UTC))


def state_directory(environ: Mapping[str, str]) -> str:
    """Where the certificate lies when nobody says (XDG Base Directory Specification: state)."""
    base = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "gpu-admission")
