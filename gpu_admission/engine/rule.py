"""The Rule type: one object with everything about a rule."""

from __future__ import annotations

from gpu_admission.core.finding import SEVERITIES
from gpu_admission.core.record import record

from .reads import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, Literal

    from gpu_admission.core.finding import Action, Problem, Safety, Severity
    from gpu_admission.policy.model import Policy
    from gpu_admission.workloads.workload import Workload

    from .reads import Reads

    Check = Callable[[Workload, Policy], Iterator[Problem]]
    Compare = Callable[[Workload, Workload, Policy], Iterator[Problem]]
    Scan = Callable[[Workload, Policy], int]
    Reading = Reads | Callable[[Policy], Reads]
    Scope = Literal["object", "pod", "request"]

POD = "pod"  # Pods at admission, after defaulting of requests from limits
TEMPLATE = "template"  # pod templates of built-in and custom kinds, and all objects in files

# Immutable, as required of a default of a record; start-up time: without `types`.
NO_POLICY: Mapping[str, Any] = type(object.__dict__)({})

SCOPES: tuple[Scope, ...] = ("object", "pod", "request")  # each includes those before it


@record(eq=False)
class Trigger:
    """What an object must have for a rule to have findings on it: a flag of those that a scan returns.

    A scan runs once for each object, for all rules with it.
    """

    scan: Scan
    flag: int


class RuleError(ValueError):
    """A rule with missing or malformed fields."""


@record(frozen=False, eq=False)
class Rule:
    """One rule of the catalogue.

    ``summary`` is one line without a full stop; ``rationale`` is the consequence on a cluster, in prose;
    ``references`` are URLs or ``repository: path`` that prove it. ``bad`` and ``good`` are manifests that
    run as tests: ``bad`` has findings of this rule only where it is meant to, ``good`` has none, and where
    there is a ``fix`` it turns ``bad`` into ``good``. ``admission_kinds`` are the kinds of objects that the rule judges
    at admission (``pod``, ``template``; files are judged by every rule). ``scope`` is what an object must have to be
    judged by the rule: ``pod`` is a pod spec, ``request`` a GPU that is named by a container's resources or requested
    by annotation. ``when`` is what else an object must have. ``reads`` are the rule's markers on pods that name no GPU,
    from which the webhook's matchConditions are generated; a rule that judges such pods declares them all, and one
    whose ``scope`` is a request has none. ``reads_at_mutation`` are those of them that its safe fix needs, or for which
    the API server's validation would reject the pod before the validating webhook is called. ``may_resolve`` are the
    IDs of other rules whose findings its safe fix may remove; it adds none: unless one of them is judged, the object
    need not be judged again. None is for fixes that can change anything. ``compare`` is for rules that also judge what
    an update removes: given the new and the old Pod, it replaces ``check`` on updates of Pods, on which other rules
    only report new problems. ``default`` is the default action if it is not that of the severity (``off``). ``policy``
    is the policy ``spec`` that the examples need.

    ``module`` is for rules of the catalogue only (``header``): the module with the other fields, which is imported when
    one of them is read.

    Raises RuleError where a field is missing or malformed.
    """

    id: str
    name: str
    severity: Severity
    since: str
    summary: str
    rationale: str
    references: tuple[str, ...]
    bad: str
    good: str
    check: Check
    compare: Compare | None = None
    fix: Safety | None = None
    admission_kinds: frozenset[str] = frozenset({POD, TEMPLATE})
    scope: Scope = "pod"
    when: Trigger | None = None
    reads: Reading = NOTHING
    reads_at_mutation: Reads = NOTHING
    may_resolve: frozenset[str] | None = None
    default: Action | None = None
    policy: Mapping[str, Any] = NO_POLICY
    module: str = ""

    def __post_init__(self) -> None:
        wrong = [field for field in ("summary", "rationale", "references", "bad", "good") if not getattr(self, field)]
        if not _is_id(self.id):
            wrong.append("id")
        if not _is_name(self.name):
            wrong.append("name")
        if not _is_version(self.since):
            wrong.append("since")
        if self.severity not in SEVERITIES:
            wrong.append("severity")
        if self.fix not in {None, "safe", "unsafe"}:
            wrong.append("fix")
        if "\n" in self.summary or self.summary.endswith("."):
            wrong.append("summary")
        if self.scope not in SCOPES:
            wrong.append("scope")
        if not self.admission_kinds or not self.admission_kinds <= {POD, TEMPLATE}:
            wrong.append("admission_kinds")
        if wrong:
            raise RuleError(f"rule {self.id}: missing or malformed: {', '.join(wrong)}")

    def __repr__(self) -> str:
        return f"<{self.id} {self.name}>"

    if not TYPE_CHECKING:  # it would hide unknown fields from type checkers

        def __getattr__(self, field: str) -> Any:
            """Load the module of a rule that is only a header; called where a field is not set."""
            if field not in FIELDS:
                raise AttributeError(f"a rule has no field {field!r}")
            load(self)
            return object.__getattribute__(self, field)


FIELDS: tuple[str, ...] = vars(Rule)["__slots__"]
# The fields of a rule without its module: enough to choose the rules that judge an object, and to report findings.
HEADER = ("id", "name", "severity", "default", "fix", "admission_kinds", "scope", "when", "may_resolve")


def header(module: str, *values: Any) -> Rule:
    """Return a rule by the fields of ``HEADER``, in that order; the others are loaded when one is read."""
    rule = Rule.__new__(Rule)
    for field, value in zip(("module", *HEADER), (module, *values), strict=True):
        setattr(rule, field, value)
    return rule


def load(rule: Rule) -> None:
    """Import the other fields of a rule from its module, if they are not loaded yet.

    Raises RuleError where fields of the module differ from the header, which would be wrong then.
    """
    try:
        object.__getattribute__(rule, "check")
    except AttributeError:
        whole: Rule = __import__(rule.module, fromlist=["RULE"]).RULE
        differing = [field for field in HEADER if getattr(whole, field) != getattr(rule, field)]
        if differing:
            message = f"rule {rule.id}: {', '.join(differing)} differ from {rule.module}: run make docs"
            raise RuleError(message) from None
        for field in FIELDS:
            if field != "module":
                setattr(rule, field, getattr(whole, field))


# Start-up time: regular expressions would be shorter, and take half a millisecond to compile.
def _is_id(value: str) -> bool:
    return (
        len(value) == 6 and value[:3] == "GPU" and value[3:].isascii() and value[3:].isdigit() and value[3] in "012345"
    )


def _is_name(value: str) -> bool:
    return value.isascii() and value.islower() and all(part.isalpha() for part in value.split("-"))


def _is_version(value: str) -> bool:
    return value.isascii() and [part.isdigit() for part in value.split(".")] == [True] * 3
