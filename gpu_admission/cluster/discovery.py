"""The kinds of a cluster that can be listed, by the API server's discovery.

Aggregated discovery (Kubernetes 1.26, stable since 1.30) takes two requests; older servers are queried group by group.
A group whose aggregated server is unavailable becomes a problem, and the rest is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from gpu_admission.core.raw import as_dict, as_str, iter_dicts

from .errors import ForbiddenError, NotServedError, ServerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .connection import Connection

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


class ServedKind(NamedTuple):
    """A kind that the API server lists, in the version that it prefers."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """The ``apiVersion`` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None) -> str:
        """Return the path of its list, of one namespace or of all; a cluster-scoped kind has one list only."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if not namespace or not self.namespaced:
            return f"{root}/{self.plural}"
        return f"{root}/namespaces/{quote(namespace, safe='')}/{self.plural}"  # a kubeconfig may hold anything

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


class Discovery(NamedTuple):
    """The kinds served, by group and kind, and a line for each problem."""

    kinds: Mapping[tuple[str, str], ServedKind]
    problems: tuple[str, ...]


def discover(connection: Connection) -> Discovery:
    """Return what the cluster serves. Raises ConnectError, CredentialsError, ForbiddenError, ServerError."""
    kinds: dict[tuple[str, str], ServedKind] = {}
    problems: list[str] = []
    for root in ("/api", "/apis"):
        answer = connection.read(root, accept=AGGREGATED)
        if answer.get("kind") == "APIGroupDiscoveryList":
            found = _aggregated(answer, problems)
        else:
            found = _one_by_one(connection, root, answer, problems)
        for kind in found:
            kinds.setdefault((kind.group, kind.kind), kind)
    if ("", "Pod") not in kinds:
        raise ServerError(f"{connection.name}: the API server does not serve pods: is it a Kubernetes API server?")
    return Discovery(kinds, tuple(problems))


def _aggregated(answer: dict[str, Any], problems: list[str]) -> Iterator[ServedKind]:
    for _, group in iter_dicts(answer.get("items")):
        name = as_str(as_dict(group.get("metadata")).get("name")) or ""
        for _, version in iter_dicts(group.get("versions")):
            label = as_str(version.get("version")) or ""
            if version.get("freshness") == "Stale":
                problems.append(f"{name}/{label}: its API server does not answer, so its kinds may be missing here")
            for _, resource in iter_dicts(version.get("resources")):
                kind = as_str(as_dict(resource.get("responseKind")).get("kind")) or ""
                plural = as_str(resource.get("resource")) or ""
                if kind and plural and "list" in (resource.get("verbs") or ()):
                    yield ServedKind(name, label, plural, kind, resource.get("scope") == "Namespaced")


def _one_by_one(connection: Connection, root: str, answer: dict[str, Any], problems: list[str]) -> Iterator[ServedKind]:
    """Yield the kinds of every group and version, the preferred version of a group first."""
    for group, version in _versions(answer):
        path = f"{root}/{group}/{version}" if group else f"{root}/{version}"
        try:
            found = connection.read(path)
        except (ForbiddenError, NotServedError, ServerError) as error:
            problems.append(f"{error}: its kinds may be missing here")
            continue
        for _, resource in iter_dicts(found.get("resources")):
            kind, plural = as_str(resource.get("kind")) or "", as_str(resource.get("name")) or ""
            if kind and plural and "/" not in plural and "list" in (resource.get("verbs") or ()):
                yield ServedKind(group, version, plural, kind, resource.get("namespaced") is True)


def _versions(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for version in answer.get("versions") or ():  # of /api: plain strings
        if isinstance(version, str):
            yield "", version
    for _, group in iter_dicts(answer.get("groups")):
        name = as_str(group.get("name")) or ""
        preferred = as_str(as_dict(group.get("preferredVersion")).get("version")) or ""
        others = [as_str(version.get("version")) or "" for _, version in iter_dicts(group.get("versions"))]
        for version in dict.fromkeys([preferred, *others]):
            if name and version:
                yield name, version
