"""No regular expression of ours backtracks without bound: matching a user's string takes linear time."""

import importlib
import pkgutil
import re
from re import _constants as codes  # what Python's own parser of expressions is made of
from re import _parser as parser

import gpu_admission

# Expressions with a repetition inside a repetition, and why they take linear time all the same.
NESTED = {
    "core.raw._PLACEHOLDER": "each part of the inner one begins with an underscore that it cannot contain",
    "workloads.resources._SUBDOMAIN": "a part ends at a dot, which no part can contain",
    "webhook.server.app.GO_DURATION": "bounded: nine digits, four parts",
}


def nested(tree, inside=False):
    """Tell whether an expression repeats without bound what itself repeats something without bound."""
    for code, argument in tree:
        if code in {codes.MAX_REPEAT, codes.MIN_REPEAT}:
            endless = argument[1] is codes.MAXREPEAT
            if (endless and inside) or nested(argument[2], inside or endless):
                return True
        elif code is codes.SUBPATTERN:
            if nested(argument[3], inside):
                return True
        elif code is codes.BRANCH:
            if any(nested(branch, inside) for branch in argument[1]):
                return True
        elif code in {codes.ASSERT, codes.ASSERT_NOT} and nested(argument[1], inside):
            return True
    return False


def expressions():
    for module in pkgutil.walk_packages(gpu_admission.__path__, "gpu_admission."):
        if module.name.endswith(("__main__", "gunicorn_conf")):
            continue
        loaded = importlib.import_module(module.name)
        for name, value in vars(loaded).items():
            if isinstance(value, re.Pattern):
                yield f"{module.name.removeprefix('gpu_admission.')}.{name}", value


def test_expressions_do_not_backtrack_without_bound():
    found = {name for name, value in expressions() if nested(parser.parse(value.pattern, value.flags))}
    assert found <= NESTED.keys(), found - NESTED.keys()
    assert nested(parser.parse(r"(a+)+$"))
    assert not nested(parser.parse(r"(a+b)[cd]*"))
