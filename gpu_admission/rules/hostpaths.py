"""Host paths, compared as the node will resolve them."""

from __future__ import annotations

from . import markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Links to the node's own root, as seen from a container's mounts: the node's first process, and whoever resolves them.
_ROOTS = tuple(f"/proc/{who}/{link}/" for who in ("1", "self", "thread-self") for link in ("root", "cwd"))


def normal(path: str) -> str:
    """Return an absolute path without ``.``, ``..``, doubled slashes and known links (``/var/run`` is ``/run``)."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
    plain = "/" + "/".join([*parts, ""])
    while plain.startswith(_ROOTS):
        plain = "/" + plain.split("/", 4)[4]
    if plain.startswith("/var/run/"):
        plain = plain.removeprefix("/var")
    return plain.rstrip("/") or "/"


def inside(path: str, folder: str) -> bool:
    """Tell whether a normal path is a folder or below it; a trailing ``*`` takes any rest of the name."""
    if folder.endswith("*"):
        return path.startswith(folder[:-1])
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def within(path: str, table: Mapping[str, str]) -> str | None:
    """Return what a normal path leads to by a table of paths, or None."""
    return next((what for place, what in table.items() if inside(path, place)), None)


def parent_of(path: str) -> str | None:
    """Return what of the tables lies below a normal path, or None."""
    for table in (markers.DEVICE_PATHS, markers.SOCKET_PATHS):
        for place, what in table.items():
            if path == "/" or place.startswith(path + "/"):
                return what
    return None
