"""Host paths and mount paths, compared as the node will resolve them.

``normal`` resolves these forms, and no others; the expressions of ``pattern`` and ``ROOT_LINKS`` (RE2) match the same
ones, so that a condition selects everything that the rules would find:

- a relative path (the kubelet and the container runtimes take it from the root), doubled slashes, ``.`` and a trailing
  slash;
- ``..``, resolved after links, as a kernel does it. The API server refuses ``..`` in a hostPath and in a subPath, but
  not in a mountPath: no expression tries to match it;
- ``/var/run`` for ``/run``;
- links to a process's root or working folder, ``/proc/<pid>/root`` and ``/proc/<pid>/task/<tid>/cwd``, for any process
  (a number, ``self`` or ``thread-self``): for all but containers it is the node's root;
- ``dev`` and ``proc`` below the root of a driver that runs in a container (``DRIVER_ROOTS``);
- the open files of a process (``/proc/<pid>/fd``) and the folders above them, whichever process it is.

Every function here takes time linear in the path's length.

Sources: proc(5); kubernetes/kubernetes pkg/kubelet/kubelet_pods.go (makeMounts) and pkg/apis/core/validation
(validateHostPathVolumeSource, ValidateVolumeMounts); containerd/containerd internal/cri/opts (WithMounts resolves
links of the source).
"""

from __future__ import annotations

from . import gpu_markers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .gpu_markers import Places

_OPEN_FILES = frozenset({"fd", "map_files"})
_ROOTS = frozenset({"root", "cwd"})
_DRIVER_ROOTS = frozenset([tuple(root.strip("/").split("/")) for root in gpu_markers.DRIVER_ROOTS])
_LEADING = frozenset({"run", "dev", "proc"}) | _ROOTS | _OPEN_FILES  # last names of the known links
_DEEPEST = 6  # parts of the longest known link

_OF_DRIVER = ("dev", "proc")
_END = "(/|$)"
_SLASHES = r"/+(\./+)*"  # the number of ways to write one
_PROCESS = rf"proc{_SLASHES}([0-9]+|self|thread-self)({_SLASHES}task{_SLASHES}[0-9]+)?"
_RUN = rf"(var{_SLASHES})?run"
_DRIVERS = "|".join(
    [_SLASHES.join([_RUN if name == "run" else name for name in root]) for root in sorted(_DRIVER_ROOTS)]
)
_IN_DRIVER = f"(({_DRIVERS}){_SLASHES})?"
_ROOT = f"{_IN_DRIVER}{_PROCESS}{_SLASHES}(root|cwd)"
ROOT_LINKS = rf"/*(\./+)*({_ROOT}{_SLASHES})*"
"""Matches (RE2) what may precede the first name of a path: slashes, dots and links to the root."""


def normal(path: str) -> str:
    """Return an absolute path without ``.``, ``..``, doubled slashes and known links."""
    return _joined(path, links=True)


def lexical(path: str) -> str:
    """Return an absolute path without ``.``, ``..`` and doubled slashes, as Go's ``filepath.Clean`` gives it."""
    return _joined(path, links=False)


def _joined(path: str, *, links: bool) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in {"", "."}:
            parts.append(part)
            if links and part in _LEADING and len(parts) <= _DEEPEST:
                _follow(parts)
    if links:
        _name_any_process(parts)
    return "/" + "/".join(parts)


def _follow(parts: list[str]) -> None:
    """Replace parts that end with a known link by the place it leads to."""
    last = parts[-1]
    if parts == ["var", "run"]:
        del parts[0]
    elif last in _ROOTS:
        if _is_process(parts[:-1]):
            parts.clear()
    elif last in _OPEN_FILES:
        if _is_process(parts[:-1]):
            parts[:] = ["proc", "self", "fd"]
    elif last != "run" and tuple(parts[:-1]) in _DRIVER_ROOTS:
        del parts[:-1]


def _name_any_process(parts: list[str]) -> None:
    """Write the folder of a process or of its threads as that of ``self``, the only one in the tables."""
    if _is_process(parts):
        parts[1:] = ["self"]
    elif len(parts) == 3 and parts[2] == "task" and _is_process(parts[:2]):
        parts[1] = "self"


