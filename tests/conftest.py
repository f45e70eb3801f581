"""How property tests run: the same examples every time, and no deadlines.

A change must not fail for what somebody else's change would have failed as well. Looking for new counterexamples is
a task of its own: ``RANDOM_TESTS=1 make test`` draws others.

Their coverage is not measured, nor that of other tests that run the same lines thousands of times (``unmeasured``): that
doubles or trebles what they cost, and hides which lines no test is about. Of a table with hundreds of cases about twenty
are measured, evenly spread.
"""

import collections
import contextlib
import os
import sys

import pytest
from hypothesis import is_hypothesis_test, settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile("random" if os.environ.get("RANDOM_TESTS") else "same")


MEASURED_CASES = 20


def pytest_collection_modifyitems(items):
    cases = collections.defaultdict(list)
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.unmeasured)
        cases[item.nodeid.partition("[")[0]].append(item)
    for table in cases.values():
        step = max(1, len(table) // MEASURED_CASES)
        for number, item in enumerate(table):
            if number % step:
                item.add_marker(pytest.mark.unmeasured)


class Tracing:
    """Has coverage trace what measured tests run, and nothing between them.

    Tracing all of pytest as well takes as long as the tests do. The marker ``no_cover`` of pytest-cov would stop and
    start its measurement, which takes milliseconds; and in a worker of xdist there is a second one beneath, which would
    go on.
    """

    def __init__(self):
        self.function = None

    def begin(self):
        self.function = self.function or sys.gettrace()
        sys.settrace(None)

    @contextlib.contextmanager
    def measured(self, item):
        if item.get_closest_marker("unmeasured") is not None:
            yield
            return
        sys.settrace(self.function)
        try:
            yield
        finally:
            sys.settrace(None)


TRACING = Tracing()


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session):
    """Trace nothing in a process that only distributes the tests."""
    if session.config.getoption("dist", "no") != "no" and not hasattr(session.config, "workerinput"):
        TRACING.begin()


def pytest_collection_finish():
    """Modules are imported by now, which is measured."""
    TRACING.begin()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish():
    sys.settrace(TRACING.function)


def traced(item):
    with TRACING.measured(item):
        return (yield)


for phase in ("setup", "call", "teardown"):
    globals()[f"pytest_runtest_{phase}"] = pytest.hookimpl(wrapper=True, trylast=True)(traced)
