"""Fields of kubeconfig files that the official client does not expose: contexts, namespace, impersonation.

https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/: files named by KUBECONFIG are
merged, and the first to name a context, user or cluster wins.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from gpu_admission.core.raw import as_dict, as_str, iter_dicts
from gpu_admission.core.typos import did_you_mean

from .errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = os.path.join("~", ".kube", "config")
_LARGEST = 16 << 20
_MOST_NAMES = 5


class Context(NamedTuple):
    """One context: its name, its namespace, and its user's impersonation."""

    name: str
    namespace: str
    as_user: str
    as_groups: tuple[str, ...]


def paths(explicit: str | None) -> tuple[str, ...]:
    """Return the files to read: the one given, those of KUBECONFIG, or the default; only those that exist."""
    value = explicit or os.environ.get("KUBECONFIG") or DEFAULT
    names = [value] if explicit else [name for name in value.split(os.pathsep) if name]
    return tuple(path for name in names if os.path.exists(path := os.path.expanduser(name)))


def choose(files: tuple[str, ...], wanted: str | None) -> Context:
    """Return the context that is requested, or the current one. Raises ConnectError."""
    contents = [_content(path) for path in files]
    contexts = _by_name(contents, "contexts", "context")
    users = _by_name(contents, "users", "user")
    name = wanted or next(filter(None, (as_str(content.get("current-context")) for content in contents)), "")
    where = ", ".join(files)
    if not name:
        raise ConnectError(f"{where}: no current-context is set: choose one with --context{_offer(contexts)}")
    if name not in contexts:
        hint = did_you_mean(name, sorted(contexts)) if contexts else _offer(contexts)
        raise ConnectError(f"{where}: there is no context {name!r}{hint}")
    user = users.get(as_str(contexts[name].get("user")), {})
    groups = user.get("as-groups")
    return Context(
        name,
        as_str(contexts[name].get("namespace")) or "default",
        as_str(user.get("as")),
        tuple(str(group) for group in groups) if isinstance(groups, list) else (),
    )


def names(files: tuple[str, ...]) -> list[str]:
    """Return the names of all contexts. Raises ConnectError."""
    return sorted(filter(None, _by_name([_content(path) for path in files], "contexts", "context")))


def _content(path: str) -> Mapping[str, Any]:
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ConnectError(f"{path}: larger than 16 MiB: is it a kubeconfig?")
        found = yaml.safe_load(data)
    except OSError as error:
        raise ConnectError(f"{path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        detail = " ".join(str(error).split())[:120]
        raise ConnectError(f"{path}: is not valid YAML ({detail}): is it a kubeconfig?") from None
    if not isinstance(found, dict):
        raise ConnectError(f"{path}: is not a kubeconfig: expected a mapping with clusters, users and contexts")
    return found


def _by_name(contents: list[Mapping[str, Any]], section: str, key: str) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for content in contents:
        for _, entry in iter_dicts(content.get(section)):
            found.setdefault(as_str(entry.get("name")), as_dict(entry.get(key)))
    return found


def _offer(contexts: Mapping[str, object]) -> str:
    names = sorted(filter(None, contexts))
    if not names:
        return ": it holds no contexts"
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f": it holds {', '.join(names[:_MOST_NAMES])}{more}"
