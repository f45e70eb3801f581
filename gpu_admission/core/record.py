"""Value classes without boilerplate and without `dataclasses`, whose import costs a fifth of gpu-lint's start.

    @record
    class Place:
        file: str
        line: int | None = None

gets `__slots__`, `__init__` (positional or by keyword), `__eq__`, `__hash__` and `__repr__` from its annotations.
Type checkers take it for a frozen dataclass (PEP 681) and report assignments; at run time they are not prevented, which
would make an instance cost three times as much. `@record(frozen=False)` is mutable and has no hash. A mutable default
is rejected: every instance would share it. `@record(eq=False)` compares and hashes by identity. A `__post_init__` is
called at the end of `__init__`.

Fields are those of the class itself; a record has no base class but object. An `__init__` is compiled once for each
number of fields and then only renamed, so that a class costs microseconds, and an instance as much as a hand-written
one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform, overload

    T = TypeVar("T")

    @overload
    @dataclass_transform(frozen_default=True)
    def record(cls: type[T], /) -> type[T]: ...
    @overload
    @dataclass_transform(frozen_default=True)
    def record(*, frozen: bool = True, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
    def record(cls: Any = None, /, *, frozen: bool = True, eq: bool = True) -> Any:
        """Declare the function below for type checkers."""

else:

    def record(cls=None, /, *, frozen=True, eq=True):  # noqa: ANN001, ANN201 - declared above
        """Return the class as a record, or, given keywords, the decorator."""
        return (lambda made: _make(made, frozen=frozen, eq=eq)) if cls is None else _make(cls, frozen=frozen, eq=eq)


def _make(cls: type[Any], *, frozen: bool, eq: bool) -> type[Any]:
    if cls.__bases__ != (object,):
        raise TypeError(f"{cls.__name__}: a record has no base class")
    body = dict(cls.__dict__)
    fields = tuple(body.get("__annotations__") or _annotations(cls))
    defaults = {name: body.pop(name) for name in fields if name in body}
    _check(cls.__name__, fields, defaults)
    for name in ("__dict__", "__weakref__"):
        body.pop(name, None)
    checks = "__post_init__" in body
    methods: dict[str, Any] = {"__init__": _init(fields, defaults, checks=checks), "__repr__": _repr}
    if eq:
        methods |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
    made = type(cls.__name__, (), {**methods, **body, "__slots__": fields, "__match_args__": fields})
    made.__qualname__ = cls.__qualname__
    return made


def _annotations(cls: type[Any]) -> dict[str, Any]:
    """Return annotations that are evaluated lazily (Python 3.14 without the future import)."""
    return getattr(cls, "__annotations__", {})


def _check(name: str, fields: tuple[str, ...], defaults: dict[str, Any]) -> None:
    optional = False
    for field in fields:
        if isinstance(defaults.get(field), list | dict | set):
            raise TypeError(f"{name}.{field}: a mutable default would be shared by all instances")
        if optional and field not in defaults:
            raise TypeError(f"{name}.{field} has no default and follows one that has")
        optional = optional or field in defaults


_function: Any = type(lambda: None)
_templates: dict[tuple[int, bool], Any] = {}


def _init(fields: tuple[str, ...], defaults: dict[str, Any], *, checks: bool) -> Any:
    """Return an `__init__` like a hand-written one: the template of its arity, renamed."""
    count = len(fields)
    if (count, checks) not in _templates:
        parameters = "".join([f", _{at}" for at in range(count)])
        lines = [f"    self._{at} = _{at}" for at in range(count)]
        lines += ["    self.__post_init__()"] if checks else ["    pass"]
        scope: dict[str, Any] = {}
        exec(f"def __init__(self{parameters}):\n" + "\n".join(lines), scope)  # noqa: S102 - our own text
        _templates[count, checks] = scope["__init__"].__code__
    names = (*fields, "__post_init__") if checks else fields
    code = _templates[count, checks].replace(co_varnames=("self", *fields), co_names=names)
    return _function(code, {}, "__init__", tuple(defaults.values()) or None)


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__slots__])


def _repr(self: Any) -> str:
    inside = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__slots__])
    return f"{type(self).__name__}({inside})"


def _eq(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))
