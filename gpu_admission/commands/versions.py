"""Files that contain our version, which is maintained in ``gpu_admission/__init__.py`` alone."""

from __future__ import annotations

import functools
import os
import re

from gpu_admission import __version__
from gpu_admission.policyfile import loader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Path -> the text before the version in it. An image that is pinned by its digest has none, and is not changed.
_PLACES = {
    "README.md": r"^    rev: v",
    "deploy/Dockerfile": r"^#   docker build -f deploy/Dockerfile -t gpu-admission:",
    "deploy/audit/cronjob.yaml": r"^              image: gpu-admission:",
    "deploy/base/deployment.yaml": r"^          image: gpu-admission:",
    "deploy/image/kustomization.yaml": r"^    newTag: ",
}


def _text(path: str, before: str) -> str:
    """Return a file of this checkout with our version inserted."""
    with open(os.path.join(loader.shipped_folder(), "..", path), encoding="utf-8") as file:
        text = file.read()
    return re.sub(rf"({before})\d\S*", rf"\g<1>{__version__}", text, flags=re.MULTILINE)


FILES: dict[str, Callable[[], str]] = {path: functools.partial(_text, path, before) for path, before in _PLACES.items()}
