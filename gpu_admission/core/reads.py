"""What a rule reads of a pod that names no GPU: its markers, in one declaration from which conditions are made.

A pod that names a GPU resource, or asks for a share of one by annotation, is shown to every rule. Any other pod is
shown to the webhook only where a rule in force could say something about it, and that is what is declared here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Reads:
    """The markers of one rule; a pod that has any of them is sent to the webhook while the rule is in force.

    A ``*`` in a name, key or path stands for any text (but not for none); at the end of a path for none, too.

    ``resources``: names among a container's limits and requests that nearly are a GPU's.
    ``node_selector``: GPU resources among the pod's nodeSelector (templates only).
    ``variables``: name -> the values that are harmless; at most one ``*``, at the end.
    ``completed``: variables (likewise) that an ``envFrom`` with a prefix could set; ``unprefixed``: those that one
    without a prefix could set, where ``env`` does not set them itself.
    ``annotations``, ``labels``: keys; ``label_values``: key -> the value that matters.
    ``host_paths``, ``mounts``: absolute paths, written with ``/run`` for ``/var/run``, and what is below them; every
    spelling counts. ``host_folders``: likewise, without what is below them; ``sub_path_folders``: those of which it
    matters that some sub-path is mounted.
    ``runtime_classes``: names.
    ``tolerations``: keys of taints, on pods that are no daemon's and have no resource claims;
    ``near_tolerations``: keys of taints that a toleration may nearly name.
    ``privileged``: privileged containers, and those that add one of ``capabilities``.
    ``beside``: boolean fields of the pod spec, one of which must be true for all of this to matter.
    """

    __slots__ = (
        "annotations",
        "beside",
        "capabilities",
        "completed",
        "host_folders",
        "host_paths",
        "label_values",
        "labels",
        "mounts",
        "near_tolerations",
        "node_selector",
        "privileged",
        "resources",
        "runtime_classes",
        "sub_path_folders",
        "tolerations",
        "unprefixed",
        "variables",
    )

    def __init__(
        self,
        *,
        resources: bool = False,
        node_selector: bool = False,
        variables: Mapping[str, Collection[str]] | None = None,
        completed: Collection[str] = (),
        unprefixed: Collection[str] = (),
        annotations: Collection[str] = (),
        labels: Collection[str] = (),
        label_values: Mapping[str, str] | None = None,
        host_paths: Collection[str] = (),
        host_folders: Collection[str] = (),
        sub_path_folders: Collection[str] = (),
        mounts: Collection[str] = (),
        runtime_classes: Collection[str] = (),
        tolerations: Collection[str] = (),
        near_tolerations: Collection[str] = (),
        privileged: bool = False,
        capabilities: Collection[str] = (),
        beside: tuple[str, ...] = (),
    ) -> None:
        self.resources = resources
        self.node_selector = node_selector
        self.variables: dict[str, frozenset[str]] = {
            name: frozenset(harmless) for name, harmless in (variables or {}).items()
        }
        self.completed = frozenset(completed)
        self.unprefixed = frozenset(unprefixed)
        self.annotations = frozenset(annotations)
        self.labels = frozenset(labels)
        self.label_values: dict[str, str] = dict(label_values or {})
        self.host_paths = frozenset(host_paths)
        self.host_folders = frozenset(host_folders)
        self.sub_path_folders = frozenset(sub_path_folders)
        self.mounts = frozenset(mounts)
        self.runtime_classes = frozenset(runtime_classes)
        self.tolerations = frozenset(tolerations)
        self.near_tolerations = frozenset(near_tolerations)
        self.privileged = privileged
        self.capabilities = frozenset(capabilities)
        self.beside = beside

    def __or__(self, other: Reads) -> Reads:
        """Return what either reads; both must be of the same pods (``beside``)."""
        both = {field: getattr(self, field) | getattr(other, field) for field in self.__slots__ if field not in _APART}
        variables = {
            name: _harmless(name, self.variables, other.variables) for name in {**self.variables, **other.variables}
        }
        return Reads(**both, variables=variables, beside=self.beside)

    def __bool__(self) -> bool:
        return any(getattr(self, field) for field in self.__slots__ if field != "beside")


_APART = frozenset({"beside", "variables"})


def _harmless(name: str, *readers: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the values that all who read a variable take for harmless."""
    return frozenset.intersection(*(each[name] for each in readers if name in each))


NOTHING = Reads()


def union(all_of_them: Collection[Reads]) -> list[Reads]:
    """Return as few declarations as say the same: one for each set of fields beside which something matters.

    The first is of all pods, be it empty.
    """
    found: dict[tuple[str, ...], Reads] = {(): NOTHING}
    for reads in all_of_them:
        found[reads.beside] = found.get(reads.beside, Reads(beside=reads.beside)) | reads
    return [found[beside] for beside in sorted(found)]
