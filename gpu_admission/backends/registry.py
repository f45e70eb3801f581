"""Every backend, one line each; a module is named after its backend, with underscores for dashes.

Modules are loaded by name, because a policy needs one of them and each costs start-up time of the linter.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from .known import READERS
from .per_pod import PER_POD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Backend

    ALL: tuple[Backend, ...]

NAMES: tuple[str, ...] = (
    "exclusive",
    "time-slicing",
    "mps",
    "mig",
    "gpushare",
    "volcano",
    "volcano-vgpu",
    "hami",
    "kai",
    "koordinator",
    "dra",
)
PER_POD_MODULE = "any_backend"  # not among the names: no cluster runs it
SOURCES = ("portable_names",)  # modules that read names which no cluster serves


@cache
def _loaded(module: str) -> Backend:
    backend: Backend = import_module(f"{__package__}.{module}").BACKEND
    return backend


def modules() -> list[tuple[str, Backend]]:
    """Return every module that reads names, with its backend; the sources first."""
    return [(module, _loaded(module)) for module in (*SOURCES, *(name.replace("-", "_") for name in NAMES))]


def named(name: str) -> Backend:
    """Return the backend of that name, ``any`` included. Raises KeyError."""
    if name == PER_POD:
        return _loaded(PER_POD_MODULE)
    if name not in NAMES:
        raise KeyError(name)
    return _loaded(name.replace("-", "_"))


def reader(system: str) -> Backend | None:
    """Return the backend that reads a system's names where the policy's own does not, None where there is none."""
    module = READERS.get(system)
    return None if module is None else _loaded(module)


def __getattr__(name: str) -> object:
    """Return ``ALL``, which loads every backend (PEP 562)."""
    if name == "ALL":
        return tuple(named(each) for each in NAMES)
    raise AttributeError(name)
