"""What nearly every file that names a GPU holds: looked for first, before anything else of the rules is worked out."""

from __future__ import annotations

# Parts that most of what is read has in common: they are looked for first, and cover what holds them.
STEMS = ("gpu", "nvidia", "cuda", "_visible_devices")
_ENCODED_STEMS = tuple([stem.encode() for stem in STEMS])


def holds_stem(data: bytes) -> bool:
    """Tell whether a file holds what most rules read, without working out the rest."""
    lower = data.lower()
    return any([stem in lower for stem in _ENCODED_STEMS])
