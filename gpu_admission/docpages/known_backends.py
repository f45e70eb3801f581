"""``backends/known.py``: the facts that are needed without loading a backend, generated from their classes."""

from __future__ import annotations

from gpu_admission.backends import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gpu_admission.backends.base import Backend

_HEADER = '''\
"""Facts of the backends that are needed without loading them, to save start-up time.

Written by ``make docs`` from the classes of the backends (``base.py`` documents each fact): do not edit.
"""

from __future__ import annotations
'''


def page() -> str:
    """Return the module's text, formatted as the formatter would."""
    return "\n".join((_HEADER, *_sharing_facts(registry.ALL), *_marks(registry.ALL)))


def _sharing_facts(found: Sequence[Backend]) -> tuple[str, ...]:
    return (
        _mapping("READERS", "system -> the module that reads its names for other backends", _readers()),
        _names("SHARED_BY_MEMORY", "containers share a card by the memory they request", _sharing("memory")),
        _names("SHARED_BY_COUNT", "and by the number of shares", _sharing("count")),
        _names("SHARES_CARDS", "several containers use a card at the same time", _having(lambda b: b.shares_cards)),
        _names("USES_MPS", "by NVIDIA's MPS daemon", _having(lambda b: b.uses_mps)),
        _names("GPU_IS_CARD", "one nvidia.com/gpu is a whole card", _having(lambda b: b.gpu_is_card)),
        _names("READS_ANNOTATIONS", "shares are requested by annotations", _having(lambda b: b.reads_annotations)),
        _names("COUNTS_QUOTA_LIMITS", "the scheduler reads limits.<name> of quotas",
               _having(lambda b: b.counts_quota_limits)),
        _names("SCHEDULERS", "the schedulers of all of them", {b.scheduler for b in found if b.scheduler}),
        _mapping("CARD_COUNTERS", "the resource that counts cards -> the system whose amounts are requested of each",
                 {b.card_counter: b.name for b in found if b.card_counter}),
        _plain({b.name: b.plain for b in found if b.plain}),
    )  # fmt: skip


def _marks(found: Sequence[Backend]) -> tuple[str, ...]:
    return (
        _mapping("TRUSTED_ANNOTATIONS", "annotations of a scheduler that a device plugin trusts -> their owner",
                 {key: b.marks.owner for b in found for key in b.marks.annotations}),
        _mapping("TRUSTED_LABELS", "the same among labels",
                 {key: b.marks.owner for b in found for key in b.marks.labels}),
        _triples("OPT_OUT_LABELS", "labels by which a pod evades a webhook: key, value, owner",
                 [(key, value, b.marks.owner) for b in found for key, value in b.marks.opt_out]),
        _triples("OPT_OUT_ANNOTATIONS", "the same among annotations",
                 [(key, value, b.marks.owner) for b in found for key, value in b.marks.opt_out_annotations]),
    )  # fmt: skip


def _readers() -> dict[str, str]:
    readers: dict[str, str] = {}
    for module, backend in registry.modules():
        systems = backend.reads & {backend.name} if backend.translates is None else backend.translates
        readers |= dict.fromkeys(sorted(systems), module)
    return readers


def _sharing(how: str) -> set[str]:
    return _having(lambda backend: backend.sharing == how)


def _having(wanted: Callable[[Backend], bool]) -> set[str]:
    return {backend.name for backend in registry.ALL if wanted(backend)}


def _names(name: str, comment: str, values: Iterable[str]) -> str:
    rows = "".join(f'        "{value}",\n' for value in sorted(values))
    return f"# {comment}\n{name} = frozenset(\n    {{\n{rows}    }}\n)"


def _mapping(name: str, comment: str, values: Mapping[str, str]) -> str:
    rows = "".join(f'    "{key}": "{value}",\n' for key, value in values.items())
    return f"# {comment}\n{name}: dict[str, str] = {{\n{rows}}}"


def _plain(values: Mapping[str, Iterable[str]]) -> str:
    rows = []
    for key, systems in values.items():
        inner = "".join(f'            "{system}",\n' for system in sorted(systems))
        rows.append(f'    "{key}": frozenset(\n        {{\n{inner}        }}\n    ),\n')
    comment = "systems whose names, one in a container, need neither translation nor checks"
    return f"# {comment}\nPLAIN: dict[str, frozenset[str]] = {{\n{''.join(rows)}}}"


def _triples(name: str, comment: str, values: Iterable[tuple[str, str, str]]) -> str:
    rows = [f'("{first}", "{second}", "{third}"),' for first, second, third in values]
    body = rows[0] if len(rows) == 1 else "".join(["\n", *(f"    {row}\n" for row in rows)])
    return f"# {comment}\n{name}: tuple[tuple[str, str, str], ...] = ({body})\n"
