"""The safe fixes as one JSON Patch in CEL: the operations of each rule are computed on the original Pod.

They are independent, so that one expression can have them all, in the order of the rules: every mutation of a policy
has a cost, with or without a change. ``c`` is a container, ``i`` its index in its list. Long conditions on containers
are variables, by the index in ``variables.all`` (``{at}``).
"""

from __future__ import annotations

import json

from gpu_admission.registration import gpu_names
from gpu_admission.registration.cel_literals import any_of, text, texts
from gpu_admission.rules import BY_ID, tolerations, visible_devices
from gpu_admission.rules.isolation import gpu301_visible_devices, gpu310_unjudged_env_from
from gpu_admission.rules.runtime_variables import DEVICE_LIST_FAMILIES, DEVICE_LISTS

from . import device_variables, guardrails, intentions, placement, requested, translation, variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from gpu_admission.engine.rule import Rule
    from gpu_admission.policy.model import Policy

_NONE = "[JSONPatch{op: 'test', path: '', value: ''}].filter(x, false)"  # an empty list of the right type
# Rules whose repairs are one expression, under the first of them.
_WITH = {rule: (rule,) for rule in ("GPU001", "GPU101", "GPU201", "GPU202", "GPU204")} | {
    "GPU301": ("GPU301", "GPU302", "GPU310"),
    "GPU504": ("GPU504",),
}
# New Pods have no ephemeral containers.
_LISTS = {"containers": "i", "initContainers": "i + object.spec.containers.size()"}
_AMOUNTS = "c.resources.requests"
_FEW_SOURCES = 8  # of variables, up to which their order is that of the engine
_MISSPELT = "variables.misspelt[i]"
_OFF = tuple(dict.fromkeys((*gpu301_visible_devices.NAMES, *gpu310_unjudged_env_from.NAMES)))
_FAMILIES = any_of(
    f"f.prefix.startsWith({text(family)}) || {text(family)}.startsWith(f.prefix)" for family in DEVICE_LIST_FAMILIES
).replace("\n", " ")
_BEGINS = f"f.?prefix.orValue('') != '' && !({_FAMILIES})"  # of a family: entries of env cannot override all


def rules_of(policy: Policy) -> list[Rule]:
    """Return the rules whose safe fixes are applied in-tree."""
    return [BY_ID[each] for rule in of(policy) for each in _WITH[rule] if policy.fixes(BY_ID[each])]


def of(policy: Policy) -> dict[str, str]:
    """Return CEL lists of JSON Patch operations by the first of their rules, in the order of the rules."""
    made: dict[str, Callable[[Policy], str]] = {
        "GPU001": _limits,
        "GPU101": _translation,
        "GPU201": _tolerations,
        "GPU202": _scheduler,
        "GPU204": _runtime_class,
        "GPU301": _visible_devices,
        "GPU504": _node_labels,
    }
    found = {
        rule: make(policy) for rule, make in made.items() if any(policy.fixes(BY_ID[each]) for each in _WITH[rule])
    }
    return {rule: operations for rule, operations in found.items() if operations}


def variables_of(policy: Policy) -> dict[str, str]:
    """Return the variables of the operations, each a list with an entry for every container."""
    return {
        "bare": f"variables.all.map(c, has(c.resources) && has({_AMOUNTS}) ? {_bare(policy)} : [])",
        "named": translation.named(policy),
        "translates": translation.translates(policy),
        "given": f"variables.all.map(c, {requested.given(policy, 'nvidia')})",
        "misspelt": f"variables.all.map(c, {intentions.misspelt(policy)})",
        "hiding": _hiding(policy),
        "begun": _open_sources(policy, "GPU301", gpu301_visible_devices.NAMES, _BEGINS),
        "unprefixed": _open_sources(policy, "GPU310", gpu310_unjudged_env_from.NAMES, "f.?prefix.orValue('') == ''"),
    }


