"""``docs/backends.md``: what each sharing backend makes of a request, written from the backends themselves."""

from __future__ import annotations

from gpu_admission.backends import registry
from gpu_admission.backends.base import Facts
from gpu_admission.backends.cards import table
from gpu_admission.backends.portable import SEVENTHS, Request
from gpu_admission.backends.refusal import Refused
from gpu_admission.core.quantity import GIB

from . import links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gpu_admission.backends.base import Backend

_INTRODUCTION = """\
# Sharing backends

*Generated from the backends by `make docs`.*

An engineer writes how much of a GPU a container needs, once; the administrator's policy says how GPUs are shared; the
request arrives in the words of that backend, or is refused with the reason and what would work.

## What to write

In `resources.limits` of a container:

| name | means | default |
|---|---|---|
| `gpu-admission.io/gpu-mem` | memory on each GPU: any quantity of bytes, such as `8Gi` | all of a GPU |
| `gpu-admission.io/gpu-count` | how many GPUs | 1 |
| `gpu-admission.io/gpu-core` | percent of each GPU's compute, 1 to 100 | not limited |

The names are valid extended resources, so templates that carry them pass the API server untouched, and each Pod is
translated when it is admitted. The words of any backend below are understood as well, so that a manifest written for
one runs on another: `aliyun.com/gpu-mem: 3` arrives as `volcano.sh/vgpu-memory: 3072` under the policy `volcano-vgpu`.
What is in the words of the policy's own backend already is left exactly as it is.

Amounts are rounded up to the backend's unit, never down. A pod is translated whole or not at all: where anything in it
must be refused, GPU102 to GPU109 say what, and nothing is written. `schedulerName` is set where none was chosen
(GPU202), tolerations follow the taint of the nodes (GPU201), not the name of the resource.

`gpu-lint --fix` and `gpu-admission translate --to BACKEND` write the same into files. That matters where a queue
reads the template: Kueue counts the name that stands there (of Jobs and their kin; of Pods and Deployments it counts
Pods as they were admitted), unless its `resources.transformations` map it to another. A ResourceQuota counts Pods as
they were admitted, by the translated names (`requests.volcano.sh/vgpu-memory`).

What arrives, in the table of each backend, is what its shipped policy (`gpu-admission policy show NAME`) makes of it.
"""
_SAMPLES: tuple[tuple[str, Request], ...] = (
    ("gpu-mem: 8Gi", Request(8 * GIB)),
    ("gpu-mem: 8Gi, gpu-core: 30", Request(8 * GIB, 1, 30 * SEVENTHS)),
    ("gpu-mem: 8Gi, gpu-count: 2", Request(8 * GIB, 2)),
    ("gpu-count: 2", Request(None, 2)),
)
# What the shipped policies say that the samples need; a test compares it with them.
SHIPPED: dict[str, Mapping[str, Any]] = {
    "time-slicing": {"replicas": 4, "memory": "advisory"},
    "mps": {"replicas": 4},
    "kai": {"queue": "default"},
    "dra": {"template": "gpu"},
}
CARDS: dict[str, tuple[Mapping[str, Any], ...]] = {"mps": ({"model": "A100-80"},), "mig": ({"model": "A100-80"},)}


def page() -> str:
    """Return the page: the portable request, each backend, and the table of cards."""
    parts = [_INTRODUCTION, "## Backends\n", _overview(), *(_chapter(backend) for backend in registry.ALL), _cards()]
    return "\n".join(parts)


def _overview() -> str:
    rows = [f"- [`{backend.name}`](#{backend.name}): {backend.title}" for backend in registry.ALL]
    return "\n".join(rows) + "\n"


def _chapter(backend: Backend) -> str:
    said = backend.page
    rows = [f"| `{words}` | {_arrives(backend, request)} |" for words, request in _SAMPLES]
    refuses = [f"| {what} | {why} |" for what, why in said.refuses]
    traps = [f"- {trap}" for trap in said.traps]
    sources = [f"- {links.markdown(source)}" for source in said.sources]
    return "\n".join(
        (
            f"### {backend.name}\n",
            f"{said.summary}\n",
            "| written | arrives |\n|---|---|",
            *rows,
            "\n| refused | why |\n|---|---|",
            *refuses,
            "\n**Beside this webhook.**\n",
            f"{said.install}\n",
            "**Traps.**\n",
            *traps,
            "\n**Sources.**\n",
            *sources,
            "",
        )
    )


def _arrives(backend: Backend, request: Request) -> str:
    """Return what the backend makes of a request, or why it refuses it."""
    facts = Facts(SHIPPED.get(backend.name), CARDS.get(backend.name, ()))
    try:
        emission = backend.write(request, facts)
    except Refused as refused:
        return f"refused: {refused.reason.removeprefix('which is ')}"
    said = [f"`{name}: {value}`" for name, value in emission.resources.items()]
    said += [f'annotation `{name}: "{value}"`' for name, value in emission.annotations.items()]
    said += [f"node selector `{name}: {value}`" for name, value in emission.node_selector.items()]
    said += [f"node affinity `{one['key']} {one['operator']} {one['values'][0]}`" for one in emission.affinity]
    said += [f"claim `{name}` of template `{template}`" for name, template in emission.claims.items()]
    return ", ".join(said)


def _cards() -> str:
    """Return the table of cards: usable memory per profile, and how many fit on a card."""
    rows = []
    for card in table():
        profiles = ", ".join(
            f"{profile.name} {round(profile.memory / GIB, 2):g} ({profile.count})"
            for profile in card.profiles
            if not profile.modifier
        )
        rows.append(f"| `{card.model}` | {card.memory // GIB} | {profiles} |")
    return "\n".join(
        (
            "## Cards\n",
            "The models that `cluster.cards` of a policy can name without more. Memory is in GiB; each MIG profile is",
            "followed by its *usable* GiB and by how many fit on a card. Every card also has its smallest profile with",
            "media engines (`+me`) once. Usable memory drifts by 1 to 7 percent with the driver: the table is rounded",
            "down, and a policy overrides it with `memory` and `profiles`.\n",
            "| model | memory | MIG profiles |\n|---|---|---|",
            *rows,
            "",
        )
    )
