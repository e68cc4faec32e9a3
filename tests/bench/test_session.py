"""The processes of a session. Their end is tested with the children."""

import os
import subprocess
import sys

from bench.session import Process, list_session, parse_process, read_session_ticks, wait_calm

STAT = "42 (a b) c) S 1 41 40 0 -1 4194560 1 2 3 4 500 60 7 8 20 0 1 0 100"


def test_process_is_read_behind_its_name() -> None:
    """A name with blanks and parentheses shifts no field; group and session are not mixed up."""
    assert Process(pid=42, parent=1, session=40, ticks=575) == parse_process(STAT)


def test_ticks_of_the_own_session_grow_with_work() -> None:
    """Reading real processes: a session that works uses processor time, one that doesn't exist uses none."""
    session = os.getsid(0)
    before = read_session_ticks(session)
    while read_session_ticks(session) == before:
        sum(range(1000))
    assert read_session_ticks(-1) == 0


def test_children_in_sessions_of_their_own_belong_to_it() -> None:
    """A supervisor's child is counted and found, whatever session it was given."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        assert child.pid in {process.pid for process in list_session(os.getsid(0))}
    finally:
        child.communicate(b"\n")


def test_calm_comes_with_the_end_of_the_work() -> None:
    """A process that works is not waited for longer than asked; one that waits is calm."""
    command = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as busy:
        assert busy.stdout
        busy.stdout.readline()
        assert not wait_calm([busy.pid], 0.5)
        busy.kill()
    assert wait_calm([busy.pid], 5.0)
