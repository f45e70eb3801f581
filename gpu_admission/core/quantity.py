"""Placeholder until the exact quantities land (next commit)."""

from __future__ import annotations


class QuantityError(ValueError): ...


class Quantity:
    def __init__(self, n: float) -> None:
        self.n = n

    @property
    def is_zero(self) -> bool:
        return self.n == 0

    @property
    def is_negative(self) -> bool:
        return self.n < 0

    @property
    def is_integer(self) -> bool:
        return self.n == int(self.n)

    def __eq__(self, o: object) -> bool:
        return isinstance(o, Quantity) and o.n == self.n

    def __hash__(self) -> int:
        return hash(self.n)


def parse(raw: object) -> Quantity:
    try:
        return Quantity(float(raw))  # type: ignore
    except Exception as e:
        raise QuantityError(str(e)) from e
