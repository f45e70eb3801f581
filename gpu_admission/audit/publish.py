"""Write reports into the cluster by server-side apply, and delete outdated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gpu_admission.cluster import lists
from gpu_admission.cluster.errors import ClusterError, ForbiddenError, NotServedError

from .policy_reports import MANAGED_BY, SOURCE
from .result import AuditProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_admission.cluster.connection import Connection
    from gpu_admission.cluster.discovery import ServedKind

    from .policy_reports import ReportApi
    from .result import AuditResult

_TERMINATING = "because it is being terminated"
_APPLY = "application/apply-patch+yaml"
_OWNERSHIP = {"fieldManager": SOURCE, "force": "true"}


def publish(
    connection: Connection,
    kinds: Mapping[tuple[str, str], ServedKind],
    api: ReportApi,
    reports: list[dict[str, Any]],
    result: AuditResult,
) -> int:
    """Apply the reports, and delete ours of earlier audits that have none now; return how many were applied.

    A report that cannot be written becomes an error of the result, and the others are still written. Nothing is deleted
    after an incomplete audit: a report may belong to what could not be read.
    """
    group = api.api_version.partition("/")[0]
    complete = not result.errors
    written: set[str] = set()
    for report in reports:
        metadata = report["metadata"]
        served = kinds[group, report["kind"]]
        path = f"{served.path(metadata.get('namespace'))}/{quote(metadata['name'], safe='')}"
        if _apply(connection, served, path, report, result):
            written.add(path)
    if complete:
        names = (api.namespaced,) if result.namespace is not None else (api.namespaced, api.cluster)
        for kind in names:
            _delete_others(connection, kinds[group, kind], written, result)
    return len(written)


def _apply(connection: Connection, served: ServedKind, path: str, report: dict[str, Any], result: AuditResult) -> bool:
    """Apply one report; return whether that succeeded."""
    try:
        connection.write("PATCH", path, report, query=_OWNERSHIP, content=_APPLY)
    except ForbiddenError as error:
        # A terminating namespace accepts no new objects, and its findings end with it.
        where = result.notices if _TERMINATING in str(error) else result.errors
        where.append(AuditProblem(str(served), str(error)))
        return False
    except ClusterError as error:
        result.errors.append(AuditProblem(str(served), str(error)))
        return False
    return True


def _delete_others(connection: Connection, served: ServedKind, written: set[str], result: AuditResult) -> None:
    """Delete our reports of earlier audits that were not written by this one."""
    ours = {"labelSelector": f"{MANAGED_BY}={SOURCE}"}
    try:
        found = [each["metadata"] for each in lists.objects(connection, served, result.namespace, ours)]
        for metadata in found:
            path = f"{served.path(metadata.get('namespace'))}/{quote(metadata['name'], safe='')}"
            if path not in written:
                connection.write("DELETE", path, None)
    except NotServedError:
        return
    except ClusterError as error:
        result.errors.append(AuditProblem(str(served), str(error)))
