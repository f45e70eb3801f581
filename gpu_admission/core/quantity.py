"""Kubernetes quantities: exact, in linear time, accepted and rejected as by the API server.

The model is `k8s.io/apimachinery/pkg/api/resource` v0.36 (`quantity.go`, `amount.go`, `scale_int.go`,
`suffix.go`) and `ValidateResourceQuantityValue` of `k8s.io/kubernetes/pkg/apis/core/validation` 1.36.
Overflows of Go's fixed-width arithmetic are reproduced where they decide whether a value is accepted. Exponents are
never expanded: a value is a string of digits and a power of ten, so that `"1e1000000"` costs as much as `"1"`, and no
integer of more than 128 digits is ever built.
"""

from __future__ import annotations

from .go_arithmetic import (
    MAX_INT64,
    binary_nanos,
    int32,
    json_float,
    nanos_are_integer,
    plus_one,
    round_up,
    scaled_is_integer,
)
from .quantity_syntax import BINARY_SUFFIXES, DECIMAL_SUFFIXES, binary, exponent_of, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

KIB: Final = 2**10
MIB: Final = 2**20
GIB: Final = 2**30

# What `strings.TrimSpace` trims after JSON decoding: Go writes tabs, line breaks and U+2028/9 as escapes, and
# `Quantity.UnmarshalJSON` reads the escaped text.
_SPACES: Final = (
    " \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
)

_DECIMAL_SI: Final = "DecimalSI"
_DECIMAL_EXPONENT: Final = "DecimalExponent"
_BINARY_SI: Final = "BinarySI"

_SUFFIX_OF_EXPONENT: Final = {exponent: suffix for suffix, exponent in DECIMAL_SUFFIXES.items()}

_MAX_FAST_DIGITS: Final = 18  # Go keeps up to this many digits in an int64, more in a big decimal
_NANO: Final = -9
_MILLI: Final = -3
# Up to here `MilliValue` of a plain integer cannot overflow: fifteen digits times a thousand.
_MAX_PLAIN_DIGITS: Final = 15


class QuantityError(ValueError):
    """A value that the API server cannot decode as a quantity; the message has the reason and what to write instead."""


