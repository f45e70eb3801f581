"""The certificate sidecar of the server: where a certificate is kept in a Secret, or published in configurations.

It is a separate program, ``PROGRAM``: neither the forking server nor a worker ever loads
the Kubernetes client, and this package does not import it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from .metrics_memory import memory_directory
from .self_signed import state_directory
from .sidecar import Sidecar, SupervisedProcess

if TYPE_CHECKING:
    from gpu_admission.webhook.server.settings import ServerSettings

PROGRAM = "gpu_admission.commands.cert_sidecar"
FIRST_CERTIFICATE = 15.0  # seconds to wait for the one in a Secret; after that the server starts and is not ready


def is_wanted(settings: ServerSettings) -> bool:
    """Return whether these settings need a sidecar."""
    return bool(settings.webhook_configuration or settings.secret)


class CertificateSidecar(Sidecar):
    """A sidecar, and the ``settings`` with which the server serves the files it writes.

    They are in a directory in memory, or in the directory given.
    """

    def __init__(self, settings: ServerSettings) -> None:
        super().__init__("gpu-admission-serving-", memory_directory())
        own = not settings.tls_cert and not settings.secret
        place = (settings.self_signed or state_directory(os.environ)) if own else self._directory
        self.process = SupervisedProcess(_command(settings, place))
        self.settings = replace(settings, status=place)
        self._awaited = ""
        if settings.secret:
            cert, key = os.path.join(place, "tls.crt"), os.path.join(place, "tls.key")
            self.settings = replace(self.settings, secret="", tls_cert=cert, tls_key=key)
            self._awaited = cert

    def begin(self) -> None:
        """Start the sidecar where the server needs its certificate, and wait for that for a while."""
        if self._awaited:
            self._start(lambda: os.path.exists(self._awaited), FIRST_CERTIFICATE)


def _command(settings: ServerSettings, directory: str) -> list[str]:
    """Return the command line of a sidecar that writes its status and certificate to ``directory``."""
    command = [sys.executable, "-m", PROGRAM, "--directory", directory]
    command += ["--service", settings.service_name, "--namespace", settings.service_namespace]
    command += ["--log-format", settings.log_format, "--interval", str(settings.keeper_interval)]
    for name in settings.san:
        command += ["--san", name]
    for name in settings.webhook_configuration:
        command += ["--webhook-configuration", name]
    if settings.secret:
        command += ["--secret", settings.secret]
    if settings.tls_cert:
        command += ["--observe", settings.tls_cert]
    return command
