"""YAML scalars as Kubernetes reads them: text -> value, and which text needs quotes to be a string.

Kubernetes reads YAML with sigs.k8s.io/yaml: go.yaml.in/yaml/v2 converts YAML 1.1 scalars to Go values, which are
encoded as JSON, and decoded into the object. Both steps are reproduced here, so `1e3` and `5.` become the integers 1000
and 5 (as Go encodes them), `2024-01-01` and `1:30` strings, `on` true. tests/manifests/scalars.json has the library's
results for some thousand scalars.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    Scalar = str | int | float | bool | None

_INF: Final = float("inf")
WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], float("nan")),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], _INF),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], -_INF),
}
# A plain scalar that begins with any other character is a string.
_NUMERIC: Final = frozenset("0123456789+-.")
_MAYBE_OTHER: Final = _NUMERIC | frozenset("yYnNtTfFoO~")

_DIGITS: Final = {2: frozenset("01"), 8: frozenset("01234567"), 10: frozenset("0123456789")}
_DIGITS[16] = frozenset("0123456789abcdefABCDEF")
_PREFIXES: Final = {"x": 16, "X": 16, "b": 2, "B": 2, "o": 8, "O": 8}
_FLOAT: Final = frozenset("0123456789+-.eE_")
_LEAST, _MOST_SIGNED, _MOST = -(2**63), 2**63 - 1, 2**64 - 1
# In binary; Python's int() rejects some thousand decimal digits, and is slow for fewer.
_LONGEST: Final = 64
_NO_KEYS: Final = {type(None): "null", dict: "a map", list: "a list"}
# The first 64-bit float that rounds to infinity in 32 bits.
_FLOAT32_OVERFLOW: Final = (2 - 2**-24) * 2.0**127
TAG: Final = "tag:yaml.org,2002:"
_TIME = r"\d\d?:\d\d?:\d\d?(?:\.\d+)?"
# Start-up time: compiled at the first tag, because compiling a pattern takes a millisecond.
_TIMESTAMP: Final = rf"\d{{4}}-\d\d?-\d\d?(?:[Tt]{_TIME}(?:Z|[-+]\d\d:\d\d)| {_TIME})?"


class ScalarError(ValueError):
    """A scalar that Kubernetes rejects; the message has the reason."""


class Plain(dict[str, "Scalar"]):
    """A cache of plain scalars: `plain[text]` is the value that Kubernetes reads.

    Raises ScalarError for infinities and NaN, which JSON cannot hold.
    """

    __slots__ = ()

    def __missing__(self, text: str) -> Scalar:
        value = self[text] = as_json(go_value(text))
        return value


class Keys(dict[str, str]):
    """A cache of plain keys: `keys[text]` is the key in the object. Raises ScalarError for null."""

    __slots__ = ()

    def __missing__(self, text: str) -> str:
        key = self[text] = value_as_key(go_value(text))
        return key


def go_value(text: str) -> Scalar:
    """Return the value of a plain scalar without a tag in go.yaml.in/yaml/v2; infinities and NaN are floats."""
    if text and text[0] not in _MAYBE_OTHER:
        return text
    if text in WORDS:
        return WORDS[text]
    number = _number(text)
    return text if number is None else number


def as_json(value: Scalar) -> Scalar:
    """Return a Go value after a round trip through JSON, where integral floats below 1e21 look like integers.

    Raises ScalarError for infinities and NaN.
    """
    if not isinstance(value, float):
        return value
    if not -_INF < value < _INF:
        raise ScalarError("infinity and NaN are not valid JSON numbers, so Kubernetes cannot read them")
    if not value.is_integer() or abs(value) >= 1e21:
        return value
    # Beyond 2**53 Go writes the shortest digits that identify the float, then zeros.
    digits, _, exponent = repr(value).partition("e")
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    power: int = 10 ** (int(exponent or 0) - len(fraction))
    return int(whole + fraction) * power


def value_as_key(value: Any) -> str:
    """Return the key that Kubernetes converts a value to. Raises ScalarError for null, lists and maps."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, dict | list):
        raise ScalarError(f"{_NO_KEYS[type(value)]} cannot be a key")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if value >= 2**63:
            raise ScalarError(f"{value} cannot be a key: it does not fit into 64 bits with a sign")
        return str(value)
    return _float32_text(value)


