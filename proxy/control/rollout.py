"""What is in force on this node: the config's wish under the holds, numbered, kept on disk, handed on.

1. Order of a change: validate, write to the state folder, publish. What workers read at their start is never newer
   than what was validated, nor older than what other workers were told.
2. A refused config changes nothing; the refusal stays visible until a config is accepted (law 7).
3. The number grows with each change and goes on after a restart.
4. A state folder that can't be written doesn't stop a change: a rollback is worth more than its copy on disk.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from proxy import config
from proxy.core.model import Rollout
from proxy.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.model import Hold, Migration
    from proxy.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A config that was not accepted, and when (Unix seconds)."""

    error: ConfigError
    at: float


@dataclass(frozen=True, slots=True)
class Wish:
    """A config that was accepted: by `load`, or, after a restart beside a refused file, from the state folder."""

    migration: Migration
    document: Mapping[str, Any]
    digest: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was in force when it was last written to the state folder."""

    wish: Wish
    version: int
    holds: tuple[Hold, ...]


def prepare(settings: Settings, environ: Mapping[str, str]) -> None:
    """Validates the config and writes the state folder's rollout, so that workers can start without control.

    Raises ConfigError with every problem. The number and the holds of an earlier run are kept.
    """
    LiveRollout(settings, environ, lambda _: None).start(is_first=True)


class LiveRollout:
    """See the module. `publish` gets the document in force after each change."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        publish: Callable[[dict[str, Any]], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self.file = settings.config
        self._path = settings.rollout_path
        self._environ = environ
        self._publish = publish
        self._now = now
        self._is_kept = True
        self._wish: Wish | None = None
        self.in_force: Rollout | None = None
        self.since = 0.0
        self.refusal: Refusal | None = None

    @property
    def rollout(self) -> Rollout:
        """What is in force; there is always something after `start`."""
        if self.in_force is None:
            raise RuntimeError("nothing is in force before start")
        return self.in_force

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._wish.warnings if self._wish else ()

    # --- changes ---
    def start(self, *, is_first: bool = False) -> None:
        """Puts the config in force, with the holds known last.

        Raises ConfigError when the config is refused and there is no last good one to go on with; always where it
        `is_first`: then somebody is starting the node and reads the refusal.
        """
        last = read_snapshot(self._path)
        try:
            wish = self._load()
        except ConfigError as error:
            if last is None or is_first:
                raise
            self._refused(error)
            wish = last.wish
        if last is None:
            self._put_in_force(wish, (), 1)
        else:
            self._put_in_force(wish, last.holds, last.version + (wish.digest != last.wish.digest))

    async def reload(self) -> bool:
        """Reads the config again; whether something else is in force now. A refusal is kept and logged, not raised."""
        try:
            wish = await asyncio.to_thread(self._load)
        except ConfigError as error:
            self._refused(error)
            return False
        self.refusal = None
        if wish.digest == self.rollout.digest:
            self._wish = wish
            return False
        self._put_in_force(wish, self.rollout.holds, self.rollout.version + 1)
        return True

    def set_holds(self, holds: tuple[Hold, ...]) -> bool:
        """Puts other holds in force; whether they are others."""
        if holds == self.rollout.holds or self._wish is None:
            return False
        self._put_in_force(self._wish, holds, self.rollout.version + 1)
        return True

    def keep_on_disk(self) -> None:
        """Tries again to write a rollout that could not be written (rule 4)."""
        if not self._is_kept and self._wish is not None:
            self._keep(self._document(self._wish, self.rollout))

    def _load(self) -> Wish:
        loaded = config.load(self.file, self._environ)
        for warning in loaded.warnings:
            log.warning("config.warned", warning=warning)
        return Wish(loaded.migration, loaded.document, loaded.digest, loaded.warnings)

    def _refused(self, error: ConfigError) -> None:
        if self.refusal is None or self.refusal.error.problems != error.problems:
            log.error("config.refused", problems=str(error))
        self.refusal = Refusal(error, self._now())

    def _put_in_force(self, wish: Wish, holds: tuple[Hold, ...], version: int) -> None:
        rollout = Rollout(wish.migration, version, wish.digest, holds)
        document = self._document(wish, rollout)
        self._keep(document)
        self._wish, self.in_force, self.since = wish, rollout, self._now()
        log.info("rollout.published", version=version, digest=wish.digest[:12], holds=[hold.route for hold in holds])
        self._publish(document)

    def _document(self, wish: Wish, rollout: Rollout) -> dict[str, Any]:
        return config.rollout_document(wish.document, wish.digest, rollout.version, rollout.holds)

    def _keep(self, document: Mapping[str, Any]) -> None:
        try:
            write_snapshot(self._path, document)
            self._is_kept = True
        except OSError as error:
            self._is_kept = False
            log.error("rollout.unkept", path=str(self._path), cause=str(error))  # noqa: TRY400  # rule 4


# --- the state folder's copy ---
def read_snapshot(path: Path) -> Snapshot | None:
    """What was in force last, or None where there is nothing that can be used."""
    try:
        document = json.loads(path.read_bytes())
        rollout = config.rollout_from_document(document)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ConfigError) as error:
        log.warning("rollout.unreadable", path=str(path), cause=str(error))
        return None
    return Snapshot(Wish(rollout.migration, document["config"], rollout.digest), rollout.version, rollout.holds)


def write_snapshot(path: Path, document: Mapping[str, Any]) -> None:
    """Replaces the file whole, readable by this user only. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(document, stream, separators=(",", ":"))
            stream.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
