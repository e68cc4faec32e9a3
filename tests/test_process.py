"""Process: it ends with its parent, and in order after a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from proxy.process import child_environment
from tests.processor_turns import needs_turns

PROGRAM = "from proxy.process import die_with_parent; die_with_parent(); print('alive')"
PARENT = "_CHANGEOVER_PARENT_PID"


def test_a_child_whose_parent_is_gone_already_ends_at_once():
    """The parent may die before its child can ask the kernel to be told."""
    environ = {**os.environ, PARENT: "1"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, check=False)
    assert (-signal.SIGTERM, b"") == (done.returncode, done.stdout)


def test_a_process_without_a_supervisor_is_left_alone():
    """Run by hand, nothing is tied to the shell."""
    environ = {name: value for name, value in os.environ.items() if name != PARENT}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, check=True)
    assert done.stdout == b"alive\n"


def test_a_child_gets_the_wished_signal_when_its_parent_is_killed():
    """The kernel tells the child, whatever it is doing: here the signal ends it and closes the pipe."""
    child = (
        "import signal; from proxy.process import die_with_parent; die_with_parent(signal.SIGKILL);"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    )
    parent = (
        "import os, subprocess, sys; from proxy.process import child_environment;"
        f"subprocess.run([sys.executable, '-c', {child!r}], env={{**os.environ, **child_environment()}})"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        assert process.stdout.read() == ""


def test_a_child_says_ready_into_the_pipe_that_it_was_given():
    """One line each time, with what is wrong; nothing where nobody listens, or listens no more."""
    hearing, saying = os.pipe()
    environ = {**os.environ, **child_environment(saying)}
    program = "from proxy.process import *; say_ready(); say_ready('a\\nb'); say_reloading(); say_reloaded('x' * 9999)"
    subprocess.run([sys.executable, "-c", program], env=environ, pass_fds=(saying,), check=True)
    os.close(saying)
    assert b"ready\nready a b\nreloading\nreloaded " + b"x" * 491 + b"\n" == os.read(hearing, 4096)
    os.close(hearing)

    hearing, saying = os.pipe()
    os.close(hearing)
    deaf = {**os.environ, **child_environment(saying)}
    subprocess.run([sys.executable, "-c", program], env=deaf, pass_fds=(saying,), check=True)
    os.close(saying)
    subprocess.run([sys.executable, "-c", program], env={**os.environ, **child_environment()}, check=True)


SERVING = """
import asyncio, sys, uvicorn, uvloop
from proxy.process import finish_after_signals

class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print("serving", flush=True)

async def app(scope, receive, send):
    pass

async def main():
    finish_after_signals()
    try:
        await Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None)).serve()
    finally:
        await asyncio.sleep(0)
        print("in order", flush=True)

asyncio.Runner(loop_factory=uvloop.new_event_loop if sys.argv[1] == "uvloop" else None).run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_finishing_after_signals_lets_a_server_put_its_affairs_in_order(loop: str, sent: signal.Signals):
    """What stands after the server runs when it was stopped by a signal, and the exit code says that all is well."""
    with subprocess.Popen([sys.executable, "-c", SERVING, loop], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "serving\n" == process.stdout.readline()
        process.send_signal(sent)
        assert ("in order\n", 0) == (process.stdout.read(), process.wait(30))


TURNS = """
import os, threading
from proxy.process import take_turns
from tests.processor_turns import turn_s
threading.Thread(target=threading.Event().wait, daemon=True).start()
os.nice(3)
print(take_turns(0.0003), [turn_s(int(each)) for each in os.listdir("/proc/self/task")], os.nice(0), end="")
"""


@needs_turns
def test_all_threads_take_turns_of_the_wished_length_and_keep_their_share():
    """Read back from the kernel; the niceness stays."""
    done = subprocess.run([sys.executable, "-c", TURNS], capture_output=True, text=True, check=True)
    assert f"True [0.0003, 0.0003] {os.nice(0) + 3}" == done.stdout


def test_a_policy_that_somebody_has_chosen_stays():
    """Turns are for those who have the usual one."""
    program = (
        "import os; from proxy.process import take_turns; os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0));"
        "take_turns(0.0003); print(os.sched_getscheduler(0) == os.SCHED_BATCH, end='')"
    )
    assert b"True" == subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