def reads_as_string(text: str) -> bool:
    """Return whether a plain scalar with this text is read as the text itself, as a value and as a key."""
    return text not in {"<<", "="} and isinstance(go_value(text), str)


def _number(text: str) -> int | float | None:
    """Return the Go number of a scalar, or None where it is not a number to Go."""
    first = text[0]
    if first not in _NUMERIC:
        return None
    # Go removes all underscores; only what begins with a dot is passed to strconv.ParseFloat with them, which accepts
    # them between digits, as Python's float() does.
    digits = text if first == "." else text.replace("_", "")
    integer = None if first == "." else _integer(digits)
    return _float(digits) if integer is None else integer


def _integer(text: str) -> int | None:
    """Return the integer if it fits into an int64, or without a sign into a uint64, as in strconv."""
    if text[:3] in {"0b+", "0b-"}:  # go.yaml.in/yaml/v2 parses the text after the prefix, and accepts a sign there
        text = f"{text[2]}0b{text[3:]}"
    sign = text[:1] if text[:1] in {"+", "-"} else ""
    digits, base = text[len(sign) :], 10
    if len(digits) > 1 and digits[0] == "0":
        base = _PREFIXES.get(digits[1], 8)
        digits = digits[2:] if digits[1] in _PREFIXES else digits[1:]
    if not digits or not _DIGITS[base].issuperset(digits):
        return None
    significant = digits.lstrip("0") or "0"
    if len(significant) > _LONGEST:
        return None
    value = int(sign + significant, base)
    return value if _LEAST <= value <= (_MOST_SIGNED if sign else _MOST) else None


def _float(text: str) -> float | None:
    """Return a decimal float. Text out of range stays a string, because Go's ParseFloat returns an error."""
    if not _FLOAT.issuperset(text):
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if -_INF < value < _INF else None


def _float32_text(value: float) -> str:
    """Return strconv.FormatFloat(value, 'g', -1, 32), the conversion of floats that are keys."""
    from struct import pack, unpack  # noqa: PLC0415 - start-up time: needed only for floats as keys

    if value != value:  # noqa: PLR0124 - NaN
        return ".nan"
    if abs(value) >= _FLOAT32_OVERFLOW:
        return ".inf" if value > 0 else "-.inf"
    narrow = unpack("f", pack("f", value))[0]
    text = ""
    for decimals in range(9):  # nine digits identify every 32-bit float
        text = f"{narrow:.{decimals}e}"
        if unpack("f", pack("f", float(text)))[0] == narrow:
            break
    mantissa, _, exponent = text.partition("e")
    if not -4 <= int(exponent) < 6:
        return text
    decimals = max(len(mantissa.partition(".")[2]) - int(exponent), 0)
    return f"{float(text):.{decimals}f}"


def tagged(tag: str, text: str) -> Any:
    """Return the value of a scalar with a tag. Raises ScalarError where the text is not of that type."""
    name = tag.removeprefix(TAG)
    if name == "binary":
        return _binary(text)
    if name == "timestamp" and re.fullmatch(_TIMESTAMP, text):
        return text
    if name not in _TYPES:
        return text
    value = go_value(text)
    if name == "float" and type(value) is int and value < 2**63:
        value = float(value)
    if type(value) is not _TYPES[name]:
        raise ScalarError(f"cannot read {text[:40]!r} as !!{name}")
    return as_json(value)


# There are no timestamps: what looks like one is a string.
_TYPES: Final = {"bool": bool, "int": int, "float": float, "null": type(None), "timestamp": object}


def _binary(text: str) -> str:
    from binascii import a2b_base64  # noqa: PLC0415 - start-up time: needed only for !!binary

    try:
        return a2b_base64(text.replace("\r", "").replace("\n", ""), strict_mode=True).decode(errors="replace")
    except ValueError:
        raise ScalarError("!!binary is not valid base64") from None
