"""How property tests run: the same examples every time, and no deadlines.

A change must not fail for what somebody else's change would have failed as well. Looking for new counterexamples is
a task of its own: ``RANDOM_TESTS=1 make test`` draws others.
"""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile("random" if os.environ.get("RANDOM_TESTS") else "same")
