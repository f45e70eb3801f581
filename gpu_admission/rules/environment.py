"""What a container's variables will be when it starts, as far as its manifest tells."""

from __future__ import annotations

from gpu_admission.core.shape import mapping, mappings, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from gpu_admission.core.container import Container
    from gpu_admission.core.pointer import Pointer

_LONGEST = 4096  # a device list is shorter; references to references could make values of any length

_SOURCES = {"configMapKeyRef": "a ConfigMap", "secretKeyRef": "a Secret", "fieldRef": "a field of the pod"}


class Variable:
    """A variable of a container: the last entry of its name, which is the one that counts.

    ``value`` is None where the manifest does not tell it; ``source`` then says where it comes from.
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
        """Where the value stands."""
        key = "value" if "value" in self.entry and not mapping(self.entry.get("valueFrom")) else "valueFrom"
        place = (*self.container.pointer, "env", self.indices[-1])
        return (*place, key) if key in self.entry else place

    @property
    def field_path(self) -> str:
        """The field of the pod that it is taken from, or the empty text."""
        return text(mapping(mapping(self.entry.get("valueFrom")).get("fieldRef")).get("fieldPath"))

    @property
    def config_map(self) -> str:
        """The name of the ConfigMap that it is taken from, or the empty text."""
        return text(mapping(mapping(self.entry.get("valueFrom")).get("configMapKeyRef")).get("name"))


def variables(container: Container, names: Iterable[str] = (), prefixes: tuple[str, ...] = ()) -> list[Variable]:
    """Return the variables of a container that have one of the names or begin with one of the prefixes."""
    wanted = frozenset(names)
    given = container.env_names
    if wanted.isdisjoint(given) and not (prefixes and any([name.startswith(prefixes) for name in given])):
        return []
    entries = [(index, text(entry.get("name")), entry) for index, entry in mappings(container.spec.get("env"))]
    asked = [each for each in entries if each[1] in wanted or (prefixes and each[1].startswith(prefixes))]
    if any(["$" in text(entry.get("value")) for _, _, entry in asked]):
        asked = entries  # what they refer to stands before them
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
    origin = mapping(entry.get("valueFrom"))
    if origin:
        return None, next((words for key, words in _SOURCES.items() if key in origin), "another place")
    raw = entry.get("value")
    if raw is None:
        return "", ""
    if isinstance(raw, dict | list):
        return None, "a value that is no text"
    said = raw if isinstance(raw, str) else _scalar(raw)
    value = expand(said, known, open_ended=open_ended)
    return value, "" if value is not None else f"other variables ({said[:60]})"


def _scalar(raw: Any) -> str:
    """Return what a YAML author meant by a value without quotes (Kubernetes refuses it)."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(raw) if not isinstance(raw, int) or abs(raw) < 10**30 else "many digits"


def expand(value: str, known: Mapping[str, str | None], *, open_ended: bool = False) -> str | None:
    """Return a value with its ``$(NAME)`` references replaced as the kubelet does it, None where one is unknown.

    ``$$`` stands for one ``$``; a reference to a name that was not defined before stays as it is, unless
    ``open_ended`` says that an envFrom may have defined it. Anything beyond 4,096 characters is unknown.

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
    """Return the next piece of an expanded value and where to go on."""
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


def completing(container: Container, names: Iterable[str]) -> Iterator[tuple[Pointer, str, str]]:
    """Yield each ``envFrom`` whose prefix could complete to one of the names: its place, prefix and the name.

    A name that ``env`` sets itself is out of an envFrom's reach: env comes later and wins.
    """
    if not container.spec.get("envFrom"):
        return
    open_names = [name for name in names if name not in container.env_names]
    for index, entry in mappings(container.spec.get("envFrom")):
        prefix = text(entry.get("prefix"))
        name = next((name for name in open_names if prefix and name.startswith(prefix) and name != prefix), None)
        if name:
            yield (*container.pointer, "envFrom", index, "prefix"), prefix, name