class Quantity:
    """An amount as decoded by the API server: made by `parse`, immutable, compared by value.

    `"1"`, `"1000m"` and `"1e0"` are equal and have one hash. An amount below 1n has become 1n, one with a
    binary suffix above 2**63-1 has become 2**63-1.
    """

    __slots__ = ("_digits", "_exponent", "_format", "_kept", "is_integer", "is_negative")

    is_integer: bool
    """The API server's test for extended resources: `MilliValue() % 1000 == 0` in wrapping int64.

    It is not exact: `"0.9999"` passes (rounded up to 1000m), `"1Ei"` fails (it overflows).
    """
    is_negative: bool
    """Whether it is less than zero; `"-0"` is not."""

    # The value is (-1 if is_negative) * int(_digits) * 10**_exponent; _digits has no zero at either end.
    _digits: str
    _exponent: int
    _format: str
    _kept: str | None

    def __init__(
        self,
        digits: str,
        exponent: int,
        form: str,
        *,
        is_negative: bool = False,
        is_integer: bool = True,
        kept: str | None = None,
    ) -> None:
        significant = digits.lstrip("0")
        stripped = significant.rstrip("0")
        write = object.__setattr__
        write(self, "_digits", stripped)
        write(self, "_exponent", exponent + len(significant) - len(stripped) if stripped else 0)
        write(self, "_format", form)
        write(self, "_kept", kept)
        write(self, "is_integer", is_integer)
        write(self, "is_negative", is_negative and stripped != "")

    def __setattr__(self, name: str, _value: object) -> NoReturn:
        raise AttributeError(f"a Quantity is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a Quantity is immutable: cannot delete {name}")

    def __reduce__(self) -> tuple[object, ...]:  # copying and pickling would set attributes
        return _remade, ({name: getattr(self, name) for name in self.__slots__},)

    @property
    def is_zero(self) -> bool:
        """Whether it is exactly zero. `"0.0000000001"` is not: it has been rounded up to 1n."""
        return not self._digits

    def in_thousandths(self) -> Quantity:
        """Return the amount as the API server defaults it in a container's resources: rounded up to whole 1/1000.

        `"0.9999"` is `1` there, so that a limit of `1` and a request of `"0.9999"` are equal
        (`SetDefaults_ResourceList` of k8s.io/kubernetes `pkg/apis/core/v1`). Up is away from zero.
        """
        surplus = _MILLI - self._exponent
        if surplus <= 0:
            return self
        kept = self._digits[:-surplus] or "0"  # the digits dropped do not end in 0, so they are not zero
        up = plus_one(kept)
        return Quantity(up, _MILLI, self._format, is_negative=self.is_negative, is_integer=self.is_integer)

    def ceil(self) -> int:
        """Return the amount in whole units, rounded away from zero and held within int64.

        As Go's `Value()` where that does not overflow; where it does (`"1e1000000"` gives 0 there), the nearest int64.
        (Go's result for a negative amount of many digits is off by one or more.)
        """
        places = len(self._digits) + self._exponent
        if places > 19:
            whole = MAX_INT64 + 1
        elif self._exponent >= 0:
            whole = int(self._digits or "0") * 10**self._exponent
        else:  # there is a fraction: the last digit is never 0
            whole = int(self._digits[: max(places, 0)] or "0") + 1
        return -min(whole, MAX_INT64 + 1) if self.is_negative else min(whole, MAX_INT64)

    def __str__(self) -> str:
        """Return the text that Go writes when it serialises the decoded quantity.

        A nearly canonical text is kept (`"+2"`, `"1e3"`, `"2."`), every other is rewritten (`"0.5"` to `"500m"`).
        Beyond 10**20 Go has no suffix and **drops the factor**: `"1000E"` becomes `"1"`. `canonical` does not.
        """
        return self._written(lossy=True) if self._kept is None else self._kept

    def __repr__(self) -> str:
        return f"<Quantity {self.canonical()}>"

    def canonical(self) -> str:
        """Return the canonical text of this value, with the family of suffixes it was written with.

        The largest suffix without a fraction, no sign but a minus: `"+2"` gives `"2"`, `"1.5Gi"` gives
        `"1536Mi"`. It is Go's `CanonicalizeBytes`, and `parse` reads it back as an equal value (not for
        exponents beyond int32, which wrap).
        """
        return self._written(lossy=False)

    def _written(self, *, lossy: bool) -> str:
        sign = "-" if self.is_negative else ""
        if self._format == _BINARY_SI and self._exponent >= 0:
            whole = int(self._digits or "0") * 10**self._exponent
            if whole >= KIB:
                return sign + binary(whole)
        exponent = int32(self._exponent)
        zeros = exponent % 3
        exponent = int32(exponent - zeros)
        suffix = None if self._format == _DECIMAL_EXPONENT else _SUFFIX_OF_EXPONENT.get(exponent)
        if suffix is None:
            plain = exponent == 0 or (lossy and self._format != _DECIMAL_EXPONENT)
            suffix = "" if plain else f"e{exponent}"
        return f"{sign}{self._digits or '0'}{'0' * zeros}{suffix}"

    def __hash__(self) -> int:
        return hash((self.is_negative, self._digits, self._exponent))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        return (
            self._exponent == other._exponent
            and self._digits == other._digits
            and self.is_negative == other.is_negative
        )

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Quantity):
            return NotImplemented
        if self.is_negative != other.is_negative:
            return self.is_negative
        small, large = (other, self) if self.is_negative else (self, other)
        return small._magnitude() < large._magnitude()

    def __gt__(self, other: object) -> bool:
        return other < self if isinstance(other, Quantity) else NotImplemented

    def __le__(self, other: object) -> bool:
        return not other < self if isinstance(other, Quantity) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return not self < other if isinstance(other, Quantity) else NotImplemented

    def _magnitude(self) -> tuple[bool, int, str]:
        # With equal powers of ten, digits without zeros at the ends sort as strings.
        return bool(self._digits), len(self._digits) + self._exponent, self._digits


def _remade(fields: dict[str, object]) -> Quantity:
    made = object.__new__(Quantity)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


# Nearly every quantity of a GPU is one of these.
_COMMON: Final = {str(count): Quantity(str(count), 0, _DECIMAL_SI, kept=str(count)) for count in range(1, 17)}


