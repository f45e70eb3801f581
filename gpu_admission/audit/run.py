"""The audit itself: list, judge, and attribute to owners, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from gpu_admission.cluster import lists
from gpu_admission.cluster.discovery import discover
from gpu_admission.cluster.errors import (
    ClusterError,
    ConnectError,
    CredentialsError,
    ForbiddenError,
    NotServedError,
    ServerError,
)
from gpu_admission.workloads.kinds import split_group

from . import kinds as audited
from . import listed as listed_objects
from .judge import Judge
from .owners import Owner, Owners
from .result import FORBIDDEN, AuditProblem, AuditResult, place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gpu_admission.cluster.connection import Connection
    from gpu_admission.cluster.gpu_inventory import GpuCollection
    from gpu_admission.policy.model import Policy

    from .kinds import AuditedKind
    from .listed import Listed, OwnerReference

    # what is listed, how many objects have been seen, how many of this kind are still to come
    Progress = Callable[[str, AuditResult, int], None]

METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"


class _Owned(msgspec.Struct):
    metadata: listed_objects.Metadata


_decode_owned = msgspec.json.Decoder(_Owned).decode


def audit(
    connection: Connection,
    policy: Policy,
    *,
    namespace: str | None = None,
    since: str = "",
    progress: Progress | None = None,
    gpus: GpuCollection | None = None,
) -> AuditResult:
    """Judge everything in a namespace, or in all, under a policy.

    ``since`` excludes what was created before that time (``2026-11-26T00:00:00Z``); ``gpus`` collects the objects of an
    inventory. Raises ConnectError, CredentialsError, ForbiddenError and ServerError where the cluster cannot be read at
    all; what fails later is among the result's errors, and the rest is still judged.
    """
    return Audit(connection, policy, namespace, since, progress or _ignore, gpus).run()


class Audit:
    """One running audit."""

    def __init__(
        self,
        connection: Connection,
        policy: Policy,
        namespace: str | None,
        since: str,
        progress: Progress,
        gpus: GpuCollection | None = None,
    ) -> None:
        self._gpus = gpus
        self._connection = connection
        self._policy = policy
        self._namespace = namespace
        self._since = since
        self._progress = progress
        self._judge = Judge(policy)
        self._owners = Owners(self._look_up)
        self._planned: set[tuple[str, str]] = set()
        self._unreadable: set[str] = set()  # kinds of owners that we may not read
        self.result = AuditResult(cluster=connection.name, policy=policy.name, mode=policy.mode, namespace=namespace)

    def run(self) -> AuditResult:
        """List and judge kind by kind."""
        discovery = discover(self._connection)
        self.result.served = discovery.kinds
        self.result.errors += [AuditProblem("discovery", problem) for problem in discovery.problems]
        problems: list[str] = []
        by_shape = audited.found_by_shape(self._connection, discovery, problems)
        self.result.notices += [AuditProblem("customresourcedefinitions", problem) for problem in problems]
        plan = audited.planned(discovery, self._policy, by_shape)
        if self._namespace is not None:
            plan = [kind for kind in plan if kind.served.namespaced]
        self._planned = {(kind.served.group, kind.served.kind) for kind in plan}
        for kind in plan:
            if kind is plan[-1]:  # pods, which are last in both
                self._begin_gpus()
            if not self._list(kind):
                break
        self._require_any_listed(plan)
        for line in [] if self._gpus is None else self._gpus.incomplete:
            self._add_uncounted(line)
        return self.result

    def _require_any_listed(self, plan: Sequence[AuditedKind]) -> None:
        """Raise ForbiddenError where RBAC allows to list none of the kinds."""
        refused = [problem for problem in self.result.errors if problem.reason == FORBIDDEN]
        if len(refused) == len([kind for kind in plan if not kind.by_shape]):
            where = place(self._namespace)
            raise ForbiddenError(
                f"RBAC does not allow to list any kind that holds pods in {where}: choose a namespace with -n, or be"
                " granted get and list (deploy/audit has a ClusterRole)"
            )

    def _add_uncounted(self, line: str) -> None:
        """Add what could not be counted, except kinds that are also judged, whose errors are there already."""
        self.result.errors = [each for each in self.result.errors if not line.startswith(f"{each.message} (")]
        self.result.errors.append(AuditProblem("GPUs", line))

    def _begin_gpus(self) -> None:
        """List nodes and the other objects that are needed before the first pod."""
        if self._gpus is None:
            return
        try:
            self._gpus.list_before_pods(self.result.served)
        except ClusterError as error:
            self._gpus = None
            self.result.errors.append(AuditProblem("nodes", f"{error}; GPUs are not counted"))

    def _list(self, kind: AuditedKind) -> bool:
        """Judge every object of a kind; return whether to go on."""
        served = kind.served
        try:
            for page in lists.pages(self._connection, served.path(self._namespace)):
                for item in page.items:
                    self._object(item, kind)
                self._progress(str(served), self.result, page.remaining)
        except NotServedError:
            text = f"{served}: no longer served: its definition was removed while the audit ran"
            self.result.notices.append(AuditProblem(str(served), text))
        except (ForbiddenError, ServerError) as error:
            self._planned.discard((served.group, served.kind))
            if isinstance(error, ForbiddenError) and kind.by_shape:
                # Admission does not review kinds that were found by shape, but their pods.
                self.result.notices.append(AuditProblem(str(served), str(error)))
                return True
            reason = FORBIDDEN if isinstance(error, ForbiddenError) else "failed"
            self.result.errors.append(AuditProblem(str(served), str(error), reason))
        except (ConnectError, CredentialsError) as error:
            self.result.errors.append(AuditProblem(str(served), f"{error}; what follows was not looked at"))
            return False
        return True

    def _object(self, item: bytes, kind: AuditedKind) -> None:
        served, result = kind.served, self.result
        listed = listed_objects.read(item)
        if listed is None:
            result.errors.append(AuditProblem(str(served), f"{served}: an object that cannot be read was passed over"))
            return
        is_pod = (served.group, served.kind) == ("", "Pod")
        result.objects += 1
        result.pods += is_pod
        result.kinds[str(served)] = result.kinds.get(str(served), 0) + 1
        if not is_pod:
            self._owners.note(listed)
        elif self._gpus is not None:
            self._gpus.add_pod(lists.decode(item, served))
        namespace = listed.metadata.namespace
        if namespace:
            result.namespaces.add(namespace)
        if not self._policy.judges(namespace):
            result.exempt += 1
        elif listed.has_ended(served.kind):
            result.ended += 1
        elif self._is_wanted(listed, is_pod=is_pod):
            self._judged(listed, item, kind)

    def _is_wanted(self, listed: Listed, *, is_pod: bool) -> bool:
        """Return whether an object is judged, which copies by a controller of a judged template are not.

        ReplicaSets of earlier revisions would be reported for a Deployment that was repaired since.
        """
        if self._since and (listed.metadata.creation_timestamp or "") < self._since:
            return False
        owner = listed.controller
        return is_pod or owner is None or (split_group(owner.api_version), owner.kind) not in self._planned

    def _judged(self, listed: Listed, item: bytes, kind: AuditedKind) -> None:
        served = kind.served
        found = self._judge.judge(listed, item, served)
        if found is None:
            name = f"{listed.metadata.namespace or ''}/{listed.metadata.name}".lstrip("/")
            self.result.errors.append(AuditProblem(str(served), f"{served}: {name} cannot be read and was passed over"))
        elif found:
            owner = self._owners.top(listed, served.api_version, served.kind)
            self.result.add(owner, served.kind, found, registered=kind.registered)

    def _look_up(self, owner: Owner) -> OwnerReference | None:
        """Read the owner of an object that was not listed; None where it has none, or cannot be read."""
        served = self.result.served.get((owner.group, owner.kind))
        if served is None or (served.group, served.kind) in self._planned or str(served) in self._unreadable:
            return None  # of a listed kind, and deleted since
        path = f"{served.path(owner.namespace)}/{quote(owner.name, safe='')}"
        try:
            found = _decode_owned(self._connection.get(path, accept=METADATA_ONLY))
        except (ForbiddenError, ServerError):
            self._unreadable.add(str(served))
            return None
        except (ClusterError, ValueError, RecursionError):
            return None
        return listed_objects.Listed(found.metadata).controller


def _ignore(_: str, __: AuditResult, ___: int) -> None:
    """Show no progress."""
