"""The number of pods of an object that run at the same time, and share what its pod template names."""

from __future__ import annotations

from gpu_admission.core.raw import as_dict, as_str

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .workload import Workload

_REPLICATED = frozenset({("apps", "StatefulSet"), ("apps", "ReplicaSet"), ("", "ReplicationController")})
_SURGE = "25%"  # kubernetes/api apps/v1: RollingUpdateDeployment.maxSurge


def most_pods(workload: Workload) -> int | None:
    """Return the most pods of an object that run at once, rolling updates included; None where that is unknown.

    It is known of Pods, Deployments, StatefulSets, ReplicaSets, ReplicationControllers and Jobs, without autoscaling. A
    DaemonSet has as many as there are nodes.
    """
    return 1 if workload.is_pod else most_pods_of(workload.group, workload.kind, workload.object)


def most_pods_of(group: str, kind: str, obj: Mapping[str, Any]) -> int | None:
    """Return ``most_pods`` of a raw object."""
    spec = as_dict(obj.get("spec"))
    if (group, kind) == ("", "Pod"):
        return 1
    if (group, kind) == ("batch", "Job"):
        return _whole(spec.get("parallelism"))
    if (group, kind) in _REPLICATED:
        return _whole(spec.get("replicas"))
    return _of_deployment(spec) if (group, kind) == ("apps", "Deployment") else None


def _of_deployment(spec: Mapping[str, Any]) -> int | None:
    replicas = _whole(spec.get("replicas"))
    strategy = as_dict(spec.get("strategy"))
    if replicas is None or as_str(strategy.get("type")) == "Recreate":
        return replicas
    surge = as_dict(strategy.get("rollingUpdate")).get("maxSurge")
    surge = _SURGE if surge is None else surge
    if isinstance(surge, str):
        percent = surge.removesuffix("%")
        if percent == surge or not percent.isdecimal() or len(percent) > len("1000000"):
            return None
        return replicas - -replicas * int(percent) // 100
    more = _whole(surge)
    return None if more is None else replicas + more


def _whole(value: object) -> int | None:
    """Return a number of pods: 1 by default, None for what is not a whole number of at least 0."""
    if value is None:
        return 1
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
