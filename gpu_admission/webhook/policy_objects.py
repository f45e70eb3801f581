"""GPUPolicy objects as sources of a PolicyStore: read from the directory that the policy sidecar keeps.

The first by name comes first. Only an object of which a version is active in other replicas is required: without it
this replica would allow what the others refuse. A new object that cannot be used does not make a replica unready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpu_admission.policy.model import Policy
from gpu_admission.policyfile import loader, object_files

from .file_watch import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gpu_admission.policy.model import Mode

    from .file_watch import Fingerprint

# The policy of a cluster without policies. No other policy has an empty name, and no namespace is called ".".
MATCHES_NOTHING = Policy("", {"match": {"namespaces": ["."]}})


class ObjectSources:
    """The objects of a directory, by name; ``mode`` is a ceiling on theirs."""

    def __init__(self, directory: str, mode: Mode = "enforce") -> None:
        self._directory = directory
        self._mode = mode
        self._mark: Fingerprint | None = None
        self._index = object_files.Index()

    def look(self) -> Sequence[str]:
        """Name the objects, in their order."""
        mark = fingerprint((object_files.index_path(self._directory),))
        if mark != self._mark:
            self._mark, self._index = mark, object_files.read_index(self._directory)
        return [entry.name for entry in self._index.entries or ()]

    def mark(self, source: str) -> Fingerprint:
        """Return the fingerprint of an object's file."""
        return fingerprint((object_files.path_of(self._directory, source),))

    def load(self, source: str) -> Policy:
        """Load an object; raises PolicyError."""
        try:
            return loader.from_object(object_files.read_object(self._directory, source)).under(self._mode)
        except ValueError as error:
            raise loader.PolicyError(f"GPUPolicy {source}: {error}") from None
        except loader.PolicyError as error:
            raise loader.PolicyError(f"GPUPolicy {source}: {error}") from None

    def required(self) -> Sequence[str]:
        """Name the objects of which a version was active."""
        return [entry.name for entry in self._index.entries or () if entry.was_active]

    def vacant(self) -> Policy | None:
        """Return the policy that matches nothing, once the cluster's policies have been listed."""
        return None if self._index.entries is None else MATCHES_NOTHING

    def unready(self) -> str | None:
        """Return why the objects are not listed yet, None where they are (a check of `server.readiness`)."""
        if self._index.entries is not None:
            return None
        return f"GPUPolicy objects are not listed yet{': ' if self._index.problem else ''}{self._index.problem}"
