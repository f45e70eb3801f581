"""The claims, templates and device classes in the inputs of a run: read only where a pod names a claim.

Most runs do not need them. Where one does, each input is read again, and parsed only where its bytes name an API group
of claims. Standard input, which cannot be read twice, is indexed while it is judged.
"""

from __future__ import annotations

from gpu_admission.manifests import reader
from gpu_admission.workloads import claim_users
from gpu_admission.workloads.claim_index import MARKS, ClaimIndex

from .inputs import UnreadableInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from .inputs import Input


def of(inputs: Sequence[Input]) -> ClaimIndex:
    """Return the index of a run over these inputs.

    Where standard input and files are mixed, the users of ResourceClaims are not counted and so unknown.
    """
    alone = len(inputs) == 1 and inputs[0].path is None
    mixed = not alone and any([source.path is None for source in inputs])
    return ClaimIndex(lambda: _documents(inputs, MARKS), None if alone else lambda: _users(() if mixed else inputs))


def _users(inputs: Sequence[Input]) -> Iterator[Any]:
    """Yield the documents in which pods may name ResourceClaims."""
    for _, document in _documents(inputs, (claim_users.MARK,)):
        yield document


def _documents(inputs: Sequence[Input], marks: tuple[bytes, ...]) -> Iterator[tuple[int, Any]]:
    """Yield the documents of inputs that have one of some marks, each with its size.

    What cannot be read is reported where it is judged.
    """
    for source in inputs:
        if source.path is None:
            continue
        try:
            data = source.read()
        except UnreadableInputError:
            continue
        if any([mark in data for mark in marks]):
            for document in reader.read(data, source.name).documents:
                yield document.end - document.start, document.object
