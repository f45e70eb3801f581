"""GPU101 in CEL, for backends that have a formula: requests for memory, cards and compute.

Pods whose GPU requests are all of the kind that the formula is for are translated. Any other is not changed, and denied
at validation.
"""

from __future__ import annotations

from gpu_admission.registration import gpu_names
from gpu_admission.registration.cel_literals import any_of, text, texts
from gpu_admission.workloads.resources import PORTABLE_CORES, PORTABLE_COUNT, PORTABLE_MEMORY

from . import formulas, requested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_admission.policy.model import Policy

    from .formulas import Formula

_PORTABLE = (PORTABLE_MEMORY, PORTABLE_COUNT, PORTABLE_CORES)
_LIMITS = "c.resources.limits"


def named(policy: Policy) -> str:
    """Return a list, with an entry for each container, of the requested names that are or resemble a GPU's."""
    gpu = f"{gpu_names.which(policy, 'k')} || {gpu_names.resembles(policy, 'k')}"
    names = f"{requested.REQUESTS}.filter(k, !(k in {texts(gpu_names.ORDINARY)}) && ({gpu}))"
    return f"variables.all.map(c, {names})" if formulas.of(policy) is not None else "variables.all.map(c, [])"


def translates(policy: Policy) -> str:
    """Return the condition that all GPU requests of the Pod are translated here; ``false`` where none are."""
    found = formulas.of(policy)
    if found is None:
        return "false"
    mine = "lists.range(variables.all.size()).filter(i, variables.named[i].size() > 0)"
    sound = f"l.size() > 0 && l.all(i, [variables.all[i]].exists(c, {_sound(found)}))"
    few = "" if found.several else " && l.size() == 1"
    init = "" if found.init else " && l.all(i, i < object.spec.containers.size())"
    # First a cheap test whether there is anything to translate: the other conditions are expensive.
    any_at_all = f"variables.all.exists(c, {requested.REQUESTS}.exists(k, k in {_old(found)}))"
    return f"{any_at_all} && !({requested.annotated()}) && [{mine}].exists(l, {sound}{few}{init})"


def _old(found: Formula) -> str:
    """Return the names that are translated."""
    return texts([*_PORTABLE, *([formulas.WHOLE] if found.whole else [])])


def _sound(found: Formula) -> str:
    """Return the condition that ``c`` requests only resources and amounts that the formula is for."""
    equal = f"variables.named[i].all(k, k in {_LIMITS} && {_LIMITS}[k] == c.resources.requests[k])"
    kinds = [_only({PORTABLE_MEMORY: _between(PORTABLE_MEMORY, formulas.LEAST, found.most)}, _beside(found))]
    kinds = kinds if found.of_memory else []
    for name, becomes in ((PORTABLE_COUNT, found.counts), (formulas.WHOLE, found.whole)):
        if becomes is not None:
            kinds.append(_only({name: _between(name, 1, found.devices)}, {}))
    return f"has({_LIMITS}) && {equal} && ({any_of(kinds)})"


def _beside(found: Formula) -> dict[str, str]:
    """Return the names that may be requested with memory, each with the condition on its amount."""
    most = {PORTABLE_COUNT: found.cards if found.count else 0, PORTABLE_CORES: formulas.PERCENT if found.cores else 0}
    return {name: _between(name, 1, amount) for name, amount in most.items() if amount}


def _only(required: Mapping[str, str], optional: Mapping[str, str]) -> str:
    """Return the condition that ``c`` requests all of some names, optionally of others, and nothing else."""
    tests = [f"{text(name)} in {_LIMITS} && {test}" for name, test in required.items()]
    tests += [f"(!({text(name)} in {_LIMITS}) || {test})" for name, test in optional.items()]
    tests.append(f"variables.named[i].all(k, k in {texts([*required, *optional])})")
    return f"({' && '.join(tests)})"


def _amount(name: str, default: str = "") -> str:
    """Return the amount that ``c`` requests of a name, as a CEL number; without a default it must be requested."""
    given = f"{_LIMITS}[?{text(name)}].orValue({text(default)})" if default else f"{_LIMITS}[{text(name)}]"
    return f"quantity({given}).asInteger()"


def _between(name: str, least: int, most: int) -> str:
    amount = f"quantity({_LIMITS}[{text(name)}])"
    return f"{amount}.isInteger() && {amount}.asInteger() >= {least} && {amount}.asInteger() <= {most}"


_TIMES = f" * {_amount(PORTABLE_COUNT, '1')}"  # of all cards together


