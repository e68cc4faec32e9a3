"""Composition roots: a worker process, the control process, a node of both, the demo.

What each process needs is imported in its own function: a worker must not load the store, DeepDiff or Jinja.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import secrets
import shutil
import signal
import socket
import sys
from typing import TYPE_CHECKING

import structlog

from proxy import config, logs
from proxy.errors import ChangeoverError, SchemaMismatch, StartError, StoreError
from proxy.process import die_with_parent, finish_after_signals
from proxy.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import uvicorn

    from proxy.control.supervisor import Child
    from proxy.core.model import Rollout
    from proxy.traffic.worker import Worker

log = structlog.get_logger(__name__)

_BACKLOG = 2048
_MASK_KEY_BYTES = 32


# --- what the processes of a node share on disk ---
def prepare_state(settings: Settings) -> None:
    """Makes the state folder and this installation's mask key. Raises StartError."""
    folder = settings.state_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
        if not settings.mask_key_path.exists():
            _write_private(settings.mask_key_path, secrets.token_bytes(_MASK_KEY_BYTES))
    except OSError as error:
        raise StartError(
            f"state folder {folder}: can't be written ({error.strerror or error}); give another with --state-dir"
        ) from error


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def read_rollout(settings: Settings) -> Rollout:
    """The last rollout that control put in force, from the state folder. Raises ConfigError."""
    try:
        document = json.loads(settings.rollout_path.read_bytes())
    except (OSError, ValueError) as error:
        raise StartError(
            f"rollout {settings.rollout_path}: can't be read ({error}); start with 'changeover serve'"
        ) from error
    return config.rollout_from_document(document)


def bind(address: tuple[str, int], flag: str) -> socket.socket:
    """A listening socket. Raises StartError where the address is taken or not ours."""
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise StartError(
            f"{flag} {shown}: can't listen there ({error.strerror or error}); give another {flag}"
        ) from error
    return listener


# --- a worker ---
def run_worker(settings: Settings, listener_fd: int, name: str) -> int:
    """Serves users on an inherited listening socket until SIGTERM; returns the exit code."""
    import uvloop  # noqa: PLC0415  # see the module

    logs.configure(settings)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listener = socket.socket(fileno=listener_fd)
    _calm_garbage_collection()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_worker(settings, read_rollout(settings), listener, name))
    return 0


def _calm_garbage_collection() -> None:
    """Looks for cycles seldom, and never among what lives as long as the process.

    A request leaves a few hundred objects and hardly a cycle: the default (each 700 objects) costs 5 % of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def serve_worker(settings: Settings, rollout: Rollout, listener: socket.socket, name: str) -> None:
    """A worker under uvicorn, until it is told to stop by a signal."""
    from proxy.traffic.worker import working  # noqa: PLC0415  # see the module

    finish_after_signals()
    async with working(settings, rollout, settings.mask_key_path.read_bytes(), name) as worker:
        await worker_server(worker, settings).serve(sockets=[listener])


def worker_server(worker: Worker, settings: Settings) -> uvicorn.Server:
    """The server that carries a worker's handler. `should_exit` ends it."""
    import uvicorn  # noqa: PLC0415  # see the module

    from proxy.traffic.server import ServerProtocol, idle_closer  # noqa: PLC0415

    server = uvicorn.Server(
        uvicorn.Config(
            worker.handler,
            http=ServerProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            reset_contextvars=True,
            backlog=_BACKLOG,
            timeout_keep_alive=75,  # above what load balancers and browsers keep idle: nginx 75 s
            timeout_graceful_shutdown=max(int(settings.drain_s), 1),
        )
    )
    worker.deadlines.on_sweep(idle_closer(server))
    return server


def main(arguments: list[str]) -> int:
    """Entry of the child processes: `worker FD NAME` or `control FD`. Settings come by the environment."""
    die_with_parent()
    settings = Settings()
    try:
        if arguments[0] == "worker":
            return run_worker(settings, int(arguments[1]), arguments[2])
        return run_control(settings, int(arguments[1]))
    except ChangeoverError as error:
        print(f"changeover: {error}", file=sys.stderr)  # noqa: T201  # a process's last words
        return error.exit_code


