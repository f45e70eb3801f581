"""Policies by name or from a file, with errors that say where and what the nearest valid word is."""

from __future__ import annotations

import os

from gpu_admission.core import pointer as pointers
from gpu_admission.manifests import reader
from gpu_admission.policy.model import Policy
from gpu_admission.safe_files import FileReadError, read_small_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpu_admission.core.pointer import Pointer
    from gpu_admission.manifests.reader import Document

_MOST_ERRORS = 10
_HERE = os.path.dirname(os.path.abspath(__file__))
# In an installed wheel the shipped policies stand in the package, in a checkout beside it.
_FOLDERS = (os.path.join(_HERE, "..", "policies"), os.path.join(_HERE, "..", "..", "policies"))


class PolicyError(Exception):
    """A policy that cannot be used; the message has one line a mistake, each with file and line."""


def shipped_folder() -> str:
    """Return the folder of the shipped policies.

    Raises PolicyError where the installation lacks them.
    """
    for folder in _FOLDERS:
        if os.path.isfile(os.path.join(folder, "default.yaml")):
            return os.path.normpath(folder)
    raise PolicyError("the shipped policies are missing from this installation")


def shipped() -> list[str]:
    """Return the names of the shipped policies, ``default`` first."""
    names = [name.removesuffix(".yaml") for name in os.listdir(shipped_folder()) if name.endswith(".yaml")]
    return sorted(names, key=lambda name: (name != "default", name))


def path_of(name: str) -> str | None:
    """Return the path of a shipped policy, or None where none has that name."""
    if os.sep in name or not name.replace("-", "").isalnum():
        return None
    path = os.path.join(shipped_folder(), f"{name}.yaml")
    return path if os.path.isfile(path) else None


def source(name: str) -> str:
    """Return the text of a shipped policy, comments and all.

    Raises PolicyError where none has that name.
    """
    path = path_of(name)
    if path is None:
        from gpu_admission.core.typos import did_you_mean  # noqa: PLC0415 - only for a mistake

        raise PolicyError(f"there is no shipped policy {name!r}{did_you_mean(name, shipped())}")
    return content(path).decode()


def summary(name: str) -> str:
    """Return the first line of a shipped policy's opening comment."""
    return source(name).partition("\n")[0].lstrip("# ")


def load(name_or_path: str) -> Policy:
    """Return the shipped policy of that name, or the policy in that file.

    Raises PolicyError, one line a mistake, where it cannot be read or is no valid policy.
    """
    path = path_of(name_or_path)
    if path is not None:
        return _policy(_document(content(path), path).object)
    if not os.path.exists(name_or_path) and not _looks_like_path(name_or_path):
        source(name_or_path)  # which says that there is none, and the nearest
    return parse(content(name_or_path), name_or_path)


def parse(data: bytes, name: str) -> Policy:
    """Return the policy of a file's content, checked against the schema.

    Raises PolicyError as ``load`` does; ``name`` is how messages call the file.
    """
    document = _document(data, name)
    _check(document, name)
    return _policy(document.object)


def _looks_like_path(value: str) -> bool:
    return os.sep in value or value.endswith((".yaml", ".yml", ".json"))


def content(path: str) -> bytes:
    """Return the bytes of a policy file.

    Raises PolicyError where it is missing, unreadable, not a regular file, or larger than 1 MiB.
    """
    try:
        return read_small_file(path)
    except FileReadError as error:
        raise PolicyError(f"{path}: {error if os.path.lexists(path) else 'there is no such policy file'}") from error


def _document(data: bytes, name: str) -> Document:
    reading = reader.read(data, name)
    if reading.errors:
        raise PolicyError("\n".join(f"{name}:{e.line or 1}:{e.column or 1}: {e.message}" for e in reading.errors))
    if reading.skipped:
        raise PolicyError(f"{name}: contains template braces; a policy file must be plain YAML")
    documents = [document for document in reading.documents if document.object is not None]
    if len(documents) != 1:
        raise PolicyError(f"{name}: a policy file must contain one document, this one contains {len(documents)}")
    return documents[0]


def _policy(document: Any) -> Policy:
    return Policy(document["metadata"]["name"], document.get("spec"))


def check_object(obj: Any) -> list[str]:
    """Return what is wrong with a GPUPolicy object of an API server, each with the field; nothing where it is valid.

    An object has no lines, so that a place in it is told by its fields alone.
    """
    if not isinstance(obj, dict):
        return ["the object: expected a mapping"]
    mistakes = _mistakes(obj)
    lines = [f"{_field(place) or 'the object'}: {message}" for place, message in mistakes[:_MOST_ERRORS]]
    return lines + [f"and {len(mistakes) - _MOST_ERRORS} more"] * (len(mistakes) > _MOST_ERRORS)


def from_object(obj: Any) -> Policy:
    """Return the policy of a GPUPolicy object. Raises PolicyError, one line a mistake."""
    mistakes = check_object(obj)
    if mistakes:
        raise PolicyError("\n".join(mistakes))
    return _policy(obj)


def _mistakes(obj: Any) -> list[tuple[Pointer, str]]:
    """Return every mistake of a policy document, each with its place."""
    import pydantic  # noqa: PLC0415 - 100 ms that only a policy of the user's own is worth

    from . import diagnostics, schema  # noqa: PLC0415

    try:
        schema.PolicyFile.model_validate(obj)
    except pydantic.ValidationError as error:
        return diagnostics.explain(error.errors(include_url=False), obj)
    return diagnostics.facts(obj)


def _check(document: Document, name: str) -> None:
    """Raise PolicyError with every mistake of a policy document, at the line of each."""
    mistakes = _mistakes(document.object)
    if mistakes:
        lines = [_line(document, name, place, message) for place, message in mistakes[:_MOST_ERRORS]]
        if len(mistakes) > _MOST_ERRORS:
            lines.append(f"{name}: and {len(mistakes) - _MOST_ERRORS} more")
        raise PolicyError("\n".join(lines))


def _line(document: Document, name: str, place: Pointer, message: str) -> str:
    position = document.position(place)
    return f"{name}:{position.line}:{position.column}: {_field(place) or 'the file'}: {message}"


def _field(place: Pointer) -> str:
    return pointers.to_text(place).strip("/").replace("/", ".")
