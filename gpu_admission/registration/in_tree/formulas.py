"""The translation of portable requests by a backend, as formulas that CEL can evaluate.

No fact of a backend is repeated here: the engine translates a few Pods, and if its results follow a formula, the
formula is returned. Amounts are in bytes.
"""

from __future__ import annotations

from functools import lru_cache

from gpu_admission.backends import per_pod
from gpu_admission.core.record import record
from gpu_admission.engine.engine import Engine
from gpu_admission.rules import ALL, BY_ID
from gpu_admission.workloads.resources import PORTABLE_CORES, PORTABLE_COUNT, PORTABLE_MEMORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpu_admission.policy.model import Policy

    Request = dict[str, int]
    Made = tuple[dict[str, str], dict[str, str]]  # limits of a container, annotations of its Pod

_MIB, _GIB = 1 << 20, 1 << 30
LEAST = 256 * _MIB  # a smaller amount probably lacks its unit
_MOST_GIB = 512  # no card has more
MOST_CARDS = 8
PERCENT = 100
WHOLE = "nvidia.com/gpu"
RULE = "GPU101"
_MOST_STEPS = 12
_METADATA = (("metadata", "annotations"), ("metadata", "labels"))
UNITS = (("Ti", 1 << 40), ("Gi", _GIB), ("Mi", _MIB), ("Ki", 1 << 10))


@record
class Formula:
    """The translation of the request of one container by a backend.

    A request for memory, of at most ``most`` bytes, becomes either the amounts by resource of the first entry of
    ``steps`` that is not smaller (in bytes), or an amount of ``memory``: in units of ``unit`` bytes, rounded up, or in
    bytes where that is 0. ``count`` is the name for the number of cards, up to ``cards`` of them, and is written for
    one card too if ``counted``; ``cores`` is that for the percentage. If ``total``, memory and percentage are those of
    all cards together. They are names of resources, or if ``annotated`` of the Pod's annotations; ``container`` is then
    the annotation that names a container other than the first.

    ``label`` is a label, name and value, that is added to every Pod of the backend without one of the name.

    ``counts`` is the name for a request for cards alone, ``whole`` that for ``nvidia.com/gpu``, up to ``devices`` of
    them. Names are None where the backend has none.

    ``several`` and ``init`` are whether more than one container, and init containers, may request.
    """

    most: int = 0
    steps: tuple[tuple[int, dict[str, str]], ...] = ()
    memory: str | None = None
    unit: int = 0
    total: bool = False
    count: str | None = None
    counted: bool = False
    cards: int = 1
    cores: str | None = None
    annotated: bool = False
    container: str | None = None
    label: tuple[str, str] | None = None
    counts: str | None = None
    whole: str | None = None
    devices: int = 0
    several: bool = False
    init: bool = False

    @property
    def of_memory(self) -> bool:
        """Whether it translates requests for memory."""
        return bool(self.steps) or self.memory is not None


@lru_cache(maxsize=64)
def of(policy: Policy) -> Formula | None:
    """Return the formula of the policy's backend, None where there is none."""
    if per_pod.is_per_pod(policy) or not policy.fixes(BY_ID[RULE]):
        return None
    trials = _Trials(Engine(ALL, policy))
    found = {**trials.of_memory(), **trials.of_cards()}
    if not found:
        return None
    return Formula(**found, **trials.where(PORTABLE_MEMORY if "most" in found else PORTABLE_COUNT))