def operations(policy: Policy) -> str:
    """Return a CEL list of JSON Patch operations for container ``c`` of a Pod that is translated; empty for none."""
    found = formulas.of(policy)
    if found is None:
        return ""
    path = "{base} + '/resources/' + side + '/' + jsonpatch.escapeKey("
    removed = f"{_LIMITS}.filter(k, k in {_old(found)}).map(k, JSONPatch{{op: 'remove', path: {path}k)}})"
    added = f"({_requested(found)}).map(p, JSONPatch{{op: 'add', path: {path}p[0]), value: p[1]}})"
    made = f"['limits', 'requests'].map(side, {removed} + {added}).flatten()"
    return f"({made} + {_annotating(found)})" if found.annotated else made


def _requested(found: Formula) -> str:
    """Return a CEL list of pairs, the name of a resource and its amount: the new requests of ``c``."""
    of_memory = "[['', '']].filter(p, false)" if found.annotated or not found.of_memory else _of_memory(found)
    made = of_memory
    for name, becomes in ((PORTABLE_COUNT, found.counts), (formulas.WHOLE, found.whole)):
        if becomes is not None:
            alone = f"{text(name)} in {_LIMITS} && !({text(PORTABLE_MEMORY)} in {_LIMITS})"
            made = f"{alone} ? [[{text(becomes)}, string({_amount(name)})]] : {made}"
    return made


def _of_memory(found: Formula) -> str:
    """Return a CEL list of pairs: the translation of a request for memory to resources or annotations."""
    if found.steps:
        return _step(found)
    pairs = [f"[[{text(found.memory or '')}, {_memory(found)}]]"]
    if found.count and found.counted:
        pairs.append(f"[[{text(found.count)}, string({_amount(PORTABLE_COUNT, '1')})]]")
    elif found.count:
        cards = _amount(PORTABLE_COUNT, "1")
        pairs.append(f"({cards} > 1 ? [[{text(found.count)}, string({cards})]] : [])")
    if found.cores:
        pairs.append(_where_given(PORTABLE_CORES, found.cores, total=found.total))
    return " + ".join(pairs)


def _where_given(name: str, becomes: str, *, total: bool = False) -> str:
    return f"({text(name)} in {_LIMITS} ? [[{text(becomes)}, string({_amount(name)}{_TIMES if total else ''})]] : [])"


def _memory(found: Formula) -> str:
    """Return a CEL string: the memory in the formula's unit."""
    amount = f"{_amount(PORTABLE_MEMORY)}{_TIMES if found.total else ''}"
    if found.unit:
        return f"string(({amount} + {found.unit - 1}) / {found.unit})"
    shortest = "string(m)"
    for suffix, size in reversed(formulas.UNITS):
        shortest = f"m % {size} == 0 ? string(m / {size}) + {text(suffix)} : {shortest}"
    return f"[{amount}].map(m, {shortest})[0]"


def _step(found: Formula) -> str:
    """Return a CEL list of pairs: the resources of the first step that is large enough."""
    chosen = ""
    for most, amounts in reversed(found.steps):
        given = ", ".join(f"[{text(name)}, {text(amount)}]" for name, amount in amounts.items())
        chosen = f"m <= {most} ? [{given}] : {chosen}" if chosen else f"[{given}]"
    return f"[{_amount(PORTABLE_MEMORY)}].map(m, {chosen})[0]"


def _annotating(found: Formula) -> str:
    """Return the operations that write the requests of ``c`` to the Pod's annotations; none without memory."""
    pairs = _of_memory(found)
    if found.container:
        pairs += f" + ({{at}} != 0 ? [[{text(found.container)}, string(c.name)]] : [])"
    return f"({text(PORTABLE_MEMORY)} in {_LIMITS} ? {_written('annotations', pairs)} : [])"


def _written(field: str, pairs: str) -> str:
    """Return the operations that write pairs of strings to a mapping of the Pod's metadata."""
    each = f"a.map(p, JSONPatch{{op: 'add', path: '/metadata/{field}/' + jsonpatch.escapeKey(p[0]), value: p[1]}})"
    value = "a.transformMapEntry(n, p, {p[0]: p[1]})"
    whole = f"[JSONPatch{{op: 'add', path: '/metadata/{field}', value: {value}}}]"
    return f"[{pairs}].map(a, has(object.metadata.{field}) ? {each} : {whole})[0]"


def labels(policy: Policy) -> str:
    """Return the operations that label a Pod of the backend, unless it has the label; empty for none."""
    found = formulas.of(policy)
    if found is None or found.label is None:
        return ""
    name, value = found.label
    lacks = f"!({text(name)} in object.metadata.?labels.orValue({{}}))"
    written = _written("labels", f"[[{text(name)}, {text(value)}]]")
    return f"((variables.served || variables.translates) && {lacks} ? {written} : [])"
