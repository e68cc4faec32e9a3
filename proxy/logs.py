"""Log lines of every process, to stderr: JSON for machines, columns for a terminal.

structlog writes our own events; what libraries say through `logging` (uvicorn, alembic) takes the same way out.
Data goes to stdout and never through here.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor

# At INFO these say something for each request or each opening of the store.
_CHATTY = ("alembic", "httpx", "httpcore", "sqlalchemy", "watchfiles", "asyncio")


class LogSettings(Protocol):
    """The part of the settings that is read here; `settings` is this module's equal and not imported."""

    @property
    def log_format(self) -> str: ...
    @property
    def log_level(self) -> str: ...


class _Lines:
    """Writes whole lines. A log that can't be written (a broken pipe, a full disk) is lost, never an error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = warn = error = critical = exception = fatal = failure = log = msg


class _Handler(logging.Handler):
    """The standard library's way to the same lines."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._lines = _Lines(stream)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.msg(self.format(record))


def configure(settings: LogSettings, **fields: Any) -> None:
    """Sets up logging for this process; `fields` (as process="worker-1") stand in each of its lines.

    May be called again. `log_format` auto means columns on a terminal, JSON elsewhere.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    stream = sys.stderr
    shared = _shared_processors(fields)
    structlog.configure(
        processors=[*shared, *_ending(settings.log_format, stream)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )
    _route_standard_library(level, stream, shared, _ending(settings.log_format, stream))


def _shared_processors(fields: dict[str, Any]) -> list[Processor]:
    def add_fields(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {**event, **fields} if fields else event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_fields,
    ]


def _ending(log_format: str, stream: TextIO) -> list[Processor]:
    """The last processors: from an event to a line of text."""
    is_terminal = stream.isatty()
    if log_format == "console" or (log_format == "auto" and is_terminal):
        # The default formatter of errors prints the local values of each frame: users' secrets among them (law 6).
        return [structlog.dev.ConsoleRenderer(colors=is_terminal, exception_formatter=structlog.dev.plain_traceback)]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=str),
    ]


def _route_standard_library(level: int, stream: TextIO, shared: list[Processor], ending: list[Processor]) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    handler = _Handler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
