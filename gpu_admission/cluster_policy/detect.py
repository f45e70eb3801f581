"""The sharing backends of a cluster, with the evidence, and its cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gpu_admission.backends import cards, components, registry
from gpu_admission.core.quantity import GIB
from gpu_admission.workloads import resources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpu_admission.backends.components import Component

    from .observation import GpuNode, Observation

# Of several backends in a cluster, the first is the one that its pods are written for: a sharing scheduler before the
# device plugin below it, and whole cards last.
ORDER = (
    "hami", "volcano-vgpu", "volcano", "gpushare", "koordinator", "kai", "mps", "time-slicing", "mig", "dra",
    "exclusive",
)  # fmt: skip
_FIRST_PLUGIN = "mps"
# They serve nvidia.com/gpu like the device plugin, so that only their own programs identify them.
_BY_PROGRAM = frozenset({"hami", "kai", "koordinator"})
_SHARED = "-SHARED"
_MIG = "-MIG-"
_CLOSE = 0.06  # of a card's memory, tolerance for differences between drivers
_MIB_FROM = 1024  # units of gpu-mem per card above which they must be MiB


class Candidate(NamedTuple):
    """A backend found in the cluster, and where: the first places, and how many more."""

    name: str
    evidence: tuple[str, ...]


class FoundCard(NamedTuple):
    """A card as an entry of a policy's ``cluster.cards``, and the nodes with it."""

    fields: dict[str, Any]
    nodes: int


def candidates(observed: Observation) -> list[Candidate]:
    """Return the backends found in the cluster, the likeliest first."""
    found: dict[str, list[str]] = {}
    for node in observed.nodes:
        for backend, why in _of_node(node):
            found.setdefault(backend, []).append(why)
    for backend in sorted(_BY_PROGRAM):
        own = registry.named(backend).components
        theirs = {namespace for part in own for namespace in part.namespaces}
        for program in observed.programs:
            if program.namespace in theirs or components.recognised([program.image], None, own) is not None:
                found.setdefault(backend, []).append(f"{program.where} runs {program.image}")
    if observed.queues.get("kai"):
        found.setdefault("kai", []).append(f"its queues: {', '.join(observed.queues['kai'][:5])}")
    if "gpu.nvidia.com" in observed.device_classes:
        found.setdefault("dra", []).append("the DeviceClass gpu.nvidia.com")
    ordered = sorted(found, key=_rank)
    return [Candidate(name, tuple(_shortened(found[name]))) for name in ordered]


def _rank(backend: str) -> int:
    """Return a backend's rank; one without a rank comes before the device plugins."""
    return ORDER.index(backend) if backend in ORDER else ORDER.index(_FIRST_PLUGIN)


def _of_node(node: GpuNode) -> Iterable[tuple[str, str]]:
    for backend in sorted(node.registers):
        yield backend, f"node {node.name} has its register"
    if node.sharing in {"mps", "time-slicing"}:
        yield node.sharing, f"node {node.name} has nvidia.com/gpu.sharing-strategy={node.sharing}"
    if _MIG in node.product:
        yield "mig", f"node {node.name} has nvidia.com/gpu.product={node.product}"
    for name, amount in node.amounts.items():
        serving = _backend_of(name)
        if serving is not None and not (serving == "time-slicing" and node.sharing == "mps"):
            yield serving, f"node {node.name} offers {name}: {amount}"


def _backend_of(name: str) -> str | None:
    resource = resources.classify(name)
    if resource is None:
        return None
    if resource.system in registry.NAMES:
        return resource.system
    if resource.system == "nvidia-shared":
        return "time-slicing"
    return "exclusive" if resource.unit == "device" else None


def _shortened(evidence: list[str]) -> list[str]:
    shown = list(dict.fromkeys(evidence))
    return shown if len(shown) <= 3 else [*shown[:3], f"and {len(shown) - 3} more"]


def found_cards(observed: Observation) -> list[FoundCard]:
    """Return the cards of the cluster, by model, those of most nodes first."""
    by_fields: dict[tuple[tuple[str, Any], ...], int] = {}
    for node in observed.nodes:
        fields = _card(node)
        if fields:
            key = tuple(fields.items())
            by_fields[key] = by_fields.get(key, 0) + 1
    ordered = sorted(by_fields.items(), key=lambda each: (-each[1], str(each[0])))
    return [FoundCard(dict(fields), nodes) for fields, nodes in ordered]


def _card(node: GpuNode) -> dict[str, Any]:
    """Return a node's card; None where its labels do not identify the model."""
    product, mig, profile = node.product.removesuffix(_SHARED).partition(_MIG)
    if not product:
        return {}
    model = model_of(product, 0 if mig else node.memory)
    fields: dict[str, Any] = {"model": model or product}
    if model is None:
        if mig or not node.memory:
            return {}
        fields["memory"] = f"{node.memory}Mi"
    elif model != product:
        fields["product"] = product
    if node.cards and not mig:
        fields["perNode"] = node.cards
    if node.mig in {"mixed", "single"}:
        fields["mig"] = node.mig
    if mig and node.mig == "single":
        fields["profile"] = profile
    return fields


def model_of(product: str, mebibytes: int) -> str | None:
    """Return the table's model for a product's name; its memory decides where the name is ambiguous."""
    words = product.upper().replace("_", "-").split("-")
    named = [card for card in cards.table() if card.model.partition("-")[0] in words]
    if mebibytes:
        close = [card for card in named if abs(card.memory - (mebibytes << 20)) <= _CLOSE * card.memory]
        best = min(close, key=lambda card: abs(card.memory - (mebibytes << 20)), default=None)
        return None if best is None else best.model
    sized = [card for card in named if f"{card.memory // GIB}GB" in words]
    chosen = sized or (named if len(named) == 1 else [])
    return chosen[0].model if chosen else None


def parameters(backend: str, observed: Observation) -> dict[str, Any]:
    """Return the backend's parameters as far as they can be derived from the cluster."""
    if backend in {"time-slicing", "mps"}:
        nodes = [node for node in observed.nodes if node.sharing == backend or node.replicas > 1]
        replicas = max((node.replicas for node in nodes), default=1)
        renamed = any("nvidia.com/gpu.shared" in node.amounts for node in observed.nodes)
        return {**({"replicas": replicas} if replicas > 1 else {}), "renameByDefault": renamed}
    if backend == "mig":
        single = any(node.mig == "single" for node in observed.nodes)
        return {"strategy": "single" if single else "mixed"}
    if backend == "gpushare":
        sizes = [
            node.amounts["aliyun.com/gpu-mem"] / max(node.cards, 1)
            for node in observed.nodes
            if "aliyun.com/gpu-mem" in node.amounts
        ]
        return {"unit": "MiB" if sizes and max(sizes) >= _MIB_FROM else "GiB"}
    if backend == "kai" and observed.queues.get("kai"):
        queues = observed.queues["kai"]
        return {"queue": next((name for name in queues if "default" in name), queues[0])}
    return {}


def installed(observed: Observation, parts: Iterable[Component]) -> list[tuple[str, Component, str]]:
    """Return the running components: namespace, component and where it was seen, each pair once."""
    known = tuple(parts)
    found: dict[tuple[str, str], tuple[str, Component, str]] = {}
    for program in observed.programs:
        part = components.recognised([program.image], None, known)
        if part is not None:
            found.setdefault((program.namespace, part.name), (program.namespace, part, program.where))
    return [found[key] for key in sorted(found)]
