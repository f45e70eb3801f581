"""Read the facts of a cluster for a policy, page by page; what may not be read becomes a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_admission.cluster import lists
from gpu_admission.cluster.discovery import discover
from gpu_admission.cluster.errors import ForbiddenError, NotServedError, ServerError
from gpu_admission.core.raw import as_dict, as_str

from .observation import Observation, gpu_node, programs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.cluster.connection import Connection
    from gpu_admission.cluster.discovery import Discovery

_NODE, _NAMESPACE = ("", "Node"), ("", "Namespace")
_PROGRAMS = (("apps", "DaemonSet"), ("apps", "Deployment"), ("apps", "StatefulSet"))
_DEVICE_CLASS = ("resource.k8s.io", "DeviceClass")
_WEBHOOKS = ("admissionregistration.k8s.io", "MutatingWebhookConfiguration")
# kai-scheduler/KAI-Scheduler: pkg/apis/scheduling/v2; volcano-sh/volcano: pkg/apis/scheduling/v1beta1
QUEUES = {"kai": ("scheduling.run.ai", "Queue"), "volcano": ("scheduling.volcano.sh", "Queue")}


def observe(connection: Connection) -> Observation:
    """Return the facts of a cluster.

    Raises ConnectError, CredentialsError, ForbiddenError and ServerError where nodes cannot be read, on which
    everything else depends.
    """
    look = _Look(connection, discover(connection))
    nodes = map(gpu_node, lists.objects(connection, look.discovery.kinds[_NODE]))
    queues = {backend: tuple(_leaves(list(look.every(kind)))) for backend, kind in QUEUES.items()}
    return Observation(
        nodes=tuple(node for node in nodes if node is not None),
        namespaces=frozenset(map(_name, look.every(_NAMESPACE))),
        programs=tuple(program for kind in _PROGRAMS for obj in look.every(kind) for program in programs(obj)),
        device_classes=tuple(sorted(map(_name, look.every(_DEVICE_CLASS)))),
        queues=queues,
        webhooks=tuple(sorted(map(_name, look.every(_WEBHOOKS)))),
        problems=tuple(look.problems),
    )


class _Look:
    """Reads one kind after the other."""

    def __init__(self, connection: Connection, discovery: Discovery) -> None:
        self._connection = connection
        self.discovery = discovery
        self.problems: list[str] = list(discovery.problems)

    def every(self, key: tuple[str, str]) -> Iterator[dict[str, Any]]:
        """Yield every object of a kind; none where it is not served or may not be read."""
        kind = self.discovery.kinds.get(key)
        if kind is None:
            return
        try:
            yield from lists.objects(self._connection, kind)
        except NotServedError:
            return
        except (ForbiddenError, ServerError) as error:
            self.problems.append(str(error))


def _name(obj: Mapping[str, Any]) -> str:
    return as_str(as_dict(obj.get("metadata")).get("name"))


def _leaves(queues: list[dict[str, Any]]) -> list[str]:
    """Return the queues that pods may use: those that are not a parent of another."""
    parents = {as_str(as_dict(queue.get("spec")).get("parentQueue")) for queue in queues}
    parents |= {as_str(as_dict(queue.get("spec")).get("parent")) for queue in queues}
    return sorted(name for name in map(_name, queues) if name not in parents)
