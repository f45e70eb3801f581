"""A commented policy derived from a cluster: comments give the source of each line, and what is unknown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gpu_admission.backends import components, registry
from gpu_admission.core.raw import escape

from . import detect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .detect import Candidate
    from .observation import Observation, Taint

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*", re.ASCII)
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_MOST_CARDS = 20
UNKNOWN = {
    "volcano": "memoryFactor is the device plugin's gpu-memory-factor: it is not in the API, so check its flags",
    "volcano-vgpu": "memoryFactor is gpuMemoryFactor of the device plugin's configuration: check its ConfigMap",
    "hami": "memoryFactor is nvidia.memoryFactor of HAMi's device configuration: check its ConfigMap",
    "mig": "allowSeveral: true admits several MIG devices a container, of which a CUDA process sees one",
    "dra": "template is the ResourceClaimTemplate that translated pods refer to: write one in each namespace",
}


def policy_text(observed: Observation, *, name: str = "cluster", cluster: str = "the cluster") -> str:
    """Return the policy file, valid for any content of the cluster."""
    found = detect.candidates(observed)
    backend = found[0].name if found else "exclusive"
    lines = [
        f"# A policy for {_comment(cluster)}, derived from its objects. Review it; to find later differences run",
        "# gpu-admission policy check FILE --cluster; to judge existing objects: gpu-admission audit -p FILE.",
        "apiVersion: gpu-admission.io/v1alpha1",
        "kind: GPUPolicy",
        "metadata:",
        f"  name: {_scalar(name if _LABEL.fullmatch(name) else 'cluster')}",
        "spec:",
        "  # enforce | warn | audit: a ceiling on every action. Begin with audit, and review its findings.",
        "  mode: audit",
        *_backend(backend, found, observed),
        *_scheduler(backend),
        *_cards(observed),
        *_tolerations(observed),
        '  # Containers without a GPU in a pod that requests one see no card, even if their image has "all" (GPU302).',
        "  visibleDevices: {gpuLess: void, served: leave}",
        *_exempt(backend, observed),
        *_problems(observed),
    ]
    return "".join(f"{line}\n" for line in lines)


def _backend(backend: str, found: list[Candidate], observed: Observation) -> list[str]:
    lines = []
    if not found:
        lines.append("  # No node offers a GPU, and no sharing backend was found: whole GPUs are assumed.")
    for number, candidate in enumerate(found):
        head = "Found" if number == 0 else f"Also found, {candidate.name}"
        lines.append(f"  # {head}: {_comment('; '.join(candidate.evidence))}.")
    lines += ["  backend:", f"    name: {backend}"]
    given = detect.parameters(backend, observed)
    given = {**{key: value for key, value in registry.named(backend).sample.items() if key not in given}, **given}
    lines += [f"    {key}: {_scalar(value)}" for key, value in given.items()]
    if backend in UNKNOWN:
        lines.append(f"    # Unknown: {UNKNOWN[backend]}.")
    queues = observed.queues.get("kai" if backend == "kai" else "volcano", ())
    if queues and backend in {"kai", "volcano", "volcano-vgpu"}:
        lines.append(f"    # Queues of the cluster: {_comment(', '.join(queues[:20]))}")
    return lines


def _scheduler(backend: str) -> list[str]:
    own = registry.named(backend).scheduler
    if own is None:
        return []
    return [f"  # schedulerName: {own}    # what GPU202 sets where no scheduler is chosen; this is the backend's own"]


def _cards(observed: Observation) -> list[str]:
    found = detect.found_cards(observed)
    unlabelled = sum(1 for node in observed.nodes if not node.product)
    lines = []
    if unlabelled:
        lines.append(
            f"  # {unlabelled} of {len(observed.nodes)} nodes with GPUs have no label nvidia.com/gpu.product (GPU"
            " Feature Discovery): write their cards yourself."
        )
    if not found:
        return [*lines, "  # cluster:", "  #   cards: [{model: A100-80, perNode: 8}]"]
    rows = [f"      - {_mapping(card.fields)}  # on {_nodes(card.nodes)}" for card in found[:_MOST_CARDS]]
    if len(found) > _MOST_CARDS:
        rows.append(f"      # and {len(found) - _MOST_CARDS} other models or counts")
    return [*lines, "  # From the labels of GPU Feature Discovery.", "  cluster:", "    cards:", *rows]


def _tolerations(observed: Observation) -> list[str]:
    vendors: dict[Taint, set[str]] = {}
    counts: dict[Taint, int] = {}
    for node in observed.nodes:
        for taint in node.taints:
            vendors.setdefault(taint, set()).update(node.vendors)
            counts[taint] = counts.get(taint, 0) + 1
    if not counts:
        return ["  # No node with GPUs has a taint of its own: nothing is to be tolerated.", "  tolerations: []"]
    lines = ["  # The taints of nodes with GPUs: what GPU201 adds to pods that request one.", "  tolerations:"]
    merged: dict[tuple[str, str], tuple[set[str], int]] = {}
    for taint, count in counts.items():
        of, before = merged.setdefault((taint.key, taint.effect), (set(), 0))
        merged[taint.key, taint.effect] = (of | vendors[taint], before + count)
    for (key, effect), (of, count) in sorted(merged.items()):
        effects = {"effect": effect} if effect in {"NoSchedule", "PreferNoSchedule", "NoExecute"} else {}
        fields = {"key": key, "operator": "Exists", **effects, **({"vendors": sorted(of)} if of else {})}
        lines.append(f"    - {_mapping(fields)}  # on {_nodes(count)}")
    return lines


def _exempt(backend: str, observed: Observation) -> list[str]:
    """Return the exemptions: the known components of the backend and its vendors, as far as the cluster has them."""
    known, users = components.exemptions(registry.named(backend))
    always = dict(components.ALWAYS)
    there = {name: what for name, what in known.items() if name in always or name in observed.namespaces}
    running = detect.installed(observed, components.served_by(registry.named(backend)))
    lines = [
        "  # Device plugins, operators and schedulers mount devices and set NVIDIA_VISIBLE_DEVICES.",
        "  exempt:",
        "    namespaces:",
        *(f"      - {_scalar(name)}  # {_comment(what)}" for name, what in there.items()),
    ]
    elsewhere = [each for each in running if each[0] not in there]
    lines += [
        f"      # - {_comment(_scalar(name))}  # {part.name} runs here, perhaps beside others: {_comment(where)}"
        for name, part, where in elsewhere
    ]
    present = [(user, what) for user, what in users.items() if user.split(":")[2] in observed.namespaces]
    if present:
        lines += ["    users:", *(f"      - {_scalar(user)}  # {what}" for user, what in present)]
    return lines


def _problems(observed: Observation) -> list[str]:
    lines = [f"  # Unknown: {_comment(problem)}" for problem in observed.problems]
    if observed.device_classes:
        lines.append(f"  # DeviceClasses of the cluster: {_comment(joined(observed.device_classes, 20))}")
    if observed.webhooks:
        lines.append(f"  # Other mutating webhooks of the cluster: {_comment(', '.join(observed.webhooks[:20]))}")
    return lines


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count:,} nodes"


def _comment(text: str) -> str:
    """Return a text for a comment: on one line, without control characters."""
    return escape(text.replace("\n", " "))


def _mapping(fields: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in fields.items()) + "}"


def _value(value: Any) -> str:
    return f"[{', '.join(map(_scalar, value))}]" if isinstance(value, list) else _scalar(value)


def _scalar(value: Any) -> str:
    """Return a value as a YAML scalar that every YAML version reads alike."""
    if isinstance(value, str) and not (_PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS):
        return json.dumps(value, ensure_ascii=True)
    return json.dumps(value) if not isinstance(value, str) else value


def joined(names: Iterable[str], most: int = 5) -> str:
    """Return names for a message, and how many more there are."""
    found = list(names)
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")
