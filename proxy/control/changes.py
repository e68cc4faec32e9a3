"""Changes of the rollout: by the file, by the admin API, and by holds; one at a time, each with its line in the audit.

A change is in force when these methods return: validated, in the state folder, and sent down every link. Its line in
the audit follows as soon as the store takes it: an audit that is away must not keep anybody from rolling back.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from proxy import config
from proxy.config.suggest import suggestion
from proxy.control.figures import binding_hold, effective_percentage, hold_row
from proxy.control.recorder import AuditLine
from proxy.control.webhooks import MAX_LISTED
from proxy.core.model import Hold, percentage
from proxy.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.control.decisions import Decisions
    from proxy.control.recorder import Recorder
    from proxy.control.rollout import LiveRollout
    from proxy.control.store_threads import StoreThreads
    from proxy.core.model import Rollout, Route
    from proxy.core.rule_line import RuleLine
    from proxy.store import Store

Json = dict[str, Any]
Seen = float | None | Literal["any"]  # the cap of a hold, None for no hold, or whatever there is
BY_FILE = "config.changed"
WHOLE = "config"  # the subject where no route's percentage is another
AUDIT_PATIENCE_S = 2.0  # so that whoever asks for the history next finds the change there


class Changes:
    """See the module. `node` stands in the audit for whoever edited the file there.

    `tell` gets what happened here: its name and what there is to say of it (docs/webhooks.md).
    """

    def __init__(
        self,
        live: LiveRollout,
        store: Store,
        threads: StoreThreads,
        recorder: Recorder,
        decisions: Decisions,
        environ: Mapping[str, str],
        node: str,
        tell: Callable[[str, Json], None] = lambda _name, _data: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._live = live
        self._store = store
        self._threads = threads
        self._recorder = recorder
        self._decisions = decisions
        self._environ = environ
        self._node = node
        self._tell = tell
        self._now = now
        self._lock = asyncio.Lock()

    # --- the file ---
    async def reload(self) -> bool:
        """Reads the file again; whether something else is in force now. A refusal is kept in `live`, not raised."""
        async with self._lock:
            return await self._reload(BY_FILE, f"file on {self._node}", "")

    async def set_percentage(self, name: str, number: float, reason: str, who: str, seen: float | None = None) -> Json:
        """Edits the file, and puts it in force.

        Raises NotFound for an unknown route, Refused where the file can't be edited or a variable wins over it,
        ConfigError when the file as it is now is refused, and Conflict when the percentage is no longer `seen`: what
        whoever asks had before their eyes.
        """
        async with self._lock:
            await self._reload(BY_FILE, f"file on {self._node}", "")  # what others wrote has its own lines in the audit
            self._refuse_unseen(name, seen)
            is_changed = await asyncio.to_thread(self._edit, config.set_percentage, name, number)
            await self._reload("rollout.set", who, reason)
            answer = {**self._route_answer(self.route(name)), "changed": is_changed, "file": str(self._live.file)}
        return {**answer, "audited": await self._recorder.is_audited(AUDIT_PATIENCE_S)}

    async def add_rule(self, name: str, line: RuleLine, comment: str, reason: str, who: str) -> Json:
        """Adds a rule to a route's comparison, in the file, and puts it in force. Raises as above."""
        add = partial(config.add_rule, comment=comment)
        async with self._lock:
            await self._reload(BY_FILE, f"file on {self._node}", "")
            is_changed = await asyncio.to_thread(self._edit, add, name, line)
            await self._reload("rule.added", who, reason)
        return {"changed": is_changed, "file": str(self._live.file)}

    async def preview_rule(self, name: str, line: RuleLine, comment: str) -> list[Json]:
        """What `add_rule` would change in the file, line by line (see `changed_lines`). Raises as above."""
        file = self._live.file

        def edited() -> list[Json]:
            text = config.read(file)
            changed = config.add_rule(text, name, line, comment, file=str(file), environ=self._environ)
            return config.changed_lines(text, changed)

        return await asyncio.to_thread(edited)

    def _edit(self, edit: Callable[..., str], name: str, value: float | RuleLine) -> bool:
        """Writes the file with `edit(text, name, value)`; whether that changed it."""
        file = self._live.file
        text = config.read(file)
        changed = edit(text, name, value, file=str(file), environ=self._environ)
        if changed != text:
            config.write_edited(file, text, changed)
        return changed != text

    async def _reload(self, action: str, who: str, reason: str) -> bool:
        before, refused = self._live.rollout, self._live.refusal
        is_changed = await self._live.reload()
        if self._live.refusal is not None and (
            refused is None or refused.error.problems != self._live.refusal.error.problems
        ):
            self.tell_refusal()
        if is_changed:
            for subject, old, new in differences(before, self._live.rollout):
                self._recorder.take_audit(AuditLine(who, action, subject, old, new, reason, self._now()))
                change = {"before": old, "after": new, "who": who, "reason": reason}
                if subject == WHOLE:
                    self._tell("config.changed", change)
                else:
                    self._tell("rollout.changed", {"route": subject, **change})
        return is_changed

    def tell_refusal(self) -> None:
        """Tells of a config that is refused, if one is."""
        if self._live.refusal is None:
            return
        problems = self._live.refusal.error.problems
        faults = [
            {"line": each.line, "column": each.column, "path": each.path, "message": each.message}
            for each in problems[:MAX_LISTED]
        ]
        self._tell("config.refused", {"file": self.file, "problems": faults, "left_out": len(problems) - len(faults)})

    # --- holds ---
    async def hold(self, name: str, number: float, reason: str, who: str, seen: Seen = "any") -> Json:
        """Raises NotFound for an unknown route, StoreError when the hold can't be kept for all nodes.

        Conflict where the route's own hold has another cap than the one `seen` (None: there was no hold).
        """
        route = self.route(name)
        hold = Hold(name, round(number * 1000), who, reason, self._now())
        agree = None if seen == "any" else partial(_refuse_unseen_hold, name, seen)
        await self._threads.run(lambda: self._store.put_hold(hold, agree))
        self._tell("hold.set", {"route": name, "percentage": number, "who": who, "reason": reason})
        await self._decisions.refresh()
        return self._route_answer(route)

    async def release(self, name: str, reason: str, who: str, seen: float | None = None) -> Json:
        """Raises NotFound when the route has no hold, Conflict when its cap is not the one `seen`, StoreError."""
        if self._own_hold(name) is None:
            self._refuse_release(self.route(name))
        agree = None if seen is None else partial(_refuse_unseen_hold, name, seen)
        await self._threads.run(lambda: self._store.delete_hold(name, who, reason, agree))
        self._tell("hold.released", {"route": name, "who": who, "reason": reason})
        await self._decisions.refresh()
        route = self._live.rollout.migration.route(name)
        return {"name": name, "hold": None} if route is None else self._route_answer(route)

    def _refuse_unseen(self, name: str, seen: float | None) -> None:
        route = self.route(name)
        if seen is not None and route.millipercent != round(seen * 1000):
            now = percentage(route.millipercent)
            raise Conflict(
                f"route {name}: somebody changed its percentage from {seen:g} % to {now:g} % meanwhile; "
                "look again, and repeat"
            )

    def _refuse_release(self, route: Route) -> None:
        """A route without a hold of its own may still be held, by another one of its group."""
        binding = binding_hold(self._live.rollout, route)
        if binding is not None:
            raise NotFound(
                f"route {route.name}: has no hold of its own; the hold on {binding.route} caps its group, release that"
            )

    # --- answers ---
    def steering(self, name: str) -> Json:
        """What a route is steered by: wish, what is in force, the hold that binds, its own. Raises NotFound."""
        answer = self._route_answer(self.route(name))
        del answer["rollout_version"]
        return {**answer, "own_hold": hold_row(self._own_hold(name))}

    def _own_hold(self, name: str) -> Hold | None:
        return next((each for each in self._live.rollout.holds if each.route == name), None)

    @property
    def file(self) -> str:
        """The config file that is edited."""
        return str(self._live.file)

    def route(self, name: str) -> Route:
        """A route that is in force. Raises NotFound with what may have been meant."""
        migration = self._live.rollout.migration
        found = migration.route(name)
        if found is None:
            raise NotFound(
                f"route {name!r}: not in the config{suggestion(name, [each.name for each in migration.routes])}"
            )
        return found

    def _route_answer(self, route: Route) -> Json:
        rollout = self._live.rollout
        return {
            "name": route.name,
            "percentage": percentage(route.millipercent),
            "effective_percentage": effective_percentage(rollout, route),
            "hold": hold_row(binding_hold(rollout, route)),
            "rollout_version": rollout.version,
        }


