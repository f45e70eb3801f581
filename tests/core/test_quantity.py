"""Quantities against Go and the API server, and the laws of an ordered value."""

import copy
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpu_admission.core.quantity import Quantity, QuantityError, parse

MAX_INT64 = 2**63 - 1
GOLDEN = json.loads((Path(__file__).parent / "quantity_cases.json").read_text(encoding="utf-8"))


def shown(case):
    return ascii(case["raw"])[:40]


class TestGo:
    """Return the table, which a Go program printed with the real library; it has the versions."""

    @pytest.mark.parametrize("case", [c for c in GOLDEN["cases"] if c["decodes"]], ids=shown)
    def test_decodes(self, case):
        read = parse(case["raw"])
        seen = {
            "raw": case["raw"],
            "decodes": True,
            "sign": 0 if read.is_zero else -1 if read.is_negative else 1,
            "integer": read.is_integer,
            "text": str(read),
            "ceil": read.ceil(),
            "canonical": read.canonical(),
        }
        assert {field: seen[field] for field in case} == case

    @pytest.mark.parametrize("case", [c for c in GOLDEN["cases"] if not c["decodes"]], ids=shown)
    def test_does_not_decode(self, case):
        with pytest.raises(QuantityError, match=r"is not a Kubernetes quantity: \w"):
            parse(case["raw"])

    @pytest.mark.parametrize(("left", "right", "order"), GOLDEN["pairs"])
    def test_compares(self, left, right, order):
        left, right = parse(left), parse(right)
        assert (left < right, left == right, left > right) == (order < 0, order == 0, order > 0)
        assert (left <= right, left != right, left >= right) == (order <= 0, order != 0, order >= 0)

    def test_the_table_is_worth_its_name(self):
        cases = GOLDEN["cases"]
        assert len(cases) >= 1500
        assert len({json.dumps(case["raw"]) for case in cases}) == len(cases)
        assert sum(not case["decodes"] for case in cases) > 200
        assert sum(case.get("integer") is False for case in cases) > 200
        assert "v0.36" in GOLDEN["source"]


class TestApiServer:
    """Whether kube-apiserver 1.36 accepted `nvidia.com/gpu: <written>`."""

    @pytest.mark.parametrize(
        "raw",
        [
            1,
            "01",
            "+1",
            "1.",
            1.0,
            "1000m",
            "1000000u",
            "1e3",
            "1E6",
            "10e-1",
            "1k",
            "1Ki",
            "1E",
            "1.5Gi",
            " 1",
            "1 ",
        ],
    )
    def test_accepted(self, raw):
        read = parse(raw)
        assert read.is_integer
        assert not read.is_negative
        assert not read.is_zero

    @pytest.mark.parametrize("raw", [0, "-0", ".", "Gi", "e3", None, "+", "-"])
    def test_accepted_as_zero(self, raw):
        read = parse(raw)
        assert read.is_zero
        assert read.is_integer
        assert not read.is_negative
        assert read == parse(0)

    @pytest.mark.parametrize("raw", [0.5, ".5", "500m", "1500m", "1n", "5e-1", "0.1Ki", "1.0000000001", "0.0000000001"])
    def test_no_integer(self, raw):
        assert not parse(raw).is_integer

    @pytest.mark.parametrize("raw", ["1Ei", "99999999999999999999", "999999999999999999"])
    def test_no_integer_because_its_arithmetic_overflows(self, raw):
        assert not parse(raw).is_integer

    @pytest.mark.parametrize("raw", ["0.9999", "1e1000000", "9223372036854775808", "1e4294967296"])
    def test_integer_because_its_arithmetic_rounds_or_wraps(self, raw):
        assert parse(raw).is_integer

    @pytest.mark.parametrize("raw", [-1, "-1", "-1n", "-1e-30", "-1Gi", -0.5])
    def test_negative(self, raw):
        assert parse(raw).is_negative

    @pytest.mark.parametrize(
        ("raw", "text"),
        [
            ("0.5", "500m"),
            ("2000m", "2"),
            ("1e3", "1e3"),
            ("1Ki", "1Ki"),
            ("+2", "+2"),
            ("2.", "2."),
            (" 2 ", "2"),
            ("0.0000000001", "1n"),
            ("1024Ki", "1Mi"),
            ("1000E", "1"),  # Go has no suffix for 10**21
        ],
    )
    def test_written_back(self, raw, text):
        assert str(parse(raw)) == text


class Text(str):
    """A string of a loader that records lines."""

    __slots__ = ()


