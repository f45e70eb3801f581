"""The differences between a policy and a cluster, in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_admission.backends import components, registry
from gpu_admission.backends.per_pod import PER_POD
from gpu_admission.core.raw import as_dict, escape

from . import detect
from .write import joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.policy.model import Policy

    from .observation import Observation, Taint


def drift(policy: Policy, observed: Observation) -> list[str]:
    """Return a line for each difference: the fact, and what to write."""
    lines = [*_backend(policy, observed), *_parameters(policy, observed), *_cards(policy, observed)]
    lines += [*_taints(policy, observed), *_resources(policy, observed)]
    lines += [*_classes(policy, observed), *_exempt(policy, observed)]
    return [escape(line) for line in lines]


def _backend(policy: Policy, observed: Observation) -> Iterator[str]:
    found = detect.candidates(observed)
    names = [candidate.name for candidate in found]
    chosen = policy.backend.name
    if chosen == PER_POD or chosen in names:
        return
    if not found:
        yield f"backend.name is {chosen}, and no node offers a GPU: is its device plugin running?"
        return
    best = found[0]
    yield (
        f"backend.name is {chosen}, of which the cluster shows nothing; it shows {best.name}"
        f" ({'; '.join(best.evidence)}): write {best.name}, or install {chosen}"
    )


def _parameters(policy: Policy, observed: Observation) -> Iterator[str]:
    shown = detect.parameters(policy.backend.name, observed) if observed.nodes else {}
    for name, value in shown.items():
        if name == "queue":
            continue
        given = policy.backend.parameters.get(name)
        if given is not None and given != value:
            yield f"backend.{name} is {given}, and the cluster shows {value}: write {value}"
    queue = policy.backend.parameters.get("queue")
    queues = observed.queues.get("kai", ())
    if queue and queues and queue not in queues:
        yield f"backend.queue is {queue}, which is not one of the cluster's queues: write one of {joined(queues)}"


def _cards(policy: Policy, observed: Observation) -> Iterator[str]:
    found = detect.found_cards(observed)
    if not found or not policy.cards:
        return
    shown = {_model(card.fields): card for card in found}
    known: set[str] = set()
    for given in policy.cards:
        known.add(_model(given))
        card = shown.get(_model(given))
        if card is None and all(node.product for node in observed.nodes):
            yield f"cluster.cards has {given['model']}, which no node has: remove it"
        elif card is not None:
            yield from _differing(given, [each.fields for each in found if _model(each.fields) == _model(given)])
    for model, card in shown.items():
        if model not in known:
            where = "1 node has" if card.nodes == 1 else f"{card.nodes:,} nodes have"
            yield f"{where} {model}, which cluster.cards does not know: add {card.fields}"


def _model(card: Mapping[str, Any]) -> str:
    return str(card["model"])


def _differing(given: Mapping[str, Any], shown: list[dict[str, Any]]) -> Iterator[str]:
    for key in ("perNode", "mig"):
        values = sorted({str(fields[key]) for fields in shown if key in fields})
        if key in given and values and str(given[key]) not in values:
            yield f"cluster.cards: {key} of {given['model']} is {given[key]}, and nodes show {joined(values)}"


def _taints(policy: Policy, observed: Observation) -> Iterator[str]:
    counts: dict[Taint, int] = {}
    for node in observed.nodes:
        for taint in node.taints:
            if taint.effect != "PreferNoSchedule" and not _is_tolerated(policy, taint, node.vendors):
                counts[taint] = counts.get(taint, 0) + 1
    for taint, count in sorted(counts.items()):
        value = f"={taint.value}" if taint.value else ""
        where = "1 node with GPUs has" if count == 1 else f"{count:,} nodes with GPUs have"
        yield (
            f"{where} the taint {taint.key}{value}:{taint.effect}, which no entry of tolerations tolerates: add"
            f" {{key: {taint.key}, operator: Exists, effect: {taint.effect}}}"
        )


def _is_tolerated(policy: Policy, taint: Taint, vendors: frozenset[str]) -> bool:
    for entry in policy.tolerations:
        of = entry.get("vendors")
        if of and vendors.isdisjoint(of):
            continue
        same_key = entry.get("key") == taint.key
        same_value = entry.get("operator", "Exists") == "Exists" or entry.get("value", "") == taint.value
        if same_key and same_value and entry.get("effect") in {None, taint.effect}:
            return True
    return False


def _resources(policy: Policy, observed: Observation) -> Iterator[str]:
    offered = {name for node in observed.nodes for name in node.amounts}
    for name in policy.extra:
        if name not in offered and observed.nodes:
            yield f"resources.extra has {name}, which no node with GPUs offers: remove it, or check its device plugin"


def _classes(policy: Policy, observed: Observation) -> Iterator[str]:
    """Yield device classes that the policy names in full as GPUs, and that do not exist."""
    wanted = as_dict(as_dict(policy.spec.get("cluster")).get("claims")).get("classes") or ()
    absent = [name for name in wanted if not set("*?[") & set(name) and name not in observed.device_classes]
    if absent and observed.device_classes:
        yield (
            f"cluster.claims.classes has {joined(absent)}, which the cluster does not have: it has the DeviceClasses"
            f" {joined(observed.device_classes)}"
        )


def _exempt(policy: Policy, observed: Observation) -> Iterator[str]:
    if observed.namespaces:
        absent = [
            name
            for name in policy.spec.get("exempt", {}).get("namespaces", ())
            if name not in observed.namespaces and name not in dict(components.ALWAYS) and not set("*?[") & set(name)
        ]
        if absent:
            verb = "does" if len(absent) == 1 else "do"
            yield (
                f"exempt.namespaces has {joined(absent)}, which {verb} not exist: whoever may create a namespace of"
                " such a name is exempt in it, so remove what the cluster does not run"
            )
    backend = policy.backend.name
    parts = components.served_by(registry.named(backend)) if backend != PER_POD else ()
    for namespace, part, where in detect.installed(observed, parts):
        if policy.judges(namespace) and namespace in part.namespaces:
            yield f"{part.name} runs in {namespace} ({where}), which is not exempt: add it to exempt.namespaces"
