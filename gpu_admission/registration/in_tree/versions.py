"""Versions of Kubernetes, and the admission APIs that each serves."""

from __future__ import annotations

import re

Version = tuple[int, int]
NEWEST: Version = (1, 36)
_SHAPE = re.compile(r"v?(\d{1,3})\.(\d{1,4})(\.\d{1,4})?([-+][0-9A-Za-z.+-]{1,64})?", re.ASCII)
# kubernetes/website: content/en/docs/reference/command-line-tools-reference/feature-gates, the release of v1 of each
_VALIDATING: Version = (1, 30)
_MUTATING: Version = (1, 36)
_MATCH_CONDITIONS: Version = (1, 29)  # beta and on by default since 1.28, but without optional values in CEL
_CONFIGURATIONS: Version = (1, 16)


def parse(text: str) -> Version:
    """Return major and minor of a version (``1.30``, ``v1.29.4-gke.100``). Raises ValueError where it is invalid."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a version of Kubernetes; write, for example, 1.30")
    return int(found[1]), int(found[2])


def has_webhook_configurations(version: Version) -> bool:
    """Return whether webhook configurations are served as v1."""
    return version >= _CONFIGURATIONS


def has_validating_policies(version: Version) -> bool:
    """Return whether ValidatingAdmissionPolicy is served as v1."""
    return version >= _VALIDATING


def has_mutating_policies(version: Version) -> bool:
    """Return whether MutatingAdmissionPolicy is served as v1."""
    return version >= _MUTATING


def has_match_conditions(version: Version) -> bool:
    """Return whether webhook configurations can have the matchConditions that are generated here."""
    return version >= _MATCH_CONDITIONS


def text(version: Version) -> str:
    """Return a version as a string."""
    return f"{version[0]}.{version[1]}"
