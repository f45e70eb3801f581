"""``gpu-admission translate``: GPU requests in the words of another sharing backend."""

from __future__ import annotations

import sys

from gpu_admission import rules
from gpu_admission.backends import dra, registry
from gpu_admission.core.raw import as_str
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.rules import backend_plan
from gpu_admission.workloads import workload as workloads

from . import mutate
from .paths import printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

    from gpu_admission.backends.portable import GpuShare
    from gpu_admission.core.finding import Finding
    from gpu_admission.core.patch import Operation
    from gpu_admission.manifests.reader import Document

    from .inputs import Input

_RULES = ("GPU002", "GPU003", "GPU004", "GPU202")  # amounts that nobody can read, and the scheduler
_SCHEDULERS = frozenset(backend.scheduler for backend in registry.ALL if backend.scheduler)
_SOURCES = ("portable", *registry.NAMES)


class TranslateUsageError(Exception):
    """Arguments that do not go together."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``translate``; `run` takes what it parses."""
    translate = subparsers.add_parser(
        "translate",
        help="rewrite gpu-mem requests for another sharing backend",
        description="Print manifests with their GPU requests translated for another sharing backend. What that "
        "backend cannot honour is left unchanged and reported on standard error, with exit code 1.",
    )
    translate.add_argument("--to", required=True, choices=list(registry.NAMES), metavar="BACKEND", help=_named())
    translate.add_argument(
        "--from",
        dest="sources",
        action="append",
        choices=_SOURCES,
        metavar="BACKEND",
        help="translate only requests written for this one (repeatable; exclusive: whole GPUs) [all but whole GPUs]",
    )
    translate.add_argument(
        "-p",
        "--policy",
        metavar="NAME|FILE",
        help="the policy with the target's cards and parameters [the shipped policy of --to]",
    )
    translate.add_argument("--diff", action="store_true", help="print only what changes, as a patch")
    translate.add_argument("paths", metavar="PATH", nargs="+", help="files, directories, - for standard input")


def _named() -> str:
    return f"one of {', '.join(registry.NAMES)}"


def run(options: argparse.Namespace) -> int:
    """Return 0, 1 where something could not be translated, 2 where something could not be read."""
    try:
        policy = target(options.to, options.policy, options.sources or ())
    except (loader.PolicyError, TranslateUsageError) as error:
        print(f"gpu-admission translate: {error}", file=sys.stderr)
        return 2
    chosen = [rule for rule in rules.ALL if rule.id.startswith("GPU1") or rule.id in _RULES]
    engine = Engine(chosen, policy)
    found = _Found()
    worst = mutate.each(options.paths, lambda source: _Translation(source, engine, found), diff=options.diff)
    sys.stdout.flush()
    # What is printed is to be used as it is: a patch, and JSON, end where they end.
    aside = options.diff or not found.in_yaml
    for name, request in sorted(found.templates.items()):
        print(template_text(name, request), end="", file=sys.stderr if aside else sys.stdout)
    return worst


def target(name: str, policy_name: str | None, sources: Sequence[str]) -> Policy:
    """Return the policy of a translation: the backend, its parameters and the cards, and nothing else.

    Raises PolicyError where the policy cannot be read, UsageError where source and target are one.
    """
    if name in sources:
        raise TranslateUsageError(f"--from {name} and --to {name} are the same")
    value = loader.load(policy_name or ("default" if name == "exclusive" else name)).spec
    backend: dict[str, Any] = dict(value.get("backend") or {})
    if backend.get("name") != name:
        backend = {"name": name}
    if name == "dra":
        backend = {"template": "gpu", **backend, "templatePerRequest": True}
    kept = {key: value[key] for key in ("cluster", "resources", "schedulerName") if key in value}
    return Policy(
        "translate",
        {**kept, "backend": backend, "translateFrom": tuple(sources), "overwriteSchedulerName": _SCHEDULERS},
    )


def template_text(name: str, request: GpuShare) -> str:
    """Return a ResourceClaimTemplate for a kind of request, as a YAML document."""
    import yaml  # noqa: PLC0415 - the whole of it, for one backend

    comment = "# Needs Kubernetes 1.34 or newer with NVIDIA's DRA driver; create it in each namespace that uses GPUs.\n"
    body: str = yaml.safe_dump(dra.template(name, request), sort_keys=False, width=120)
    return f"---\n{comment}{body}"


class _Found:
    """What came up on the way: the templates that are needed, by name, and whether any document is YAML."""

    __slots__ = ("in_yaml", "templates")

    def __init__(self) -> None:
        self.templates: dict[str, GpuShare] = {}
        self.in_yaml = False


class _Translation(mutate.File):
    """One input on its way to another backend."""

    command = "translate"

    def __init__(self, source: Input, engine: Engine, found: _Found) -> None:
        super().__init__(source, engine)
        self._found = found

    def _operations(self, document: Document) -> Sequence[Operation]:
        self._found.in_yaml |= not document.is_json
        operations = super()._operations(document)
        for workload in workloads.read(document.object, self._engine.policy):
            for pod, plan in backend_plan.of_pods(workload, self._engine.policy):
                if plan.translatable and plan.translations:
                    self._note(plan.translations)
                    self._mention(plan.backend.scheduler, as_str(pod.spec.get("schedulerName")))
        return operations

    def _mention(self, wanted: str | None, value: str) -> None:
        """Say where a pod keeps the scheduler of the system that it leaves."""
        if wanted is None and self._engine.policy.scheduler_name is None and value in _SCHEDULERS:
            message = "the target does not set it; remove it if this cluster does not run that scheduler"
            print(f"{printed(self._source.name)}: schedulerName: {value} stays: {message}", file=sys.stderr)

    def _note(self, translations: Sequence[Any]) -> None:
        for asked in translations:
            for template in asked.emission.claims.values():
                self._found.templates[template] = asked.request

    def _denies(self, finding: Finding) -> bool:
        return finding.action == "deny" or finding.rule == "GPU101"
