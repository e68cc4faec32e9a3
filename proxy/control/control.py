"""The control process of a node: its parts wired together, and what the admin side may ask of it.

The parts: `rollout` (what is in force), `changes` (how it becomes another), `link` (to the workers), `intake`,
`comparers` and `recorder` (evidence on its way to the store), `decisions` (what people decided), `totals` and
`figures` (what is shown). A dead store, a refused config or a broken link takes none of the others down.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import structlog

from proxy import __version__
from proxy.config.suggest import suggestion
from proxy.control import figures
from proxy.control.burn_up import BurnUp
from proxy.control.changes import Changes
from proxy.control.comparers import Comparers
from proxy.control.decisions import Decisions
from proxy.control.explain import explain
from proxy.control.fixed import watch_fixed
from proxy.control.hint import hint_of
from proxy.control.history import SPAN_MINUTES, History
from proxy.control.intake import Intake
from proxy.control.kill_switch import KillSwitch
from proxy.control.learn import Learn
from proxy.control.link import LinkServer
from proxy.control.nodes import Nodes
from proxy.control.noise import Silenced
from proxy.control.preview import preview
from proxy.control.recorder import Recorder
from proxy.control.rejudge import Rejudge
from proxy.control.retention import keep_swept
from proxy.control.retry import Retry
from proxy.control.rollout import LiveRollout
from proxy.control.rule_use import RuleUse
from proxy.control.store_threads import StoreThreads
from proxy.control.totals import Totals
from proxy.control.triage import Triage
from proxy.control.watcher import changes, content_hash
from proxy.control.webhooks import MAX_LISTED, Webhooks, hook_of
from proxy.control.windows import Windows
from proxy.core.ignoring import rules_elsewhere
from proxy.errors import NotFound
from proxy.traffic.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from proxy.control.changes import Seen
    from proxy.core.model import CompareRules
    from proxy.settings import Settings
    from proxy.store import Store
    from proxy.store.values import Written

log = structlog.get_logger(__name__)

Json = dict[str, Any]
_MAX_FAULT = 300  # characters of one in a status line; `changeover status` has them whole
REWRITE_S = 5.0  # between two tries to write a rollout that the state folder did not take
FULL_AGAIN_S = 86_400.0  # between two events that say of one route that its list of signatures is full
DRAIN_S = 2.0  # for pairs that wait for a comparer when control stops: its workers have ended before


class Control:
    """See the module. An async context; it is a `proxy.admin.control_api.ControlApi`.

    Entering raises ConfigError when the config is refused and no earlier one is known, StartError when the link's
    socket can't be made. `environ` overrides keys of the config.
    """

    def __init__(self, settings: Settings, store: Store, environ: Mapping[str, str] | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._settings = settings
        self._store = store
        self._started_at = time.time()
        self._stack = AsyncExitStack()
        self._threads = StoreThreads()
        self._upkeep = StoreThreads(1)  # what nobody waits for must not take the threads of those who look
        self._silenced = Silenced()
        self._rule_use = RuleUse()
        self._webhooks = Webhooks(hook_of(settings), settings.node)
        self._recorder = Recorder(store, settings.node)
        self._recorder.on_written = self._tell_findings
        self._comparers = Comparers(
            settings.comparers,
            settings.compare_timeout_s,
            max_body_bytes=settings.max_compared_bytes,
            gives_way=settings.gives_way,
        )
        self._windows = Windows(store, self._upkeep)
        self._nodes = Nodes(store, self._upkeep, settings.node, self._node_state)
        intake = Intake(self._comparers, self._recorder, self._silenced, self._rule_use, self._windows.met)
        self._link = LinkServer(settings.link_path, intake, self._comparers.window)
        self._comparers.on_window = self._link.set_window
        self._live = LiveRollout(settings, environ, self._publish)
        self._decisions = Decisions(store, self._threads, self._silenced, self._live.set_holds)
        self._changes = Changes(
            self._live,
            store,
            self._threads,
            self._recorder,
            self._decisions,
            environ,
            settings.node,
            self._webhooks.tell,
        )
        self._kill_switch = KillSwitch(self._live, store, self._threads, self._decisions, self._webhooks.tell)
        self._triage = Triage(store, self._threads, self._decisions, self._changes)
        self._learn = Learn(store, self._threads, self._changes)
        self._retry = Retry(
            store, self._threads, self._comparers, self._recorder, self._live, settings.max_compared_bytes
        )
        self._rejudge = Rejudge(store, self._threads, self._comparers, self._compare_rules)
        self._totals = Totals(store, self._threads, self._recorder)
        self._history = History(store, self._threads)
        self._burn_up = BurnUp(store, self._threads)
        self._told_full: dict[str, float] = {}  # route -> when it was told last
        self._reload_wanted = asyncio.Event()
        self.on_reloading: Callable[[], None] = lambda: None  # before each reading of the config
        self.on_reloaded: Callable[[str], None] = lambda _: None  # after it, with `trouble`

    def _publish(self, document: Mapping[str, Any]) -> None:
        self._comparers.set_rules(document["config"])
        self._rule_use.set_rules(self._compare_rules())
        self._windows.set_setups(self._live.rollout.migration)
        self._link.publish(document)
        self._rejudge.wake()

    def _compare_rules(self) -> dict[str, CompareRules]:
        return {route.name: route.compare for route in self._live.rollout.migration.routes}

    def _tell_findings(self, written: Written) -> None:
        for name, found in (("signature.new", written.appeared), ("signature.regressed", written.regressed)):
            if found:
                listed = [asdict(each) for each in found[:MAX_LISTED]]
                self._webhooks.tell(name, {"signatures": listed, "left_out": len(found) - len(listed)})
        now = time.monotonic()
        for route in written.full:
            if now - self._told_full.get(route, -FULL_AGAIN_S) >= FULL_AGAIN_S:
                self._told_full[route] = now
                self._webhooks.tell("signatures.full", {"route": route})

    # --- life ---
    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.callback(self._threads.close)
            stack.callback(self._upkeep.close)
            known = content_hash(self._settings.config)  # before it is read: a change meanwhile is seen later
            self._live.start()
            await self._link.start()
            stack.push_async_callback(self._link.stop)
            # From here on task groups are open: they would wrap what is raised in them.
            tasks = await stack.enter_async_context(Tasks())
            stack.push_async_callback(self._recorder.stop, tasks.spawn(self._recorder.run()))
            await stack.enter_async_context(self._comparers)
            stack.push_async_callback(self._stop_evidence)
            for work in (
                self._follow_file(known),
                self._follow_wishes(),
                self._keep_on_disk(),
                self._decisions.run(),
                self._rejudge.run(),
                self._windows.run(),
                self._nodes.run(),
                watch_fixed(self._store, self._upkeep),
                self._webhooks.run(),
                keep_swept(self._store, self._recorder, self._settings),
            ):
                stack.callback(tasks.spawn(work).cancel)
            self._changes.tell_refusal()
            await asyncio.sleep(0)  # they begin: work that is cancelled before would warn that nobody awaited it
            self._listen_for_sighup(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What the body raised goes on as it is; the task groups would wrap it, were they told."""
        await self._stack.aclose()

    async def _stop_evidence(self) -> None:
        """No new pairs; those that are here are compared and acknowledged; then the links are closed."""
        self._comparers.on_window = None
        self._link.set_window(0)
        await self._comparers.drain(DRAIN_S)
        await self._link.stop()

    def _listen_for_sighup(self, stack: AsyncExitStack) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # signals are the main thread's; in a test the loop may run elsewhere
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload_wanted.set)
        stack.callback(loop.remove_signal_handler, signal.SIGHUP)

    async def _follow_file(self, known: str | None) -> None:
        async for _ in changes(self._settings.config, known):
            self._reload_wanted.set()

    async def _follow_wishes(self) -> None:
        """Reloads when the file has changed or SIGHUP has come."""
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            self.on_reloading()
            try:
                await self._changes.reload()
            except Exception:  # a fault of ours must not end the following
                log.exception("config.unreloaded")
            self.on_reloaded(self.trouble)

    async def _keep_on_disk(self) -> None:
        while True:
            await asyncio.sleep(REWRITE_S)
            self._live.keep_on_disk()

    # --- how it is ---
    @property
    def trouble(self) -> str:
        """Why the config that is in force isn't the file's, in one line; "" where it is."""
        refusal = self._live.refusal
        if refusal is None:
            return ""
        first, further = str(refusal.error).partition("\n")[0], len(refusal.error.problems) - 1
        more = f" (and {further} more)" if further else ""
        return f"the config is refused, the last good one is in force: {first[:_MAX_FAULT]}{more}"

    async def status(self) -> Json:
        totals, _ = await self._totals.read()
        rollout = self._live.rollout
        return {
            "version": __version__,
            "node": self._settings.node,
            "uptime_s": round(time.time() - self._started_at, 3),
            "kill_switch": rollout.is_killed,
            "killed_by": self._kill_switch.state()["by_hand"],
            "config": self._config_state(),
            "rollout_version": rollout.version,
            "workers": self._worker_state(),
            "nodes": self._nodes.rows(),
            "comparers": self._comparer_state(),
            "store": {
                "name": self._store.name,
                "up": self._store_error is None,
                "error": self._store_error,
                "dropped": self._recorder.dropped,
            },
            "webhooks": self._webhooks.state(),
            "totals": figures.node_totals(totals),
        }

    @property
    def _store_error(self) -> str | None:
        """Why the store doesn't take evidence, or can't be read; None while it does both."""
        return self._recorder.error or self._decisions.error

    def _config_state(self) -> Json:
        refusal = self._live.refusal
        return {
            "file": str(self._live.file),
            "digest": self._live.rollout.digest,
            "since": self._live.since,
            "error": None if refusal is None else str(refusal.error),
            "refused_at": None if refusal is None else refusal.at,
            "warnings": list(self._live.warnings),
        }

    def _node_state(self) -> Json:
        """What other nodes show of this one."""
        return {
            "version": __version__,
            "config": {
                "digest": self._live.rollout.digest,
                "since": self._live.since,
                "is_refused": self._live.refusal is not None,
            },
            "rollout_version": self._live.rollout.version,
            "workers": {"linked": len(self._link.workers), "expected": self._settings.workers},
        }

    def _worker_state(self) -> Json:
        workers = self._link.workers
        return {
            "expected": self._settings.workers,
            "linked": len(workers),
            "links": [
                {
                    "name": worker.name,
                    "pid": worker.pid,
                    "connected_at": worker.connected_at,
                    "gauges": dict(worker.gauges),
                }
                for worker in workers
            ],
        }

    def _comparer_state(self) -> Json:
        comparers = self._comparers
        return {
            "processes": len(comparers.pids),
            "expected": comparers.count,
            "busy": comparers.busy,
            "backlog": comparers.backlog,
            "backlog_bytes": comparers.backlog_bytes,
            "restarts": comparers.restarts,
            "window": comparers.window,
        }

    async def routes(self, since: float | None = None) -> list[Json]:
        """With `since`, counters from that time on. Raises StoreError where the store can't say them.

        `evidence` is what the route's window has counted; with `since`, what was asked for.
        """
        totals, users = await self._totals.read()
        if since is not None:
            totals = await self._totals.read_since(since, self.route_names())
        windows = self._windows.windows if since is None else {}
        rows = figures.route_rows(self._live.rollout, totals, users, windows)
        return [{**row, "stale_rules": self._rule_use.stale(row["name"])} for row in rows]

    def route_names(self) -> list[str]:
        """In the config's order."""
        return [route.name for route in self._live.rollout.migration.routes]

    async def burn_up(self) -> Json:
        return await self._burn_up.read()

    async def history(self) -> Json:
        """The traffic of the last hour by the minute. Raises StoreError."""
        return await self._history.read(self.route_names())

    async def metrics_snapshot(self) -> Json:
        """For Prometheus, which adds nodes up itself: this node's counters since its start; users are all nodes'."""
        _, users = await self._totals.read()
        rollout = self._live.rollout
        return {
            "version": __version__,
            "routes": {route: dict(counts) for route, counts in self._recorder.accepted.items()},
            "rollout": figures.rollout_rows(rollout, users),
            "rollout_version": rollout.version,
            "kill_switch": rollout.is_killed,
            "config_refused": self._live.refusal is not None,
            "workers_expected": self._settings.workers,
            "workers_linked": len(self._link.workers),
            "comparers": self._comparer_state(),
            "workers": [{"name": worker.name, "gauges": dict(worker.gauges)} for worker in self._link.workers],
            "webhooks": self._webhooks.state(),
            "store_up": self._store_error is None,
            "records_dropped": self._recorder.dropped,
        }

    async def explain(
        self, method: str, path: str, user: str | None, host: str | None, headers: Mapping[str, str]
    ) -> Json:
        return explain(self._live.rollout, method, path, user, host, headers, is_new_healthy=self._is_new_healthy())

    def _is_new_healthy(self) -> bool:
        """As the workers say, who probe it; True while none has said anything."""
        said = [worker.gauges["new_healthy"] for worker in self._link.workers if "new_healthy" in worker.gauges]
        return any(said) or not said

    # --- changes ---
    async def preview_rollout(self, route: str, percentage: float) -> Json:
        """What the percentage would do. Raises NotFound, StoreError."""
        found = self._changes.route(route)
        return await preview(self._store, self._threads, self._live.rollout, found, percentage)

    async def set_rollout(
        self, route: str, percentage: float, reason: str, who: str, seen: float | None = None
    ) -> Json:
        return await self._changes.set_percentage(route, percentage, reason, who, seen)

    async def steering(self, route: str) -> Json:
        return self._changes.steering(route)

    async def hold(self, route: str, percentage: float, reason: str, who: str, seen: Seen = "any") -> Json:
        return await self._changes.hold(route, percentage, reason, who, seen)

    async def release(self, route: str, reason: str, who: str, seen: float | None = None) -> Json:
        return await self._changes.release(route, reason, who, seen)

    async def kill_switch(self) -> Json:
        return self._kill_switch.state()

    async def put_kill_switch(self, reason: str, who: str) -> Json:
        return await self._kill_switch.put_on(reason, who)

    async def delete_kill_switch(self, reason: str, who: str) -> Json:
        return await self._kill_switch.take_off(reason, who)

    async def reload(self) -> Json:
        """Reads the config again, now. Raises ConfigError when it is refused; then the last good one stays."""
        is_changed = await self._changes.reload()
        if self._live.refusal is not None:
            raise self._live.refusal.error
        return {"changed": is_changed, "rollout_version": self._live.rollout.version, **self._config_state()}

    # --- differences and audit ---
    async def diffs(self, route: str | None, state: str | None) -> list[Json]:
        rows = await self._threads.run(lambda: self._store.signatures(route, state))
        known = {each.name for each in self._live.rollout.migration.routes}
        if route is not None and not rows and route not in known:
            raise NotFound(f"route {route!r}: not in the config, and without differences{suggestion(route, known)}")
        return [figures.signature_row(row) for row in rows]

    async def trends(self, signature_ids: Sequence[str]) -> Json:
        """How often each was seen in each minute of the last hour, the present one last."""
        now = time.time()
        first = int(now // 60) - SPAN_MINUTES + 1
        seen = await self._threads.run(lambda: self._store.trends(signature_ids, first * 60))
        counts = {
            id_: [seen.get(id_, {}).get(first + each, 0) for each in range(SPAN_MINUTES)] for id_ in signature_ids
        }
        return {"until": now, "bucket_s": 60, "counts": counts}

    async def diff(self, signature_id: str) -> Json:
        found = await self._threads.run(lambda: self._store.signature(signature_id))
        migration = self._live.rollout.migration
        rules = self._compare_rules().get(found.row.route)
        more = {
            "hint": hint_of(found, rules),
            "ignored": [] if rules is None else rules_elsewhere(rules, found.row.kind, found.row.path),
            "backends": {"legacy": migration.legacy.url, "new": migration.new.url},
        }
        return {**figures.signature_detail(found), **more}

    async def set_state(
        self,
        signature_id: str,
        state: str,
        reason: str,
        who: str,
        owner: str | None,
        ticket: str | None,
        until: float | None,
        seen: str | None = None,
    ) -> Json:
        return await self._triage.set_state(signature_id, state, reason, who, owner, ticket, until, seen)

    async def ignore_by_rule(
        self,
        signature_id: str,
        reason: str,
        who: str,
        owner: str | None,
        ticket: str | None,
        seen: str | None = None,
    ) -> Json:
        return await self._triage.ignore_by_rule(signature_id, reason, who, owner, ticket, seen)

    async def preview_ignore(self, signature_id: str, reason: str, who: str, ticket: str | None) -> Json:
        return await self._triage.preview_ignore(signature_id, reason, who, ticket)

    async def proposals(self, route: str) -> Json:
        return await self._learn.proposals(route)

    async def write_proposals(self, route: str, rules: list[str], reason: str, who: str) -> Json:
        return await self._learn.write(route, rules, reason, who)

    async def retry(self, signature_id: str, who: str, own_headers: Mapping[str, str]) -> Json:
        return await self._retry.retry(signature_id, who, own_headers)

    async def audit(self, limit: int, subject: str | None = None, before_id: int | None = None) -> list[Json]:
        return figures.audit_rows(await self._threads.run(lambda: self._store.audit(limit, before_id, subject)))
