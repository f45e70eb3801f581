"""Go's arithmetic of int32, int64, float64 and big decimals, as `quantity` needs it.

The functions follow `scale_int.go`, `math.go` and `amount.go` of `k8s.io/apimachinery/pkg/api/resource`
v0.36, overflows included, without ever expanding an exponent.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MAX_INT64: Final = 2**63 - 1

# Any number times 10**70 is a multiple of 10**6 * 2**64: all that Go's `Int64` uses of a quotient by 10**6.
_VISIBLE_DIGITS: Final = 70
# A decimal digit beyond the 69th cannot move `fraction * 2**60` across a multiple of 10**-9: with 9 + 60
# digits the steps between such multiples are whole. It only matters for rounding up.
_BINARY_FRACTION_DIGITS: Final = 69


def json_float(number: float) -> str:
    """Write a float as Go's `encoding/json` does: plain from 1e-6 up to 1e21, with an exponent outside."""
    mantissa, _, exponent = repr(number).partition("e")
    if number == 0 or 1e-6 <= abs(number) < 1e21:
        if not exponent:
            return mantissa.removesuffix(".0")
        sign, digits = ("-", mantissa[1:]) if number < 0 else ("", mantissa)
        whole, _, fraction = digits.partition(".")
        power = int(exponent)
        if power < 0:
            return f"{sign}0.{'0' * (-power - 1)}{whole}{fraction}"
        return f"{sign}{whole}{fraction.ljust(power, '0')}"
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"


def binary_nanos(digits: str, fraction: str, exponent: int) -> int:
    """Return `digits.fraction` * 2**exponent in 1e-9, rounded up; anything too large as 2**64 units."""
    if len(digits) > 19:
        return 2**64 * 10**9
    shown = fraction[:_BINARY_FRACTION_DIGITS]
    if fraction[_BINARY_FRACTION_DIGITS:].strip("0"):
        shown += "1"
    parts: int = 10 ** len(shown)
    return -((int(digits + shown) * 10**9 << exponent) // -parts)


def round_up(digits: str, shift: int) -> tuple[str, int]:
    """Return `digits` * 10**shift as a whole number, rounded up, in the same form with shift >= 0."""
    if shift >= 0 or not digits.strip("0"):
        return digits, max(shift, 0)
    kept = digits[:shift]
    if not digits[len(kept) :].strip("0"):
        return kept, 0
    nines = len(kept) - len(kept.rstrip("9"))
    head = kept[: len(kept) - nines] or "0"
    return head[:-1] + str(int(head[-1]) + 1) + "0" * nines, 0


def scaled_is_integer(value: int, scale: int) -> bool:
    """Return whether Go takes an int64 `value` * 10**scale with scale >= -9 for an integer."""
    shift = scale + 3
    if shift < 0:
        step: int = 10**-shift
        return -(abs(value) // -step) % 1000 == 0
    if shift == 0 or shift > 2**31 - 1:  # beyond, the int32 has wrapped and Go's loop does not run
        return value % 1000 == 0
    if shift in (1, 2, 3, 6, 9):
        return _remainder_of_1000(value * 10**shift) == 0  # these return the overflowed product
    return True  # and the others 0 if it overflows


def nanos_are_integer(digits: str, shift: int, negative: bool) -> bool:
    """Return whether Go takes a big decimal of `digits` * 10**shift nanos for an integer."""
    visible = _VISIBLE_DIGITS - shift
    nanos = int(digits[-visible:]) * 10**shift if visible > 0 else 0
    if not negative:
        milli, rest = divmod(nanos, 10**6)
    else:  # a negative big decimal is cut to int64 before it is divided
        cut = int64(-nanos)
        milli, rest = abs(cut) // 10**6, abs(cut) % 10**6
        milli = -milli if cut < 0 else milli
    return _remainder_of_1000(milli + (rest != 0)) == 0


def _remainder_of_1000(number: int) -> int:
    return abs(int64(number)) % 1000


def int64(number: int) -> int:
    """Return the low 64 bits, as Go's conversion does."""
    return (number + 2**63) % 2**64 - 2**63


def int32(number: int) -> int:
    """Return the low 32 bits, as Go's conversion does."""
    return (number + 2**31) % 2**32 - 2**31


def plus_one(digits: str) -> str:
    """Add one to a number of any length without converting it."""
    kept = digits.rstrip("9")
    zeros = "0" * (len(digits) - len(kept))
    return f"{kept[:-1]}{int(kept[-1]) + 1}{zeros}" if kept else f"1{zeros}"