def parse(raw: object) -> Quantity:
    """Decode one value of `resources.limits` or `.requests`, as it stands in a JSON or YAML object.

    `raw` is a string, an int, a float (read as Go's JSON encoder writes it, ints beyond int64 too) or None (zero).
    Raises QuantityError, and nothing else, for values that the API server cannot decode.
    """
    text = raw if type(raw) is str else _text_of(raw)
    common = _COMMON.get(text)
    if common is not None:
        return common
    plain = len(text) <= _MAX_PLAIN_DIGITS and text.isascii() and text.isdigit() and text[0] != "0"
    if plain:
        return Quantity(text, 0, _DECIMAL_SI, kept=None if text.endswith("000") else text)
    quantity = decode(text.strip(_SPACES))
    if quantity is None:
        raise _refused(raw)
    return quantity


def _refused(raw: object) -> QuantityError:
    from .quantity_hint import explain  # noqa: PLC0415 - start-up time: needed only for invalid values

    return QuantityError(explain(raw))


def _text_of(raw: object) -> str:
    """Return what Go's JSON encoder writes for `raw`, without the quotes."""
    if isinstance(raw, str):
        return str.__str__(raw)
    if raw is None:
        return "0"
    if isinstance(raw, bool):
        raise _refused(raw)
    if isinstance(raw, int):
        if -MAX_INT64 - 1 <= raw <= MAX_INT64:
            return int.__repr__(raw)
        try:
            raw = float(raw)  # Kubernetes' JSON decoder only has int64 and float64
        except OverflowError:
            raise _refused(raw) from None
    if not isinstance(raw, float) or raw - raw != 0:  # infinities and NaN
        raise _refused(raw)
    return json_float(float(raw))


def decode(text: str) -> Quantity | None:
    """Return what Go's `ParseQuantity` returns for a trimmed text; None where it returns an error."""
    if not text or not text.isascii():
        return None
    whole, fraction, suffix = split(text)
    if suffix in BINARY_SUFFIXES:
        return _binary_quantity(text, whole, fraction, BINARY_SUFFIXES[suffix])
    if suffix in DECIMAL_SUFFIXES:
        return _decimal_quantity(text, whole, fraction, DECIMAL_SUFFIXES[suffix], _DECIMAL_SI)
    exponent = exponent_of(suffix)
    if exponent is None:
        return None
    return _decimal_quantity(text, whole, fraction, exponent, _DECIMAL_EXPONENT)


def _decimal_quantity(text: str, whole: str, fraction: str, exponent: int, form: str) -> Quantity | None:
    negative = text[0] == "-"
    scale = int32(exponent - len(fraction))
    digits = (whole.lstrip("0") or "0") + fraction
    if len(digits) <= _MAX_FAST_DIGITS and scale >= _NANO:
        keep = scale % 3 == 0 and digits[0] != "0" and not digits.endswith("000")
        value = -int(digits) if negative else int(digits)
        integer = scaled_is_integer(value, scale)
        kept = text if keep else None
        return Quantity(digits, scale, form, is_negative=negative, is_integer=integer, kept=kept)
    if not whole and not fraction:
        return None  # "e3" is 0 on the path above, but "e-10" is an error
    shift = int32(9 - int32(len(fraction) + int32(-exponent)))
    nanos, shift = round_up(whole + fraction, shift)
    integer = nanos_are_integer(nanos, shift, negative)
    return Quantity(nanos, shift + _NANO, form, is_negative=negative, is_integer=integer)


def _binary_quantity(text: str, whole: str, fraction: str, exponent: int) -> Quantity | None:
    negative = text[0] == "-"
    digits = whole.lstrip("0") or "0"
    if not fraction and len(digits) + exponent * 3 // 10 <= 14:
        value = int(digits) << exponent
        integer = scaled_is_integer(value, 0)
        kept = text if int(digits) % 8 else None
        return Quantity(str(value), 0, _BINARY_SI, is_negative=negative, is_integer=integer, kept=kept)
    if not whole and not fraction:
        return None  # "Gi" is 0 on the path above, but "Ei" is an error
    amount = binary_nanos(digits, fraction, exponent)
    if amount > MAX_INT64 * 10**9:  # capped, and then an integer: 1000 * (2**63 - 1) wraps to -1000
        return Quantity(str(MAX_INT64), 0, _BINARY_SI, is_negative=negative)
    nanos = str(amount)
    integer = nanos_are_integer(nanos, 0, negative)
    return Quantity(nanos, _NANO, _BINARY_SI, is_negative=negative, is_integer=integer)
