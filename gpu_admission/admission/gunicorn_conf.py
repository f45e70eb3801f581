"""The same server, started by gunicorn: ``gunicorn -c python:gpu_admission.admission.gunicorn_conf``.

Settings come from ``GPU_ADMISSION_*`` (see settings.py).
"""

from __future__ import annotations

import os
from typing import Any

from gpu_admission.admission import logs
from gpu_admission.admission.server import gunicorn_options
from gpu_admission.admission.service import Service, load_engine
from gpu_admission.admission.settings import Settings

_settings = Settings.from_environment(os.environ)
logs.setup(_settings.log_format, _settings.log_level)
_service = Service(_settings, load_engine(_settings.engine))

globals().update(gunicorn_options(_settings, _service))
wsgi_app = "gpu_admission.admission.gunicorn_conf:application()"


def application() -> Any:
    """Give gunicorn the pages; the worker puts the reviews in front of them."""
    return _service.pages
