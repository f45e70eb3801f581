"""``gpu-admission translate``: GPU requests in the names of another sharing backend."""

from __future__ import annotations

import sys

from gpu_admission import rules
from gpu_admission.backends import dra, dra_shared, registry
from gpu_admission.backends.base import ClusterFacts
from gpu_admission.core.raw import as_dict, as_str, escape, format_value
from gpu_admission.engine.engine import Engine
from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader
from gpu_admission.rules import backend_plan

from . import mutate
from .paths import printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from typing import Any

    from gpu_admission.backends.base import ContainerRequest
    from gpu_admission.backends.portable import GpuShare
    from gpu_admission.core.finding import Finding
    from gpu_admission.core.patch import Operation
    from gpu_admission.manifests.reader import Document
    from gpu_admission.workloads.pod import Pod
    from gpu_admission.workloads.workload import Workload

    from .inputs import Input

_RULES = ("GPU002", "GPU003", "GPU004", "GPU202")  # invalid amounts, and the scheduler
_SCHEDULERS = frozenset(backend.scheduler for backend in registry.ALL if backend.scheduler)
_TEMPLATE = "Create it in each namespace that uses GPUs."
_USUAL_MODE = "hami-core"  # of sharing, in HAMi's annotation and Volcano's
_MOST_NAMED = 8  # claims in a message
_SOURCES = ("portable", *registry.NAMES)


class TranslateUsageError(Exception):
    """Arguments that cannot be combined."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``translate``; `run` takes what it parses."""
    translate = subparsers.add_parser(
        "translate",
        help="rewrite gpu-mem requests for another sharing backend",
        description="Print manifests with their GPU requests translated for another sharing backend. What that "
        "backend cannot honour is left unchanged and reported on standard error, with exit code 1.",
    )
    _add_backends(translate)
    translate.add_argument("--diff", action="store_true", help="print only what changes, as a patch")
    translate.add_argument("paths", metavar="PATH", nargs="+", help="files, directories, - for standard input")


def _add_backends(translate: argparse.ArgumentParser) -> None:
    """Add the flags that choose target, sources and policy."""
    backends = f"one of {', '.join(registry.NAMES)}"
    translate.add_argument("--to", required=True, choices=list(registry.NAMES), metavar="BACKEND", help=backends)
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
    translate.add_argument(
        "--claims",
        action="store_true",
        help="with --to dra: one ResourceClaim per workload, whose pods share what all of them request",
    )


def run(options: argparse.Namespace) -> int:
    """Return 0, 1 where something could not be translated, 2 where something could not be read."""
    try:
        policy = target(options.to, options.policy, options.sources or (), shared=options.claims)
    except (loader.PolicyError, TranslateUsageError) as error:
        print(f"gpu-admission translate: {error}", file=sys.stderr)
        return 2
    chosen = [rule for rule in rules.ALL if rule.id.startswith("GPU1") or rule.id in _RULES]
    found = _Found()
    worst = mutate.each(
        options.paths,
        lambda source, engine: _Translation(source, engine, found),
        lambda index: Engine(chosen, policy, index),
        diff=options.diff,
    )
    sys.stdout.flush()
    # Documents cannot be appended to a patch or to JSON.
    separate = options.diff or not found.in_yaml
    for text in found.texts(ClusterFacts.of(policy)):
        print(text, end="", file=sys.stderr if separate else sys.stdout)
    return worst


def target(name: str, policy_name: str | None, sources: Sequence[str], *, shared: bool = False) -> Policy:
    """Return the policy of a translation: the backend, its parameters and the cards, and nothing else.

    With ``shared`` the pods of a workload share a claim. Raises PolicyError where the policy cannot be read,
    TranslateUsageError where source and target are the same, or claims are requested of other backends than dra.
    """
    if name in sources:
        raise TranslateUsageError(f"--from {name} and --to {name} are the same")
    if shared and name != "dra":
        raise TranslateUsageError(f"--claims cannot be combined with --to {name}: only dra has claims")
    value = loader.load(policy_name or ("default" if name == "exclusive" else name)).spec
    backend: dict[str, Any] = dict(value.get("backend") or {})
    if backend.get("name") != name:
        backend = {"name": name}
    if name == "dra":
        backend = {"template": "gpu", **backend, "templatePerRequest": True, "sharedClaims": shared}
    kept = {key: value[key] for key in ("cluster", "resources", "schedulerName") if key in value}
    return Policy(
        "translate",
        {**kept, "backend": backend, "translateFrom": tuple(sources), "overwriteSchedulerName": _SCHEDULERS},
    )


