"""Logs: real processes that log, and what is on their stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 12_000  # lines; a process keeps 8,192, and a pipe some hundred

SETUP = """
import logging, structlog
from proxy import logs
from proxy.settings import Settings
log = structlog.get_logger("first")
logs.configure(Settings(log_format={format!r}, log_level={level!r}), process="worker-1")
"""


def stderr_of(script: str, log_format: str = "json", level: str = "info", **options: Any) -> str:
    """What a process that logs as the script says has on stderr; on stdout it must have nothing."""
    source = SETUP.format(format=log_format, level=level) + script
    options = {"stderr": subprocess.PIPE, **options}
    done = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE, timeout=60, check=True, **options)
    assert b"" == done.stdout
    return (done.stderr or b"").decode()


def test_logs_are_one_json_object_a_line():
    """Event, level, time, the process's fields and the event's own values, whatever their type."""
    line = json.loads(stderr_of('log.info("link.connected", number=1, raw=b"a")'))
    line.pop("timestamp")
    assert {"event": "link.connected", "level": "info", "process": "worker-1", "number": 1, "raw": "b'a'"} == line


def test_logs_of_libraries_take_the_same_way():
    """Uvicorn's lines look like ours; what chats about each request is silent."""
    script = """
logging.getLogger("uvicorn.error").warning("hello %s", "there")
logging.getLogger("httpx").info("HTTP Request: GET /healthz")
"""
    line = json.loads(stderr_of(script))
    assert ("hello there", "warning", "worker-1") == (line["event"], line["level"], line["process"])


@pytest.mark.parametrize(("level", "events"), [("debug", ["a", "b"]), ("info", ["b"]), ("error", [])])
def test_logs_below_the_level_are_left_out(level: str, events: list[str]):
    """The level holds for loggers that were made before it was set, too."""
    lines = stderr_of('log.debug("a"); log.info("b")', level=level).splitlines()
    assert events == [json.loads(line)["event"] for line in lines]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_logged_errors_show_no_local_values(log_format: str):
    """A traceback has its frames and not what the variables held: users' secrets would be among it (law 6)."""
    script = """
def answer(cookie):
    raise ZeroDivisionError
try:
    answer("-".join(("secret", "value")))
except ZeroDivisionError:
    log.exception("request.failed")
    logging.getLogger("library").exception("failed")
"""
    written = stderr_of(script, log_format)
    assert (2, False) == (written.count("Traceback"), "secret-value" in written)


def test_logs_that_can_not_be_written_are_no_error():
    """A full disk or a reader that has gone costs the line and nothing else (law 1)."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123  # a device
        script = 'log.info("lost"); logging.getLogger("library").warning("lost")'
        assert "" == stderr_of(script, stderr=full)


def test_logs_are_columns_where_they_are_asked_for():
    """People read the event's name first, without colours where there is no terminal."""
    written = stderr_of('log.info("link.connected", number=1)', "console")
    assert ("link.connected" in written, "number=1" in written, "\x1b" in written) == (True, True, False)


def test_logs_that_nobody_reads_hold_nobody_up():
    """A pipe that is full costs lines, which are counted; neither the loop nor the end waits for its reader."""
    script = """
import time
begun = time.monotonic()
for number in range({many}):
    log.info("request.served", number=number)
assert logs.dropped() >= {many} - 8_192 - 2_000, logs.dropped()
print(file=open({done!r}, "w"))
"""
    with tempfile.TemporaryDirectory() as folder, unread_pipe() as writing:
        done = Path(folder, "done")
        stderr_of(script.format(many=MANY, done=str(done)), stderr=writing)
        assert done.exists()


@contextmanager
def unread_pipe() -> Iterator[int]:
    reading, writing = os.pipe()
    try:
        yield writing
    finally:
        os.close(reading)
        os.close(writing)
