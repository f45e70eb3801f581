"""The shipped policies with their generated exemptions."""

from __future__ import annotations

import copy
from functools import partial

from gpu_admission.backends import registry
from gpu_admission.backends.per_pod import PER_POD
from gpu_admission.docpages import exempted_components
from gpu_admission.policyfile import loader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gpu_admission.policy.model import Policy


def text(name: str) -> str:
    """Return the text of a shipped policy as it should be."""
    backend = registry.named(loader.load(name).backend.name)
    if backend.name == PER_POD:  # for any backend; loading all of them at run time would cost too much
        backend = copy.copy(backend)
        backend.components = tuple(part for each in registry.ALL for part in each.components)
    return exempted_components.written(loader.source(name), backend)


def policy(name: str) -> Policy:
    """Return a shipped policy as its text should be."""
    return loader.parse(text(name).encode(), f"policies/{name}.yaml")


FILES: dict[str, Callable[[], str]] = {f"policies/{name}.yaml": partial(text, name) for name in loader.shipped()}
