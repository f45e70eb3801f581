"""``docs/backends.md``: what each sharing backend makes of a request, generated from their classes."""

from __future__ import annotations

from gpu_admission.backends import any_backend, components, registry
from gpu_admission.backends.base import ClusterFacts
from gpu_admission.backends.cards import table
from gpu_admission.backends.portable import SEVENTHS, GpuShare
from gpu_admission.backends.rejection import RejectedRequestError
from gpu_admission.core.quantity import GIB
from gpu_admission.reports import links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.backends.base import Backend

_INTRODUCTION = """\
# Sharing backends

*Generated from the backends by `make docs`.*

An engineer writes once how much of a GPU a container needs; the administrator's policy defines how GPUs are shared;
the request is translated to the resource names of that backend, or refused with the reason and what would work.

## What to write

In `resources.limits` of a container:

| name | means | default |
|---|---|---|
| `gpu-admission.io/gpu-mem` | memory on each GPU: any quantity of bytes, such as `8Gi` | all of a GPU |
| `gpu-admission.io/gpu-count` | how many GPUs | 1 |
| `gpu-admission.io/gpu-core` | percent of each GPU's compute, 1 to 100 | not limited |

The names are valid extended resources, so the API server accepts templates that contain them, and each Pod is
translated when it is admitted. The resource names of every backend below are accepted as well, so that a manifest
written for one runs on another: `aliyun.com/gpu-mem: 3` becomes `volcano.sh/vgpu-memory: 3072` under the policy
`volcano-vgpu`. Requests in the names of the policy's own backend are not changed.

Amounts are rounded up to the backend's unit, never down. A pod is translated whole or not at all: where a part of it
must be refused, GPU102 to GPU109 report it, and nothing is written. `schedulerName` is set where none was chosen
(GPU202); tolerations follow the taint of the nodes (GPU201), not the name of the resource.

`gpu-lint --fix` and `gpu-admission translate --to BACKEND` write the same into files. That matters where a queue
reads the template: Kueue counts the name in the template (of Jobs and similar kinds; of Pods and Deployments it counts
admitted Pods), unless its `resources.transformations` map it to another. A ResourceQuota counts admitted Pods, by the
translated names (`requests.volcano.sh/vgpu-memory`).

The table of each backend shows the result under its shipped policy (`gpu-admission policy show NAME`).
"""
_SAMPLES: tuple[tuple[str, GpuShare], ...] = (
    ("gpu-mem: 8Gi", GpuShare(8 * GIB)),
    ("gpu-mem: 8Gi, gpu-core: 30", GpuShare(8 * GIB, 1, 30 * SEVENTHS)),
    ("gpu-mem: 8Gi, gpu-count: 2", GpuShare(8 * GIB, 2)),
    ("gpu-count: 2", GpuShare(None, 2)),
)


def page() -> str:
    """Return the page: the portable request, each backend, and the table of cards."""
    chapters = (_chapter(backend) for backend in registry.ALL)
    parts = [_INTRODUCTION, "## Backends\n", _overview(), *chapters, _any(), _exemptions(), _cards()]
    return "\n".join(parts)


def _overview() -> str:
    rows = [
        f"- [`{backend.name}`](#{backend.name}): {backend.title}" for backend in (*registry.ALL, any_backend.BACKEND)
    ]
    return "\n".join(rows) + "\n"


def _any() -> str:
    backend = any_backend.BACKEND
    return f"### {backend.name}\n\n{backend.docs.summary}\n\n**Install.** {backend.docs.install}\n"


def _chapter(backend: Backend) -> str:
    docs = backend.docs
    parts = (
        f"### {backend.name}\n",
        f"{docs.summary}\n",
        "| written | translated to |\n|---|---|",
        *(f"| `{text}` | {_translated(backend, request)} |" for text, request in _SAMPLES),
        "\n| refused | why |\n|---|---|",
        *(f"| {what} | {why} |" for what, why in docs.refuses),
        "\n**In addition to this webhook.**\n",
        f"{docs.install}\n",
        "**Pitfalls.**\n",
        *(f"- {trap}" for trap in docs.traps),
        "\n**Sources.**\n",
        *(f"- {links.markdown(source)}" for source in docs.sources),
        "",
    )
    return "\n".join(parts)