def _refuse_unseen_hold(name: str, seen: float | None, present: Hold | None) -> None:
    """Raises Conflict unless the hold is as it was seen."""
    if present is None:
        if seen is not None:
            raise Conflict(f"hold on {name}: somebody has lifted it meanwhile; look again, and repeat")
    elif seen is None or present.cap_millipercent != round(seen * 1000):
        raise Conflict(
            f"hold on {name}: {present.who} has set it to {percentage(present.cap_millipercent):g} % meanwhile; "
            "look again, and repeat"
        )


def differences(before: Rollout, after: Rollout) -> list[tuple[str, Json | None, Json | None]]:
    """What the audit says of a new config: (subject, before, after) for each route whose percentage is another.

    Where no percentage is, there is one line for the whole, with the digests and the kill switch.
    """
    old = {route.name: {"percentage": percentage(route.millipercent)} for route in before.migration.routes}
    new = {route.name: {"percentage": percentage(route.millipercent)} for route in after.migration.routes}
    found = [(name, old.get(name), new.get(name)) for name in {**old, **new} if old.get(name) != new.get(name)]
    is_more = not found or before.migration.kill_switch != after.migration.kill_switch
    return [*found, (WHOLE, _summary(before), _summary(after))] if is_more else list(found)


def _summary(rollout: Rollout) -> Json:
    return {"digest": rollout.digest[:12], "kill_switch": rollout.migration.kill_switch}
