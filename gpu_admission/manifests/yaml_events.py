"""The YAML event parser: PyYAML's binding to libyaml, without the rest of PyYAML.

`import yaml` runs 17 modules, of which parsing events needs 5; the others (resolver, constructor and their regular
expressions, `datetime`, `base64`, the emitter) take as much CPU as starting Python. So the package is put into
`sys.modules` as by `importlib.util.LazyLoader`: the real package with its real submodules, whose `__init__` runs at the
first use of a missing name. Other code that imports yaml, before or after, gets the whole library.

If that fails (another PyYAML, another file layout) it is undone, and plain `import yaml` is used; without libyaml
PyYAML's parser in Python, which gives the same results in some 15 times as long.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

# The exceptions that yaml._yaml imports from modules that it does not need otherwise.
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
    """The parser and its exceptions: `events(data)` returns a function that returns the next event."""

    __slots__ = ("error", "events", "fast", "kinds")

    def __init__(self, events: Callable[[bytes], Callable[[], Any]], *, fast: bool) -> None:
        import yaml.error  # noqa: PLC0415
        import yaml.events  # noqa: PLC0415

        self.events = events
        self.error = yaml.error.YAMLError
        self.kinds: Any = yaml.events
        self.fast = fast


_parser: Parser | None = None


def parser() -> Parser:
    """Return the event parser, imported at the first call: a run over JSON files does not need it."""
    global _parser  # noqa: PLW0603 - one library, loaded once
    if _parser is None:
        _parser = _c_parser() or _python_parser()
    return _parser


def is_slow() -> bool:
    """Return whether YAML was parsed without libyaml, which is reported once."""
    return _parser is not None and not _parser.fast


def _c_parser() -> Parser | None:
    try:
        if "yaml" not in sys.modules:
            _import_lazily()
    except ImportError:
        pass  # the plain import below is tried next
    try:
        from yaml._yaml import CParser  # noqa: PLC0415
    except ImportError:
        return None
    return Parser(lambda data: CParser(data).get_event, fast=True)


def _python_parser() -> Parser:
    from yaml.parser import Parser as Grammar  # noqa: PLC0415
    from yaml.reader import Reader  # noqa: PLC0415
    from yaml.scanner import Scanner  # noqa: PLC0415

    class PythonParser(Reader, Scanner, Grammar):
        def __init__(self, data: bytes) -> None:
            Reader.__init__(self, data)
            Scanner.__init__(self)
            Grammar.__init__(self)

        def get_event(self) -> Any:
            event = super().get_event()  # type: ignore[no-untyped-call]
            # libyaml rejects unpaired surrogates; the parser in Python returns them, and encoding raises ValueError.
            getattr(event, "value", "").encode()
            return event

    return Parser(lambda data: PythonParser(data).get_event, fast=False)


def _import_lazily() -> None:
    """Import yaml._yaml under a yaml package whose code has not run.

    Raises ImportError, with sys.modules unchanged, where there is no binding or it needs more modules.
    """
    package, spec = _empty_package()
    sys.modules["yaml"] = package
    try:
        binding = _import_binding(package)
    except (ImportError, AttributeError) as error:
        for name in [name for name in sys.modules if name == "yaml" or name.startswith("yaml.")]:
            del sys.modules[name]
        raise ImportError(str(error)) from error

    def complete(name: str) -> Any:
        """Run the package's code at the first use of a missing name (PEP 562)."""
        del package.__getattr__
        spec.loader.exec_module(package)  # type: ignore[union-attr]
        for module, error in _ERRORS.items():
            setattr(binding, error, getattr(getattr(package, module), error))
        return getattr(package, name)

    package.__getattr__ = complete  # type: ignore[method-assign]


def _empty_package() -> tuple[ModuleType, ModuleSpec]:
    """Return a module with the spec of the yaml package, whose code has not run."""
    specs = (finder.find_spec("yaml", None) for finder in sys.meta_path)
    spec = next((spec for spec in specs if spec is not None), None)
    if spec is None or spec.loader is None:
        raise ImportError("PyYAML is not installed")
    package = type(sys)("yaml")
    package.__spec__, package.__loader__, package.__package__ = spec, spec.loader, "yaml"
    package.__file__, package.__path__ = spec.origin, list(spec.submodule_search_locations or ())
    return package, spec


def _import_binding(package: ModuleType) -> ModuleType:
    """Import yaml._yaml, with stand-ins for exceptions of modules that are not loaded."""
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
    return _yaml


def _stand_in(name: str, error: ModuleType) -> type[Exception]:
    """Return an exception with the arguments of the real one: for most, those of MarkedYAMLError."""
    if name != "ReaderError":
        return type(name, (error.MarkedYAMLError,), {})

    def init(self: Any, *args: Any) -> None:
        self.name, self.position, self.character, self.encoding, self.reason = args

    return type(name, (error.YAMLError,), {"__init__": init})
