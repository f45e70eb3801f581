"""Shell patterns as RE2: they must match exactly what the engine's exemptions match."""

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_admission.policy.exemptions import NamePatterns
from gpu_admission.registration import globs

ACCOUNT = "system:serviceaccount:gpu-operator:driver"
# Brackets, with what is special in fnmatch or only in RE2.
LETTERS = st.sampled_from("ab-[]!^*?\\.|:&~{}()$/\n é𝒳")
PATTERNS = (
    "*", "**", "?", "a*", "*a", "a?c", "a*b*c", "[abc]", "[a-c]", "[!a-c]", "[^a]", "[]a]", "[!]a]", "[a", "[!", "[]", "[!]",
    "[]-a]", "[c-a]", "[!c-a]", "[a-]", "[-a]", "[--/]", "[[:alpha:]]", "[[a]", "[\\d]", "\\d", "\\*", "a.c", "a|b", "(a)",
    "{a,b}", "^a$", "a\\Z", "[&&a]", "[a||b]", "[~~]", "", "é*", "[à-ü]", "[𝒜-𝒵]", "[!é]", "a b", "a\nb", "(?i)a",
    "system:serviceaccount:gpu-operator:*", "system:serviceaccount:*:driver", "system:node:?*",
)  # fmt: skip
NAMES = (
    *"abcABC-[]!^\\.|:&~d0é𝒳\n", "", "aa", "abc", "axc", "a.c", "a|b", "(a)", "{a,b}", "a\nb", "a b", "a\n", "\\d", "\\*", "*",
    "a\\Z", ":]", "a]", "[]", "[!]", "[a", "[!", "[!a]", "[[:alpha:]]", "p]", "system:node:", "system:node:n",
    ACCOUNT, f"{ACCOUNT}\n", "system:serviceaccount:gpu-operator:", "system:serviceaccount:gpu-operators:x", "",
)  # fmt: skip


def as_python(expression):
    """Translate RE2's characters by number and end of text to ``re``."""
    assert expression.endswith(")$")
    numbered = re.sub(r"\\x\{(\w+)\}", lambda found: f"\\U{int(found[1], 16):08x}", expression[:-1])
    return re.compile(numbered + r"\Z")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_agrees_on_a_table(pattern):
    ours = as_python(globs.expression([pattern]))
    assert [name for name in NAMES if ours.match(name)] == [n for n in NAMES if fnmatch.fnmatchcase(n, pattern)]


@given(st.text(LETTERS, max_size=9), st.lists(st.text(LETTERS, max_size=5), max_size=8))
def test_agrees_on_anything(pattern, names):
    ours = as_python(globs.expression([pattern]))
    for name in (*names, pattern):
        assert bool(ours.match(name)) == fnmatch.fnmatchcase(name, pattern), name


@given(st.lists(st.text(LETTERS, max_size=6), min_size=1, max_size=4), st.text(LETTERS, max_size=6))
def test_agrees_with_the_engine_on_lists(patterns, name):
    """In the engine a pattern also matches itself; the condition has that beside the expression."""
    ours = bool(name) and (name in patterns or bool(as_python(globs.expression(patterns)).match(name)))
    assert ours == NamePatterns(patterns).match(name)


def test_only_what_re2_knows_is_written():
    """RE2 has no atomic groups, look-aheads or \\Z, and reads ``[:`` in brackets as the name of a class."""
    for pattern in PATTERNS:
        written = globs.expression([pattern])
        special = re.sub(r"\\[^A-Za-z0-9]", "", written)  # without what stands for itself
        assert special.startswith("^(?s:"), pattern
        assert not re.search(r"\(\?[^s]|\\[^x]|\[.*\[", special), written
