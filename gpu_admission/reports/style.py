"""Colour for terminals; every method returns its text unchanged without colour."""

from __future__ import annotations

from gpu_admission.core.record import record

_COLOURS = {"error": "31", "warning": "33", "info": "36"}


@record
class Style:
    """Wraps text in ANSI codes if ``colour`` is set."""

    colour: bool = False

    def _wrap(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def bold(self, text: str) -> str:
        """Return the text in bold."""
        return self._wrap("1", text)

    def faint(self, text: str) -> str:
        """Return the text in a weaker colour."""
        return self._wrap("2", text)

    def good(self, text: str) -> str:
        """Return the text in green."""
        return self._wrap("32", text)

    def severity(self, severity: str, text: str) -> str:
        """Return the text in the colour of a severity, in bold."""
        return self._wrap(f"1;{_COLOURS.get(severity, '36')}", text)