def _translated(backend: Backend, request: GpuShare) -> str:
    """Return what the backend makes of a request, or why it refuses it."""
    facts = ClusterFacts(backend.sample, backend.sample_cards)
    try:
        backend_patch = backend.write(request, facts)
    except RejectedRequestError as refused:
        return f"refused: {refused.reason}"
    docs = [f"`{name}: {value}`" for name, value in backend_patch.resources.items()]
    docs += [f'annotation `{name}: "{value}"`' for name, value in backend_patch.annotations.items()]
    docs += [f"node selector `{name}: {value}`" for name, value in backend_patch.node_selector.items()]
    docs += [f"node affinity `{one['key']} {one['operator']} {one['values'][0]}`" for one in backend_patch.affinity]
    docs += [f"claim `{name}` of template `{template}`" for name, template in backend_patch.claims.items()]
    return ", ".join(docs)


_EXEMPT = """\
## Exempt namespaces and accounts

Device plugins, drivers and operators mount devices and set `NVIDIA_VISIBLE_DEVICES` as part of their work; schedulers
annotate pods with the cards that they get. Each shipped policy exempts the components of its own backend and of the
vendors it serves, by the names of their default installations, and nothing else (`default`, `strict` and `guardrails`:
every vendor, no sharing system).

**Who must own these names.** A pod in an exempt namespace, and every change by an exempt account, is not checked. A
namespace that does not exist yet is exempt once it is created, and its creator (of `hami-system`, for instance) may
also create the account `hami-scheduler` there. So: only administrators may create namespaces with these names (where
users create namespaces, reserve the names, for instance by a ValidatingAdmissionPolicy on namespaces, or create them
empty, without access for users); only administrators may create pods or service accounts in them; and your cluster's
copy of a policy should not contain the entries of components that the cluster does not run. Pods of DaemonSets and
Deployments are created by Kubernetes' own controllers: exempting an account cannot cover them, so their namespace is
exempt. A component that creates its pods itself, or only changes those of others, is exempt by its account alone.

Files have no user. `gpu-lint` reports no findings of the ranges 2xx and 3xx for a DaemonSet (or a Pod that one owns)
without a namespace all of whose images are those of one of these components. The same is true in a namespace in
brackets, where a component may run beside other workloads: none of these is exempt in any policy, and the pods are
refused there until the administrator exempts it, once no other user has access to it. At admission an image proves
nothing, and is not checked.

| of | component | namespaces | accounts | sources |
|---|---|---|---|---|
"""


def _exemptions() -> str:
    """Return the table of the components of every vendor and backend."""
    rows = [_component(f"cards of {vendor}", part) for vendor, parts in components.OF_VENDOR.items() for part in parts]
    rows += [_component(f"`{backend.name}`", part) for backend in registry.ALL for part in backend.components]
    return _EXEMPT + "\n".join(rows) + "\n"


def _component(owner: str, part: components.Component) -> str:
    namespaces = [f"`{name}`" for name in part.namespaces] + [f"(`{name}`)" for name in part.elsewhere]
    accounts = [f"`{name}`" for name in part.accounts]
    return f"| {owner} | {part.name} | {', '.join(namespaces)} | {', '.join(accounts)} | {part.source} |"


_CARDS = """\
## Cards

The models that `cluster.cards` of a policy can name without further facts. Memory is in GiB; each MIG profile is
followed by its *usable* GiB and by how many fit on a card. Every card also has its smallest profile with
media engines (`+me`) once. Usable memory varies by 1 to 7 percent with the driver: the table is rounded
down, and a policy overrides it with `memory` and `profiles`.

| model | memory | MIG profiles |
|---|---|---|"""


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
    return "\n".join((_CARDS, *rows, ""))
