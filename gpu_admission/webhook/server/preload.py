"""Imports all modules that a review or a page may need while the server starts.

Rules, backends and a few libraries are imported where they are needed, for the start-up time of ``gpu-lint``. In the
server, such an import would fail a request once no file descriptor is left.
"""

from __future__ import annotations

import difflib
import encodings.idna
import importlib
import pkgutil
import re

import jsonpatch

from gpu_admission import backends, core, engine, policy, rules, workloads
from gpu_admission.webhook import review

LIBRARIES = (difflib, encodings.idna, jsonpatch, re)  # Werkzeug encodes the name of a host by IDNA
PACKAGES = (core, workloads, policy, engine, backends, rules, review)


def load_all() -> None:
    """Import every module of the packages that decide reviews."""
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(found.name)
