"""Numbers of bytes as quantities, and as text for messages."""

from __future__ import annotations

from .go_arithmetic import MAX_INT64
from .quantity import KIB, QuantityError
from .quantity_syntax import BINARY_LADDER, binary


def exact_bytes(count: int) -> str:
    """Return a number of bytes as one exact quantity: 8589934592 gives `"8Gi"`, 1000 gives `"1000"`.

    Raises QuantityError beyond int64, where the API server would cap it.
    """
    if abs(count) > MAX_INT64:
        raise QuantityError("8Ei or more is not a valid quantity with a binary suffix")
    return ("-" if count < 0 else "") + binary(abs(count))


def format_bytes(count: int) -> str:
    """Return a number of bytes in a readable form: exact if that is short, otherwise `about` and two decimals.

    8589934592 gives `"8Gi"`, 1610612736 `"1536Mi"`, 8000000000 `"about 7.45Gi"`; from 2**63 on, beyond every quantity,
    `"8Ei or more"`.
    """
    if count < 0:
        return f"minus {format_bytes(-count)}"
    if count > MAX_INT64:
        return "8Ei or more"
    exact = binary(count)
    if len(exact) <= 7:
        return exact
    step = min((count.bit_length() - 1) // 10, len(BINARY_LADDER) - 1)
    hundredths = (count * 100 + KIB**step // 2) // KIB**step
    return f"about {hundredths // 100}.{hundredths % 100:02d}{BINARY_LADDER[step]}"
