"""The GPU requests of a pod, read by the backends themselves: cards, memory and compute of each container.

The same code as for translation, so that an amount means the same as in the rules.
"""

from __future__ import annotations

from functools import cache

from gpu_admission.backends import native_request, registry
from gpu_admission.backends.base import ClusterFacts
from gpu_admission.backends.native_request import KAI, UnreadableRequestError
from gpu_admission.backends.portable import format_memory
from gpu_admission.backends.rejection import RejectedRequestError
from gpu_admission.core.raw import as_dict, format_value
from gpu_admission.core.record import record
from gpu_admission.policy.model import Policy
from gpu_admission.workloads import workload as workloads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from gpu_admission.backends.native_request import NativeRequest
    from gpu_admission.backends.portable import GpuShare


@record
class Need:
    """What one container needs: ``count`` cards or devices of a resource, and of each ``memory`` and ``cores``.

    ``names`` are the requested resources; ``memory`` None is a whole card, a device or a share of any size.
    ``thousandths`` is memory as a part of a card. ``description`` is the request as written.
    """

    names: frozenset[str]
    description: str
    count: int = 1
    memory: int | None = None
    thousandths: int | None = None
    cores: int = 0

    @property
    def key(self) -> tuple[object, ...]:
        """The amounts of the need, independent of how it is written."""
        return self.names, self.count, self.memory, self.thousandths, self.cores

    @property
    def sizeless(self) -> bool:
        """Whether it takes whole cards or devices."""
        return self.memory is None and self.thousandths is None

    def of_card(self, card: int) -> int:
        """Return the bytes that it takes of a card with ``total`` bytes."""
        if self.memory is not None:
            return self.memory
        return card if self.thousandths is None else -(-card * self.thousandths // 1000)

    @property
    def amount(self) -> str:
        """Its part of one card, in readable form."""
        if self.memory is not None:
            return format_memory(self.memory)
        return "a whole card" if self.thousandths is None else f"{self.thousandths / 10:g} % of a card"


class Requests:
    """Reads pods under a policy; ``parameters`` are those of backends by their names."""

    __slots__ = ("_facts", "_parameters", "_policy")

    def __init__(self, policy: Policy, parameters: Mapping[str, Mapping[str, Any]]) -> None:
        self._policy = policy
        self._parameters = parameters
        self._facts: dict[str, ClusterFacts] = {}

    def of_pod(self, raw: Mapping[str, Any], *, kai: bool) -> list[Need]:
        """Return the needs of a pod's containers; ``kai`` means that the cluster runs KAI."""
        pods = [pod for view in workloads.read(_typed(raw), self._policy, "admission") for pod in view.pods]
        metadata = as_dict(raw.get("metadata"))
        found = [each for pod in pods for each in native_request.native_requests(pod, metadata, ("metadata",), kai=kai)]
        return [self._need(each) for each in found]

    def _need(self, written: NativeRequest) -> Need:
        names = frozenset(written.gpus) or frozenset({KAI})
        share = self._read(written)
        if share is None:
            count = max([_count(gpu.value) for gpu in written.gpus.values()], default=1)
            return Need(names, written.description, max(count, 1))
        percent = 0 if share.percent is None or not share.limits_cores else share.percent
        return Need(
            names,
            written.description,
            max(share.count, 1),
            share.memory,
            share.thousandths,
            percent,
        )

    def _read(self, written: NativeRequest) -> GpuShare | None:
        """Return a request's meaning, None where no backend reads it or it means nothing."""
        backend = registry.reader(written.system)
        if backend is None or written.system == native_request.PORTABLE:
            return None
        facts = self._facts.get(backend.name)
        if facts is None:
            facts = self._facts[backend.name] = ClusterFacts(self._parameters.get(backend.name))
        try:
            return backend.read(written, facts)
        except (RejectedRequestError, UnreadableRequestError):
            return None


def _count(value: object) -> int:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10 else 1


@cache
def _plain() -> Requests:
    return Requests(Policy("inventory"), {})


def kai_share(raw: Mapping[str, Any]) -> Need | None:
    """Return the share that a pod requests from KAI on each of its cards, None where its annotations have none."""
    for need in _plain().of_pod(raw, kai=True):
        if need.names == {KAI} and (need.memory is not None or need.thousandths is not None):
            return need
    return None


def described(needs: Iterable[Need]) -> str:
    """Return a pod's requests as they are written, each once."""
    return "; ".join(dict.fromkeys([each.description or format_value("nothing") for each in needs]))


def _typed(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a pod with the two fields that items of a list lack."""
    return {**raw, "apiVersion": "v1", "kind": "Pod"}
