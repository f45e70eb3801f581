"""The certificate keeper beside the server: where a certificate is kept in a Secret, or published in configurations.

It is a program of its own, KEEPER: neither the forking server nor a worker ever loads
the Kubernetes client, and this package imports nothing of it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from gpu_admission.admission.child import Child
from gpu_admission.admission.embedded import state_directory
from gpu_admission.admission.metrics import memory_directory

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from gpu_admission.admission.settings import Settings

KEEPER = "gpu_admission.commands.keeper"
PATIENCE = 15.0  # seconds for the first certificate from a Secret; later it comes while we are not ready


def is_wanted(settings: Settings) -> bool:
    """Tell whether these settings need a keeper."""
    return bool(settings.webhook_configuration or settings.secret)


class Keeping:
    """A keeper, and the ``settings`` with which the server serves what it leaves.

    That is in a directory in memory, or in the directory given. Whoever makes one closes it, in the process that
    made it: workers are forks, and their end comes by there too.
    """

    def __init__(self, settings: Settings) -> None:
        self._owner = os.getpid()
        self._directory = tempfile.mkdtemp(prefix="gpu-admission-serving-", dir=memory_directory())
        own = not settings.tls_cert and not settings.secret
        place = (settings.self_signed or state_directory(os.environ)) if own else self._directory
        self.child = Child(_command(settings, place))
        self.settings = replace(settings, status=place)
        self._awaited = ""
        if settings.secret:
            cert, key = os.path.join(place, "tls.crt"), os.path.join(place, "tls.key")
            self.settings = replace(self.settings, secret="", tls_cert=cert, tls_key=key)
            self._awaited = cert

    def begin(self) -> None:
        """Start the keeper where the server waits for what it brings, and wait for a while."""
        if not self._awaited:
            return
        self.child.watch(time.monotonic())
        end = time.monotonic() + PATIENCE
        while self.child.running and not os.path.exists(self._awaited) and time.monotonic() < end:
            time.sleep(0.05)

    def close(self) -> None:
        """End the keeper and remove what lies in memory; nothing in a fork, or when done already."""
        if os.getpid() == self._owner:
            self.child.stop()
            shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()


def _command(settings: Settings, directory: str) -> list[str]:
    """Return the command line of a keeper that leaves what it has to say, or to serve, in ``directory``."""
    words = [sys.executable, "-m", KEEPER, "--directory", directory]
    words += ["--service", settings.service_name, "--namespace", settings.service_namespace]
    words += ["--log-format", settings.log_format, "--interval", str(settings.keeper_interval)]
    for name in settings.san:
        words += ["--san", name]
    for name in settings.webhook_configuration:
        words += ["--webhook-configuration", name]
    if settings.secret:
        words += ["--secret", settings.secret]
    if settings.tls_cert:
        words += ["--observe", settings.tls_cert]
    return words
