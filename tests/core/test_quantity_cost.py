"""Hostile quantities: a few characters must not cost more than a few characters."""

import ast
import sys
import tracemalloc
from pathlib import Path

import pytest

from gpu_admission.core import go_arithmetic, quantity, quantity_syntax
from gpu_admission.core.quantity import parse

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
    """A short text must never become a large number, with any exponent; measured by memory, not by time."""

    @pytest.fixture(autouse=True)
    def _shortest_int_conversion(self):
        before = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(640)  # the least that Python allows: more digits raise ValueError
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
            if frame.f_globals.get("__name__") not in (
                quantity.__name__,
                quantity_syntax.__name__,
                go_arithmetic.__name__,
            ):
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
        for module in (quantity, go_arithmetic):
            tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
            imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
            assert imported <= {"__future__", "go_arithmetic", "quantity_syntax"}
            assert not [node for node in tree.body if isinstance(node, ast.Import)]