class _Trials:
    """The engine's translations of trial Pods."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._labels: dict[str, str] = {}  # added to every translated Pod

    def made(self, *requests: Request, field: str = "containers", beside: int = 0) -> Made | None:
        """Return the translation of each of these requests in a Pod, None where one is refused or they differ.

        ``beside`` containers without requests are before them.
        """
        idle = [{"name": f"idle{number}", "image": "i"} for number in range(beside)]
        requesting = [_container(f"c{number}", request) for number, request in enumerate(requests)]
        pod = self._translated({field: [*idle, *requesting]})
        if pod is None:
            return None
        self._labels = pod["metadata"].get("labels") or {}
        after = [each.get("resources") or {} for each in pod["spec"][field][beside:]]
        limits = after[0].get("limits") or {}
        if any(each != after[0] for each in after) or (after[0].get("requests") or {}) != limits:
            return None
        return {name: str(amount) for name, amount in limits.items()}, dict(pod["metadata"].get("annotations") or {})

    def _translated(self, containers: dict[str, Any]) -> Any:
        """Return the Pod with these containers after translation, None where that is refused or does anything else."""
        spec = {"containers": [{"name": "main", "image": "i"}], "schedulerName": "default-scheduler", **containers}
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": spec}
        mutation = self._engine.mutate(document, "admission", admitted=True)
        if any(finding.rule.startswith("GPU10") for finding in self._engine.remaining(mutation)):
            return None
        places = [operation.path for operation in mutation.patch if operation.rule == RULE]
        is_translated = places and all("resources" in place or place[:2] in _METADATA for place in places)
        return mutation.object if is_translated else None

    def of_memory(self) -> dict[str, Any]:
        """Return the fields of a formula on memory, and on what may be requested with it."""
        least = self.made({PORTABLE_MEMORY: LEAST})
        if least is None:
            return {}
        most = self._most(least)
        found = self._amount(least, most)
        if found is not None:
            return {"most": most, **found, **self._beside(found, most)}
        most = self._most(None)
        steps = self._steps(most)
        return {"most": most, "steps": steps} if steps else {}

    def _most(self, like: Made | None) -> int:
        """Return the largest amount in whole GiB that is not refused and becomes the same names as this one."""
        low, high = 0, _MOST_GIB + 1
        while high - low > 1:
            middle = (low + high) // 2
            made = self.made({PORTABLE_MEMORY: middle * _GIB})
            fits = made is not None and (like is None or _names(made) == _names(like))
            low, high = (middle, high) if fits else (low, middle)
        return low * _GIB

    def _amount(self, least: Made, most: int) -> dict[str, Any] | None:
        """Return the one name whose value is the memory, with its unit; None where there is none."""
        before, after = {**least[0], **least[1]}, self._flat({PORTABLE_MEMORY: most}) or {}
        if before.keys() != after.keys():
            return None
        changed = [name for name, value in after.items() if before[name] != value]
        if len(changed) != 1:
            return None
        name, value = changed[0], after[changed[0]]
        unit = -(-most // int(value) // _MIB) * _MIB if value.isdigit() and value != "0" else 0
        tried = (LEAST, 300 * _MIB + 1, _GIB, 8 * 10**9, 8 * _GIB - 1, min(80 * _GIB + 12_345, most), most)
        wanted = ({**after, name: written(amount, unit)} for amount in tried)
        if not all(self._flat({PORTABLE_MEMORY: amount}) == each for amount, each in zip(tried, wanted, strict=True)):
            return None
        return {"memory": name, "unit": unit, "annotated": name in least[1]}

    def _flat(self, request: Request, **where: Any) -> dict[str, str] | None:
        found = self.made(request, **where)
        return None if found is None else {**found[0], **found[1]}

    def _beside(self, found: dict[str, Any], most: int) -> dict[str, Any]:
        """Return the fields on a number of cards and on a percentage, requested with memory."""
        alone = self._flat({PORTABLE_MEMORY: _GIB}) or {}
        known = self._counted(found["memory"], found["unit"], alone, most)
        with_cores = self._flat({PORTABLE_MEMORY: _GIB, PORTABLE_CORES: 30}) or {}
        more = [name for name in with_cores if name not in alone]
        if len(more) != 1 or with_cores != {**alone, more[0]: "30"}:
            return known
        if known:
            two, percent = {PORTABLE_MEMORY: _GIB, PORTABLE_COUNT: 2}, "60" if known["total"] else "30"
            if self._flat({**two, PORTABLE_CORES: 30}) != {**(self._flat(two) or {}), more[0]: percent}:
                return known
        return {**known, "cores": more[0]}

    def _counted(self, memory: str, unit: int, alone: dict[str, str], most: int) -> dict[str, Any]:
        """Return the fields on a number of cards requested with memory; ``alone`` is the translation for one card."""
        two = self._flat({PORTABLE_MEMORY: _GIB, PORTABLE_COUNT: 2}) or {}
        names = [name for name, value in two.items() if value == "2" and alone.get(name) in {None, "1"}]
        if len(names) != 1:
            return {}
        total, cards = two[memory] != alone[memory], MOST_CARDS
        while cards > 1 and self.made({PORTABLE_MEMORY: most, PORTABLE_COUNT: cards}) is None:
            cards -= 1
        for number in range(1, cards + 1):
            amount = written(_GIB * (number if total else 1), unit)
            of_cards = {names[0]: str(number)} if names[0] in alone or number > 1 else {}
            made = self._flat({PORTABLE_MEMORY: _GIB, PORTABLE_COUNT: number})
            if made != {**alone, memory: amount, **of_cards}:
                return {}
        return {"count": names[0], "counted": names[0] in alone, "cards": cards, "total": total} if cards > 1 else {}

    def _steps(self, most: int) -> tuple[tuple[int, dict[str, str]], ...]:
        """Return the resources up to each amount of memory, where memory itself is no resource; empty if too many."""
        found: list[tuple[int, dict[str, str]]] = []
        low = LEAST
        while len(found) < _MOST_STEPS:
            here = self.made({PORTABLE_MEMORY: low})
            if here is None or here[1]:
                return ()
            end, above = low, most + 1
            while above - end > 1:
                middle = (end + above) // 2
                end, above = (middle, above) if self.made({PORTABLE_MEMORY: middle}) == here else (end, middle)
            found.append((end, here[0]))
            if end == most:
                return tuple(found)
            low = end + 1
        return ()

    def of_cards(self) -> dict[str, Any]:
        """Return the fields on cards requested without memory."""
        found: dict[str, Any] = {}
        for name, key in ((PORTABLE_COUNT, "counts"), (WHOLE, "whole")):
            one = self.made({name: 1})
            if one is None or list(one[0].values()) != ["1"] or one[1] or name in one[0]:
                continue
            found[key] = next(iter(one[0]))
            most = MOST_CARDS
            while self.made({name: most}) != ({found[key]: str(most)}, {}):
                most -= 1
            found["devices"] = min(most, found.get("devices", MOST_CARDS))
        return found

    def where(self, name: str) -> dict[str, Any]:
        """Return the fields on the containers that may request."""
        request = {name: _GIB if name == PORTABLE_MEMORY else 1}
        alone = self.made(request)
        second = self.made(request, beside=1)
        init = self.made(request, field="initContainers")
        if alone is None or second is None:
            return {}
        more = [key for key, value in second[1].items() if key not in alone[1] and value == "c0"]
        named = {"container": more[0]} if len(more) == 1 else {}
        expected = (alone[0], {**alone[1], **dict.fromkeys(more, "c0")})
        several = self.made(request, request) == alone
        labels = {"label": next(iter(self._labels.items()))} if self._labels else {}
        return {"several": several, "init": init == expected, **named, **labels}


def _names(made: Made) -> list[str]:
    return sorted([*made[0], *made[1]])


def written(amount: int, unit: int) -> str:
    """Return an amount in units of so many bytes, rounded up; for a unit of 0 as the shortest quantity in bytes."""
    if unit:
        return str(-(-amount // unit))
    for suffix, size in UNITS:
        if amount % size == 0:
            return f"{amount // size}{suffix}"
    return str(amount)


def _container(name: str, request: Request) -> dict[str, Any]:
    amounts = {key: str(amount) for key, amount in request.items()}
    return {"name": name, "image": "i", "resources": {"limits": dict(amounts), "requests": dict(amounts)}}
