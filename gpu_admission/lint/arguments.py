"""Parses the command line by the table of options.

argparse would take a third of the whole run on a small file: its modules, and a help formatter for each
option. The conventions are the same: ``--name VALUE``, ``--name=VALUE``, ``-n VALUE``,
``-nVALUE``, switches together (``-qh``), paths anywhere, and only paths after ``--``.
"""

from __future__ import annotations

from .options import OPTIONS
from .paths import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .options import Option


class Arguments:
    """The parsed command line: ``paths``, and ``values`` of the options given, by attribute name."""

    __slots__ = ("_rest", "paths", "values")

    def __init__(self, argv: Sequence[str]) -> None:
        """Parse the arguments. Raises UsageError."""
        self.paths: list[str] = []
        self.values: dict[str, Any] = {}
        self._rest = list(reversed(argv))
        while self._rest:
            self._next(self._rest.pop())

    def _next(self, word: str) -> None:
        if word == "--":
            self.paths += reversed(self._rest)
            self._rest.clear()
        elif word.startswith("--"):
            flag, equals, value = word.partition("=")
            self._take(_known(flag), flag, value if equals else None)
        elif word.startswith("-") and word != "-":
            self._short(word)
        else:
            self.paths.append(word)

    def _short(self, word: str) -> None:
        option = _known(word[:2])
        if option.kind != "switch" and len(word) > 2:
            self._take(option, word[:2], word[2:].removeprefix("="))
            return
        self._take(option, word[:2], None)
        if len(word) > 2:
            self._short(f"-{word[2:]}")

    def _take(self, option: Option, flag: str, value: str | None) -> None:
        if option.kind == "switch":
            if value is not None:
                raise UsageError(f"{flag}: takes no value")
            self.values[option.dest] = True
            return
        if value is None:
            if not self._rest:
                raise UsageError(f"{flag}: expected {option.wanted}")
            value = self._rest.pop()
        read = option.read(value, flag)
        if option.kind in {"words", "many"}:
            self.values.setdefault(option.dest, []).extend(read)
        else:
            self.values[option.dest] = read


_BY_FLAG = {flag: option for option in OPTIONS for flag in option.flags}


def _known(flag: str) -> Option:
    if flag in _BY_FLAG:
        return _BY_FLAG[flag]
    from gpu_admission.core.typos import did_you_mean  # noqa: PLC0415 - only for a mistake

    raise UsageError(f"unknown option {flag!r}{did_you_mean(flag, _BY_FLAG) if flag.startswith('--') else ''}")
