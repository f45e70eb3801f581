"""A container's variables when it starts, as far as the manifest defines them."""

from __future__ import annotations

from gpu_admission.core import patch
from gpu_admission.core.raw import as_dict, as_str, format_value, iter_dicts
from gpu_admission.core.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from gpu_admission.core.patch import Operation
    from gpu_admission.core.pointer import Pointer
    from gpu_admission.workloads.container import Container
    from gpu_admission.workloads.workload import Workload

_MOST_NAMED = 2  # variables in a message
_LONGEST = 4096  # a device list is shorter; references to references could make values of any length

_SOURCES = {"configMapKeyRef": "a ConfigMap", "secretKeyRef": "a Secret", "fieldRef": "a field of the pod"}


class Variable:
    """A variable of a container: the last entry of its name, which is the effective one.

    ``value`` is None where it is not in the manifest; ``source`` then describes where it comes from.
    ``indices`` are those of all entries of the name.
    """

    __slots__ = ("container", "entry", "indices", "name", "source", "value")

    def __init__(self, container: Container, name: str) -> None:
        self.container = container
        self.name = name
        self.indices: list[int] = []
        self.entry: Mapping[str, Any] = {}
        self.value: str | None = None
        self.source = ""

    @property
    def pointer(self) -> Pointer:
        """The pointer to the value."""
        key = "value" if "value" in self.entry and not as_dict(self.entry.get("valueFrom")) else "valueFrom"
        place = (*self.container.pointer, "env", self.indices[-1])
        return (*place, key) if key in self.entry else place

    @property
    def field_path(self) -> str:
        """The field of the pod that it is taken from, or the empty text."""
        return as_str(as_dict(as_dict(self.entry.get("valueFrom")).get("fieldRef")).get("fieldPath"))


def variables(container: Container, names: Iterable[str] = (), prefixes: tuple[str, ...] = ()) -> list[Variable]:
    """Return the variables of a container that have one of the names or begin with one of the prefixes."""
    wanted = frozenset(names)
    given = container.env_names
    if wanted.isdisjoint(given) and not (prefixes and any([name.startswith(prefixes) for name in given])):
        return []
    entries = [(index, as_str(entry.get("name")), entry) for index, entry in iter_dicts(container.spec.get("env"))]
    asked = [each for each in entries if each[1] in wanted or (prefixes and each[1].startswith(prefixes))]
    if any(["$" in as_str(entry.get("value")) for _, _, entry in asked]):
        asked = entries  # references are to earlier entries
    open_ended = bool(container.spec.get("envFrom"))
    found: dict[str, Variable] = {}
    known: dict[str, str | None] = {}
    for index, name, entry in asked:
        value, source = _value(entry, known, open_ended=open_ended)
        known[name] = value
        if name in wanted or (prefixes and name.startswith(prefixes)):
            variable = found.setdefault(name, Variable(container, name))
            variable.indices.append(index)
            variable.entry, variable.value, variable.source = entry, value, source
    return list(found.values())


def _value(entry: Mapping[str, Any], known: Mapping[str, str | None], *, open_ended: bool) -> tuple[str | None, str]:
    origin = as_dict(entry.get("valueFrom"))
    if origin:
        return None, next((source for key, source in _SOURCES.items() if key in origin), "another place")
    raw = entry.get("value")
    if raw is None:
        return "", ""
    if isinstance(raw, dict | list):
        return None, "a value that is not a string"
    content = raw if isinstance(raw, str) else _scalar(raw)
    value = expand(content, known, open_ended=open_ended)
    return value, "" if value is not None else f"other variables ({content[:60]})"


