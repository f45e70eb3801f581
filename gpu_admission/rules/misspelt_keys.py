"""Misspelt keys around a container's GPU, such as ``request`` for ``requests`` (for GPU011 and `intent`)."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict
from gpu_admission.core.typos import nearest

from . import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.workload import Workload

_SIDES = ("limits", "requests")
_KNOWN = frozenset({*_SIDES, "claims"})
_FARTHEST = 2


def find(workload: Workload, policy: Policy) -> Iterator[tuple[Container, Pointer, str]]:
    """Yield keys that resemble ``limits`` or ``requests``, or ``resources`` around them, where a GPU is near.

    Each with its container, and with the key that was meant.
    """
    typed = common.is_typed(workload)
    for _, container in workload.containers():
        if not (container.whole or typed):
            continue
        resources = container.resources
        for key, near in _misspelt(resources, _SIDES, _KNOWN):
            if has_gpu(resources.get(key), policy) or container.gpus:
                yield container, (*container.resources_pointer, key), near
        if container.whole and container.key == "resources":
            for key, near in _misspelt(container.spec, ("resources",), frozenset({"resources"})):
                if any(has_gpu(as_dict(container.spec[key]).get(side), policy) for side in _SIDES):
                    yield container, (*container.pointer, key), near


def has_gpu(side: object, policy: Policy) -> bool:
    """Return whether a mapping of resources names a GPU."""
    return any(policy.classify(name) is not None for name in as_dict(side))


def _misspelt(around: Mapping[str, Any], words: tuple[str, ...], known: frozenset[str]) -> Iterator[tuple[str, str]]:
    for key, value in around.items():
        if key not in known and (value is None or isinstance(value, dict)):
            near = nearest(key.lower(), words, _FARTHEST)
            if near is not None:
                yield key, near
