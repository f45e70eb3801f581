"""The markers of a rule: what it reads of a pod that names no GPU. matchConditions are generated from them.

A pod that names a GPU resource, or requests a share of one by annotation, is judged by every rule. Any other pod is
sent to the webhook only if a rule in force could have findings on it, by its markers.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Reads:
    """The markers of one rule; a pod that has any of them is sent to the webhook while the rule is in force.

    A ``*`` in a name, key or path stands for any text that is not empty; at the end of a path for empty text too.

    ``resources``: names in a container's limits and requests that resemble a GPU's.
    ``bare_requests``: names with a domain and ``gpu`` in them among a container's requests and not among its limits.
    ``node_selector``: GPU resources among the pod's nodeSelector (templates only).
    ``variables``: name -> harmless values; at most one ``*``, at the end. ``unless``: name -> the other
    variables of which one that ``env`` sets makes it harmless, each with whether it must not be empty for that.
    ``completed``: variables that an ``envFrom`` with a prefix could set, with ``*`` as above; ``unprefixed``: those
    that one without a prefix could set, where ``env`` does not set them itself.
    ``annotations``, ``labels``: keys; ``label_values``: key -> the value that is read.
    ``host_paths``: absolute paths, written with ``/run`` for ``/var/run``, and what is below them, in every form that
    ``rules.host_paths`` normalises. ``sub_paths``: likewise, where a container mounts a sub-path of a hostPath.
    ``host_parents``: the folders above all devices and sockets (``host_paths.above``).
    ``mounts``: like ``host_paths``, for mount paths of containers -> sources of volumes that are harmless.
    ``runtime_classes``: names.
    ``tolerations``: keys of taints, on pods that are not of a DaemonSet and have no resource claims;
    ``near_tolerations``: keys of taints of which a toleration may have a misspelt one.
    ``privileged``: privileged containers, and those that add one of ``capabilities``.
    ``claims``: what a rule reads of a pod's resource claims (templates only: what is wrong with a Pod's the API server
    refuses itself).
    ``beside``: boolean fields of the pod spec, one of which must be true for any of these to be read.
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
        """Return the union of both, which must have the same ``beside``."""
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
    """Return the keys of all readers, each with the values that are harmless to all that read it."""
    keys = {key for reader in readers for key in reader}
    return {key: frozenset.intersection(*(each[key] for each in readers if key in each)) for key in keys}


NOTHING = Reads()


def union(all_of_them: Collection[Reads]) -> list[Reads]:
    """Return the union of declarations: one for each set of ``beside``.

    The first is that without ``beside``, empty or not.
    """
    found: dict[tuple[str, ...], Reads] = {(): NOTHING}
    for reads in all_of_them:
        found[reads.beside] = found.get(reads.beside, Reads(beside=reads.beside)) | reads
    return [found[beside] for beside in sorted(found)]
