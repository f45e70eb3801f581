"""Every backend, one line each.

A policy chooses one of them, and the linter's start-up pays for every module it loads: so they are loaded by name.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from .spelling import KAI, NVIDIA, NVIDIA_SHARED, PORTABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Backend

    ALL: tuple[Backend, ...]
    BY_NAME: dict[str, Backend]

_MODULES = {
    "exclusive": "exclusive",
    "time-slicing": "time_slicing",
    "mps": "mps",
    "mig": "mig",
    "gpushare": "gpushare",
    "volcano": "volcano",
    "volcano-vgpu": "volcano_vgpu",
    "hami": "hami",
    "kai": "kai",
    "koordinator": "koordinator",
    "dra": "dra",
}
NAMES = tuple(_MODULES)

# Who reads a system's words where the policy's own backend does not.
READERS = {
    PORTABLE: "portable_names",
    NVIDIA: "exclusive",
    NVIDIA_SHARED: "time_slicing",
    KAI: "kai",
    **{name: _MODULES[name] for name in ("mig", "gpushare", "volcano", "volcano-vgpu", "hami", "koordinator")},
}


@cache
def _loaded(module: str) -> Backend:
    backend: Backend = import_module(f"{__package__}.{module}").BACKEND
    return backend


def named(name: str) -> Backend:
    """Return the backend of that name. Raises KeyError."""
    return _loaded(_MODULES[name])


def reader(system: str) -> Backend | None:
    """Return who reads a system's words, or None where nobody does."""
    module = READERS.get(system)
    return None if module is None else _loaded(module)


def __getattr__(name: str) -> object:
    """Give ``ALL`` and ``BY_NAME``, which load every backend (PEP 562)."""
    if name == "ALL":
        return tuple(named(each) for each in NAMES)
    if name == "BY_NAME":
        return {each: named(each) for each in NAMES}
    raise AttributeError(name)
