"""The rules, one module each, in the order in which they are judged and their fixes applied."""

from __future__ import annotations

from . import (
    gpu001_request_without_limit,
    gpu101_portable_request,
    gpu102_untranslatable_request,
    gpu103_mixed_sharing,
    gpu104_shared_count,
    gpu105_memory_exceeds_card,
    gpu106_suspicious_unit,
    gpu107_backend_container_limit,
    gpu108_percent_out_of_range,
    gpu109_missing_queue,
    gpu202_scheduler_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.rule import Rule

# 0xx the request itself, 1xx sharing, 2xx placement, 3xx isolation
ALL: tuple[Rule, ...] = (
    gpu001_request_without_limit.RULE,
    gpu101_portable_request.RULE,
    gpu102_untranslatable_request.RULE,
    gpu103_mixed_sharing.RULE,
    gpu104_shared_count.RULE,
    gpu105_memory_exceeds_card.RULE,
    gpu106_suspicious_unit.RULE,
    gpu107_backend_container_limit.RULE,
    gpu108_percent_out_of_range.RULE,
    gpu109_missing_queue.RULE,
    gpu202_scheduler_name.RULE,
)

BY_ID: dict[str, Rule] = {rule.id: rule for rule in ALL}
