"""Kubernetes objects as YAML, with texts of several lines as blocks."""

from __future__ import annotations

import yaml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes texts of several lines as blocks, so that a CEL expression can be read and reviewed."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
_Dumper.ignore_aliases = lambda *_: True


def to_yaml(objects: list[dict[str, Any]]) -> str:
    """Return objects as one YAML stream."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=1 << 30, explicit_start=True)


def document(data: dict[str, Any]) -> str:
    """Return one mapping as a YAML document without a marker."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=1 << 30)
