"""GPU101 in CEL, for backends whose arithmetic is a division: requests for memory, cards and compute.

What a backend makes of a request is not written here a second time: the engine is asked what it makes of a few Pods,
and where its answers follow the formula that CEL can work out, the translation is exported for Pods of that kind. Any
other Pod is left as it is, and refused when it is validated.
"""

from __future__ import annotations

from functools import lru_cache

from gpu_admission.backends import per_pod
from gpu_admission.engine.engine import Engine
from gpu_admission.registration import gpu_names
from gpu_admission.registration.cel_literals import any_of, text, texts
from gpu_admission.rules import ALL, BY_ID
from gpu_admission.workloads.resources import PORTABLE_CORES, PORTABLE_COUNT, PORTABLE_MEMORY

from . import asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpu_admission.policy.model import Policy

_MIB, _GIB = 1 << 20, 1 << 30
# Amounts within which a request is translated: below it is taken for one that forgot its unit, and no card has more.
LEAST, MOST = 256 * _MIB, 512 * _GIB
_TRIED = (LEAST, 300 * _MIB + 1, _GIB, 8 * _GIB - 1, 80 * _GIB + 12_345, MOST)
_CARDS, _PERCENT = 8, 100
_WHOLE = "nvidia.com/gpu"
_PORTABLE = (PORTABLE_MEMORY, PORTABLE_COUNT, PORTABLE_CORES)
_ASKED = "GPU101"


class Formula:
    """What a backend makes of a request.

    ``memory`` is the resource that counts memory and ``unit`` the bytes of one; ``count`` and ``cores`` are the
    resources that count cards and percents, None where the backend takes one card and no compute. ``whole`` is what
    ``nvidia.com/gpu`` becomes, None where it stays. ``several`` and ``init`` tell whether more than one container may
    request, and init containers.
    """

    __slots__ = ("cores", "count", "init", "memory", "several", "unit", "whole")

    def __init__(self, memory: str, unit: int) -> None:
        self.memory, self.unit = memory, unit
        self.count: str | None = None
        self.cores: str | None = None
        self.whole: str | None = None
        self.several = self.init = False


