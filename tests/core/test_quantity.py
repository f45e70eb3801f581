"""Quantities against Go's own verdicts, a list of hostile spellings, and the laws of an ordered value."""

import ast
import copy
import json
import math
import pickle
import re
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpu_admission.core import go_numbers, quantity
from gpu_admission.core.quantity import (
    GIB,
    KIB,
    MIB,
    Quantity,
    QuantityError,
    exact_bytes,
    format_bytes,
    parse,
)

MAX_INT64 = 2**63 - 1
GOLDEN = json.loads((Path(__file__).parent / "quantity_cases.json").read_text(encoding="utf-8"))


def shown(case):
    return ascii(case["raw"])[:40]


class TestGo:
    """The table was printed by a Go program around the real library; it names the versions."""

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
    """What kube-apiserver 1.36 said of `nvidia.com/gpu: <written>`."""

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
    """As a loader makes strings that know their line."""

    __slots__ = ()


class TestHints:
    @pytest.mark.parametrize(
        ("raw", "hint"),
        [
            (
                "1K",
                '"1K" is not a Kubernetes quantity: the suffix for 1000 is a lower-case k (Ki is 1024): write "1k"',
            ),
            ("8GB", 'leave out the B: write "8G", or "8Gi" in steps of 1024'),
            ("8GiB", 'leave out the B: write "8Gi"'),
            (
                "8 GiB",
                'no white space may stand inside it, and bytes are understood, leave out the B: write "8Gi"',
            ),
            ("8 bytes", 'leave out the B: write "8"'),
            ("one gpu", "no white space may stand inside it"),
            ("8B", 'leave out the B: write "8"'),
            ("8 Gi", 'no white space may stand inside it: write "8Gi"'),
            ("1\n", 'a tab or line break stands before or after the number: write "1"'),
            ("80gi", 'suffixes are case-sensitive, gi is none: write "80Gi"'),
            ("80g", 'suffixes are case-sensitive, g is none: write "80G", or "80Gi" in steps of 1024'),
            ("1,000", 'commas may not separate digits: write "1000"'),
            ("1,5", 'the decimal sign is a point: write "1.5"'),
            ("1_000", 'underscores may not separate digits: write "1000"'),
            (
                True,
                "true is not a Kubernetes quantity: write a number (unquoted true, yes and on are booleans in YAML)",
            ),
            ("", "it is empty; write a number or leave the key out"),
            ("   ", "it is empty"),
            ("0x10", 'only decimal numbers are read: write "16"'),
            ("0xyz", "only decimal numbers are read"),
            ("\uff11\uff16", 'only the digits 0 to 9 count: write "16"'),
            ("\u0661Gi", 'only the digits 0 to 9 count: write "1Gi"'),
            ("1e3m", "an exponent and the suffix m exclude each other"),
            ("1e", 'an exponent needs digits: write "1"'),
            ("1e9223372036854775808", "its exponent is too large"),
            ("1e3.5", "an exponent is a whole number, as in 1e3"),
            ("half", '"half" is not a Kubernetes quantity: it is not a number'),
            ("Ei", 'no number stands before the suffix: write "1Ei"'),
            ("1.1.1", "it has two decimal points"),
            ("--1", "it has two signs"),
            ("1-2", "write a single number, not a sum or a range"),
            ("1/2", 'write a fraction as a decimal number: 1/2 is "0.5"'),
            ("50%", "a percentage is no amount"),
            ("1mm", "mm is not a suffix; write a number, if need be with one suffix"),
            ("1Gi8", "write a number, if need be with one suffix"),
            ([1], 'a list is not a Kubernetes quantity: write one number, such as 1 or "8Gi"'),
            ({"a": 1}, "a mapping is not a Kubernetes quantity"),
            (math.nan, "nan is not a Kubernetes quantity: it is not finite"),
            (-math.inf, "-inf is not"),
            (10**400, "a number of this size is not a Kubernetes quantity"),
            (b"1", "a value of type bytes is not"),
            (Text("1K"), 'write "1k"'),
            ("\ud800", '"\\ud800" is not a Kubernetes quantity'),
            ("1\x00", '"1\\x00" is not'),
        ],
        ids=lambda value: ascii(value)[:40],
    )
    def test_says_what_to_write(self, raw, hint):
        with pytest.raises(QuantityError) as caught:
            parse(raw)
        assert hint in str(caught.value)

    def test_an_int_longer_than_python_writes(self):
        with pytest.raises(QuantityError, match="a number of this size is not a Kubernetes quantity"):
            parse(10**5000)
        assert format_bytes(10**5000) == "8Ei or more"

    def test_is_short_whatever_the_value(self):
        with pytest.raises(QuantityError) as caught:
            parse("x" * 100_000)
        assert len(str(caught.value)) < 250

    @given(st.one_of(st.text(), st.from_regex(r"[-+ ]?[0-9.,_]{1,6} ?[a-zA-Z]{0,4}", fullmatch=True)))
    @example("\x1f")  # white space to Python, none to Go
    @example("1\x1f")
    @example("1\u20282")
    def test_never_advises_what_would_be_refused(self, raw):
        try:
            parse(raw)
        except QuantityError as error:
            for advice in re.findall(r'(?:: write|, or) "([^"]*)"', str(error).partition(" is not a ")[2]):
                assert parse(advice) is not None


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
        # Both texts say whole * 10**(left + zeros); as they stay above 1n nothing is rounded.
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


