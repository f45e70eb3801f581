"""The rules, one module each, in the order in which they are judged and their fixes applied."""

from __future__ import annotations

from . import gpu001_request_without_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.rule import Rule

# 0xx the request itself, 1xx sharing, 2xx placement, 3xx isolation
ALL: tuple[Rule, ...] = (gpu001_request_without_limit.RULE,)

BY_ID: dict[str, Rule] = {rule.id: rule for rule in ALL}