class _Found:
    """What was found in the inputs: what claims are made from, and whether any document is YAML.

    ``templates`` are by name; ``claims`` by namespace and name, each with the number of containers that share it.
    """

    __slots__ = ("claims", "in_yaml", "templates")

    def __init__(self) -> None:
        self.templates: dict[str, GpuShare] = {}
        self.claims: dict[tuple[str, str], tuple[GpuShare, int]] = {}
        self.in_yaml = False

    def note(self, workload: Workload, pod: Pod, translations: Sequence[ContainerRequest]) -> None:
        """Note what the claims of a pod are made from: the requests of all containers that share one are added up."""
        for translation in translations:
            backend_patch = translation.backend_patch
            for template in backend_patch.claims.values() if backend_patch is not None else ():
                if backend_patch is None or not backend_patch.shared:
                    self.templates[template] = translation.request
                    continue
                key = (workload.ref.namespace or "", dra_shared.claim_name(workload, template))
                users = self.claims.get(key, (translation.request, 0))[1]
                self.claims[key] = (translation.request, users + (dra_shared.pods_of(pod) or 0))

    def texts(self, facts: ClusterFacts) -> Iterator[str]:
        """Yield each template and each claim, in the order of their names, as a YAML document."""
        for name, request in sorted(self.templates.items()):
            yield _text([*dra.comments(request, facts), _TEMPLATE], dra.template(name, request, facts))
        for (namespace, name), (request, users) in sorted(self.claims.items()):
            shared = f"Shared by {users} containers, at most: each of them is given" if users > 1 else "Gives"
            comments = dra.comments(request, facts)
            made = dra.claim(name, namespace or None, request, max(users, 1), facts)
            yield _text([f"{shared} {comments[0]}", *comments[1:]], made)


def _text(comments: Sequence[str], made: dict[str, Any]) -> str:
    import yaml  # noqa: PLC0415 - start-up time: needed only for claims

    body: str = yaml.safe_dump(made, sort_keys=False, width=120)
    return "".join(["---\n", *(f"# {comment}\n" for comment in comments), body])


class _Translation(mutate.File):
    """One input that is translated for another backend."""

    command = "translate"

    def __init__(self, source: Input, engine: Engine, found: _Found) -> None:
        super().__init__(source, engine)
        self._found = found

    def _operations(self, document: Document) -> Sequence[Operation]:
        self._found.in_yaml |= not document.is_json
        operations = super()._operations(document)
        for workload in self._engine.read(document.object):
            self._mention_unseen(workload)
            for pod, plan in backend_plan.of_pods(workload, self._engine.policy):
                if plan.translatable and plan.translations:
                    self._found.note(workload, pod, plan.translations)
                    self._mention(plan.backend.scheduler, as_str(pod.spec.get("schedulerName")))
                    self._mention_choices(workload, pod, plan.translations)
        return operations

    def _mention_choices(self, workload: Workload, pod: Pod, translations: Sequence[ContainerRequest]) -> None:
        """Report the annotations that chose cards, and have no effect under the target."""
        annotations = as_dict(pod.metadata.get("annotations"))
        for source in dict.fromkeys(one.source for one in translations):
            for key in source.card_choices:
                if key in annotations and annotations[key] != _USUAL_MODE:
                    what = f"annotation {key}: {format_value(annotations[key])} stays"
                    why = f"only {source.title} chooses cards by it: say it in the target's own way, or remove it"
                    named = f"{workload.kind} {escape((workload.ref.name or '')[:63])}".rstrip()
                    print(f"{printed(self._source.name)}: {named}: {what}: {why}", file=sys.stderr)

    def _mention_unseen(self, workload: Workload) -> None:
        """Report the claims that stay because their devices are not known: they may be GPUs."""
        if self._engine.policy.backend.name == "dra":
            return
        unseen = {claim.source_name for pod in workload.pods for claim in pod.claims.claims if claim.gpu is None}
        if unseen and workload.ref.name is not None:
            what = ", ".join(format_value(name) for name in sorted(unseen)[:_MOST_NAMED])
            more = f" and {len(unseen) - _MOST_NAMED} more" if len(unseen) > _MOST_NAMED else ""
            message = f"claims of {what}{more} stay: what they are made from is not among the inputs"
            print(
                f"{printed(self._source.name)}: {workload.kind} {escape(workload.ref.name[:63])}: {message}",
                file=sys.stderr,
            )

    def _mention(self, wanted: str | None, value: str) -> None:
        """Report a pod that keeps the scheduler of the source backend."""
        if wanted is None and self._engine.policy.scheduler_name is None and value in _SCHEDULERS:
            message = "the target does not set it; remove it if this cluster does not run that scheduler"
            print(f"{printed(self._source.name)}: schedulerName: {value} stays: {message}", file=sys.stderr)

    def _denies(self, finding: Finding) -> bool:
        return finding.action == "deny" or finding.rule == "GPU101"
