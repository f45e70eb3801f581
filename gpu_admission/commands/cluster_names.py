"""The names that completion offers: contexts, and namespaces and nodes as far as they arrive within `SECONDS`.

After any error (no kubeconfig, no access, a cluster that does not answer) nothing is offered and nothing printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

SECONDS = 2.5  # for all requests together, a credential plugin included
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_A_PAGE = 1000


class _TimeUpError(BaseException):
    """The time limit has passed; a BaseException, so that no other handler catches it."""


def contexts(path: str | None) -> list[str]:
    """Return the contexts of a kubeconfig, or of those that kubectl would read."""
    from gpu_admission.cluster import kubeconfig  # noqa: PLC0415 - start-up time: needed only for contexts
    from gpu_admission.cluster.errors import ConnectError  # noqa: PLC0415

    try:
        return kubeconfig.names(kubeconfig.paths(path))
    except ConnectError:
        return []


def listed(plural: str, given: Mapping[str, str]) -> list[str]:
    """Return the names of the objects listed at ``/api/v1/PLURAL``, as far as they arrived in time.

    ``given`` are the values of kubectl's flags by their names in the parser.
    """
    found: list[str] = []
    with _silence(), contextlib.suppress(_TimeUpError, Exception):
        import_module("kubernetes.config")  # takes half a second of CPU, outside of the time limit
        import_module("kubernetes.client")
        with _time_limit():
            _list(plural, given, found)
    return found


def _list(plural: str, given: Mapping[str, str], found: list[str]) -> None:
    for page in _pages(plural, given):
        found += [name for each in page["items"] if isinstance(name := each["metadata"]["name"], str)]


def _pages(plural: str, given: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    from gpu_admission.cluster.connect import ConnectOptions, connect  # noqa: PLC0415 - start-up time: as above

    groups = (given["as_group"],) if "as_group" in given else ()
    connection = connect(
        ConnectOptions(given.get("context"), given.get("kubeconfig"), SECONDS, given.get("as_user"), groups)
    )
    token = ""
    while True:
        where = {"continue": token} if token else {"resourceVersion": "0"}  # from the API server's cache
        query = {"limit": str(_A_PAGE), **where}
        page = json.loads(connection.get(f"/api/v1/{plural}", query, accept=_METADATA_ONLY))
        yield page
        token = page["metadata"].get("continue") or ""
        if not token:
            return


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """Raise _TimeUpError after `SECONDS`, where the system can interrupt blocking calls."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ended(*_: object) -> None:
        raise _TimeUpError

    before = signal.signal(signal.SIGALRM, ended)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Drop what credential plugins print on standard error: it would appear in the command line being typed."""
    if sys.stderr is not None:
        sys.stderr.flush()
    with open(os.devnull, "wb") as nowhere:
        kept = os.dup(2)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
