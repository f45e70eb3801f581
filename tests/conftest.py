"""How property tests run: the same examples every time, and no deadlines.

A change must not fail for what somebody else's change would have failed as well. Looking for new counterexamples is
a task of its own: ``RANDOM_TESTS=1 make test`` draws others.

Their coverage is not measured, nor that of other tests that run the same lines thousands of times (``no_cover``): that
doubles what they cost, and hides which lines no test is about.
"""

import os
import sys

import pytest
from hypothesis import is_hypothesis_test, settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile("random" if os.environ.get("RANDOM_TESTS") else "same")


def pytest_collection_modifyitems(items):
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.no_cover)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    """Let nothing trace the tests that are not measured.

    pytest-cov stops its own measurement there, but in a worker of xdist it has begun a second one beneath, which then
    goes on, at several times the cost of the first.
    """
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    trace = sys.gettrace()
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(trace)
