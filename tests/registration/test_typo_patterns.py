"""Patterns of typos (RE2) against the edit distance of the rules: every text one edit away."""

import re

import pytest

import policies
from gpu_admission.registration import gpu_names, typo_patterns
from gpu_admission.rules import tolerations
from gpu_admission.workloads import resource_typos, resources

pytestmark = pytest.mark.unmeasured  # the same lines for thousands of objects

LETTERS = ("a", "s", "Z", "0", "7", "-", ".", "/")
TAINTS = tuple(sorted({taint for policy in policies.ALL for taint in tolerations.taints(policy) if taint}))


def edits(text):
    """Return every text with a letter inserted, deleted, changed or swapped."""
    for place in range(len(text) + 1):
        before, after = text[:place], text[place:]
        yield from (before + letter + after for letter in LETTERS)
        if after:
            yield before + after[1:]
            yield from (before + letter + after[1:] for letter in LETTERS)
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]


@pytest.mark.parametrize("taint", TAINTS)
def test_a_toleration_near_a_taint(taint):
    """``habana.ai0/gaudi`` was a typo to the rule, but not to the pattern."""
    alike = {tolerations.bare(each) for each in TAINTS}
    near = re.compile(typo_patterns.taints(TAINTS))
    keys = {key for key in edits(taint) if key not in TAINTS and "." in key and key.count("/") < 2}
    differ = [
        key
        for key in sorted(keys)
        if (tolerations.meant(key, TAINTS) is not None) != (tolerations.bare(key) in alike or bool(near.search(key)))
    ]
    assert len(keys) > len(taint)
    assert differ == []


@pytest.mark.parametrize("name", sorted(resources.known_names()))
def test_a_name_near_a_resource(name):
    """The pattern for two typos is only necessary: it must match every typo of the rule."""
    half = re.compile(gpu_names.half_right(policies.ALL_ON))
    squashed_names = resource_typos.squashed_names()
    missed = [
        key
        for key in edits(name)
        if resources.classify(key) is None
        and re.search(gpu_names.SHAPE, key)
        and resource_typos.meant(key) is not None
        and not half.search(key)
        and resource_typos.squashed(key) not in squashed_names
        and not re.search(gpu_names.like_mig(), key)
    ]
    assert missed == []