def _hiding(policy: Policy) -> str:
    if not policy.fixes(BY_ID["GPU302"]):
        return "variables.all.map(c, [''].filter(x, false))"
    names = device_variables.hiding(policy, with_source=False)
    return f"variables.all.map(c, [string({names})].filter(x, x != '').map(x, x.split(', '))).map(x, x.flatten())"


def _each_container(condition: str, operations: str) -> str:
    """Return the operations for each container that meets a condition; ``{base}`` is its path."""
    found = []
    for field, at in _LISTS.items():
        made = f"object.spec.?{field}.orValue([]).transformList(i, c, {condition}, {operations}).flatten()"
        found.append(made.replace("{base}", f"'/spec/{field}/' + string(i)").replace("{at}", at))
    return " +\n".join(found)


def _bare(policy: Policy) -> str:
    """Return the names that ``c`` requests without a limit and that are of GPUs or have ``gpu`` in them."""
    unknown = f"k.lowerAscii().contains('gpu') && {intentions.DOMAIN} && !({gpu_names.resembles(policy, 'k')})"
    name = f"!(k in {texts(gpu_names.ORDINARY)}) && (({gpu_names.which(policy, 'k')}) || {unknown})"
    unlimited = "!(k in c.resources.?limits.orValue({}))"
    return f"{_AMOUNTS}.filter(k, {unlimited} && {name} && quantity({_AMOUNTS}[k]).compareTo(quantity('0')) >= 0)"


def _limits(_policy: Policy) -> str:
    """GPU001: requests without a limit are copied to the limits."""
    bare = "variables.bare[{at}]"
    each = (
        f"{bare}.map(k, JSONPatch{{op: 'add', path: {{base}} + '/resources/limits/' + jsonpatch.escapeKey(k), "
        f"value: {_AMOUNTS}[k]}})"
    )
    value = f"{_AMOUNTS}.transformMap(k, v, k in {bare}, v)"
    whole = f"[JSONPatch{{op: 'add', path: {{base}} + '/resources/limits', value: {value}}}]"
    return _each_container(f"{bare}.size() > 0", f"(has(c.resources.limits) ? {each} : {whole})")


def _translation(policy: Policy) -> str:
    """GPU101: translation to the names of the policy's backend."""
    operations = translation.operations(policy)
    names = "k in c.resources.limits && (k.startsWith('gpu-admission.io/') || k == 'nvidia.com/gpu')"
    requested = f"variables.translates && has(c.resources) && has(c.resources.limits) && {_AMOUNTS}.exists(k, {names})"
    labels = translation.labels(policy)
    made = _each_container(requested, operations) if operations else ""
    return f"{made} + {labels}" if labels else made


def _tolerations(policy: Policy) -> str:
    """GPU201: the policy's tolerations for the vendors of the requested cards, unless the pod has equivalent ones."""
    if not policy.tolerations:
        return ""
    entries = []
    for entry in policy.tolerations:
        vendors = frozenset(entry.get("vendors") or ())
        (wish,) = tolerations.wanted(_alone(policy, entry), vendors)
        entries.append(f"({_wanted(policy, vendors)} && !({_tolerated(wish)}) ? [{_literal(wish)}] : [])")
    missing = f"[{' + '.join(entries)}]"
    append = "w.map(x, JSONPatch{op: 'add', path: '/spec/tolerations/-', value: x})"
    whole = "[JSONPatch{op: 'add', path: '/spec/tolerations', value: w}]"
    made = f"(w.size() == 0 ? {_NONE} : has(object.spec.tolerations) ? {append} : {whole})"
    return f"{missing}.map(w, {made})[0]"


def _alone(policy: Policy, entry: Mapping[str, Any]) -> Policy:
    return type(policy)(policy.name, {**policy.spec, "tolerations": (entry,)})


def _literal(wish: Mapping[str, Any]) -> str:
    """Return a toleration as a CEL mapping; its values are strings and numbers."""
    pairs = ", ".join(f"{text(key)}: dyn({_scalar(value)})" for key, value in wish.items())
    return f"{{{pairs}}}"


def _scalar(value: object) -> str:
    return text(value) if isinstance(value, str) else json.dumps(value)


