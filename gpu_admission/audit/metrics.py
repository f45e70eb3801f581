"""The audit as metrics, in Prometheus' text format: for a Pushgateway, or a file that node-exporter reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .gpus import CARDS, MEMORY, REPLICAS, STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .gpus import GpuCount
    from .result import AuditResult

JOB = "gpu-admission-audit"
_GPUS = {
    CARDS: "GPUs of each node by resource: a card is allocated if any of it is held.",
    MEMORY: "Memory of GPUs that are shared by memory, in bytes.",
    REPLICAS: "Shares of GPUs that are shared by time-slicing or MPS.",
}


def exposition(result: AuditResult, gpus: Iterable[GpuCount], seconds: int) -> str:
    """Return all metrics; ``seconds`` is the audit's time, since 1970."""
    findings: dict[tuple[str, str, str], int] = {}
    for row in result.rows():
        key = (row.rule, row.owner.namespace, row.consequence)
        findings[key] = findings.get(key, 0) + 1
    lines = _head("gpu_admission_audit_findings", "Owners with a finding, by what admission would do about it.")
    lines += [
        _sample("gpu_admission_audit_findings", count, rule=rule, namespace=namespace, admission=consequence)
        for (rule, namespace, consequence), count in sorted(findings.items())
    ]
    for name, text, value in (
        ("gpu_admission_audit_objects", "Objects that the audit looked at.", result.objects),
        ("gpu_admission_audit_problems", "Kinds and objects that the audit could not look at.", len(result.errors)),
        ("gpu_admission_audit_timestamp_seconds", "When the audit ran.", seconds),
    ):
        lines += [*_head(name, text), _sample(name, value)]
    return "".join(f"{line}\n" for line in [*lines, *_of_gpus(list(gpus))])


def _of_gpus(gpus: list[GpuCount]) -> Iterator[str]:
    for measure, text in _GPUS.items():
        yield from _head(f"gpu_admission_{measure}", text)
        for count in [each for each in gpus if each.measure == measure]:
            for state in STATES:
                labels = {"node": count.node, "resource": count.resource, "state": state}
                yield _sample(f"gpu_admission_{measure}", getattr(count, state), **labels)


def _head(name: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge"]


def _sample(metric: str, value: int, **labels: str) -> str:
    written = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
    return f"{metric}{{{written}}} {value}" if written else f"{metric} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
