"""The shipped policies with their generated exemptions."""

from __future__ import annotations

from functools import partial

from gpu_admission.backends import registry
from gpu_admission.files import policyfile
from gpu_admission.render import exempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def text(name: str) -> str:
    """Return the text of a shipped policy as it should be."""
    backend = registry.named(policyfile.load(name).backend.name)
    return exempt.written(policyfile.source(name), backend)


FILES: dict[str, Callable[[], str]] = {f"policies/{name}.yaml": partial(text, name) for name in policyfile.shipped()}
