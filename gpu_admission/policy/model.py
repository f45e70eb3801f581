"""A policy: the rules in force, the actions on their findings, and the facts about the cluster that rules use.

Policy files are read and validated by ``gpu_admission.policyfile.loader`` before they reach ``Policy``.
"""

from __future__ import annotations

from gpu_admission.core.finding import ACTION_OF, ACTIONS, LEVEL_OF, SEVERITIES
from gpu_admission.core.record import record
from gpu_admission.workloads import resources

from .exemptions import Exemptions, NamePatterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Literal

    from gpu_admission.core.finding import Action, Severity
    from gpu_admission.engine.rule import Rule
    from gpu_admission.workloads.resources import Resource

    from .claim_facts import ClaimFacts
    from .guardrails import Guardrails

    Mode = Literal["enforce", "warn", "audit"]

# A mode is a ceiling: the action that each action becomes under it.
_CEILING: dict[str, dict[str, Action]] = {
    "enforce": {},
    "warn": {"deny": "warn"},
    "audit": {"deny": "audit", "warn": "audit"},
}

# Names are untrusted: the cache holds no more than a cluster has, and none that could be a megabyte.
_MOST, _LONGEST = 4096, 128
_MISS = object()


@record
class BackendChoice:
    """The sharing backend of a policy: its name, and its parameters as in the policy file."""

    name: str
    parameters: Mapping[str, Any]


@record
class Setting:
    """The setting of one rule; ``action`` None leaves it to the rule's severity."""

    action: Action | None = None
    fix: bool = True


_UNSET = Setting()

KEEP_SCHEDULER = "keepExplicitScheduler"
"""A key of ``spec`` that only the linter sets: replacing an explicit default-scheduler is not a safe fix there."""


