"""What a rule reads of a pod that names no GPU: its markers, in one declaration from which conditions are made.

A pod that names a GPU resource, or requests a share of one by annotation, is shown to every rule. Any other pod is
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
    ``bare_requests``: names with a domain and ``gpu`` in them among a container's requests and not among its limits.
    ``node_selector``: GPU resources among the pod's nodeSelector (templates only).
    ``variables``: name -> the values that are harmless; at most one ``*``, at the end. ``unless``: name -> the other
    variables of which one that ``env`` sets makes it harmless, each with whether it must not be empty for that.
    ``completed``: variables that an ``envFrom`` with a prefix could set, with ``*`` as above; ``unprefixed``: those
    that one without a prefix could set, where ``env`` does not set them itself.
    ``annotations``, ``labels``: keys; ``label_values``: key -> the value that matters.
    ``host_paths``: absolute paths, written with ``/run`` for ``/var/run``, and what is below them, in every spelling
    that ``rules.host_paths`` sees through. ``sub_paths``: likewise, where a container mounts a sub-path of a hostPath.
    ``host_parents``: the folders above all devices and sockets (``host_paths.above``).
    ``mounts``: like ``host_paths``, for where containers mount volumes -> the sources of volumes that are harmless.
    ``runtime_classes``: names.
    ``tolerations``: keys of taints, on pods that are no daemon's and have no resource claims;
    ``near_tolerations``: keys of taints that a toleration may nearly name.
    ``privileged``: privileged containers, and those that add one of ``capabilities``.
    ``claims``: what a rule reads of a pod's resource claims (templates only: what is wrong with a Pod's the API server
    refuses itself).
    ``beside``: boolean fields of the pod spec, one of which must be true for all of this to matter.
    """

    __slots__ = (
        "annotations",
        "bare_requests",
        "beside",
        "capabilities",
        "claims",
        "completed",
        "host_parents",
        "host_paths",
        "label_values",
        "labels",
        "mounts",
        "near_tolerations",
        "node_selector",
        "privileged",
        "resources",
        "runtime_classes",
        "sub_paths",
        "tolerations",
        "unless",
        "unprefixed",
        "variables",
    )

    def __init__(
        self,
        *,
        resources: bool = False,
        bare_requests: bool = False,
        node_selector: bool = False,
        variables: Mapping[str, Collection[str]] | None = None,
        unless: Mapping[str, Mapping[str, bool]] | None = None,
        completed: Collection[str] = (),
        unprefixed: Collection[str] = (),
        annotations: Collection[str] = (),
        labels: Collection[str] = (),
        label_values: Mapping[str, str] | None = None,
        host_paths: Collection[str] = (),
        sub_paths: Collection[str] = (),
        host_parents: bool = False,
        mounts: Mapping[str, Collection[str]] | None = None,
        runtime_classes: Collection[str] = (),
        tolerations: Collection[str] = (),
        near_tolerations: Collection[str] = (),
        privileged: bool = False,
        capabilities: Collection[str] = (),
        claims: Collection[str] = (),
        beside: tuple[str, ...] = (),
    ) -> None:
        self.resources, self.bare_requests, self.node_selector = resources, bare_requests, node_selector
        self.variables = _frozen(variables)
        self.unless: dict[str, dict[str, bool]] = {name: dict(others) for name, others in (unless or {}).items()}
        self.completed, self.unprefixed = frozenset(completed), frozenset(unprefixed)
        self.annotations, self.labels = frozenset(annotations), frozenset(labels)
        self.label_values: dict[str, str] = dict(label_values or {})
        self.host_paths, self.sub_paths = frozenset(host_paths), frozenset(sub_paths)
        self.host_parents = host_parents
        self.mounts = _frozen(mounts)
        self.tolerations, self.near_tolerations = frozenset(tolerations), frozenset(near_tolerations)
        self.privileged, self.capabilities = privileged, frozenset(capabilities)
        self.runtime_classes, self.claims = frozenset(runtime_classes), frozenset(claims)
        self.beside = beside

    def __or__(self, other: Reads) -> Reads:
        """Return what either reads; both must be of the same pods (``beside``)."""
        both = {field: getattr(self, field) | getattr(other, field) for field in self.__slots__ if field not in _APART}
        readers = (self, other)
        unless = {
            name: others
            for each in readers
            for name, others in each.unless.items()
            if all(name in reader.unless or name not in reader.variables for reader in readers)
        }
        return Reads(
            **both,
            variables=_agreed(self.variables, other.variables),
            mounts=_agreed(self.mounts, other.mounts),
            unless=unless,
            beside=self.beside,
        )

    def __bool__(self) -> bool:
        return any(getattr(self, field) for field in self.__slots__ if field != "beside")


def _frozen(harmless: Mapping[str, Collection[str]] | None) -> dict[str, frozenset[str]]:
    return {name: frozenset(values) for name, values in (harmless or {}).items()}


_APART = frozenset({"beside", "mounts", "unless", "variables"})


def _agreed(*readers: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return what any of the readers looks at, with what all who do take for harmless."""
    keys = {key for reader in readers for key in reader}
    return {key: frozenset.intersection(*(each[key] for each in readers if key in each)) for key in keys}


NOTHING = Reads()


def union(all_of_them: Collection[Reads]) -> list[Reads]:
    """Return as few declarations as say the same: one for each set of fields beside which something matters.

    The first is of all pods, be it empty.
    """
    found: dict[tuple[str, ...], Reads] = {(): NOTHING}
    for reads in all_of_them:
        found[reads.beside] = found.get(reads.beside, Reads(beside=reads.beside)) | reads
    return [found[beside] for beside in sorted(found)]