# --- control ---
def run_control(settings: Settings, listener_fd: int) -> int:
    """Control and the admin API on an inherited socket until SIGTERM; returns the exit code."""
    logs.configure(settings)
    with asyncio.Runner() as runner:
        runner.run(serve_control(settings, socket.socket(fileno=listener_fd)))
    return 0


async def serve_control(settings: Settings, listener: socket.socket) -> None:
    """Control with the admin API under uvicorn, until it is told to stop by a signal."""
    import uvicorn  # noqa: PLC0415  # see the module

    from proxy.admin.api import create_app  # noqa: PLC0415
    from proxy.control.control import Control  # noqa: PLC0415
    from proxy.store import Store  # noqa: PLC0415

    finish_after_signals()
    store = Store(settings.effective_store_url)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(store.close)
        control = await stack.enter_async_context(Control(settings, store))
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(control, settings),
                lifespan="off",
                http="h11",
                ws="none",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        await server.serve(sockets=[listener])


# --- a node ---
def run_node(settings: Settings) -> int:
    """Control and workers under a supervisor, until SIGTERM or Ctrl-C; returns the exit code."""
    logs.configure(settings)
    return _supervise(settings, [])


def run_demo(settings: Settings) -> int:
    """A node with both example backends and their readers; the backends begin with fresh state."""
    from proxy.control.supervisor import Child  # noqa: PLC0415

    logs.configure(settings)
    if settings.listen_address[1] == 0:
        raise StartError(
            f"--listen {settings.listen}: the demo's readers must know the port; name one, as 127.0.0.1:8000"
        )
    loaded = config.load(settings.config, os.environ)
    children = []
    for package, backend in (("legacy_backend", loaded.migration.legacy), ("new_backend", loaded.migration.new)):
        bind((backend.host, backend.port), f"the port of {package}, as {settings.config} has it,").close()
        folder = settings.state_dir / "demo" / package
        shutil.rmtree(folder, ignore_errors=True)
        address = ("--host", backend.host, "--port", str(backend.port), "--state-dir", str(folder))
        children.append(Child(package, (sys.executable, "-m", "proxy.process", package, *address), stop_rank=_LAST))
    readers = (sys.executable, "-m", "proxy.demo", "--url", f"http://{settings.listen}")
    children.append(Child("readers", readers, environ=settings.environment(), stop_rank=_FIRST))
    return _supervise(settings, children)


_FIRST, _WORKERS, _CONTROL, _LAST = range(4)  # the order in which a node's processes are stopped


def _supervise(settings: Settings, others: list[Child]) -> int:
    from proxy.admin.door import open_door  # noqa: PLC0415
    from proxy.control.rollout import prepare  # noqa: PLC0415
    from proxy.control.supervisor import Child, Supervisor  # noqa: PLC0415

    open_door(settings.admin_address[0], settings.admin_token)
    prepare_state(settings)
    prepare(settings, os.environ)
    prepare_store(settings)
    users, admin = bind(settings.listen_address, "--listen"), bind(settings.admin_address, "--admin-listen")
    environ = settings.environment()
    argv = (sys.executable, "-m", "proxy.app")
    control = Child(
        "control",
        (*argv, "control", str(admin.fileno())),
        environ=environ,
        pass_fds=(admin.fileno(),),
        stop_rank=_CONTROL,
        is_reloadable=True,
    )
    workers = [
        Child(
            name,
            (*argv, "worker", str(users.fileno()), name),
            environ=environ,
            pass_fds=(users.fileno(),),
            stop_rank=_WORKERS,
        )
        for name in (f"worker-{number}" for number in range(1, settings.workers + 1))
    ]
    log.info("node.starting", users=_url(users), admin=_url(admin), workers=settings.workers, pid=os.getpid())
    return asyncio.run(Supervisor([control, *workers, *others], settings.drain_s).run())


def prepare_store(settings: Settings) -> None:
    """Makes sure that the store can be used by this version. Raises StoreError where it can't, and waiting won't help.

    A PostgreSQL store that isn't reached is no reason not to serve (law 8): control goes on trying.
    """
    from proxy.store import Store  # noqa: PLC0415

    store = Store(settings.effective_store_url)
    try:
        if store.is_sqlite:
            store.upgrade()
        else:
            store.check_schema()
    except StoreError as error:
        if store.is_sqlite or isinstance(error, SchemaMismatch):
            raise
        log.warning("store.unreached", cause=str(error))
    finally:
        store.close()


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