def _is_process(parts: list[str]) -> bool:
    """Return whether parts name a process or a thread in /proc."""
    if len(parts) not in {2, 4} or parts[0] != "proc":
        return False
    if len(parts) == 4 and not (parts[2] == "task" and _is_number(parts[3])):
        return False
    return parts[1] in {"self", "thread-self"} or _is_number(parts[1])


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def inside(path: str, folder: str) -> bool:
    """Return whether a normal path is a folder or below it; a trailing ``*`` takes any rest of the name."""
    if folder.endswith("*"):
        return path.startswith(folder[:-1])
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def within(path: str, table: Places) -> str | None:
    """Return the entry for a normal path in a table of paths, or None."""
    if not f"{path}/".startswith(table.starts):  # one comparison for most paths
        return None
    return next((what for place, what in table.items() if inside(path, place)), None)


def _above(places: Iterable[str]) -> frozenset[str]:
    """Return all folders above places of the tables, as normal paths."""
    found = set()
    for place in places:
        folder = place.rstrip("*").rpartition("/")[0]
        while folder:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return frozenset({*found, "/"})


_THREADS = "/proc/self/task"  # whose open files are the process's: not repeated in the tables
PARENTS = _above([*gpu_markers.DEVICE_PATHS, *gpu_markers.SOCKET_PATHS]) | gpu_markers.DRIVER_PARENTS | {_THREADS}
"""Folders with devices, or with sockets that give access to them, below: normal paths."""
SUB_PATH_PARENTS = (
    _above([*gpu_markers.DEVICE_PATHS, *gpu_markers.DRIVER_ROOTS])
    | {*gpu_markers.DRIVER_ROOTS, _THREADS, "/var"}  # of /var/run
)
"""Folders of which a sub-path can lead to a device: normal paths."""


def parent_of(path: str) -> str | None:
    """Return the entry of the tables below a normal path, or None."""
    if path not in PARENTS:
        return None
    if path in gpu_markers.DRIVER_PARENTS:
        return "the devices of the driver's container"
    above = "/proc/self/" if path == _THREADS else path.rstrip("/") + "/"
    for table in (gpu_markers.DEVICE_PATHS, gpu_markers.SOCKET_PATHS):
        for place, what in table.items():
            if place.startswith(above):
                return what
    return None


def completes(beginning: str) -> str | None:
    """Return the devices to which a path can lead of which only the beginning is known, normal except for its end."""
    for place, what in gpu_markers.DEVICE_PATHS.items():
        if place.rstrip("*").startswith(beginning) or inside(beginning, place):
            return what
    return None


def pattern(place: str) -> str:
    """Return an expression (RE2) for the ways to write a place of the tables or a path below it, except ``..``.

    It is to be anchored at the start, behind ``ROOT_LINKS``; ``place`` is written as in the tables.
    """
    return pattern_of_any([place])


def pattern_of_any(places: Collection[str]) -> str:
    """Return the expression of ``pattern`` for any of several places, with their common prefix factored out."""
    by_first: dict[str, list[str]] = {}
    for place in sorted(places):
        first, rest = _written(place)
        by_first.setdefault(first, []).append(rest)
    ways = {first: f"{first}({'|'.join(rests)})" for first, rests in by_first.items()}
    of_driver = [way for first, way in ways.items() if first.startswith(_OF_DRIVER)]
    found = [way for first, way in ways.items() if not first.startswith(_OF_DRIVER)]
    if of_driver:
        found.append(f"{_IN_DRIVER}({'|'.join(of_driver)})")
    return f"({'|'.join(found)})"


def _written(place: str) -> tuple[str, str]:
    """Return expressions for the first name of a place and for all that follows, a path below it included."""
    names = place.rstrip("*").strip("/").split("/")
    if names[:2] == ["proc", "self"]:
        below = {"fd": "(fd|map_files)"}
        return _PROCESS, "".join([f"{_SLASHES}{below.get(name, name)}" for name in names[2:]]) + _END
    first, *others = [name.replace("-", r"\-").replace(".", r"\.") for name in names]
    rest = "".join([f"{_SLASHES}{name}" for name in others])
    return _RUN if first == "run" else first, rest if place.endswith("*") else f"{rest}{_END}"


def folders(paths: Collection[str]) -> str:
    """Return an expression (RE2) for whole paths that are one of these normal ones, the root of the node among them."""
    below = pattern_of_any([path for path in paths if path != "/"]).replace(_END, "")
    return rf"{ROOT_LINKS}(\.?|({below}|{_ROOT})(/+\.?)*)$"


def above() -> str:
    """Return an expression (RE2) for the paths that ``parent_of`` finds, including the root of the node."""
    return folders(PARENTS)
