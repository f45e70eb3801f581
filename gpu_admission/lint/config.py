"""The configuration file: ``.gpu-lint.yaml`` or ``[tool.gpu-lint]`` in pyproject.toml, nearest to the first path."""

from __future__ import annotations

import os

from gpu_admission.core.record import record
from gpu_admission.safe_files import FileReadError, read_small_file

from .options import OPTIONS, split
from .paths import UsageError, printed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .options import Option

FILE = ".gpu-lint.yaml"
_BY_PATH = "per-file-ignores"  # a mapping from a glob to rules; it has no flag
_PATHS = {"baseline", "output", "policy"}  # are relative to the configuration file


@record
class Config:
    """A configuration file: ``values`` by attribute of LintArguments, ``folder`` for its globs."""

    folder: str
    values: dict[str, Any]


def find(first: str) -> Config:
    """Return the configuration that applies to a path, an empty one where there is none.

    Raises UsageError, with file and line, for a file that is not valid.
    """
    folder = os.path.abspath("." if first == "-" else first)
    if not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    while True:
        found = _in_folder(folder)
        if found is not None:
            return found
        above = os.path.dirname(folder)
        if above == folder:
            return Config(os.getcwd(), {})
        folder = above


def _in_folder(folder: str) -> Config | None:
    path = os.path.join(folder, FILE)
    if os.path.isfile(path):
        return Config(folder, _yaml(_content(path), _relative(path), folder))
    path = os.path.join(folder, "pyproject.toml")
    if os.path.isfile(path):
        data = _content(path)
        if b"gpu-lint" in data:  # most projects' files have no table for us, and parsing takes ten milliseconds
            values = _toml(data, _relative(path), folder)
            return None if values is None else Config(folder, values)
    return None


def _relative(path: str) -> str:
    return printed(os.path.relpath(path))


def _content(path: str) -> bytes:
    try:
        return read_small_file(path)
    except FileReadError as error:
        raise UsageError(f"{_relative(path)}: cannot be read: {error}") from error


def _yaml(data: bytes, name: str, folder: str) -> dict[str, Any]:
    from gpu_admission.manifests import reader  # noqa: PLC0415 - start-up time: needed only with such a file

    reading = reader.read(data, name)
    if reading.errors:
        error = reading.errors[0]
        raise UsageError(f"{name}:{error.line or 1}:{error.column or 1}: {error.message}")
    documents = [document for document in reading.documents if document.object is not None]
    if not documents:
        return {}
    settings = documents[0].object
    if len(documents) > 1 or not isinstance(settings, dict):
        raise UsageError(f"{name}: must be a single mapping of options")
    return _values(settings, folder, lambda key: f"{name}:{documents[0].position((key,)).line}")


def _toml(data: bytes, name: str, folder: str) -> dict[str, Any] | None:
    import tomllib  # noqa: PLC0415 - start-up time: needed only with such a file

    try:
        text = data.decode()
        tool = tomllib.loads(text).get("tool")
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: is not TOML: {error}") from error
    settings = tool.get("gpu-lint") if isinstance(tool, dict) else None
    if settings is None:
        return None
    if not isinstance(settings, dict):
        raise UsageError(f"{name}: tool.gpu-lint must be a table of options")
    return _values(settings, folder, lambda key: f"{name}:{_line_of(text, key)}")


def _line_of(text: str, key: str) -> int:
    """Return the line of a key in our table; tomllib has no positions."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith("["):
            inside = "gpu-lint" in line
        if inside and line.strip().strip("\"'").startswith((key, f"[tool.gpu-lint.{key}")):
            return number
    return 1


def _values(settings: Mapping[str, Any], folder: str, where: Callable[[str], str]) -> dict[str, Any]:
    known = {option.name: option for option in OPTIONS if option.configurable}
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key == _BY_PATH:
            values["per_file_ignores"] = _by_path(value, where(key))
        elif key in known:
            values[known[key].dest] = _value(known[key], value, folder, where(key))
        else:
            from gpu_admission.core.typos import did_you_mean  # noqa: PLC0415 - only for a mistake

            raise UsageError(f"{where(key)}: unknown option {key!r}{did_you_mean(key, [*known, _BY_PATH])}")
    return values


def _value(option: Option, value: Any, folder: str, where: str) -> Any:
    """Return a value as from the command line."""
    if option.kind == "switch":
        wanted, good = "true or false", isinstance(value, bool)
    elif option.kind == "choice":
        wanted, good = f"one of {', '.join(option.choices)}", value in option.choices
    elif option.kind == "number":
        wanted, good = "an integer >= 1", type(value) is int and value > 0
    elif option.kind == "word":
        wanted, good = "a string", isinstance(value, str) and bool(value)
    else:
        value = [value] if isinstance(value, str) else value
        wanted, good = "a string or a list of strings", _is_texts(value)
    if not good:
        raise UsageError(f"{where}: {option.name}: expected {wanted}")
    if option.kind == "words":
        return split(value)
    if option.dest in _PATHS:
        return [_joined(item, folder) for item in value] if option.kind == "many" else _joined(value, folder)
    return value


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _joined(settings: str, folder: str) -> str:
    """Return a path in a configuration relative to the working directory (``FORMAT=`` and policy names stay)."""
    head, equals, path = settings.rpartition("=")
    if not equals and os.sep not in path and not path.endswith((".yaml", ".yml", ".json")):
        return settings if not os.path.isfile(os.path.join(folder, settings)) else os.path.join(folder, settings)
    return f"{head}{equals}{os.path.join(folder, path)}"


def _by_path(value: Any, where: str) -> dict[str, list[str]]:
    if not isinstance(value, dict):
        raise UsageError(f"{where}: {_BY_PATH}: expected a mapping from globs to rules")
    rules = {glob: [settings] if isinstance(settings, str) else settings for glob, settings in value.items()}
    if not all(map(_is_texts, rules.values())):
        raise UsageError(f"{where}: {_BY_PATH}: expected a rule or a list of rules for each glob")
    return {glob: split(settings) for glob, settings in rules.items()}
