"""What the inputs of one run hold of claims, templates and device classes: read only where a pod names a claim.

Most runs never ask. Where one does, each input is read once more, and parsed only where its bytes name an API group of
claims. Standard input, which cannot be read twice, is looked through while it is judged.
"""

from __future__ import annotations

from gpu_admission.manifests import reader
from gpu_admission.workloads.claim_index import MARKS, ClaimIndex

from .inputs import UnreadableInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from .inputs import Input


def of(inputs: Sequence[Input]) -> ClaimIndex:
    """Return the index of a run over these inputs."""
    return ClaimIndex(lambda: _documents(inputs))


def _documents(inputs: Sequence[Input]) -> Iterator[tuple[int, Any]]:
    """Yield the documents that may hold claims, each with its size; what cannot be read is told where it is judged."""
    for source in inputs:
        if source.path is None:
            continue
        try:
            data = source.read()
        except UnreadableInputError:
            continue
        if any([mark in data for mark in MARKS]):
            for document in reader.read(data, source.name).documents:
                yield document.end - document.start, document.object
