"""Messages about quantities: what to write instead of an invalid one, and amounts of bytes."""

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gpu_admission.core.byte_amounts import exact_bytes, format_bytes
from gpu_admission.core.quantity import GIB, KIB, MIB, QuantityError, parse

MAX_INT64 = 2**63 - 1


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
                'white space inside it is not allowed, and the unit is bytes already, leave out the B: write "8Gi"',
            ),
            ("8 bytes", 'leave out the B: write "8"'),
            ("one gpu", "white space inside it is not allowed"),
            ("8B", 'leave out the B: write "8"'),
            ("8 Gi", 'white space inside it is not allowed: write "8Gi"'),
            ("1\n", 'there is a tab or line break before or after the number: write "1"'),
            ("80gi", 'suffixes are case-sensitive, gi is not one: write "80Gi"'),
            ("80g", 'suffixes are case-sensitive, g is not one: write "80G", or "80Gi" in steps of 1024'),
            ("1,000", 'commas may not separate digits: write "1000"'),
            ("1,5", 'the decimal sign is a point: write "1.5"'),
            ("1_000", 'underscores may not separate digits: write "1000"'),
            (
                True,
                "true is not a Kubernetes quantity: write a number (unquoted true, yes and on are booleans in YAML)",
            ),
            ("", "it is empty; write a number or leave the key out"),
            ("   ", "it is empty"),
            ("0x10", 'only decimal numbers are accepted: write "16"'),
            ("0xyz", "only decimal numbers are accepted"),
            ("\uff11\uff16", 'only the digits 0 to 9 are accepted: write "16"'),
            ("\u0661Gi", 'only the digits 0 to 9 are accepted: write "1Gi"'),
            ("1e3m", "an exponent and the suffix m exclude each other"),
            ("1e", 'an exponent needs digits: write "1"'),
            ("1e9223372036854775808", "its exponent is too large"),
            ("1e3.5", "an exponent is a whole number, as in 1e3"),
            ("half", '"half" is not a Kubernetes quantity: it is not a number'),
            ("Ei", 'there is no number before the suffix: write "1Ei"'),
            ("1.1.1", "it has two decimal points"),
            ("--1", "it has two signs"),
            ("1-2", "write a single number, not a sum or a range"),
            ("1/2", 'write a fraction as a decimal number: 1/2 is "0.5"'),
            ("50%", "a percentage is not a quantity"),
            ("1mm", "mm is not a suffix; write a number, if need be with one suffix"),
            ("1Gi8", "write a number, if need be with one suffix"),
            ([1], 'a list is not a Kubernetes quantity: write one number, such as 1 or "8Gi"'),
            ({"a": 1}, "a mapping is not a Kubernetes quantity"),
            (math.nan, "nan is not a Kubernetes quantity: it is not finite"),
            (-math.inf, "-inf is not"),
            (10**400, "a number of this size is not a Kubernetes quantity"),
            (b"1", "a value of type bytes is not"),
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
    @example("\x1f")  # white space to Python, not to Go
    @example("1\x1f")
    @example("1\u20282")
    def test_never_advises_what_would_be_refused(self, raw):
        try:
            parse(raw)
        except QuantityError as error:
            for advice in re.findall(r'(?:: write|, or) "([^"]*)"', str(error).partition(" is not a ")[2]):
                assert parse(advice) is not None


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
