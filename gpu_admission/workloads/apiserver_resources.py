"""Whether the API server accepts the amounts of a resource name, for any resource.

It follows ``ValidateResourceRequirements`` of k8s.io/kubernetes ``pkg/apis/core/validation``; for known names the rules
GPU001 to GPU004 report the reason.
"""

from __future__ import annotations

from gpu_admission.core.quantity import QuantityError, parse

from .container import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def refused(name: str, limit: Any, request: Any) -> bool:
    """Return whether the API server rejects a resource's limit and request, raw, of which either may be MISSING.

    Resources outside of Kubernetes' own domain cannot be overcommitted and are counted in whole numbers.
    """
    try:
        amounts = [parse(raw).in_thousandths() for raw in (limit, request) if raw is not MISSING]
    except QuantityError:
        return True
    if any(amount.is_negative for amount in amounts):
        return True
    if "kubernetes.io/" in name:
        return len(amounts) > 1 and amounts[1] > amounts[0]
    whole = all(amount.is_integer for amount in amounts)
    return not whole or limit is MISSING or any(amount != amounts[0] for amount in amounts)