SUFFIXES = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
numbers = st.from_regex(r"[+-]?[0-9]{1,25}(\.[0-9]{0,25})?", fullmatch=True)
exponents = st.integers(-3000, 3000).map(lambda power: f"e{power}")
spellings = st.builds("".join, st.tuples(numbers, st.one_of(st.sampled_from(SUFFIXES), exponents)))
quantities = spellings.map(parse)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.binary(), st.text(), spellings),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=3,
)


class TestLaws:
    @given(anything)
    @example("\ud800")
    @example(10**10_000)
    @example(-(10**309))
    @example(5e-324)
    @example(1.7976931348623157e308)
    def test_raises_nothing_but_quantity_error(self, raw):
        try:
            read = parse(raw)
        except QuantityError:
            return
        assert parse(read.canonical()) == read
        assert str(read)
        assert -(2**63) <= read.ceil() <= MAX_INT64

    @given(quantities, quantities, quantities)
    def test_order_is_total(self, a, b, c):
        assert (a < b) + (a == b) + (a > b) == 1
        assert (a <= b) == (not a > b)
        assert (a >= b) == (b <= a)
        if a <= b <= c:
            assert a <= c

    @given(st.integers(-(10**30), 10**30), st.integers(0, 9), st.integers(-9, 9), st.integers(-9, 9))
    def test_equal_values_have_one_hash(self, whole, zeros, left, right):
        # Both texts are whole * 10**(left + zeros); above 1n nothing is rounded.
        a = parse(f"{whole}{'0' * zeros}e{left}")
        b = parse(f"{whole}{'0' * (left - right + zeros)}e{right}") if left - right + zeros >= 0 else a
        assert a == b
        assert hash(a) == hash(b)

    @given(st.integers(-(10**40), 10**40), st.integers(-(10**40), 10**40))
    def test_orders_as_the_numbers_do(self, left, right):
        a, b = parse(str(left)), parse(str(right))
        assert (a < b, a == b) == (left < right, left == right)

    @given(quantities)
    def test_canonical_text_is_read_back_as_the_same_value(self, read):
        again = parse(read.canonical())
        assert again == read
        assert hash(again) == hash(read)
        assert again.canonical() == read.canonical()

    @given(st.integers(-(2**63), MAX_INT64))
    def test_ceil_of_an_integer_is_itself(self, count):
        assert parse(count).ceil() == count
        assert parse(str(count)).ceil() == count

    @given(st.integers(0, 10**18), st.integers(1, 9))
    def test_ceil_rounds_up(self, count, places):
        assert parse(f"{count}e-{places}").ceil() == -(-count // 10**places)

    @given(st.integers(1, 10**15), st.sampled_from([10, 20, 30, 40, 50, 60]), st.integers(0, 30))
    def test_binary_fractions_are_exact_to_the_last_digit(self, nanos, power, zeros):
        suffix = SUFFIXES[9 + power // 10]
        digits = str(nanos * 5**power).rjust(power + 10, "0")  # nanos * 10**-9 / 2**power, in full
        text = f"{digits[: -power - 9]}.{digits[-power - 9 :]}"
        assert parse(text + suffix) == parse(f"{nanos}n")
        assert parse(text + "0" * zeros + "1" + suffix) == parse(f"{nanos + 1}n")

    @given(st.floats(min_value=1e-8, max_value=1e15))
    def test_a_float_is_read_as_its_decimal_digits(self, number):
        assert parse(number) == parse(repr(number))

    def test_never_equals_or_sorts_with_another_type(self):
        assert parse(1) != 1
        for compare in ("__lt__", "__le__", "__gt__", "__ge__"):
            assert getattr(parse(1), compare)(1) is NotImplemented

    def test_a_string_that_knows_its_line_reads_like_any_other(self):
        assert parse(Text("8Gi")) == parse("8Gi")
        assert type(str(parse(Text("8")))) is str
        with pytest.raises(QuantityError, match='write "1k"'):
            parse(Text("1K"))

    def test_is_immutable(self):
        read = parse("1500m")
        for name in ("is_integer", "is_negative", "_digits", "anything"):
            with pytest.raises(AttributeError):
                setattr(read, name, 1)
            with pytest.raises(AttributeError):
                delattr(read, name)

    @pytest.mark.parametrize("raw", ["8", "1500m", "-1e3", "1.5Gi", "1Ei", None])
    def test_survives_copying_and_pickling(self, raw):
        read = parse(raw)
        for again in (copy.copy(read), copy.deepcopy(read), pickle.loads(pickle.dumps(read))):
            assert again == read
            assert (str(again), again.is_integer) == (str(read), read.is_integer)

    def test_shows_itself(self):
        assert repr(parse("+1500m")) == "<Quantity 1500m>"


def test_a_quantity_is_made_by_parse_alone():
    assert type(parse("8Gi")) is Quantity
    assert parse("8") is parse("8")  # the common ones are shared, which immutability allows
