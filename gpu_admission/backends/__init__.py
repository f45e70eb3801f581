"""Sharing backends: pure, one module each, behind one interface.

A backend reads its own spelling of a request into the portable one (memory per GPU, GPUs, percent), writes the
portable one in its own spelling, and says what it must refuse, with a reason and what would work.
``registry`` holds one line a backend; ``plan`` works out what becomes of a whole pod under a policy.
"""
