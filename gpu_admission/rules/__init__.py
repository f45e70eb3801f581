"""The rules, one module each, in the order in which they are judged and their fixes applied."""

from __future__ import annotations

from .guardrails import (
    gpu501_memory_and_cpu_request,
    gpu502_shared_memory,
    gpu503_job_time_limit,
    gpu504_node_targeting,
    gpu505_runtime_class_allowed,
    gpu506_namespace_not_allowed,
    gpu507_node_in_hand,
)
from .isolation import (
    gpu301_visible_devices,
    gpu302_visible_devices_void,
    gpu303_privileged_gpu,
    gpu304_device_host_path,
    gpu305_device_list_mount,
    gpu306_cdi_annotation,
    gpu307_spoofed_annotation,
    gpu308_isolation_switch,
    gpu309_host_namespace_mps,
    gpu310_unjudged_env_from,
)
from .placement import (
    gpu201_missing_toleration,
    gpu202_scheduler_name,
    gpu203_node_name,
    gpu204_runtime_class,
    gpu205_serverless_field,
    gpu206_toleration_without_gpu,
    gpu207_rollout_needs_spare_gpu,
    gpu208_toleration_key_typo,
    gpu209_node_label_value,
)
from .request import (
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
    gpu012_autoscaler_metric,
    gpu013_hidden_device,
)
from .sharing import (
    gpu101_portable_request,
    gpu102_untranslatable_request,
    gpu103_mixed_sharing,
    gpu104_shared_count,
    gpu105_memory_exceeds_card,
    gpu106_suspicious_unit,
    gpu107_backend_container_limit,
    gpu108_percent_out_of_range,
    gpu109_missing_queue,
    gpu110_unread_annotation,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gpu_admission.engine.rule import Rule

# 0xx the request itself, 1xx sharing, 2xx placement, 3xx isolation, 5xx guardrails
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
    gpu012_autoscaler_metric.RULE,
    gpu013_hidden_device.RULE,
    gpu101_portable_request.RULE,
    gpu102_untranslatable_request.RULE,
    gpu103_mixed_sharing.RULE,
    gpu104_shared_count.RULE,
    gpu105_memory_exceeds_card.RULE,
    gpu106_suspicious_unit.RULE,
    gpu107_backend_container_limit.RULE,
    gpu108_percent_out_of_range.RULE,
    gpu109_missing_queue.RULE,
    gpu110_unread_annotation.RULE,
    gpu201_missing_toleration.RULE,
    gpu202_scheduler_name.RULE,
    gpu203_node_name.RULE,
    gpu204_runtime_class.RULE,
    gpu205_serverless_field.RULE,
    gpu206_toleration_without_gpu.RULE,
    gpu207_rollout_needs_spare_gpu.RULE,
    gpu208_toleration_key_typo.RULE,
    gpu209_node_label_value.RULE,
    gpu301_visible_devices.RULE,
    gpu302_visible_devices_void.RULE,
    gpu303_privileged_gpu.RULE,
    gpu304_device_host_path.RULE,
    gpu305_device_list_mount.RULE,
    gpu306_cdi_annotation.RULE,
    gpu307_spoofed_annotation.RULE,
    gpu308_isolation_switch.RULE,
    gpu309_host_namespace_mps.RULE,
    gpu310_unjudged_env_from.RULE,
    gpu501_memory_and_cpu_request.RULE,
    gpu502_shared_memory.RULE,
    gpu503_job_time_limit.RULE,
    gpu504_node_targeting.RULE,
    gpu505_runtime_class_allowed.RULE,
    gpu506_namespace_not_allowed.RULE,
    gpu507_node_in_hand.RULE,
)

BY_ID: dict[str, Rule] = {rule.id: rule for rule in ALL}