HOSTILE = [
    "1e1000000",
    "1e-1000000",
    "12345678901234567890e1000000",
    "12345678901234567890e-1000000",
    "1e2147483647",
    "1e-2147483648",
    "12345678901234567890e2147483639",
    "12345678901234567890e-2147483648",
    "0e2147483647",
    "0e-2147483647",
    "-1e2000000000",
    "1e9223372036854775807",
    "1.5e2147483648",
    "1e" + "0" * 5000 + "3",
    "9" * 100_000,
    "-" + "9" * 100_000,
    "9" * 100_000 + "Ei",
    "0." + "9" * 100_000,
    "0." + "9" * 100_000 + "Ei",
    "0." + "0" * 100_000 + "1Ei",
    "1" + "0" * 100_000,
    "1" * 50_000 + "." + "1" * 50_000 + "e-50000",
    "1" * 100_000 + "e-100000",
    "1" * 100_000 + "e2000000000",
    "0" * 100_000 + "1",
]


class TestCost:
    """A short text must never become a large number, whatever its exponent; time is no evidence, memory is."""

    @pytest.fixture(autouse=True)
    def _shortest_int_conversion(self):
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(640)  # the least that Python takes: more digits raise ValueError
        yield
        sys.set_int_max_str_digits(before)

    @pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:24])
    def test_memory_is_bounded_by_the_text(self, text):
        other = parse("1.5")
        tracemalloc.start()
        try:
            read = parse(text)
            results = (str(read), read.canonical(), read.ceil(), read < other, read == other, hash(read))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(results) == 6
        assert peak < 16_384 + 12 * len(text)

    @pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:24])
    def test_no_long_integer_is_kept(self, text):
        longest = 0

        def trace(frame, _event, result):
            nonlocal longest
            if frame.f_globals.get("__name__") not in (quantity.__name__, go_numbers.__name__):
                return None
            held = [*frame.f_locals.values(), *(result if isinstance(result, tuple) else (result,))]
            longest = max([longest, *(value.bit_length() for value in held if type(value) is int)])
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            read = parse(text)
            read.ceil()
            read.canonical()
        finally:
            sys.settrace(before)
        assert 0 < longest < (10**128).bit_length()

    def test_start_up_pays_for_no_library(self):
        for module in (quantity, go_numbers):
            tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
            imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
            assert imported <= {"__future__", "gpu_admission.core.go_numbers"}
            assert not [node for node in tree.body if isinstance(node, ast.Import)]


class TestBytes:
    @pytest.mark.parametrize(
        ("count", "exact", "friendly"),
        [
            (0, "0", "0"),
            (1000, "1000", "1000"),
            (KIB, "1Ki", "1Ki"),
            (2048 * MIB, "2Gi", "2Gi"),
            (8589934592, "8Gi", "8Gi"),
            (1536 * MIB, "1536Mi", "1536Mi"),
            (8_000_000_000, "7812500Ki", "about 7.45Gi"),
            (8 * GIB - 1, "8589934591", "about 8.00Gi"),
            (1_234_567, "1234567", "1234567"),
            (12_345_678, "12345678", "about 11.77Mi"),
            (-2 * GIB, "-2Gi", "minus 2Gi"),
            (2**60, "1Ei", "1Ei"),
            (MAX_INT64, "9223372036854775807", "about 8.00Ei"),
            (10**30, None, "8Ei or more"),
        ],
    )
    def test_written_for_people(self, count, exact, friendly):
        assert format_bytes(count) == friendly
        if exact is not None:
            assert exact_bytes(count) == exact

    @pytest.mark.parametrize("count", [2**63, -(2**63), 2**200])
    def test_exact_refuses_what_would_be_cut_down(self, count):
        with pytest.raises(QuantityError, match="8Ei or more"):
            exact_bytes(count)

    @given(st.integers(-MAX_INT64, MAX_INT64))
    def test_exact_is_exact(self, count):
        assert parse(exact_bytes(count)).ceil() == count

    @given(st.integers(0, MAX_INT64))
    def test_friendly_is_exact_or_says_about(self, count):
        text = format_bytes(count)
        if text.startswith("about "):
            close = parse(text.removeprefix("about ")).ceil()
            assert abs(close - count) <= max(count // 100, 1)
        else:
            assert parse(text).ceil() == count


def test_a_quantity_is_made_by_parse_alone():
    assert type(parse("8Gi")) is Quantity
    assert parse("8") is parse("8")  # the common ones are shared, which immutability allows
