"""A node's control process in the test's own event loop, with a real config file, socket, store and workers' links."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from proxy.control.control import Control
from proxy.settings import Settings
from proxy.store import Store
from proxy.traffic.link import Link
from proxy.traffic.tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

CONFIG = """\
version: 1
backends:
  legacy: {url: "http://127.0.0.1:8001"}
  new: {url: "http://127.0.0.1:8002"}
users: {key: ["header:x-user-id"], salt: inkzee-2026}
routes:
  feeds:
    match: {path: "/api/feeds"}
    rollout: {percentage: 5, group: reader}   # the readers come first
    shadow: {percentage: 100}
  items:
    match: {path: "/api/items"}
    rollout: {group: reader}
"""
FIVE, SIX, TOO_MUCH = "percentage: 5,", "percentage: 6,", "percentage: 105,"


def make_settings(folder: Path, **fields: Any) -> Settings:
    """Settings of a node whose state, and config with the given text, are in the folder.

    It doesn't give way: on a machine that the tests fill, its comparers would never go on.
    """
    file = folder / "migration.yaml"
    if not file.exists():
        file.write_text(fields.pop("text", CONFIG))
    own = {"config": file, "state_dir": folder, "node": "node-a", "compare_timeout_s": 30.0, "gives_way": False}
    return Settings(**{**own, **fields})


@contextmanager
def open_store(settings: Settings, busy_timeout_s: float = 5.0) -> Iterator[Store]:
    store = Store(settings.effective_store_url, busy_timeout_s=busy_timeout_s)
    try:
        yield store
    finally:
        store.close()


@asynccontextmanager
async def running(
    settings: Settings, environ: Mapping[str, str] | None = None, busy_timeout_s: float = 5.0
) -> AsyncIterator[Control]:
    with open_store(settings, busy_timeout_s) as store:
        async with Control(settings, store, environ or {}) as control:
            yield control


class Worker:
    """A worker's end of the link, as the data plane has it, without the data plane."""

    def __init__(self, path: Path, name: str = "worker-1") -> None:
        self.tally = Tally()
        self.rollouts: list[dict[str, Any]] = []
        self.skipped: list[str] = []
        self.gauges: dict[str, float] = {"new_healthy": 1.0}
        self.link = Link(path, name, self.tally, 16 * 1024 * 1024, self.rollouts.append, lambda: self.gauges)

    @property
    def versions(self) -> list[int]:
        return [document["version"] for document in self.rollouts]

    def send(self, encoded: bytes) -> None:
        self.link.send_pair([encoded], self.skipped.append)

    @property
    def unsettled(self) -> int:
        """Pairs whose acknowledgement is still to come."""
        return len(self.link._unacked)


@asynccontextmanager
async def linked(path: Path, name: str = "worker-1") -> AsyncIterator[Worker]:
    """A worker that has its first rollout."""
    worker = Worker(path, name)
    running = asyncio.create_task(worker.link.run())
    try:
        await until(lambda: bool(worker.rollouts))
        yield worker
    finally:
        running.cancel()
        await asyncio.wait([running])
        await worker.link.finish(0.5)


async def until(is_so: Callable[[], object]) -> None:
    while not is_so():  # noqa: ASYNC110  # what happens in other processes and threads has no event of ours
        await asyncio.sleep(0.002)


async def until_answer(ask: Callable[[], Any], is_so: Callable[[Any], object]) -> Any:
    """The first answer of the coroutine function `ask` that is so."""
    while not is_so(answer := await ask()):  # noqa: ASYNC110  # as above
        await asyncio.sleep(0.01)
    return answer


async def stored(control: Control) -> None:
    """Until the store has all that control took over: counters, sightings and lines of the audit."""
    recorder = control._recorder
    await until(lambda: not recorder._buffer and not recorder._audit and recorder.written == recorder.accepted)


def run(scenario: Callable[[], Any]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(90):
            await scenario()

    asyncio.run(bounded())
