"""Files after operations on their documents, with the original formatting where possible."""

from __future__ import annotations

import json

from gpu_admission.core import patch
from gpu_admission.core.record import record
from gpu_admission.manifests import reader

from .edit import EditRefusedError, edit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gpu_admission.core.patch import Operation
    from gpu_admission.manifests.reader import Document, Reading

    Work = Callable[[Document], Sequence[Operation]]


@record
class Rewritten:
    """A file's new bytes; ``reformatted`` is the reason why the formatting was lost, None where it was kept."""

    data: bytes
    reformatted: str | None = None


def rewrite(reading: Reading, data: bytes, work: Work) -> Rewritten:
    """Return a file with the operations that ``work`` returns for each of its documents."""
    changes = [(document.index, list(operations)) for document in reading.documents if (operations := work(document))]
    if not changes:
        return Rewritten(data)
    try:
        return Rewritten(edit(data, changes, reading.name))
    except EditRefusedError as refused:
        return Rewritten(_anew(reading, dict(changes)), refused.reason)


def _anew(reading: Reading, changes: dict[int, list[Operation]]) -> bytes:
    objects = [patch.apply(document.object, changes.get(document.index, ())) for document in reading.documents]
    if reading.documents[0].is_json:
        return ("\n".join(json.dumps(each, indent=2, ensure_ascii=False) for each in objects) + "\n").encode()
    return _yaml(objects).encode()


def _yaml(objects: list[Any]) -> str:
    import yaml  # noqa: PLC0415 - start-up time: needed only for files that cannot be edited

    text: str = yaml.safe_dump_all(objects, sort_keys=False, explicit_start=len(objects) > 1, allow_unicode=True)
    if [document.object for document in reader.read(text.encode()).documents] != objects:
        # JSON, which is YAML too, because PyYAML quotes strings by other rules than Kubernetes.
        return "".join(f"---\n{json.dumps(each, indent=2)}\n" for each in objects)
    return text
