"""Sharing backends: pure, one module each, behind one interface.

A backend reads a request in its own names into the portable one (memory per GPU, GPUs, percent), writes the
portable one in its own names, and refuses what it cannot honour, with a reason and what would work.
``registry`` holds one line per backend; ``plan`` decides for a whole pod under a policy.
"""
