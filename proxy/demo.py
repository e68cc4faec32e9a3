"""The demo's users: about twenty readers who sign in through the proxy and read on, steadily, until stopped.

Run as `python -m proxy.demo --url http://127.0.0.1:8000`. Each reader is a client of its own with its own cookies, does
one thing after the other and pauses in between, as a person would. What they do shows every difference of the demo's
new backend within the first minute (docs/demo.md).
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import random
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
import httpx
import structlog
from PIL import Image

from proxy import logs
from proxy.process import die_with_parent
from proxy.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

log = structlog.get_logger(__name__)

_WORDS = ("bread", "how bread", "café", "salt")
_ITEMS_PER_FEED = 200
_UNKNOWN_FEED = 999
_RETRY_S = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two requests of one reader, least and most."""

    least_s: float = 0.3
    most_s: float = 0.9

    @classmethod
    def of(cls, requests_per_second: float, readers: int) -> Pace:
        """The pace at which all readers together make about so many requests."""
        mean_s = readers / requests_per_second
        return cls(mean_s * 0.5, mean_s * 1.5)


class Reader:
    """One reader: `number` names the account (1 to 40) and seeds what is read in which order."""

    def __init__(self, client: httpx.AsyncClient, number: int, pace: Pace) -> None:
        self._client = client
        self._number = number
        self._pace = pace
        self._chance = random.Random(number)  # noqa: S311  # to vary what is read, not to keep secrets
        self._now_and_then = itertools.cycle(
            (self._look_for_nothing, self._upload, self._change_subscription, self._sign_in)
        )

    async def run(self) -> None:
        """Reads until cancelled; whatever fails is tried again from the sign-in on."""
        while True:
            try:
                await self._sign_in()
                feeds = await self._subscribed()
                while True:
                    await self._round(feeds)
            except (httpx.HTTPError, KeyError, ValueError) as error:
                log.info("reader.failed", reader=self._number, cause=repr(error))
                await asyncio.sleep(_RETRY_S)

    async def _round(self, feeds: list[int]) -> None:
        """Each feed in turn, and after each one of the things that readers do now and then."""
        for feed in self._chance.sample(feeds, len(feeds)):
            async for act in self._acts(feed):
                await act()
                await self._pause()
            await next(self._now_and_then)()
            await self._pause()

    async def _acts(self, feed: int) -> AsyncIterator[Callable[[], Awaitable[object]]]:
        newest = feed * _ITEMS_PER_FEED - self._chance.randrange(20)
        for path in (
            f"/read/{feed}",
            "/static/reader.css",
            "/api/feeds",
            f"/api/feeds/{feed}",
            f"/api/feeds/{feed}/items",
            f"/api/feeds/{feed}/items?page=2",
            f"/api/feeds/{feed}/items?page=10",
        ):
            yield lambda path=path: self._get(path)  # type: ignore[misc]  # mypy can't infer a lambda's default
        yield lambda: self._client.post(f"/api/items/{newest}/read")
        yield lambda: self._get("/api/unread")
        yield lambda: self._get("/api/search", q=self._chance.choice(_WORDS))

    async def _get(self, path: str, **query: str) -> httpx.Response:
        return await self._client.get(path, params=query or None)

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.uniform(self._pace.least_s, self._pace.most_s))

    async def _sign_in(self) -> None:
        name = f"{self._number:02}"
        answer = await self._client.post(
            "/api/session", json={"username": f"reader{name}", "password": f"paper-boat-{name}"}
        )
        answer.raise_for_status()

    async def _subscribed(self) -> list[int]:
        answer = await self._client.get("/api/subscriptions")
        return [subscription["feed_id"] for subscription in answer.raise_for_status().json()["subscriptions"]]

    async def _look_for_nothing(self) -> None:
        await self._get(f"/api/feeds/{_UNKNOWN_FEED}")

    async def _upload(self) -> None:
        color = (self._number * 6, 120, 255 - self._number * 6)
        picture = io.BytesIO()
        Image.new("RGB", (320, 240), color).save(picture, "PNG")
        answer = await self._client.post(
            "/api/photos", content=picture.getvalue(), headers={"content-type": "image/png"}
        )
        if answer.is_success:
            await self._pause()
            await self._get(answer.json()["thumbnail"])

    async def _change_subscription(self) -> None:
        feed = self._chance.randint(1, 50)
        await self._client.post("/api/subscriptions", json={"feed_id": feed})
        await self._pause()
        await self._client.delete(f"/api/subscriptions/{feed}")


async def read_on(url: str, readers: int, pace: Pace) -> None:
    """Keeps so many readers reading until cancelled, from when the backends answer."""
    await _until_up(url)
    async with asyncio.TaskGroup() as group:
        for number in range(1, readers + 1):
            group.create_task(_read_on(url, number, pace))


async def _until_up(url: str) -> None:
    """Until legacy's health check answers through the proxy (no route of the config matches its path)."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=5) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get("/healthz")).is_success:
                    return
            await asyncio.sleep(_RETRY_S)


async def _read_on(url: str, number: int, pace: Pace) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        await Reader(client, number, pace).run()


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="The proxy's address.")
@click.option("--readers", default=20, show_default=True, type=click.IntRange(1, 40), help="How many users.")
@click.option("--rate", default=35.0, show_default=True, type=click.FloatRange(1, 200), help="Requests per second.")
def main(url: str, readers: int, rate: float) -> None:
    """Steady traffic of the demo's readers, until SIGTERM."""
    die_with_parent()
    logs.configure(load_settings())
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        work = loop.create_task(read_on(url, readers, Pace.of(rate, readers)))
        loop.add_signal_handler(signal.SIGTERM, work.cancel)
        try:
            loop.run_until_complete(work)
        except asyncio.CancelledError:
            log.info("demo.stopped")


if __name__ == "__main__":
    main()
