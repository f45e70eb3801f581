"""The same server, started by gunicorn: ``gunicorn -c python:gpu_admission.admission.gunicorn_conf``.

Settings come from ``GPU_ADMISSION_*`` (see settings.py), all of them: a Secret or webhook configurations get their
keeper here too. What cannot be used is said in one line, and gunicorn ends with 2.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import TYPE_CHECKING, Any

from gpu_admission.admission.keeping import Keeping, is_wanted
from gpu_admission.admission.server import gunicorn_options, prepare
from gpu_admission.admission.settings import Settings, SettingsError

if TYPE_CHECKING:
    from gpu_admission.admission.service import Service


def _settings() -> Settings:
    try:
        return Settings.from_environment(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"gpu-admission: {error}\n")
        raise SystemExit(2) from None


def _prepared(settings: Settings) -> Service:
    """Load everything; the keeper, if one is needed, is the arbiter's to start and to end."""
    keeper = None
    if is_wanted(settings):
        keeping = Keeping(settings)
        atexit.register(keeping.close)
        settings, keeper = keeping.settings, keeping.child
    service = prepare(settings, keeper=keeper)
    if service is None:
        raise SystemExit(2)
    return service


_service = _prepared(_settings())

globals().update(gunicorn_options(_service.settings, _service))
wsgi_app = "gpu_admission.admission.gunicorn_conf:application()"


def application() -> Any:
    """Give gunicorn the pages; the worker puts the reviews in front of them."""
    return _service.pages
