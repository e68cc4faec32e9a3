"""What the admin side asks of the control plane, and nothing more: one protocol, JSON-able values.

`control.Control` has these methods; so has the fake that tests the HTTP shapes. Every method raises errors from
`proxy.errors` only. The shapes of the answers are in docs/admin-api.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.control.changes import Seen

Json = dict[str, Any]


class ControlApi(Protocol):
    """The control plane as the admin API sees it. Percentages are 0 to 100, times Unix seconds."""

    async def status(self) -> Json: ...

    async def routes(self, since: float | None = None, /) -> list[Json]: ...

    def route_names(self) -> list[str]: ...

    async def history(self) -> Json: ...

    async def burn_up(self) -> Json: ...

    async def preview_rollout(self, route: str, percentage: float, /) -> Json: ...

    async def set_rollout(
        self, route: str, percentage: float, reason: str, who: str, seen: float | None = None, /
    ) -> Json: ...

    async def steering(self, route: str, /) -> Json: ...

    async def hold(self, route: str, percentage: float, reason: str, who: str, seen: Seen = "any", /) -> Json: ...

    async def release(self, route: str, reason: str, who: str, seen: float | None = None, /) -> Json: ...

    async def kill_switch(self) -> Json: ...

    async def put_kill_switch(self, reason: str, who: str, /) -> Json: ...

    async def delete_kill_switch(self, reason: str, who: str, /) -> Json: ...

    async def diffs(self, route: str | None, state: str | None, /) -> list[Json]: ...

    async def trends(self, signature_ids: Sequence[str], /) -> Json: ...

    async def preview_ignore(self, signature_id: str, reason: str, who: str, ticket: str | None, /) -> Json: ...

    async def diff(self, signature_id: str, /) -> Json: ...

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
        /,
    ) -> Json: ...

    async def ignore_by_rule(
        self,
        signature_id: str,
        reason: str,
        who: str,
        owner: str | None,
        ticket: str | None,
        seen: str | None = None,
        /,
    ) -> Json: ...

    async def proposals(self, route: str, /) -> Json: ...

    async def write_proposals(self, route: str, rules: list[str], reason: str, who: str, /) -> Json: ...

    async def retry(self, signature_id: str, who: str, own_headers: Mapping[str, str], /) -> Json: ...

    async def explain(
        self, method: str, path: str, user: str | None, host: str | None, headers: Mapping[str, str], /
    ) -> Json: ...

    async def audit(
        self, limit: int, subject: str | None = None, before_id: int | None = None, /
    ) -> Sequence[Json]: ...

    async def reload(self) -> Json: ...

    async def metrics_snapshot(self) -> Json: ...
