"""Parts that nearly every file with a GPU contains: searched for before anything else is computed."""

from __future__ import annotations

# Parts that most markers have in common: a match covers every marker that contains one.
STEMS = ("gpu", "nvidia", "cuda", "_visible_devices")
_ENCODED_STEMS = tuple([stem.encode() for stem in STEMS])


def holds_stem(data: bytes) -> bool:
    """Return whether a file contains what most rules read, without computing the rest."""
    lower = data.lower()
    return any([stem in lower for stem in _ENCODED_STEMS])