class Policy:
    """A policy, immutable.

    ``spec`` is the policy file's ``spec``, validated against the schema. Its fields are optional and have their
    defaults here.
    """

    __slots__ = (
        "_claims",
        "_classified",
        "_extended",
        "_guardrails",
        "backend",
        "cards",
        "exempt",
        "extra",
        "limits",
        "match",
        "mode",
        "name",
        "runtime_class",
        "scheduler_name",
        "selected",
        "settings",
        "spec",
        "tolerations",
        "visible_devices",
        "workloads",
    )

    def __init__(
        self, name: str, spec: Mapping[str, Any] | None = None, *, selected: frozenset[str] | None = None
    ) -> None:
        spec = spec or {}
        self.name = name
        self.spec = spec
        self.mode: Mode = spec.get("mode") or "enforce"
        backend = dict(spec.get("backend") or {"name": "exclusive"})
        self.backend = BackendChoice(backend.pop("name", "exclusive"), backend)
        self.settings: dict[str, Setting] = {rule: _setting(value) for rule, value in (spec.get("rules") or {}).items()}
        self.extra: tuple[str, ...] = tuple((spec.get("resources") or {}).get("extra") or ())
        self.tolerations: tuple[Mapping[str, Any], ...] = tuple(spec.get("tolerations") or ())
        self.scheduler_name: str | None = spec.get("schedulerName")
        self.runtime_class: str | None = spec.get("runtimeClassName")
        self.visible_devices: Mapping[str, Any] = spec.get("visibleDevices") or {}
        self.limits: Mapping[str, Any] = spec.get("limits") or {}
        cluster = spec.get("cluster") or {}
        self.cards: tuple[Mapping[str, Any], ...] = tuple(cluster.get("cards") or ())
        self.exempt = Exemptions(spec.get("exempt"))
        self.match = NamePatterns((spec.get("match") or {}).get("namespaces") or ())
        self.workloads: tuple[Mapping[str, Any], ...] = tuple(spec.get("workloads") or ())
        self.selected = selected
        self._classified: dict[str, Resource | None] = {}
        self._claims: ClaimFacts | None = None
        self._extended: Mapping[str, str] = (cluster.get("claims") or {}).get("extendedResources") or {}
        self._guardrails: Guardrails | None = None

    @property
    def claims(self) -> ClaimFacts:
        """Which resource claims give GPUs; read when the first claim is met."""
        if self._claims is None:
            from .claim_facts import ClaimFacts  # noqa: PLC0415 - start-up time: needed only for claims

            of_claims = self.backend.parameters if self.backend.name == "dra" else None
            self._claims = ClaimFacts((self.spec.get("cluster") or {}).get("claims"), of_claims)
        return self._claims

    @property
    def guardrails(self) -> Guardrails:
        """The settings of the guardrails; read when the first of those rules runs."""
        if self._guardrails is None:
            from .guardrails import Guardrails  # noqa: PLC0415 - start-up time: needed only for the guardrails

            self._guardrails = Guardrails(self.spec.get("guardrails"))
        return self._guardrails

    def under(self, mode: Mode) -> Policy:
        """Return the policy with its mode no higher than this one."""
        lower = list(_CEILING).index(mode) > list(_CEILING).index(self.mode)
        return Policy(self.name, {**self.spec, "mode": mode}, selected=self.selected) if lower else self

    def selecting(self, rules: frozenset[str]) -> Policy:
        """Return the policy with only these rules in force; one that is off gets the action of its severity."""
        return Policy(self.name, self.spec, selected=rules)

    def action(self, rule: Rule, severity: Severity) -> Action:
        """Return the policy's action on a finding, before the mode's ceiling.

        The setting of a rule is for findings of the rule's severity or worse; a milder one (such as a parent of a
        device's path) never leads to more than the action of its own severity.
        """
        if self.selected is not None and rule.id not in self.selected:
            return "off"
        own = ACTION_OF[severity]
        value = self.settings.get(rule.id, _UNSET).action or rule.default
        if value is None or (value == "off" and self.selected is not None):
            return own
        if value == "off" or SEVERITIES.index(severity) <= SEVERITIES.index(rule.severity):
            return value
        return max(value, own, key=ACTIONS.index)

    def is_enabled(self, rule: Rule) -> bool:
        """Return whether the rule is in force under this policy."""
        return self.action(rule, rule.severity) != "off"

    def fixes(self, rule: Rule) -> bool:
        """Return whether admission may apply the rule's safe fix."""
        return self.settings.get(rule.id, _UNSET).fix and self.is_enabled(rule)

    def governs(self, namespace: str | None) -> bool:
        """Return whether the policy is for a namespace; None, of a file without one, may be any."""
        return namespace is None or not self.match or self.match.match(namespace)

    def judges(self, namespace: str | None, user: str | None = None) -> bool:
        """Return whether the policy judges requests in a namespace: it is for the namespace, and does not exempt it."""
        return self.governs(namespace) and not self.exempt.covers(namespace, user)

    def apply_mode(self, action: Action) -> Action:
        """Return what an action becomes under the policy's mode."""
        return _CEILING[self.mode].get(action, action)

    def classify(self, name: str) -> Resource | None:
        """Return what a resource name means under this policy, or None where it is not a GPU."""
        known = self._classified.get(name, _MISS)
        if known is _MISS:
            known = resources.extra(name) if name in self.extra else resources.classify(name) or self._of_class(name)
            if len(self._classified) < _MOST and len(name) <= _LONGEST:
                self._classified[name] = known
        return known  # type: ignore[return-value]  # the miss was replaced above

    def _of_class(self, name: str) -> Resource | None:
        """Return the resource of a device class that the policy declares to give GPUs."""
        prefixed = name.startswith(resources.CLASS_PREFIX)
        if not prefixed and name not in self._extended:
            return None
        class_name = name.removeprefix(resources.CLASS_PREFIX) if prefixed else self._extended[name]
        if not self.claims.classes.match(class_name):
            return None
        known = resources.classify(f"{resources.CLASS_PREFIX}{class_name}")
        vendor, sharing = (known.vendor, known.sharing) if known is not None else ("any", "exclusive")
        return resources.Resource(name, vendor, resources.CLASS_SYSTEM, "device", sharing)

    @property
    def own_resources(self) -> tuple[str, ...]:
        """The GPU resources that only the policy declares: ``resources.extra``, and those of its device classes."""
        return (*self.extra, *self.claims.resources)


def _setting(value: Any) -> Setting:
    """Return the setting in an entry of ``rules``: an action, false (YAML's ``off``) or a mapping of both."""
    if value is False:
        return Setting("off")
    if isinstance(value, str):
        return Setting(value)  # type: ignore[arg-type]  # the policy file's schema allows actions only
    action = value.get("action")
    return Setting("off" if action is False else action, fix=value.get("fix", True))


def level(action: Action) -> Severity:
    """Return the severity at which the linter reports an action (that is not ``off``)."""
    return LEVEL_OF[action]
