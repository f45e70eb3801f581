"""Where material is kept and where CA bundles are published: what `Maintainer` needs of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.pki.bundle import Bundle
    from gpu_admission.pki.material import Material


@dataclass(frozen=True, slots=True)
class Stored:
    """Material as it was read; `version` is what a write must still find there."""

    material: Material | None
    version: str


class Store(Protocol):
    """Where material is kept. Of several writers that read the same version, one succeeds."""

    def files(self) -> dict[str, bytes]:
        """Read the files of `material.FILES` as they are, whoever made them. Raises StoreError."""

    def read(self) -> Stored:
        """Read what is there. Raises StoreError, MaterialError, ForeignError."""

    def write(self, material: Material, version: str | None) -> None:
        """Replace what `read` saw, or with None whatever is there. Raises ConflictError, StoreError."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a publication holds: a bundle for each webhook, none where the object does not exist.

    blank says of each whether it holds not one byte: the API server then trusts what its host trusts,
    which we cannot see.
    """

    bundles: tuple[Bundle, ...]
    blank: tuple[bool, ...]
    version: str


class Publication(Protocol):
    """A place where clients find the bundle, such as a webhook configuration. Its str names it."""

    def read(self) -> Found:
        """Read what is there. Raises StoreError."""

    def write(self, bundles: Sequence[Bundle], version: str) -> None:
        """Replace what `read` saw. Raises ConflictError, StoreError."""
