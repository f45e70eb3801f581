"""A parser of the Common Expression Language, to check whether an expression compiles and what it reads.

``parse`` implements the grammar of cel-spec (doc/langdef.md) with the optional syntax (``.?`` and ``[?``) that
Kubernetes enables. It runs in linear time and rejects expressions nested too deeply.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal[
        "string", "int", "uint", "double", "bytes", "bool", "null", "identifier", "select", "index", "call", "method",
        "operator", "conditional", "list", "map", "struct",
    ]  # fmt: skip
    Token = tuple[str, str, int]  # sort, text, place

_DEEPEST = 40  # nested brackets
_TALLEST = 120  # height of the syntax tree; a chain of && or || counts once
_TOKEN = re.compile(
    r"""
    (?P<space>[\s]+|//[^\n]*)
  | (?P<string>[rRbB]{0,2}(?:\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''
      |"(?:[^"\\\n\r]|\\.)*"|'(?:[^'\\\n\r]|\\.)*'))
  | (?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*|`[^`\n]*`)
  | (?P<symbol>==|!=|<=|>=|&&|\|\||\.\?|\[\?|[-+*/%!<>?:.,()\[\]{}])
""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_LEVELS = (("||",), ("&&",), ("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%"))
_LOGICAL = 2  # levels whose operator takes any number of operands
_RESERVED = frozenset(
    (
        *("as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop"),
        *("package", "namespace", "null", "return", "true", "var", "void", "while"),
    )
)


class CelSyntaxError(ValueError):
    """An expression that does not parse: what is wrong, and at which character."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


class CelDepthError(ValueError):
    """An expression nested too deeply to be parsed."""


class CelNode:
    """A part of an expression. ``text`` is the name, operator or literal value; ``optional`` marks ``.?`` and ``[?``.

    ``height`` is that of its tree. The first child of ``select``, ``index`` and ``method`` is the operand.
    """

    __slots__ = ("at", "children", "height", "kind", "optional", "text")

    def __init__(
        self, kind: Kind, text: str, at: int, children: tuple[CelNode, ...] = (), *, optional: bool = False
    ) -> None:
        self.kind: Kind = kind
        self.text = text
        self.at = at
        self.children = children
        self.optional = optional
        self.height: int = 1 + max([child.height for child in children], default=0)
        if self.height > _TALLEST:
            raise CelDepthError


def parse(text: str) -> CelNode:
    """Return the syntax tree of an expression.

    Raises CelSyntaxError where it does not parse, CelDepthError where it is nested too deeply.
    """
    parser = _Parser(_tokens(text), len(text))
    made = parser.expression(0)
    parser.expect_end()
    return made


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            char = text[at]
            if char in "\"'":
                raise CelSyntaxError("the string literal is not terminated", at)
            hints = {"=": " (equality is ==)", "&": " (and is &&)", "|": " (or is ||)"}
            raise CelSyntaxError(f"{char!r} is not valid here{hints.get(char, '')}", at)
        sort = match.lastgroup or ""
        if sort != "space":
            found.append((sort, match[0], at))
        at = match.end()
    return found


class _Parser:
    """A recursive-descent parser, one function for each level of the grammar."""

    __slots__ = ("_end", "_next", "_tokens")

    def __init__(self, tokens: list[Token], end: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._end = end

    def expression(self, depth: int) -> CelNode:
        """Parse an expression with its conditional, if any."""
        if depth > _DEEPEST:
            raise CelDepthError
        condition = self._binary(0, depth)
        if not self._take("?"):
            return condition
        yes = self._binary(0, depth + 1)
        self._expect(":")
        return CelNode("conditional", "?", condition.at, (condition, yes, self.expression(depth + 1)))

    def expect_end(self) -> None:
        """Raise CelSyntaxError where anything follows the expression."""
        if self._next < len(self._tokens):
            _, text, at = self._tokens[self._next]
            word = {"and": " (and is &&)", "or": " (or is ||)", "not": " (not is !)", "is": " (equality is ==)"}
            raise CelSyntaxError(f"{text[:40]!r} is not expected here{word.get(text.lower(), '')}", at)

    def _binary(self, level: int, depth: int) -> CelNode:
        if level == len(_LEVELS):
            return self._unary(depth)
        left = self._binary(level + 1, depth)
        if level < _LOGICAL:
            parts = [left]
            while self._take(_LEVELS[level][0]):
                parts.append(self._binary(level + 1, depth))
            return left if len(parts) == 1 else CelNode("operator", _LEVELS[level][0], left.at, tuple(parts))
        while (operator := self._peek()) in _LEVELS[level] and self._peek_sort() != "string":
            self._next += 1
            left = CelNode("operator", operator, left.at, (left, self._binary(level + 1, depth)))
        return left

    def _unary(self, depth: int) -> CelNode:
        at, signs = self._at(), ""
        while self._peek() in {"!", "-"} and self._peek_sort() == "symbol":
            signs += self._peek()
            self._next += 1
        made = self._member(depth)
        return CelNode("operator", signs[0], at, (made,)) if signs else made

    def _member(self, depth: int) -> CelNode:
        made = self._primary(depth)
        while True:
            if self._take("."):
                made = self._selected(made, depth, optional=False)
            elif self._take(".?"):
                made = self._selected(made, depth, optional=True)
            elif self._peek() in {"[", "[?"} and self._peek_sort() == "symbol":
                optional = self._peek() == "[?"
                self._next += 1
                key = self.expression(depth + 1)
                self._expect("]")
                made = CelNode("index", "[]", made.at, (made, key), optional=optional)
            else:
                return made

    def _selected(self, made: CelNode, depth: int, *, optional: bool) -> CelNode:
        name = self._name()
        if self._take("("):
            return CelNode("method", name, made.at, (made, *self._list(")", depth)))
        return CelNode("select", name, made.at, (made,), optional=optional)

    def _primary(self, depth: int) -> CelNode:
        sort, text, at = self._token()
        if sort == "string":
            return CelNode("bytes" if "b" in text[: text.find(text[-1])].lower() else "string", _value(text), at)
        if sort == "number":
            return CelNode("double" if not text.isalnum() or _is_exponent(text) else "int", text, at)
        if text == "(":
            made = self.expression(depth + 1)
            self._expect(")")
            return made
        if text in {"[", "[?"}:
            return CelNode("list", "[]", at, tuple(self._list("]", depth)))
        if text == "{":
            return CelNode("map", "{}", at, tuple(self._pairs(depth)))
        if text == ".":
            text = self._name()
        elif sort != "name":
            raise CelSyntaxError(f"{text!r} is not expected here", at)
        return self._named(text, at, depth)

    def _named(self, text: str, at: int, depth: int) -> CelNode:
        if text in {"true", "false"}:
            return CelNode("bool", text, at)
        if text == "null":
            return CelNode("null", text, at)
        if text in _RESERVED:
            raise CelSyntaxError(f"{text!r} is a reserved word", at)
        if self._take("("):
            return CelNode("call", text, at, tuple(self._list(")", depth)))
        return CelNode("identifier", text, at)

    def _list(self, end: str, depth: int) -> list[CelNode]:
        found: list[CelNode] = []
        while not self._take(end):
            if found:
                self._expect(",")
                if end == "]" and self._take(end):
                    break
            self._take("?")
            found.append(self.expression(depth + 1))
        return found

    def _pairs(self, depth: int) -> list[CelNode]:
        found: list[CelNode] = []
        while not self._take("}"):
            if found:
                self._expect(",")
                if self._take("}"):
                    break
            self._take("?")
            found.append(self.expression(depth + 1))
            self._expect(":")
            found.append(self.expression(depth + 1))
        return found

    def _token(self) -> Token:
        if self._next >= len(self._tokens):
            raise CelSyntaxError("the expression ends too early", self._end)
        self._next += 1
        return self._tokens[self._next - 1]

    def _name(self) -> str:
        sort, text, at = self._token()
        if sort != "name":
            raise CelSyntaxError(f"expected a name, got {text[:40]!r}", at)
        return text.strip("`")

    def _peek(self) -> str:
        return self._tokens[self._next][1] if self._next < len(self._tokens) else ""

    def _peek_sort(self) -> str:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else ""

    def _at(self) -> int:
        return self._tokens[self._next][2] if self._next < len(self._tokens) else self._end

    def _take(self, symbol: str) -> bool:
        found = self._peek() == symbol and self._peek_sort() == "symbol"
        self._next += found
        return found

    def _expect(self, symbol: str) -> None:
        if not self._take(symbol):
            got = self._peek()
            raise CelSyntaxError(
                f"expected {symbol!r}, got {got[:40]!r}" if got else f"{symbol!r} is missing", self._at()
            )


def _is_exponent(text: str) -> bool:
    return "e" in text.lower() and not text.lower().startswith("0x")


def _value(text: str) -> str:
    """Return the value of a string literal. Escapes are kept as written: no driver name has any."""
    start = min(place for quote in "\"'" if (place := text.find(quote)) >= 0)
    body = text[start:]
    width = 3 if body[:3] in {'"""', "'''"} and len(body) >= 6 else 1
    return body[width:-width]
