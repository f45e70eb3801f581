"""Sharing backends: pure, one module each, behind one interface.

A backend reads a request in its own names into the portable one (memory per GPU, GPUs, percent), writes the
portable one in its own names, and says what it must refuse, with a reason and what would work.
``registry`` holds one line a backend; ``plan`` works out what becomes of a whole pod under a policy.
"""
