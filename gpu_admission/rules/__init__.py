"""The rules, one module each, in the order of their IDs, in which they are judged and their fixes applied.

``ALL`` holds their headers, which ``make docs`` generates into ``catalogue.py``. A rule's module is imported when the
rule first has something to judge, or when a text of it is read: most rules do not apply to most objects, and importing
all of them dominates the linter's time on a small file.
"""

from __future__ import annotations

from gpu_admission.engine.rule import Trigger, header, load

from . import catalogue, triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.engine.rule import Rule

FOLDERS = ("request", "sharing", "placement", "isolation", "claims", "guardrails")
"""0xx the request itself, 1xx sharing, 2xx placement, 3xx isolation, 4xx claims, 5xx guardrails."""


def module_of(rule_id: str, name: str) -> str:
    """Return a rule's module below this package: ``request.gpu001_request_without_limit``."""
    return f"{FOLDERS[int(rule_id[3])]}.{rule_id.lower()}_{name.replace('-', '_')}"


TRIGGERS: dict[str | None, Trigger] = {
    name: value for name, value in vars(triggers).items() if isinstance(value, Trigger)
}
# A trigger of the catalogue that no longer exists: importing the rule's module raises the error.
ALL: tuple[Rule, ...] = tuple(
    [
        header(f"{__name__}.{module_of(rule_id, name)}", rule_id, name, *others, TRIGGERS.get(when), may_resolve)
        for rule_id, name, *others, when, may_resolve in catalogue.HEADERS
    ]
)
BY_ID: dict[str, Rule] = {rule.id: rule for rule in ALL}


def load_all() -> None:
    """Import the modules of all rules, before the first review.

    Raises RuleError where the catalogue is stale.
    """
    for rule in ALL:
        load(rule)
