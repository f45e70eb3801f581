"""Error messages for invalid quantities: the reason, and what to write instead."""

from __future__ import annotations

from .quantity import decode
from .raw import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_SHOWN: Final = 40  # characters of the value that a message repeats
_ADVISED: Final = 100  # a longer text is not a mistyped number and gets no suggestion

_GENERAL: Final = (
    "write a number, if need be with one suffix: n u m k M G T P E, Ki Mi Gi Ti Pi Ei, or an exponent like e3"
)
_DIGITS: Final = "0123456789"
_NUMBER: Final = "+-.0123456789"
_BYTES: Final = ("bytes", "byte", "b")


def explain(raw: object) -> str:
    """Return one line with the reason why `parse` rejects `raw`, and what was probably meant."""
    return f"{_shown(raw)} is not a Kubernetes quantity: {_reason(raw)}"


def _shown(raw: object) -> str:
    if isinstance(raw, str):
        return f'"{escape(raw[:_SHOWN])}{"…" if len(raw) > _SHOWN else ""}"'
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, dict):
        return "a mapping"
    if isinstance(raw, (list, tuple)):
        return "a list"
    if isinstance(raw, float):
        return f"{raw}"
    return "a number of this size" if isinstance(raw, int) else f"a value of type {type(raw).__name__}"


def _reason(raw: object) -> str:
    if isinstance(raw, str):
        return _reason_of_text(raw)
    if isinstance(raw, bool):
        return "write a number (unquoted true, yes and on are booleans in YAML)"
    if isinstance(raw, float):
        return "it is not finite"
    if isinstance(raw, int):
        return "it does not fit any number type of Kubernetes"
    return 'write one number, such as 1 or "8Gi"'


def _reason_of_text(text: str) -> str:
    bare = text.strip()
    if not bare:
        return "it is empty; write a number or leave the key out"
    if len(text) > _ADVISED:
        return _GENERAL
    for look in (_whitespace, _foreign_digits, _separators, _hexadecimal, _arithmetic, _shape, _suffix):
        reason = look(bare, text)
        if reason:
            return reason
    return _GENERAL


def _instead(meant: str) -> str:
    """Return the clause that suggests a replacement; empty where that would be rejected too."""
    return "" if decode(meant) is None else f': write "{meant}"'


def _whitespace(bare: str, text: str) -> str:
    joined = "".join(bare.split())
    if joined != bare:
        if decode(joined) is None and joined[0] in _NUMBER:
            return f"white space inside it is not allowed, and {_reason_of_text(joined)}"
        return f"white space inside it is not allowed{_instead(joined)}"
    if bare != text and _instead(bare):
        return f"there is a tab or line break before or after the number{_instead(bare)}"
    return ""


def _foreign_digits(bare: str, _text: str) -> str:
    if bare.isascii() or not any(char.isdecimal() and not char.isascii() for char in bare):
        return ""
    plain = "".join(str(int(char)) if char.isdecimal() else char for char in bare)
    return f"only the digits 0 to 9 are accepted{_instead(plain)}"


def _separators(bare: str, _text: str) -> str:
    if "_" in bare:
        return f"underscores may not separate digits{_instead(bare.replace('_', ''))}"
    if "," not in bare:
        return ""
    groups = bare.split(",")
    if len(groups) == 2 and len(groups[1].rstrip("kKMGTPEimnub")) != 3:
        return f"the decimal sign is a point{_instead('.'.join(groups))}"
    return f"commas may not separate digits{_instead(''.join(groups))}"


def _arithmetic(bare: str, _text: str) -> str:
    if bare[-1] == "%":
        return "a percentage is not a quantity"
    return 'write a fraction as a decimal number: 1/2 is "0.5"' if "/" in bare else ""


def _hexadecimal(bare: str, _text: str) -> str:
    lowered = bare.lower()
    for prefix, base in (("0x", 16), ("0o", 8), ("0b", 2)):
        if lowered.startswith(prefix):
            try:
                return f"only decimal numbers are accepted{_instead(str(int(lowered[2:], base)))}"
            except ValueError:
                return "only decimal numbers are accepted"
    return ""


def _shape(bare: str, _text: str) -> str:
    if bare[:2] in ("--", "++", "+-", "-+"):
        return f"it has two signs{_instead(bare[1:])}"
    number = bare[: len(bare) - len(bare.lstrip(_NUMBER))]
    if not number.strip("+-."):
        return _no_number(bare.lstrip("+-."))
    if number.count(".") > 1:
        return "it has two decimal points"
    if "-" in number[1:] or "+" in number[1:]:
        return "write a single number, not a sum or a range"
    return ""


def _no_number(suffix: str) -> str:
    if decode("1" + suffix) is not None:
        return f"there is no number before the suffix{_instead('1' + suffix)}"
    return "it is not a number" if suffix.isalpha() else ""


def _suffix(bare: str, _text: str) -> str:
    suffix = bare.lstrip(_NUMBER)
    number = bare[: len(bare) - len(suffix)]
    if suffix[:1] in ("e", "E") and suffix not in _KNOWN:
        return _exponent(number, suffix)
    if suffix == "K":
        return f"the suffix for 1000 is a lower-case k (Ki is 1024){_instead(number + 'k')}"
    lowered = suffix.lower()
    for unit in _BYTES:
        short = lowered.removesuffix(unit)
        if short != lowered:
            meant = _spelled(short)
            return "" if meant is None else f"the unit is bytes already, leave out the B{_either(number, meant)}"
    meant = _spelled(lowered)
    if meant is not None:
        return f"suffixes are case-sensitive, {suffix} is not one{_either(number, meant)}"
    return f"{suffix} is not a suffix; {_GENERAL}" if suffix.isalpha() else ""


def _either(number: str, suffix: str) -> str:
    """Suggest both sizes that GB or g can mean."""
    advice = _instead(number + suffix)
    if advice and suffix in ("k", "M", "G", "T", "P", "E"):
        return f'{advice}, or "{number}{suffix.upper()}i" in steps of 1024'
    return advice


def _exponent(number: str, suffix: str) -> str:
    power = suffix[1:].lstrip("+-")
    digits = power[: len(power) - len(power.lstrip(_DIGITS))]
    unit = power[len(digits) :]
    if not power:
        return f"an exponent needs digits{_instead(number)}"
    if digits and unit in _KNOWN:
        return f"an exponent and the suffix {unit} exclude each other"
    if digits and not unit:
        return "its exponent is too large"
    return "an exponent is a whole number, as in 1e3" if digits else ""


_KNOWN: Final = ("n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def _spelled(lowered: str) -> str | None:
    """Return the suffix that equals `lowered` but for its case; m is read as M: milli makes no sense for a size."""
    for suffix in ("", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "n", "u"):
        if suffix.lower() == lowered:
            return suffix
    return None
