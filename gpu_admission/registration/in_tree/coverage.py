"""The extent to which each rule is enforced in-tree on Pods, and what is not without the webhook."""

from __future__ import annotations

from gpu_admission.rules import ALL

from . import checks, repairs, versions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Literal

    from gpu_admission.engine.rule import Rule
    from gpu_admission.policy.model import Policy

    from .versions import Version

    Extent = Literal["in-tree", "partly", "API server", "webhook"]

TITLES: dict[Extent, str] = {
    "in-tree": "enforced in-tree",
    "partly": "partly enforced in-tree",
    "API server": "enforced by the API server itself, with its own message",
    "webhook": "enforced by the webhook only",
}
_TEMPLATES = "it judges workload templates and other objects than Pods, which in-tree policies are not bound to"
_BACKEND = "it needs the arithmetic of the policy's backend over the whole pod"
_WHOLE = ""


class Coverage:
    """The in-tree enforcement of a rule; ``lost`` is what is not enforced, empty where all is."""

    __slots__ = ("extent", "lost")

    def __init__(self, extent: Extent, lost: str = _WHOLE) -> None:
        self.extent: Extent = extent
        self.lost = lost

    def __str__(self) -> str:
        return f"{TITLES[self.extent]}: {self.lost}" if self.lost else TITLES[self.extent]


_REFUSED = "the API server refuses such a Pod before any policy is evaluated; a custom kind only the webhook judges"
_EXPANDED = (
    "a value that refers to other variables counts as unknown; an entry that a later one overrides counts where a "
)
_EXPANDED += "container sets more than eight such variables"
_CLAIMS = "claims are judged in files and workload templates; of a Pod's the API server refuses most mistakes itself"
_CLAIM_OBJECTS = "it judges claims, their templates and device classes, which in-tree policies are not bound to"
RULES: dict[str, Coverage] = {
    "GPU001": Coverage("in-tree"),
    "GPU002": Coverage("API server", _REFUSED),
    "GPU003": Coverage("API server", _REFUSED),
    "GPU004": Coverage("API server", _REFUSED),
    "GPU005": Coverage("webhook", _TEMPLATES),
    "GPU006": Coverage("in-tree"),
    "GPU007": Coverage("webhook", "it suggests the name that was meant; the API server refuses names without a domain"),
    "GPU008": Coverage("webhook", _TEMPLATES),
    "GPU009": Coverage("partly", "sums over several resources or containers, and the size of the largest node "
                       "(spec.cluster.cards)"),
    "GPU010": Coverage("webhook", _TEMPLATES),
    "GPU011": Coverage("webhook", _TEMPLATES),
    "GPU012": Coverage("webhook", _TEMPLATES),
    "GPU013": Coverage("webhook", "it counts the cards that the container has"),
    "GPU101": Coverage(
        "partly",
        "requests in the portable names are translated where one container's amounts tell what they become: not into "
        "claims (dra), whole cards by memory (default), or with compute for MIG; what else the webhook would translate "
        "is refused",
    ),
    "GPU102": Coverage("webhook", _BACKEND),
    "GPU103": Coverage("webhook", _BACKEND),
    "GPU104": Coverage("webhook", _BACKEND),
    "GPU105": Coverage("webhook", _BACKEND),
    "GPU106": Coverage("webhook", _BACKEND),
    "GPU107": Coverage("webhook", _BACKEND),
    "GPU108": Coverage("webhook", _BACKEND),
    "GPU109": Coverage("webhook", _BACKEND),
    "GPU110": Coverage("webhook", "it compares annotations with those that KAI reads"),
    "GPU201": Coverage("partly", "a toleration that GPU208 would repair does not count: another is added"),
    "GPU202": Coverage("partly", "pods that use another backend's names, several's, or HAMi's for other vendors"),
    "GPU203": Coverage("in-tree"),
    "GPU204": Coverage("in-tree"),
    "GPU205": Coverage("webhook", _TEMPLATES),
    "GPU206": Coverage("in-tree"),
    "GPU207": Coverage("webhook", _TEMPLATES),
    "GPU208": Coverage("webhook", "it compares taints letter by letter"),
    "GPU209": Coverage("webhook", "it compares values of labels with tables of cards"),
    "GPU301": Coverage("partly", _EXPANDED),
    "GPU302": Coverage("partly", f"{_EXPANDED}; a request with a typo in its domain, or in the name of a class, "
                       "exempts no container"),
    "GPU303": Coverage("partly", "not exported where spec.cluster.cards states how many cards a node has, because a "
                       "pod that takes all of them is exempt"),
    "GPU304": Coverage("partly", "more is refused: a sub-path that depends on variables below a folder of devices, and "
                       "paths of more than 256 characters that look like one to a device"),
    "GPU305": Coverage("partly", "more is refused: every path with .. in it that names the folder"),
    "GPU306": Coverage("partly", "more is refused: lists of device nodes that are not written plainly"),
    "GPU307": Coverage("partly", "new pods only: updates, statuses and bindings are not judged"),
    "GPU308": Coverage("partly", _EXPANDED),
    "GPU309": Coverage("in-tree"),
    "GPU310": Coverage("in-tree"),
    **{f"GPU4{number:02}": Coverage("webhook", _CLAIMS) for number in (1, 2, 3, 4, 5, 12, 13, 15, 16)},
    **{f"GPU4{number:02}": Coverage("webhook", _CLAIM_OBJECTS) for number in (6, 7, 8, 9, 10, 11, 14, 17)},
    "GPU501": Coverage("partly", "a claim that the policy knows to be a GPU's does not count"),
    "GPU502": Coverage("webhook", "it compares the sizes of volumes"),
    "GPU503": Coverage("webhook", _TEMPLATES),
    "GPU504": Coverage("partly", "a claim that the policy knows to be a GPU's does not count"),
    "GPU505": Coverage("in-tree"),
    "GPU506": Coverage("in-tree"),
    "GPU507": Coverage("partly", "a claim counts as no GPU, also where the policy knows it; sub-paths of volumes are "
                       "GPU304's"),
}  # fmt: skip


_WEBHOOK_ONLY = Coverage("webhook")


def of(rule: Rule) -> Coverage:
    """Return the in-tree enforcement of a rule, by default none."""
    return RULES.get(rule.id, _WEBHOOK_ONLY)


def exported(policy: Policy) -> list[Rule]:
    """Return the rules that are enforced in-tree under a policy, at least partly."""
    found = {check.rule for check in checks.of(policy)} | set(repairs.rules_of(policy))
    return [rule for rule in ALL if rule in found and policy.is_enabled(rule)]


def notes(policies: Sequence[Policy], version: Version) -> Iterator[str]:
    """Yield notes on the policies for a version, a line each: limitations, and the extent of each rule."""
    if not versions.has_mutating_policies(version):
        yield (
            f"Kubernetes {versions.text(version)} does not serve MutatingAdmissionPolicy v1 (1.36 does): nothing "
            "is repaired, and what would be has to be right as it is written."
        )
    yield "Pods are judged when they are created, and their ephemeral containers when they join; nothing else is."
    for policy in policies:
        enforced = exported(policy)
        yield f"Policy {policy.name}:"
        for rule in ALL:
            if policy.is_enabled(rule):
                yield f"  {rule.id} {rule.name}: {_extent(rule, enforced)}"


def _extent(rule: Rule, enforced: list[Rule]) -> str:
    coverage = of(rule)
    if coverage.extent in {"in-tree", "partly"} and rule not in enforced:
        return "nothing of it is enforced under this policy"
    return str(coverage)