def _tolerated(wish: Mapping[str, Any]) -> str:
    """Return the condition that the pod tolerates what a toleration does (``rules.tolerations.tolerated``)."""
    effects = [wish["effect"]] if wish.get("effect") else tolerations.EFFECTS
    key = wish.get("key") or ""
    covered = []
    for effect in effects:
        by_key = "true" if wish["operator"] == "Exists" else f"t.?operator.orValue('') == 'Exists' || {_value(wish)}"
        of_key = f"(t.?key.orValue('') == {text(key)} && ({by_key}))" if key else "false"
        of_none = "(t.?key.orValue('') == '' && t.?operator.orValue('') == 'Exists')"
        given = f"t.?effect.orValue('') in {texts(['', effect])} && ({of_key} || {of_none})"
        covered.append(f"object.spec.?tolerations.orValue([]).exists(t, {given})")
    return " && ".join(covered)


def _value(wish: Mapping[str, Any]) -> str:
    return f"t.?value.orValue('') == {text(str(wish.get('value') or ''))}"


def _scheduler(policy: Policy) -> str:
    """GPU202: the backend's scheduler where there is none, or where the policy replaces any."""
    wanted = placement.wanted_scheduler(policy)
    if wanted is None:
        return ""
    name = "object.spec.?schedulerName.orValue('')"
    unset = f"{name} in {texts([each for each in placement.UNSET if each != wanted])}"
    overwritten = policy.spec.get("overwriteSchedulerName")
    if overwritten is True:
        unset = f"{name} != {text(wanted)}"
    operation = f"JSONPatch{{op: 'add', path: '/spec/schedulerName', value: {text(wanted)}}}"
    return f"((variables.served || variables.translates) && {unset} ? [{operation}] : {_NONE})"


def _runtime_class(policy: Policy) -> str:
    """GPU204: the policy's runtime class where there is none."""
    lacks = placement.lacks_class(policy)
    operation = f"JSONPatch{{op: 'add', path: '/spec/runtimeClassName', value: {text(policy.runtime_class or '')}}}"
    return f"({lacks} ? [{operation}] : {_NONE})" if lacks else ""


def _visible_devices(policy: Policy) -> str:
    """GPU301, GPU302 and GPU310: variables that hide cards, where an envFrom could set them or nothing does."""
    name = text(visible_devices.NVIDIA)
    gone = "variables.hiding[{at}]"
    unset = f"(!{variables.sets(visible_devices.NVIDIA)} || {name} in {gone}) && !({name} in variables.begun[{{at}}])"
    blinds = f"[{unset} ? {_blinding(policy)} : ''].filter(v, v != '').map(v, {{'name': {name}, 'value': v}})"
    others = "variables.unprefixed[{at}].filter(x, !(x in variables.begun[{at}]) && !b.exists(e, e.name == x))"
    values = f"{{{', '.join(f'{text(each)}: {text(visible_devices.off(each, policy))}' for each in _OFF)}}}"
    entry = _entry(values)
    entries = f"[{blinds}].map(b, variables.begun[{{at}}].map(x, {entry}) + b + {others}.map(x, {entry}))[0]"
    append = "n.map(e, JSONPatch{op: 'add', path: {base} + '/env/-', value: e})"
    whole = "[JSONPatch{op: 'add', path: {base} + '/env', value: n}]"
    remaining = f"has(c.env) && c.env.exists(e, !(e.name in {gone}))"
    added = f"[{entries}].map(n, n.size() == 0 ? {_NONE} : {remaining} ? {append} : {whole})[0]"
    return _each_container("true", f"(({gone}.size() == 0 ? {_NONE} : {_removals(gone)}) + {added})")


