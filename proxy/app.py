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
from proxy.activation import Inherited, take_inherited
from proxy.addresses import TcpAddress
from proxy.descriptors import raise_descriptor_limit
from proxy.errors import ChangeoverError, SchemaMismatch, StartError, StoreError
from proxy.listeners import BACKLOG, bind, listener_tls, url_of
from proxy.node import open_listeners, settled
from proxy.process import (
    die_with_parent,
    finish_after_signals,
    leave_terminal,
    say_ready,
    say_reloaded,
    say_reloading,
    take_turns,
    yield_processor,
)
from proxy.sdnotify import ServiceManager
from proxy.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.control.supervisor import Child
    from proxy.core.model import Rollout
    from proxy.node import Listeners
    from proxy.traffic.serving import WorkerServer
    from proxy.traffic.siblings import Siblings
    from proxy.traffic.worker import Worker

log = structlog.get_logger(__name__)

_KEY_BYTES = 32
_CONTROL_NICENESS = 10  # docs/adr/0002-two-planes.md has what it costs and brings
_WORKER_TURN_S, _CONTROL_TURN_S = 0.0003, 0.03  # the kernel's own is some milliseconds


# --- what the processes of a node share on disk ---
def prepare_state(settings: Settings) -> None:
    """Makes the state folder and this installation's keys. Raises StartError."""
    folder = settings.state_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
        for path in (settings.mask_key_path, settings.session_key_path):
            if not path.exists():
                _write_private(path, secrets.token_bytes(_KEY_BYTES))
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


def _calm_garbage_collection() -> None:
    """Looks for cycles seldom, and never among what lives as long as the process.

    A request leaves a few hundred objects and hardly a cycle: the default (each 700 objects) costs 5 % of its time. And
    what control reads of a large store, thousands of rows, was looked through again and again while it was read.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


# --- a worker ---
def run_worker(settings: Settings, name: str, own: tuple[int, ...], others: tuple[int, ...]) -> int:
    """Serves users on inherited listening sockets until SIGTERM; returns the exit code.

    `own` are the descriptors that it listens on, `others` those of its siblings.
    """
    import uvloop  # noqa: PLC0415  # see the module

    logs.configure(settings)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise_descriptor_limit()
    rollout = read_rollout(settings)
    _calm_garbage_collection()
    if settings.gives_way:
        take_turns(_WORKER_TURN_S)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_worker(settings, rollout, name, sockets_of(own), sockets_of(others)))
    return 0


def sockets_of(descriptors: tuple[int, ...]) -> list[socket.socket]:
    return [socket.socket(fileno=descriptor) for descriptor in descriptors]


async def serve_worker(
    settings: Settings, rollout: Rollout, name: str, own: list[socket.socket], others: list[socket.socket]
) -> None:
    """A worker under uvicorn, until it is told to stop by a signal."""
    from proxy.traffic.siblings import Siblings  # noqa: PLC0415  # see the module
    from proxy.traffic.worker import working  # noqa: PLC0415

    finish_after_signals()
    async with working(settings, rollout, settings.mask_key_path.read_bytes(), name) as worker:
        server = worker_server(worker, settings, Siblings(others))
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, server)
        await server.serve(sockets=own)


def _reload(server: WorkerServer) -> None:
    say_reloading()
    server.reload()
    say_reloaded()


def worker_server(worker: Worker, settings: Settings, siblings: Siblings | None = None) -> WorkerServer:
    """The server that carries a worker's handler; `should_exit` ends it. Raises StartError for unusable TLS files."""
    import uvicorn  # noqa: PLC0415  # see the module

    from proxy.traffic.server import ServerProtocol, sweeper  # noqa: PLC0415
    from proxy.traffic.serving import WorkerServer  # noqa: PLC0415
    from proxy.traffic.siblings import Siblings  # noqa: PLC0415

    async def announce() -> None:
        await worker.link.tried.wait()
        say_ready()

    tls = listener_tls(settings.tls_certificate, settings.tls_key)
    server = WorkerServer(
        uvicorn.Config(
            worker.handler,  # type: ignore[arg-type]  # no ASGI application: our protocol hands it requests
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
            backlog=BACKLOG,
            ssl_context_factory=None if tls is None else lambda *_: tls.context,
        ),
        announce,
        handler=worker.handler,
        drain_s=settings.drain_s,
        siblings=siblings or Siblings(),
        spawn=worker.spawn,
        on_stopping=worker.begin_drain,
    )
    worker.deadlines.on_sweep(sweeper(server))
    if tls is not None:
        worker.deadlines.on_sweep(tls.sweep)
        server.reload = tls.reload
    return server


