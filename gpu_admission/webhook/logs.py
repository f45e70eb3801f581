"""One line per decision, as JSON or text: a constant message and fields, of the object only its names.

Lines are written to standard error by ``log_writer``, which never blocks.
Text from clients is escaped (no forged lines) and cut (no flooded disks). Exceptions are logged as type
and places in the code, without their text: it may quote the object, and objects contain secrets.
"""

from __future__ import annotations

import functools
import json
import logging
import re
import time
import traceback
from typing import TYPE_CHECKING, Any

from gunicorn.glogging import Logger as GunicornLogger

from .log_writer import LogWriter
from .review import json_codec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gunicorn.config import Config

    Render = Callable[[float, str, str, Mapping[str, Any]], str]

NAME = "gpu_admission"
STDERR = 2
LONGEST = 256
"""Characters of a value, where the whole line is longer than SHORT."""
SHORT = 512
FRAMES = 12
PLAIN = re.compile(r"[A-Za-z0-9._:/@,+\-]+")
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def get() -> logging.Logger:
    """Return the package's logger."""
    return logging.getLogger(NAME)


def setup(style: str, level: str, fd: int = STDERR) -> LogWriter:
    """Send the package's, gunicorn's and asyncio's lines to ``fd`` in ``style`` (``json`` or ``text``)."""
    render = RENDERERS[style]
    writer = LogWriter(fd, lambda count: render(time.time(), "WARNING", "log lines dropped", {"count": count}))
    handler = _Handler(writer)
    handler.setFormatter(Lines(style))
    for name in (NAME, "gunicorn.error", "asyncio", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())
    return writer


class _Handler(logging.Handler):
    """Hands records to a LogWriter; warnings and errors are written at once."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(self.format(record), urgent=record.levelno >= logging.WARNING)
        except Exception:  # noqa: BLE001 - as every handler
            self.handleError(record)

    def flush(self) -> None:
        """Write what is queued: logging.shutdown calls this when the process exits."""
        self._writer.finish()


class Lines(logging.Formatter):
    """A record as one line; the fields come from ``extra={"fields": {...}}``."""

    def __init__(self, style: str) -> None:
        super().__init__()
        self._render = RENDERERS[style]

    def format(self, record: logging.LogRecord) -> str:
        """Render one record; never more than one line."""
        fields: dict[str, Any] = dict(getattr(record, "fields", ()))
        if record.exc_info and record.exc_info[1] is not None:
            fields.update(describe(record.exc_info[1]))
        return self._render(record.created, record.levelname, record.getMessage(), fields)


def describe(error: BaseException) -> dict[str, str]:
    """Return an exception's type and the last places it passed through, innermost first; never its text.

    The import machinery is left out: its many frames do not show which module imported which.
    """
    frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith("<frozen ")]
    frames = frames[-FRAMES:]
    places = (f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return {"error": type(error).__name__, "at": " < ".join(places)}


def _json_line(when: float, level: str, message: str, fields: Mapping[str, Any]) -> str:
    whole = {"time": _stamp(when), "level": level.lower(), "message": message, **fields}
    return _encode({name: cut(value) for name, value in whole.items()})


def _plain_json_line(when: float, level: str, message: str, fields: Mapping[str, Any]) -> str:
    """Write a line at a third of the cost where nothing in it has to be escaped or cut, as in nearly every one."""
    encoded = json_codec.write({"time": _stamp(when), "level": level.lower(), "message": message, **fields})
    if len(encoded) <= SHORT and encoded.isascii():
        return encoded.decode()
    return _json_line(when, level, message, fields)


def _text_line(when: float, level: str, message: str, fields: Mapping[str, Any]) -> str:
    pairs = "".join([f" {name}={_plain(cut(value))}" for name, value in fields.items()])
    return f"{_stamp(when)} {level} {_printable(cut(message))}{pairs}"


RENDERERS: Mapping[str, Render] = {"json": _json_line, "text": _text_line}


def cut(value: Any) -> Any:
    """Return a value shortened, and of a type of JSON."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST else value[:LONGEST] + "…"
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    if isinstance(value, (list, tuple)):
        return [cut(part) for part in value[:32]]
    return cut(str(value))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) and PLAIN.fullmatch(value) else _encode(value)


def _printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _encode(text)


def _stamp(when: float) -> str:
    second = int(when)
    return f"{_second(second)}.{int((when - second) * 1000):03d}Z"


@functools.lru_cache(maxsize=2)
def _second(when: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when))


class Decisions:
    """Writes the line of each review.

    The same lines as of ``Lines``, without the logging machinery, which costs as much as a decision.
    """

    def __init__(self, style: str, level: str, writer: LogWriter) -> None:
        self._writer = writer
        self._render = _plain_json_line if style == "json" else _text_line
        self._enabled = logging.getLevelNamesMapping()[level.upper()] <= logging.INFO

    def write(self, endpoint: str, policy: str, status: int, seconds: float, record: Mapping[str, Any]) -> None:
        """Write one line."""
        if self._enabled:
            fields = {"endpoint": endpoint, "policy": policy, **record, "status": status, "seconds": round(seconds, 6)}
            self._writer.write(self._render(time.time(), "INFO", "review answered", fields))


class Throttle:
    """Admits ``burst`` lines a second and counts the rest, so that a flood of requests does not flood the log."""

    def __init__(self, burst: int = 10) -> None:
        self._burst = burst
        self._second = 0
        self._passed = 0
        self._held = 0

    def admit(self, now: float) -> int | None:
        """Return None for a line to omit, else the number of lines omitted since the last one admitted."""
        second = int(now)
        if second != self._second:
            self._second, self._passed = second, 0
        if self._passed >= self._burst:
            self._held += 1
            return None
        self._passed += 1
        held, self._held = self._held, 0
        return held


class ServerLogger(GunicornLogger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's lines through our handler; without an access log, as each decision has a line."""

    def setup(self, cfg: Config) -> None:
        """Take gunicorn's level and keep the handlers that ``setup`` installed."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO)
        self.error_log.setLevel(self.loglevel)

    def access(self, *_: object) -> None:
        """Nothing: see the class."""


def fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """Wrap fields for ``extra=`` of a logging call."""
    return {"fields": values}
