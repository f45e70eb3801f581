"""The KAI scheduler: a share of a card by annotation, whole cards and MIG by NVIDIA's names."""

from __future__ import annotations

from gpu_admission.core.quantity import MIB
from gpu_admission.core.shape import shown, text

from .base import Backend, Page
from .checks import card_affinity, no_cores, whole_cards_fit
from .portable import MOST_MEMORY, Emission, Request, ceil_div, in_words
from .refusal import CONTAINERS, MIXED, PERCENT, QUEUE, UNTRANSLATABLE, Refused
from .spelling import (
    KAI,
    KAI_CONTAINER,
    KAI_DEVICES,
    KAI_FRACTION,
    KAI_MEMORY,
    KAI_QUEUE,
    KAI_SCHEDULER,
    NVIDIA,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from gpu_admission.core.container import Container
    from gpu_admission.core.workload import Pod

    from .base import Asked, Facts
    from .spelling import Spelling

_ROUNDING = 100 * MIB  # KAI rounds a card's memory down to this


class Kai(Backend):
    """One container's share of one or more cards, written to the pod's annotations."""

    name = "kai"
    title = "KAI"
    scheduler = KAI_SCHEDULER
    reads = frozenset({KAI, NVIDIA, "mig"})

    def read(self, spelling: Spelling, facts: Facts) -> Request:
        """Read MiB per card or a fraction of it, and the number of cards; whole cards and MIG by count."""
        del facts
        if spelling.system != KAI:
            return Request(
                None, sum(spelling.amount(name) or 0 for name in spelling.gpus), share=spelling.system != NVIDIA
            )
        said = spelling.annotations
        count = _number(said.get(KAI_DEVICES, "1"))
        if count is None or count < 1:
            raise _unreadable(KAI_DEVICES, said.get(KAI_DEVICES), 'a whole number in quotes, such as "2"')
        if KAI_MEMORY in said and KAI_FRACTION in said:
            raise Refused(
                UNTRANSLATABLE,
                "memory and a fraction, and KAI takes one of them",
                f"keep {KAI_MEMORY} or {KAI_FRACTION}",
            )
        if KAI_MEMORY in said:
            memory = _number(said[KAI_MEMORY])
            if not memory:
                raise _unreadable(KAI_MEMORY, said[KAI_MEMORY], 'a whole number of MiB in quotes, such as "8192"')
            return Request(memory * MIB, count)
        thousandths = _thousandths(text(said[KAI_FRACTION]))
        if thousandths is None:
            raise _unreadable(KAI_FRACTION, said[KAI_FRACTION], 'a part of a card in quotes, such as "0.5"', PERCENT)
        return Request(None, count, thousandths=thousandths)

    def inspect(self, spelling: Spelling, facts: Facts) -> Iterator[Refused]:
        """Yield memory that is no plausible number of MiB."""
        del facts
        memory = _number(spelling.annotations.get(KAI_MEMORY))
        if memory is not None and memory * MIB > MOST_MEMORY:
            yield Refused(
                "suspicious-unit",
                f"{memory} MiB: {KAI_MEMORY} counts MiB; did you mean {ceil_div(memory, 1024)}?",
                f'write {KAI_MEMORY}: "{ceil_div(memory, 1024)}", or whatever the process needs in MiB',
            )

    def write(self, request: Request, facts: Facts) -> Emission:
        """Annotate the pod; all of a card, which as an amount would exceed what KAI counts, is asked for whole."""
        for refused in no_cores(self, request):
            raise refused
        if request.memory is None:
            return Emission({"nvidia.com/gpu": request.count})
        if facts.largest is not None and request.memory > facts.largest // _ROUNDING * _ROUNDING:
            if not whole_cards_fit(request, facts):
                raise Refused(
                    UNTRANSLATABLE,
                    f"{in_words(request.memory)}, and KAI counts "
                    f"{in_words(facts.largest // _ROUNDING * _ROUNDING)} on the largest card",
                    "ask for less, or for a whole GPU (nvidia.com/gpu: 1)",
                )
            note = "all of the card: KAI rounds a card's memory down to 100 MiB, so the amount would exceed it"
            return Emission({"nvidia.com/gpu": request.count}, affinity=card_affinity(request, facts), notes=(note,))
        annotations = {KAI_MEMORY: str(ceil_div(request.memory, MIB))}
        if request.count > 1:
            annotations[KAI_DEVICES] = str(request.count)
        return Emission(annotations=annotations)

    def together(self, pod: Pod, asked: list[Asked], facts: Facts) -> Iterator[tuple[Asked, Refused]]:
        """Yield what annotations cannot say: shares for two containers, or a share beside a whole card."""
        del pod, facts
        shares = [one for one in asked if _is_share(one)]
        for one in shares[1:]:
            yield (
                one,
                Refused(
                    CONTAINERS,
                    f'but container "{shares[0].container.name[:63]}" asks for a share already, and KAI gives a share '
                    "to one container of a pod",
                    "move the second GPU container to a pod of its own",
                ),
            )
        for one in asked:
            if shares and not _is_share(one):
                yield (
                    one,
                    Refused(
                        MIXED,
                        "beside a share of a GPU in the same pod, and KAI serves a pod with either",
                        "move one of the two to a pod of its own",
                    ),
                )

    def address(self, emission: Emission, pod: Pod, container: Container) -> None:
        """Name the container, unless it is the first, which KAI takes by itself."""
        first = next((one for one in pod.containers if one.role == "app"), None)
        if KAI_MEMORY in emission.annotations and (first is None or first.name != container.name):
            emission.annotations[KAI_CONTAINER] = container.name

    def complete(self, pod: Pod, labels: Mapping[str, Any], facts: Facts) -> Emission:
        """Add the policy's queue to a pod that names none.

        Raises Refused where the policy has none either.
        """
        del pod
        if labels.get(KAI_QUEUE):
            return Emission()
        queue = facts.parameters.get("queue")
        if not queue:
            raise Refused(
                QUEUE,
                f"and the pod has no label {KAI_QUEUE}, without which KAI never schedules it",
                f"label the pod {KAI_QUEUE}: <your queue>",
            )
        return Emission(labels={KAI_QUEUE: queue})


def _is_share(one: Asked) -> bool:
    if one.emission is not None:
        return KAI_MEMORY in one.emission.annotations
    return one.spelling.system == KAI


def _number(said: object) -> int | None:
    """Return a number as KAI reads it from an annotation: plain decimal digits."""
    digits = said if isinstance(said, str) else ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def _thousandths(said: str) -> int | None:
    """Return a fraction between 0 and 1 in thousandths, rounded up; None where it is none."""
    whole, _, part = said.partition(".")
    if not (said.isascii() and (whole or "0").isdigit() and (part or "0").isdigit() and whole + part):
        return None
    if int(whole or "0") or not part.strip("0") or len(part) > 18:
        return None
    return ceil_div(int(part) * 1000, 10 ** len(part))


def _unreadable(name: str, said: object, example: str, kind: Any = UNTRANSLATABLE) -> Refused:
    return Refused(kind, f"and {name}: {shown(said)} is not {example}", f"write {name} as {example}")


BACKEND = Kai()
BACKEND.page = Page(
    summary="""\
KAI gives one container of a pod a share of one or more cards, asked for by the annotation `gpu-memory` in MiB; whole
cards are asked for as `nvidia.com/gpu`, partitions as `nvidia.com/mig-...`. Every pod needs a queue, as the label
`kai.scheduler/queue` (the policy's `queue` where the pod names none, else GPU109), and `schedulerName: kai-scheduler`
(GPU202).""",
    refuses=(
        ("a percentage of compute", "KAI shares memory"),
        ("a second GPU container", "the annotations speak for one"),
        ("a share together with a whole GPU or a MIG device", "KAI serves a pod with one or the other"),
        ("a pod without a queue, where the policy names none", "KAI never schedules it"),
    ),
    install="""\
KAI's own webhooks and binder run in the namespace `kai-scheduler`; exempt it as the shipped policy does. Start KAI with
GPU sharing enabled (`global.gpuSharing=true`). Ours may run before or after its webhooks: neither writes what the
other reads first.""",
    traps=(
        (
            "Memory becomes a fraction of the node's label `nvidia.com/gpu.memory` with two decimals, of a card "
            "rounded down to 100 MiB: all of a card never fits as an amount."
        ),
        "There is no isolation unless KAI's hamicore plugin is on.",
        "A pod that asks by annotation has no GPU among its resources: quotas do not see it.",
    ),
    sources=(
        "NVIDIA/KAI-Scheduler: docs/gpu-sharing/README.md",
        "NVIDIA/KAI-Scheduler: pkg/common/constants/constants.go",
    ),
)