def main(arguments: list[str]) -> int:
    """Entry of the child processes: `worker NAME FDS SIBLINGS_FDS`, `control FD`. Settings come by the environment."""
    die_with_parent()
    leave_terminal()
    settings = Settings()
    try:
        if arguments[0] == "worker":
            own, others = (tuple(map(int, filter(None, each.split(",")))) for each in arguments[2:4])
            return run_worker(settings, arguments[1], own, others)
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
    from proxy.traffic.serving import AnnouncingServer  # noqa: PLC0415

    async def announce() -> None:
        _calm_garbage_collection()
        say_ready(control.trouble)
        control.on_reloading, control.on_reloaded = say_reloading, say_reloaded
        if settings.gives_way:
            yield_processor(_CONTROL_NICENESS)  # only now: it starts as fast as it can
            take_turns(_CONTROL_TURN_S)

    finish_after_signals()
    store = Store(settings.effective_store_url)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(store.close)
        control = await stack.enter_async_context(Control(settings, store))
        server = AnnouncingServer(
            uvicorn.Config(
                create_app(control, settings, settings.session_key_path.read_bytes()),
                lifespan="off",
                http="h11",
                ws="none",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            ),
            announce,
        )
        await server.serve(sockets=[listener])


# --- a node ---
def run_node(settings: Settings) -> int:
    """Control and workers under a supervisor, until SIGTERM or Ctrl-C; returns the exit code."""
    logs.configure(settings)
    inherited = take_inherited(os.environ)
    return _supervise(settled(settings, inherited), [], inherited)


def run_demo(settings: Settings) -> int:
    """A node with both example backends and their readers; the backends begin with fresh state."""
    from proxy.control.supervisor import Child  # noqa: PLC0415

    logs.configure(settings)
    if not isinstance(settings.listen_address, TcpAddress) or settings.listen_address.port == 0:
        raise StartError(
            f"--listen {settings.listen}: the demo's readers must know the port; name one, as 127.0.0.1:8000"
        )
    if settings.tls_certificate is not None:
        raise StartError(
            f"--tls-certificate {settings.tls_certificate}: the demo's readers come without TLS; leave it out"
        )
    loaded = config.load(settings.config, os.environ)
    children = []
    for package, backend in (("legacy_backend", loaded.migration.legacy), ("new_backend", loaded.migration.new)):
        if backend.socket_path is not None:
            raise StartError(f"{backend.url}: the demo's backends listen on HOST:PORT; give one in {settings.config}")
        bind(TcpAddress(backend.host, backend.port), f"the port of {package}, as {settings.config} has it,").close()
        folder = settings.state_dir / "demo" / package
        shutil.rmtree(folder, ignore_errors=True)
        address = ("--host", backend.host, "--port", str(backend.port), "--state-dir", str(folder))
        children.append(Child(package, (sys.executable, "-m", "proxy.process", package, *address), stop_rank=_LAST))
    readers = (sys.executable, "-m", "proxy.demo", "--url", f"http://{settings.listen}")
    children.append(Child("readers", readers, environ=settings.environment(), stop_rank=_FIRST))
    return _supervise(settings, children)


_FIRST, _WORKERS, _CONTROL, _LAST = range(4)  # the order in which a node's processes are stopped


def _supervise(settings: Settings, others: list[Child], inherited: Inherited | None = None) -> int:
    from proxy.admin.access.door import open_door  # noqa: PLC0415
    from proxy.control.rollout import prepare  # noqa: PLC0415
    from proxy.control.supervisor import Supervisor  # noqa: PLC0415
    from proxy.control.webhooks import hook_of  # noqa: PLC0415

    for number in (signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # before the supervisor knows them, they would end the process
    manager = ServiceManager.take_from(os.environ)
    open_door(settings)
    hook_of(settings)
    tls = listener_tls(settings.tls_certificate, settings.tls_key)
    prepare_state(settings)
    prepare(settings, os.environ)
    prepare_store(settings)
    with open_listeners(settings, inherited or Inherited()) as listeners:
        log.info(
            "node.starting",
            users=url_of(listeners.users[0], is_tls=tls is not None),
            admin=url_of(listeners.admin),
            workers=settings.workers,
            pid=os.getpid(),
        )
        children = [*_own_children(settings, listeners), *others]
        return asyncio.run(Supervisor(children, settings.drain_s, manager=manager).run())


def _own_children(settings: Settings, listeners: Listeners) -> list[Child]:
    """Control and the workers. Only workers may run beside their successors: control owns its link and the store."""
    from proxy.control.supervisor import Child  # noqa: PLC0415

    argv = (sys.executable, "-m", "proxy.app")
    environ = settings.environment()
    admin = listeners.admin.fileno()
    children = [
        Child(
            "control",
            (*argv, "control", str(admin)),
            environ=environ,
            pass_fds=(admin,),
            stop_rank=_CONTROL,
            is_reloadable=True,
            says_ready=True,
        )
    ]
    for number in range(settings.workers):
        own, siblings = listeners.of_worker(number, settings.workers)
        name = f"worker-{number + 1}"
        children.append(
            Child(
                name,
                (*argv, "worker", name, ",".join(map(str, own)), ",".join(map(str, siblings))),
                environ=environ,
                pass_fds=own + siblings,
                stop_rank=_WORKERS,
                is_reloadable=settings.tls_certificate is not None,
                is_rolled=True,
                says_ready=True,
            )
        )
    return children


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