def _scalar(raw: Any) -> str:
    """Return what a YAML author meant by a value without quotes (Kubernetes refuses it)."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw) if not isinstance(raw, int) or abs(raw) < 10**30 else "many digits"


def expand(value: str, known: Mapping[str, str | None], *, open_ended: bool = False) -> str | None:
    """Return a value with its ``$(NAME)`` references replaced as the kubelet does it, None where one is unknown.

    ``$$`` is one ``$``; a reference to a name that was not defined before is kept, unless ``open_ended`` means that an
    envFrom may have defined it. Anything beyond 4,096 characters is unknown.

    Source: kubernetes/kubernetes third_party/forked/golang/expansion.
    """
    if len(value) > _LONGEST:
        return None
    if "$" not in value:
        return value
    parts: list[str] = []
    length = place = 0
    while place < len(value):
        part, place = _step(value, place, known, open_ended=open_ended)
        if part is None:
            return None
        parts.append(part)
        length += len(part)
        if length > _LONGEST:
            return None
    return "".join(parts)


def _step(value: str, place: int, known: Mapping[str, str | None], *, open_ended: bool) -> tuple[str | None, int]:
    """Return the next piece of an expanded value and the index after it."""
    if value[place] != "$":
        end = value.find("$", place)
        end = len(value) if end < 0 else end
        return value[place:end], end
    after = value[place + 1 : place + 2]
    if after == "$":
        return "$", place + 2
    close = value.find(")", place) if after == "(" else -1
    if close < 0:
        return "$" + after, place + 1 + len(after)
    name = value[place + 2 : close]
    if name in known:
        return known[name], close + 1
    return (None if open_ended else value[place : close + 1]), close + 1


@record
class OpenSource:
    """An ``envFrom`` that may set variables which the manifest does not show.

    ``pointer`` is its prefix where it has one, else the entry; ``names`` are those of the wanted variables that it can
    set, including prefixes of families. ``source`` is the raw entry.
    """

    pointer: Pointer
    prefix: str
    source: Mapping[str, Any]
    names: list[str]

    @property
    def label(self) -> str:
        """The source of the variables, for messages: ``the ConfigMap "settings"``."""
        kind = "Secret" if "secretRef" in self.source else "ConfigMap"
        name = as_dict(self.source.get("secretRef") or self.source.get("configMapRef")).get("name")
        return f"the {kind} {format_value(name)}"

    @property
    def listed(self) -> str:
        """The variables, for messages: the first two, and the number of others."""
        first, more = self.names[:_MOST_NAMED], len(self.names) - _MOST_NAMED
        return " and ".join(first) if more <= 0 else f"{', '.join(first)} and {more} more"


def has_prefix(container: Container) -> bool:
    """Return whether a container takes variables under other names than they have in a ConfigMap or Secret."""
    return any([bool(as_str(entry.get("prefix"))) for _, entry in iter_dicts(container.spec.get("envFrom"))])


def open_sources(
    container: Container, names: Iterable[str], families: tuple[str, ...] = (), *, prefixed: bool
) -> Iterator[OpenSource]:
    """Yield each ``envFrom`` that could set one of the variables, with a prefix or without one.

    ``families`` are prefixes of names that stand for all variables with them. A name that ``env`` sets itself cannot be
    set by an envFrom, because env wins; a family always can.
    """
    entries = iter_dicts(container.spec.get("envFrom"))
    sources = [each for each in entries if bool(as_str(each[1].get("prefix"))) is prefixed]
    if not sources:
        return
    given = container.env_names
    wanted = [name for name in names if name not in given or name in families]
    place = (*container.pointer, "envFrom")
    for index, entry in sources:
        prefix = as_str(entry.get("prefix"))
        found = [name for name in wanted if _completes(prefix, name, families)]
        if found:
            yield OpenSource((*place, index, "prefix") if prefix else (*place, index), prefix, entry, found)


def _completes(prefix: str, name: str, families: tuple[str, ...]) -> bool:
    """Return whether a prefix and a key of at least one letter can form the name, or one of its family.

    Without a prefix every name can be formed.
    """
    if name in families and prefix.startswith(name):
        return True
    return name.startswith(prefix) and name != prefix


def appended(
    rule: str, workload: Workload, container: Container, values: Mapping[str, str]
) -> tuple[tuple[Operation, ...], Pointer]:
    """Return the operations that add variables to a container, and their pointers; none where env does not decode."""
    env, place = container.spec.get("env"), (*container.pointer, "env")
    entries = [{"name": name, "value": value} for name, value in values.items()]
    if isinstance(env, list):
        return tuple([patch.Operation(rule, "add", (*place, patch.APPEND), entry) for entry in entries]), place
    if env is not None or not entries:
        return (), container.pointer
    first = patch.add(rule, workload.document, (*place, patch.APPEND), entries[0])
    rest = [patch.Operation(rule, "add", (*place, patch.APPEND), entry) for entry in entries[1:]]
    return (first, *rest), container.pointer


def removed(rule: str, variable: Variable) -> tuple[Operation, ...]:
    """Return the operations that remove every entry of a variable, so that no earlier one takes effect.

    The last ones are removed first, for the indices; a list that becomes empty is removed too.
    """
    place = (*variable.container.pointer, "env")
    if len(variable.indices) == len(variable.container.spec["env"]):
        return (patch.remove(rule, place),)
    return tuple([patch.remove(rule, (*place, index)) for index in reversed(variable.indices)])
