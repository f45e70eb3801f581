"""What the API server says of the amounts of one resource name, whatever the name stands for.

The rules GPU001 to GPU004 tell its reasons apart for names that are known; where only the verdict counts,
this is it: ``ValidateResourceRequirements`` of k8s.io/kubernetes ``pkg/apis/core/validation``.
"""

from __future__ import annotations

from gpu_admission.core.quantity import QuantityError, parse

from .container import MISSING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def refused(name: str, limit: Any, request: Any) -> bool:
    """Tell whether the API server refuses a name's limit and request, raw, of which either may be MISSING.

    What is not of Kubernetes' own domain cannot be overcommitted and comes in whole numbers.
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
