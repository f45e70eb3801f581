"""Counting what code does instead of timing it: a copy of the package in which every costly operation is weighed.

The source is compiled anew with a counter around each call of something written in C, each concatenation, slice,
membership test, comparison, formatted text and turn of a loop. What an operation costs is how many characters or items
it has to touch: ``"/" + rest.split("/", 4)[4]`` costs as much as ``rest`` is long. The counts are the same on every
machine, however busy, so "linear" can be tested without a clock: twice the input may cost twice the work.

A count sees neither the inside of a regular expression nor of another library: those cost their input's length here,
and `test_linear` looks at the expressions themselves.
"""

import ast
import builtins
import contextlib
import importlib.abc
import importlib.machinery
import sys
import types
from pathlib import Path

PACKAGE = "gpu_admission"
UNTOUCHED = ("gpu_admission.policyfile.schema",)  # pydantic reads its source as data
_UNCOUNTED_NAMES = frozenset({"super", "locals", "globals", "vars"})
_SIZED = (str, bytes, bytearray, list, tuple, set, frozenset, dict)
_FREE = frozenset({len, isinstance, id, type, getattr, hasattr, iter, next, range, bool, callable, ord, chr, object})
_CHEAP = frozenset({"append", "add", "discard", "get", "setdefault", "keys", "values", "items", "popitem", "clear"})
_BUILT_IN = frozenset(
    {types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, types.MethodWrapperType}
)
_TEXT = (str, bytes)
_COLLECTIONS = (list, dict, set, frozenset)

_total = 0


def measure(function, *arguments):
    """Return how much work a call is."""
    global _total  # noqa: PLW0603 - one counter for whatever the instrumented modules do
    _total = 0
    function(*arguments)
    return _total


def _spend(amount):
    global _total  # noqa: PLW0603 - as above
    _total += amount + 1


def _size(value):
    kind = type(value)
    return len(value) if kind is str or (kind is not int and isinstance(value, _SIZED)) else 0


def _call(function, *arguments, **named):
    if type(function) in _BUILT_IN:
        cost = _cost(function, arguments)
        result = function(*arguments, **named)
        _spend(cost(result) if callable(cost) else cost)
        return result
    if isinstance(function, type):
        plain = function.__module__ == "builtins" and function not in _FREE
        _spend(sum(map(_size, arguments)) if plain else 0)
    elif not (getattr(function, "__module__", None) or "").startswith(PACKAGE):
        _spend(sum(map(_size, arguments)))
    else:
        _spend(0)
    return function(*arguments, **named)


def _cost(function, arguments):
    """Return the cost of a call of a function in C; for some it depends on the result."""
    if function in _FREE:
        return 0
    receiver = getattr(function, "__self__", None)
    name = function.__name__
    given = sum(map(_size, arguments)) if arguments else 0
    if isinstance(receiver, _TEXT):
        return _text_cost(receiver, name, arguments, given)
    if isinstance(receiver, _COLLECTIONS):
        if name in _CHEAP or (name == "pop" and not (isinstance(receiver, list) and arguments)):
            return 0
        if name in {"extend", "update", "isdisjoint", "issuperset", "difference_update"}:
            return given
        return len(receiver) + given
    return given


def _text_cost(text, name, arguments, given):
    if name in {"startswith", "endswith"}:  # what is longer than the text is not compared at all
        sought = arguments[0] if isinstance(arguments[0], tuple) else arguments[:1]
        return sum(len(each) for each in sought if len(each) <= len(text))
    if name == "join":
        return len
    if name in {"find", "index"}:
        start = arguments[1] if len(arguments) > 1 else 0
        return lambda found: (found if found >= 0 else len(text)) - start
    if name == "count" and len(arguments) > 1:
        return (arguments[2] if len(arguments) > 2 else len(text)) - arguments[1]
    return len(text) + given


def _length(value):
    global _total  # noqa: PLW0603 - as above
    _total += _size(value) + 1
    return value


def _text_length(value):
    _spend(len(value) if isinstance(value, str) else 0)


def _joined(left, right):
    return _length(left + right)


def _within(item, container):
    _spend(len(container) if isinstance(container, str | list | tuple) else 0)
    return item in container


def _equal(left, right):
    alike = isinstance(left, str) and isinstance(right, str) and len(left) == len(right)
    _spend(len(left) if alike else 0)
    return left == right


def _turns(items):
    global _total  # noqa: PLW0603 - as above
    for item in items:
        _total += 1
        yield item


def _step():
    _spend(0)


_HOOKS = {
    "__work_call__": _call,
    "__work_length__": _length,
    "__work_text__": _text_length,
    "__work_joined__": _joined,
    "__work_within__": _within,
    "__work_equal__": _equal,
    "__work_turns__": _turns,
    "__work_step__": _step,
}


def _hook(name, *arguments):
    return ast.Call(ast.Name(f"__work_{name}__", ast.Load()), list(arguments), [])


class _Weigh(ast.NodeTransformer):
    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in _UNCOUNTED_NAMES:
            return node
        return ast.Call(ast.Name("__work_call__", ast.Load()), [node.func, *node.args], node.keywords)

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Add):
            return _hook("joined", node.left, node.right)
        return _hook("length", node) if isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.Mult) else node

    def visit_Compare(self, node):
        self.generic_visit(node)
        if len(node.ops) > 1 or not isinstance(node.ops[0], ast.In | ast.NotIn | ast.Eq | ast.NotEq):
            return node
        plain = isinstance(node.ops[0], ast.In | ast.Eq)
        name = "within" if isinstance(node.ops[0], ast.In | ast.NotIn) else "equal"
        found = _hook(name, node.left, node.comparators[0])
        return found if plain else ast.UnaryOp(ast.Not(), found)

    def visit_Subscript(self, node):
        self.generic_visit(node)
        sliced = isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load)
        return _hook("length", node) if sliced else node

    def visit_JoinedStr(self, node):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                part.value = self.visit(part.value)
        return _hook("length", node)

    def visit_For(self, node):
        self.generic_visit(node)
        node.iter = _hook("turns", node.iter)
        return node

    def visit_comprehension(self, node):
        self.generic_visit(node)
        node.iter = _hook("turns", node.iter)
        return node

    def visit_While(self, node):
        self.generic_visit(node)
        node.body.insert(0, ast.Expr(_hook("step")))
        return node

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        if not isinstance(node.op, ast.Add) or not isinstance(node.target, ast.Name):
            return node
        node.value = _hook("length", node.value)
        return [node, ast.Expr(_hook("text", ast.Name(node.target.id, ast.Load())))]

    def visit_AnnAssign(self, node):
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_arg(self, node):
        return node


def weighed(source, filename="<source>"):
    """Return the code of a module with its counters."""
    return compile(ast.fix_missing_locations(_Weigh().visit(ast.parse(source))), filename, "exec")


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):
        path = self.get_filename(fullname)
        return weighed(Path(path).read_text(encoding="utf-8"), path)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] != PACKAGE or fullname in UNTOUCHED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


@contextlib.contextmanager
def counting():
    """Have the package imported anew, and weighed, for as long as the context lasts."""
    hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == PACKAGE}
    for name in hidden:
        del sys.modules[name]
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    vars(builtins).update(_HOOKS)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]
        sys.modules.update(hidden)
