"""Loading of policies, by name or from a file, with errors that have the line and the nearest valid word."""

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
# The shipped policies are in the package of an installed wheel, and beside it in a checkout.
_FOLDERS = (os.path.join(_HERE, "..", "policies"), os.path.join(_HERE, "..", "..", "policies"))


class PolicyError(Exception):
    """An invalid policy; the message has a line for each mistake, with file and line."""


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
    """Return the text of a shipped policy, with comments.

    Raises PolicyError where none has that name.
    """
    path = path_of(name)
    if path is None:
        from gpu_admission.core.typos import did_you_mean  # noqa: PLC0415 - start-up time: needed only for unknown names

        raise PolicyError(f"there is no shipped policy {name!r}{did_you_mean(name, shipped())}")
    return content(path).decode()


def summary(name: str) -> str:
    """Return the first line of a shipped policy's opening comment."""
    return source(name).partition("\n")[0].lstrip("# ")


def load(name_or_path: str) -> Policy:
    """Return the shipped policy of a name, or the policy in a file.

    Raises PolicyError, with a line for each mistake, where it cannot be read or is invalid.
    """
    path = path_of(name_or_path)
    if path is not None:
        return _policy(_document(content(path), path).object)
    if not os.path.exists(name_or_path) and not _looks_like_path(name_or_path):
        source(name_or_path)  # raises with the nearest name
    return parse(content(name_or_path), name_or_path)


def parse(data: bytes, name: str) -> Policy:
    """Return the policy of a file's content, validated against the schema.

    Raises PolicyError as ``load`` does; ``name`` is the file's name in messages.
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
    """Return the mistakes of a GPUPolicy object of an API server, each with the field; none where it is valid.

    Places are given by fields, because an object has no lines.
    """
    if not isinstance(obj, dict):
        return ["the object: expected a mapping"]
    mistakes = _mistakes(obj)
    lines = [f"{_field(place) or 'the object'}: {message}" for place, message in mistakes[:_MOST_ERRORS]]
    return lines + [f"and {len(mistakes) - _MOST_ERRORS} more"] * (len(mistakes) > _MOST_ERRORS)


def from_object(obj: Any) -> Policy:
    """Return the policy of a GPUPolicy object. Raises PolicyError, with a line for each mistake."""
    mistakes = check_object(obj)
    if mistakes:
        raise PolicyError("\n".join(mistakes))
    return _policy(obj)


def _mistakes(obj: Any) -> list[tuple[Pointer, str]]:
    """Return every mistake of a policy document, each with its place."""
    import pydantic  # noqa: PLC0415 - start-up time: 100 ms, needed only for policy files

    from . import diagnostics, schema  # noqa: PLC0415

    try:
        schema.PolicyFile.model_validate(obj)
    except pydantic.ValidationError as error:
        return diagnostics.explain(error.errors(include_url=False), obj)
    return diagnostics.facts(obj)


def _check(document: Document, name: str) -> None:
    """Raise PolicyError with every mistake of a policy document and its line."""
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
