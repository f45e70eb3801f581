"""The same server, started by gunicorn: ``gunicorn -c python:gpu_admission.webhook.gunicorn_conf``.

All settings come from ``GPU_ADMISSION_*`` (see settings.py); a Secret or webhook configurations get their sidecar here
too. A setting that cannot be used is reported in one line, and gunicorn exits with 2.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from gpu_admission.webhook.server.server import gunicorn_options, prepare
from gpu_admission.webhook.server.settings import ServerSettings, SettingsError

from . import certificate_sidecar, policy_sidecar
from .certificate_sidecar import CertificateSidecar
from .policy_sidecar import PolicySidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gunicorn.arbiter import Arbiter

    from gpu_admission.webhook.server.app_state import AppState


def _settings() -> ServerSettings:
    try:
        return ServerSettings.from_environment(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"gpu-admission: {error}\n")
        raise SystemExit(2) from None


def _load(settings: ServerSettings) -> tuple[AppState, dict[str, Any]]:
    """Load everything, and return it with gunicorn's options; sidecars are started once gunicorn starts."""
    sidecars: list[CertificateSidecar | PolicySidecar] = []
    keeper = watcher = None
    if certificate_sidecar.is_wanted(settings):
        sidecars.append(CertificateSidecar(settings))
        keeper, settings = sidecars[-1].process, sidecars[-1].settings
    if policy_sidecar.is_wanted(settings):
        sidecars.append(PolicySidecar(settings))
        watcher, settings = sidecars[-1].process, sidecars[-1].settings
    for sidecar in sidecars:
        atexit.register(sidecar.close)
    service = prepare(settings, keeper=keeper, watcher=watcher)
    if service is None:
        raise SystemExit(2)
    options = gunicorn_options(settings, service)
    if sidecars:
        options["on_starting"] = _after(sidecars, service, options["on_starting"])
    return service, options


def _after(
    sidecars: Sequence[CertificateSidecar | PolicySidecar], service: AppState, on_starting: Callable[[Arbiter], None]
) -> Callable[[Arbiter], None]:
    """Return the hook that starts the sidecars, so that the workers begin with a certificate and policies."""

    def start(arbiter: Arbiter) -> None:
        for sidecar in sidecars:
            sidecar.begin()
        service.refresh()
        on_starting(arbiter)

    return start


_service, _options = _load(_settings())
globals().update(_options)
wsgi_app = "gpu_admission.webhook.gunicorn_conf:application()"


def application() -> Any:
    """Return the pages for gunicorn; the worker handles reviews before them."""
    return _service.pages
