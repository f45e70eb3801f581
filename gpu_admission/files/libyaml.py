"""The YAML event parser: PyYAML's binding to libyaml, without the parts of PyYAML that reading events never needs.

`import yaml` executes 17 modules, of which reading events needs 4; the others (resolvers, constructors and
their regular expressions, `datetime`, `base64`, the emitter) cost about as much as starting Python itself.
So `yaml` is put into `sys.modules` the way `importlib.util.LazyLoader` would put it: the real package with its
real submodules, whose `__init__` runs as soon as anybody asks for a name that is not there yet. Whoever imports
yaml after us, or before us, sees the whole library; only the work is put off.

Where anything about that fails (another PyYAML, another layout) it is undone and plain `import yaml` takes over,
and where libyaml is missing, PyYAML's own parser in Python, about 15 times slower and otherwise the same.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

# What yaml._yaml takes from the modules that it does not need otherwise: their exceptions.
_ERRORS = {
    "reader": "ReaderError",
    "scanner": "ScannerError",
    "parser": "ParserError",
    "composer": "ComposerError",
    "constructor": "ConstructorError",
    "emitter": "EmitterError",
    "serializer": "SerializerError",
    "representer": "RepresenterError",
}


class Parser:
    """What reading needs from PyYAML: `events(data)` gives a function that returns the next event each time."""

    __slots__ = ("error", "events", "fast", "kinds")

    def __init__(self, events: Callable[[bytes], Callable[[], Any]], error: type[Exception], kinds: Any, *, fast: bool):
        self.events = events
        self.error = error
        self.kinds = kinds
        self.fast = fast


_parser: Parser | None = None


def parser() -> Parser:
    """Return the event parser, made at the first call: a run over JSON files never loads any YAML."""
    global _parser  # noqa: PLW0603 - one library, loaded once
    if _parser is None:
        _parser = _c_parser() or _python_parser()
    return _parser


def is_slow() -> bool:
    """Tell whether YAML was read without libyaml, which is worth one warning."""
    return _parser is not None and not _parser.fast


def _c_parser() -> Parser | None:
    try:
        if "yaml" not in sys.modules:
            _import_lazily()
        from yaml import _yaml, error, events  # noqa: PLC0415
    except ImportError:
        return None
    c_parser = _yaml.CParser
    return Parser(lambda data: c_parser(data).get_event, error.YAMLError, events, fast=True)


def _python_parser() -> Parser:
    from yaml import error, events  # noqa: PLC0415
    from yaml.parser import Parser as Grammar  # noqa: PLC0415
    from yaml.reader import Reader  # noqa: PLC0415
    from yaml.scanner import Scanner  # noqa: PLC0415

    class PythonParser(Reader, Scanner, Grammar):
        def __init__(self, data: bytes) -> None:
            Reader.__init__(self, data)
            Scanner.__init__(self)
            Grammar.__init__(self)

    return Parser(lambda data: PythonParser(data).get_event, error.YAMLError, events, fast=False)


def _import_lazily() -> None:
    """Import yaml._yaml under a yaml package whose own code has not run.

    Raises ImportError, with sys.modules as it was, where there is no libyaml binding or it wants more than this.
    """
    from importlib.machinery import PathFinder  # noqa: PLC0415

    spec = PathFinder.find_spec("yaml")
    if spec is None or spec.loader is None:
        raise ImportError("PyYAML is not installed")
    package = type(sys)("yaml")
    package.__spec__, package.__loader__, package.__package__ = spec, spec.loader, "yaml"
    package.__file__, package.__path__ = spec.origin, list(spec.submodule_search_locations or ())
    sys.modules["yaml"] = package
    try:
        binding = _import_binding(package)
    except (ImportError, AttributeError) as error:
        for name in [name for name in sys.modules if name == "yaml" or name.startswith("yaml.")]:
            del sys.modules[name]
        raise ImportError(str(error)) from error

    def complete(name: str) -> Any:
        """Run the package's own code at the first use of a name that reading did not need (PEP 562)."""
        del package.__getattr__
        spec.loader.exec_module(package)  # type: ignore[union-attr]
        for module, error in _ERRORS.items():
            setattr(binding, error, getattr(getattr(package, module), error))
        return getattr(package, name)

    package.__getattr__ = complete  # type: ignore[method-assign]


def _import_binding(package: ModuleType) -> ModuleType:
    """Import yaml._yaml, with stand-ins for the exceptions of modules that have not been loaded."""
    from yaml import error, events, nodes, tokens  # noqa: F401, PLC0415

    for module, name in _ERRORS.items():
        stand_in = type(sys)(f"yaml.{module}")
        setattr(stand_in, name, _stand_in(name, error))
        setattr(package, module, stand_in)
    try:
        from yaml import _yaml  # noqa: PLC0415
    finally:
        for module in _ERRORS:
            delattr(package, module)
    return _yaml  # type: ignore[no-any-return]


def _stand_in(name: str, error: ModuleType) -> type[Exception]:
    if name != "ReaderError":
        return type(name, (error.MarkedYAMLError,), {})

    def __init__(self: Any, source: str, position: int, character: int, encoding: str, reason: str) -> None:  # noqa: N807
        self.name, self.position, self.character = source, position, character
        self.encoding, self.reason = encoding, reason

    return type(name, (error.YAMLError,), {"__init__": __init__})
