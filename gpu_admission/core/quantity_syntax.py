"""The syntax of quantities: number, fraction and suffix of a text (`quantity.go`, `suffix.go`)."""

from __future__ import annotations

from .go_arithmetic import MAX_INT64, int32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_DIGITS: Final = "0123456789"
DECIMAL_SUFFIXES: Final = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
BINARY_SUFFIXES: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
BINARY_LADDER: Final = ("", *BINARY_SUFFIXES)


def split(text: str) -> tuple[str, str, str]:
    """Return the digits before and after the point, and the rest, of a text that is not empty."""
    unsigned = text[1:] if text[0] in "+-" else text
    rest = unsigned.lstrip(_DIGITS)
    whole = unsigned[: len(unsigned) - len(rest)]
    if not rest.startswith("."):
        return whole, "", rest
    suffix = rest[1:].lstrip(_DIGITS)
    return whole, rest[1 : len(rest) - len(suffix)], suffix


def exponent_of(suffix: str) -> int | None:
    """Read `e3` or `E-3`: an int64, of which Go keeps the low 32 bits (`"1e4294967296"` is 1)."""
    if suffix[0] not in "eE":
        return None
    unsigned = suffix[2:] if suffix[1:2] in ("+", "-") else suffix[1:]
    digits = unsigned.lstrip("0")
    if not unsigned.isdigit() or len(digits) > 19:
        return None
    exponent = int(digits or "0")
    if suffix[1] == "-":
        exponent = -exponent
    return int32(exponent) if -MAX_INT64 - 1 <= exponent <= MAX_INT64 else None


def binary(whole: int) -> str:
    """Return a whole number with the largest binary suffix that leaves no fraction."""
    step = 0
    while whole and whole % 1024 == 0 and step < len(BINARY_LADDER) - 1:
        whole //= 1024
        step += 1
    return f"{whole}{BINARY_LADDER[step]}"