def _node_labels(policy: Policy) -> str:
    """GPU504: the policy's labels for the vendors of the requested cards."""
    pairs = []
    for entry in policy.guardrails.node_selector:
        pair = f"[[{text(entry['key'])}, {text(entry['value'])}]]"
        pairs.append(f"({_wanted(policy, frozenset(entry.get('vendors') or ()))} ? {pair} : [])")
    if not pairs:
        return ""
    each = "p.map(x, JSONPatch{op: 'add', path: '/spec/nodeSelector/' + jsonpatch.escapeKey(x[0]), value: x[1]})"
    value = "p.transformMapEntry(n, x, {x[0]: x[1]})"
    whole = f"[JSONPatch{{op: 'add', path: '/spec/nodeSelector', value: {value}}}]"
    made = f"(p.size() == 0 ? {_NONE} : has(object.spec.nodeSelector) ? {each} : {whole})"
    return f"({guardrails.untargeted(policy)} ? [{' + '.join(pairs)}].map(p, {made})[0] : {_NONE})"


def _wanted(policy: Policy, vendors: frozenset[str]) -> str:
    """Return the condition that cards of one of these vendors (by default, of any) are requested."""
    wanted = f"variables.all.exists(c, {requested.of_vendors(policy, vendors)})" if vendors else "variables.wants"
    return f"(variables.shares || {wanted})" if "nvidia" in vendors else wanted


def _removals(names: str) -> str:
    """Return the operations that remove the entries of these variables, and ``env`` if it would be empty.

    Each removal shifts the following entries.
    """
    number = "c.env.transformList(j, e, e.name in {names}, j).transformList(m, j, {one})"
    one = "JSONPatch{op: 'remove', path: {base} + '/env/' + string(j - m)}"
    each = number.replace("{names}", names).replace("{one}", one)
    all_of_it = "[JSONPatch{op: 'remove', path: {base} + '/env'}]"
    return f"(c.env.all(e, e.name in {names}) ? {all_of_it} : {each})"


def _entry(values: str) -> str:
    return f"{{'name': x, 'value': {values}[x]}}"


def _open_sources(policy: Policy, rule: str, names: Iterable[str], sources: str) -> str:
    """Return the names of variables that an envFrom ``f`` could set and that must be set to a value without cards.

    Containers that have a card, or intend to, are not changed.
    """
    if not policy.fixes(BY_ID[rule]):
        return "variables.all.map(c, [''].filter(x, false))"
    unset = "!c.?env.orValue([]).exists(e, e.name == x)"
    begins = "(f.?prefix.orValue('') == '' || x.startsWith(f.prefix) && x != f.prefix)"
    found = f"{texts(names)}.filter(x, {begins} && {unset})"
    able = f"has(c.envFrom) && !({requested.of(policy)}) && !({_MISSPELT})"
    by_source = f"c.envFrom.filter(f, {sources}).map(f, {found}).flatten().distinct()"
    by_name = f"{texts(names)}.filter(x, c.envFrom.exists(f, {sources} && {begins}) && {unset})"
    each = f"!({able}) ? [''].filter(x, false) : c.envFrom.size() <= {_FEW_SOURCES} ? {by_source} : {by_name}"
    return f"lists.range(variables.all.size()).map(i, [variables.all[i]].map(c, {each})[0])"


def _blinding(policy: Policy) -> str:
    """Return a CEL string: the value to set NVIDIA's list to for ``c``, which has none; empty for none."""
    served = visible_devices.wanted(policy, served=True) if policy.fixes(BY_ID["GPU302"]) else None
    others = visible_devices.wanted(policy, served=False) if policy.fixes(BY_ID["GPU302"]) else None
    found = "''"
    if policy.fixes(BY_ID["GPU301"]):
        legacy = visible_devices.blinding(DEVICE_LISTS[visible_devices.NVIDIA], policy)
        found = f"({device_variables.legacy(policy)} && !({intentions.means_another()}) ? {text(legacy)} : '')"
    if others:
        every = visible_devices.every_pod(policy)
        meant = (
            intentions.means_another()
            if every
            else f"{intentions.CLAIMED} || c.name in variables.share || variables.misspelt[{{at}}]"
        )
        blinds = "true" if every else "variables.nvidia"
        found = f"({blinds} && !({meant}) ? {text(others)} : {found})"
    return f"(variables.given[{{at}}] ? {text(served or '')} : {found})"
