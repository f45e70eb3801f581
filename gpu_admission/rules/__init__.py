"""The rules, one module each, in the order in which they are judged and their fixes applied."""

from __future__ import annotations

from . import (
    gpu001_request_without_limit,
    gpu002_request_differs_from_limit,
    gpu003_fractional_count,
    gpu004_invalid_quantity,
    gpu005_request_not_needed,
    gpu006_zero_gpus,
    gpu007_unknown_gpu_resource,
    gpu008_misplaced_gpu_resource,
    gpu009_too_many_gpus,
    gpu010_quota_item,
    gpu011_unknown_resources_key,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.core.rule import Rule

# 0xx the request itself, 1xx sharing, 2xx placement, 3xx isolation
ALL: tuple[Rule, ...] = (
    gpu001_request_without_limit.RULE,
    gpu002_request_differs_from_limit.RULE,
    gpu003_fractional_count.RULE,
    gpu004_invalid_quantity.RULE,
    gpu005_request_not_needed.RULE,
    gpu006_zero_gpus.RULE,
    gpu007_unknown_gpu_resource.RULE,
    gpu008_misplaced_gpu_resource.RULE,
    gpu009_too_many_gpus.RULE,
    gpu010_quota_item.RULE,
    gpu011_unknown_resources_key.RULE,
)

BY_ID: dict[str, Rule] = {rule.id: rule for rule in ALL}