@lru_cache(maxsize=64)
def formula(policy: Policy) -> Formula | None:
    """Return what the policy's backend makes of requests, None where that is not exported."""
    if per_pod.is_per_pod(policy) or policy.cards or not policy.fixes(BY_ID[_ASKED]):
        return None
    engine = Engine(ALL, policy)
    first = _made(engine, [{PORTABLE_MEMORY: MOST}])
    named = [name for name, amount in (first or {}).items() if amount > 1]
    if len(named) != 1 or first is None:
        return None
    mib = -(-MOST // first[named[0]] // _MIB)  # the amount was rounded up, so that this rounds to what one unit is
    found = Formula(named[0], mib * _MIB)
    others = [name for name in first if name != found.memory]
    if len(others) > 1 or not all(_divides(engine, found, others, amount) for amount in _TRIED):
        return None
    _complete(engine, found, others)
    return found


def _divides(engine: Engine, found: Formula, others: list[str], amount: int) -> bool:
    units = -(-amount // found.unit)
    return _made(engine, [{PORTABLE_MEMORY: amount}]) == {**dict.fromkeys(others, 1), found.memory: units}


def _complete(engine: Engine, found: Formula, others: list[str]) -> None:
    """Find out what else may be requested, and where."""
    request = {PORTABLE_MEMORY: _GIB}
    alone = _made(engine, [request]) or {}
    if others and _made(engine, [{**request, PORTABLE_COUNT: 3}]) == {**alone, others[0]: 3}:
        found.count = others[0]
    with_cores = _made(engine, [{**request, PORTABLE_CORES: 30}]) or {}
    more = [name for name in with_cores if name not in alone]
    if len(more) == 1 and with_cores == {**alone, more[0]: 30}:
        found.cores = more[0]
    whole = _made(engine, [{_WHOLE: 3}]) or {}
    if list(whole.values()) == [3] and _WHOLE not in whole:
        found.whole = next(iter(whole))
    found.several = _made(engine, [request, request]) == alone
    found.init = _made(engine, [request], "initContainers") == alone


def _made(engine: Engine, requests: list[dict[str, int]], field: str = "containers") -> dict[str, int] | None:
    """Return what becomes of each of these requests in a Pod, None where it is refused or more than amounts change."""
    containers = [_container(f"c{number}", request) for number, request in enumerate(requests)]
    spec: dict[str, Any] = {"schedulerName": "default-scheduler", field: containers}
    spec.setdefault("containers", [{"name": "main", "image": "i"}])
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"}, "spec": spec}
    mutation = engine.mutate(document, "admission", admitted=True)
    operations = [operation for operation in mutation.patch if operation.rule == _ASKED]
    refused = any(finding.rule.startswith("GPU10") for finding in engine.remaining(mutation))
    if refused or not operations or any("resources" not in operation.path for operation in operations):
        return None
    made = [each["resources"] for each in mutation.object["spec"][field]]
    limits = made[0]["limits"]
    same = all(each == made[0] and each["requests"] == limits for each in made)
    plain = all(str(amount).isdigit() for amount in limits.values())
    return {name: int(amount) for name, amount in limits.items()} if same and plain else None


def _container(name: str, request: dict[str, int]) -> dict[str, Any]:
    amounts = {key: str(amount) for key, amount in request.items()}
    return {"name": name, "image": "i", "resources": {"limits": dict(amounts), "requests": amounts}}


def named(policy: Policy) -> str:
    """Return a list, with an entry for each container, of what it requests that is a GPU's or nearly is."""
    gpu = f"{gpu_names.which(policy, 'k')} || {gpu_names.resembles(policy, 'k')}"
    names = f"{asked.REQUESTS}.filter(k, !(k in {texts(gpu_names.ORDINARY)}) && ({gpu}))"
    return f"variables.all.map(c, {names})" if formula(policy) is not None else "variables.all.map(c, [])"


def translates(policy: Policy) -> str:
    """Return the condition that all GPU requests of the Pod are translated here; ``false`` where none are."""
    found = formula(policy)
    if found is None:
        return "false"
    mine = "lists.range(variables.all.size()).filter(i, variables.named[i].size() > 0)"
    sound = f"l.size() > 0 && l.all(i, [variables.all[i]].exists(c, {_sound(found)}))"
    few = "" if found.several else " && l.size() == 1"
    init = "" if found.init else " && l.all(i, i < object.spec.containers.size())"
    return f"!({asked.annotated()}) && [{mine}].exists(l, {sound}{few}{init})"


def _sound(found: Formula) -> str:
    """Return the condition that ``c`` requests nothing but what the formula is for, in amounts that it is for."""
    limits = "c.resources.limits"
    names = [PORTABLE_MEMORY]
    tests = [_between(f"quantity({limits}[{text(PORTABLE_MEMORY)}])", LEAST, MOST)]
    for name, wanted, most in ((PORTABLE_COUNT, found.count, _CARDS), (PORTABLE_CORES, found.cores, _PERCENT)):
        if wanted is not None:
            names.append(name)
            tests.append(f"(!({text(name)} in {limits}) || {_between(f'quantity({limits}[{text(name)}])', 1, most)})")
    equal = f"variables.named[i].all(k, k in {limits} && {limits}[k] == c.resources.requests[k])"
    only = f"variables.named[i].all(k, k in {texts(names)})"
    kinds = [f"({text(PORTABLE_MEMORY)} in {limits} && {only} && {' && '.join(tests)})"]
    if found.whole is not None:
        cards = _between(f"quantity({limits}[{text(_WHOLE)}])", 1, _CARDS)
        kinds.append(f"({text(_WHOLE)} in {limits} && variables.named[i].size() == 1 && {cards})")
    return f"has({limits}) && {equal} && ({any_of(kinds)})"


def _between(amount: str, least: int, most: int) -> str:
    return f"{amount}.isInteger() && {amount}.asInteger() >= {least} && {amount}.asInteger() <= {most}"


def operations(policy: Policy) -> str:
    """Return a CEL list of JSON Patch operations for container ``c`` of a Pod that is translated; empty for none."""
    found = formula(policy)
    if found is None:
        return ""
    old = texts([*_PORTABLE, *([_WHOLE] if found.whole else [])])
    limits = "c.resources.limits"
    memory = f"string((quantity({limits}[{text(PORTABLE_MEMORY)}]).asInteger() + {found.unit - 1}) / {found.unit})"
    by_memory = [f"[{text(found.memory)}, {memory}]"]
    if found.count is not None:
        given = f"{limits}[?{text(PORTABLE_COUNT)}].orValue('1')"
        by_memory.append(f"[{text(found.count)}, string(quantity({given}).asInteger())]")
    new = f"[{', '.join(by_memory)}]"
    if found.cores is not None:
        given = f"quantity({limits}[{text(PORTABLE_CORES)}]).asInteger()"
        new += f" + ({text(PORTABLE_CORES)} in {limits} ? [[{text(found.cores)}, string({given})]] : [])"
    if found.whole is not None:
        amount = f"string(quantity({limits}[{text(_WHOLE)}]).asInteger())"
        new = f"{text(_WHOLE)} in {limits} ? [[{text(found.whole)}, {amount}]] : {new}"
    path = "{base} + '/resources/' + side + '/' + jsonpatch.escapeKey("
    removed = f"{limits}.filter(k, k in {old}).map(k, JSONPatch{{op: 'remove', path: {path}k)}})"
    added = f"({new}).map(p, JSONPatch{{op: 'add', path: {path}p[0]), value: p[1]}})"
    return f"['limits', 'requests'].map(side, {removed} + {added}).flatten()"
