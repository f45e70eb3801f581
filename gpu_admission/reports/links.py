"""References as links: a URL unchanged, ``owner/repository: path`` on GitHub."""

from __future__ import annotations

import re

_IN_REPOSITORY = re.compile(r"^([\w.-]+/[\w.-]+): (\S+?)(?:, [\w.]+)?$")  # a path, optionally a name in that file


def url(reference: str) -> str | None:
    """Return the URL of a reference, or None where it is prose."""
    if reference.startswith("https://"):
        return reference
    match = _IN_REPOSITORY.match(reference)
    return f"https://github.com/{match[1]}/blob/HEAD/{match[2]}" if match else None


def markdown(reference: str) -> str:
    """Return the reference as Markdown."""
    address = url(reference)
    if address is None:
        return reference
    return f"<{address}>" if address == reference else f"[{reference}]({address})"
