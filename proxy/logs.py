"""Log lines of every process, to stderr: JSON for machines, columns for a terminal.

structlog writes our own events; what libraries say through `logging` (uvicorn, alembic) takes the same way out, and a
thread writes the lines (`lines`). Data goes to stdout and never through here.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import structlog

from proxy.lines import Lines

if TYPE_CHECKING:
    from structlog.typing import Processor

# At INFO these say something for each request or each opening of the store.
_CHATTY = ("alembic", "httpx", "httpcore", "sqlalchemy", "watchfiles", "asyncio")
_STDERR = 2


class LogSettings(Protocol):
    """The part of the settings that is read here; `settings` is this module's equal and not imported."""

    @property
    def log_format(self) -> str: ...
    @property
    def log_level(self) -> str: ...


class _Stream:
    """Writes whole lines where stderr was replaced, as in tests. What can't be written is lost, never an error."""

    dropped = 0

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def put(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


class _Logger:
    """structlog's way to the lines."""

    def __init__(self, lines: Lines | _Stream) -> None:
        self._lines = lines

    def msg(self, line: str) -> None:
        self._lines.put(line)

    debug = info = warning = warn = error = critical = exception = fatal = failure = log = msg


class _Handler(logging.Handler):
    """The standard library's way to the same lines."""

    def __init__(self, lines: Lines | _Stream) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.put(self.format(record))


def configure(settings: LogSettings, **fields: Any) -> None:
    """Sets up logging for this process; `fields` (as process="worker-1") stand in each of its lines.

    May be called again. `log_format` auto means columns on a terminal, JSON elsewhere.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    stream = sys.stderr
    lines = _lines_of(stream)
    shared = _shared_processors(fields)
    structlog.configure(
        processors=[*shared, *_ending(settings.log_format, stream)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Logger(lines),
        cache_logger_on_first_use=False,
    )
    _route_standard_library(level, lines, shared, _ending(settings.log_format, stream))


def dropped() -> int:
    """How many lines of this process were lost because nobody read its log."""
    return _lines_of(sys.stderr).dropped


def _lines_of(stream: TextIO) -> Lines | _Stream:
    """Only of the process's own stderr is it known that its descriptor stays what it is."""
    with contextlib.suppress(OSError, ValueError):
        if stream.fileno() == _STDERR:
            return _process_lines()
    return _Stream(stream)


@cache
def _process_lines() -> Lines:
    """One thread for all lines, however often logging is set up."""
    lines = Lines(_STDERR, lambda number: structlog.get_logger(__name__).warning("log.dropped", lines=number))
    atexit.register(lines.close)
    return lines


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


def _route_standard_library(
    level: int, lines: Lines | _Stream, shared: list[Processor], ending: list[Processor]
) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    handler = _Handler(lines)
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
