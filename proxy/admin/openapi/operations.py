"""What each endpoint of the admin API takes and answers, beside `api.ENDPOINTS`, which has the code.

The files of the pages are in `files`. A test holds both against each other and against docs/admin-api.md. What all
operations have in common (who may ask, a store that is away, faults of ours) is added by `document`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from proxy.admin.openapi import answers, bodies
from proxy.admin.paging import MAX_ROWS
from proxy.admin.sift import KINDS
from proxy.core.triage import ALL_STATES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.admin.openapi.bodies import Body

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
_PERCENTAGE: Schema = {"type": "number", "minimum": 0, "maximum": 100}
_MOMENT: Schema = {"type": "number", "minimum": 0, "exclusiveMaximum": 10**11}


@dataclass(frozen=True, slots=True)
class Query:
    """One field of a query; a `repeated` one may come several times."""

    name: str
    schema: Schema
    text: str = ""
    is_needed: bool = False
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """`answer` is a model, a list of one (`[Model]`), or a media type; `problems` are statuses of its own."""

    summary: str
    answer: Any
    query: tuple[Query, ...] = ()
    body: type[Body] | None = None
    may_omit_body: bool = False
    problems: tuple[int, ...] = ()
    is_tagged: bool = False  # a GET answers with an ETag, a change takes it in If-Match
    is_paged: bool = False  # the Link header has the next page
    may_be_cut: bool = False  # a header tells of lines that are left out
    also: Mapping[int, str] | None = None  # status -> media type of other answers that are no problem documents

    @property
    def answer_type(self) -> Any:
        """The answer's type, for a TypeAdapter; text for a media type."""
        return GenericAlias(list, tuple(self.answer)) if isinstance(self.answer, list) else self.answer


_PAGING = (
    Query("limit", {"type": "integer", "minimum": 1, "maximum": MAX_ROWS}, "Rows of a page, in the order of keys."),
    Query("after", TEXT, "A key (id, name): goes on after it."),
)
_ROUTE = (404,)
_CHANGE = (404, 409, 422)  # no such route, somebody was quicker, the file as it is now is refused

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/api/openapi.json"): Operation("this API as an OpenAPI 3.1 document", "application/json"),
    ("GET", "/api/v1/status"): Operation("what holds for the whole node", answers.Status),
    ("GET", "/api/v1/routes"): Operation(
        "every route, in the config's order",
        [answers.RouteRow],
        (Query("since", _MOMENT, "Counts from that minute on; older than a day, from that hour on."), *_PAGING),
        is_paged=True,
    ),
    ("GET", "/api/v1/history"): Operation("the last hour of every route, by the minute", answers.History),
    ("GET", "/api/v1/progress"): Operation(
        "how far it is, for people: verdicts, what blocks it, how it went", answers.Progress
    ),
    ("GET", "/api/v1/routes/{name}/preview"): Operation(
        "how many of the users seen another percentage would move",
        answers.Preview,
        (Query("percentage", _PERCENTAGE, is_needed=True),),
        problems=_ROUTE,
    ),
    ("GET", "/api/v1/routes/{name}/rollout"): Operation(
        "its percentage, what is in force, and the hold that binds", answers.Rollout, problems=_ROUTE, is_tagged=True
    ),
    ("PUT", "/api/v1/routes/{name}/rollout"): Operation(
        "what is in force then; the config file is edited",
        answers.Changed,
        body=bodies.SetRollout,
        problems=_CHANGE,
        is_tagged=True,
    ),
    ("GET", "/api/v1/routes/{name}/hold"): Operation(
        "its own hold, or `null`", answers.OwnHold, problems=_ROUTE, is_tagged=True
    ),
    ("PUT", "/api/v1/routes/{name}/hold"): Operation(
        "what is in force then", answers.InForce, body=bodies.SetHold, problems=(404, 409), is_tagged=True
    ),
    ("DELETE", "/api/v1/routes/{name}/hold"): Operation(
        "what is in force then",
        answers.InForce | answers.Gone,
        (
            Query("reason", {**TEXT, "maxLength": 1_000}),
            Query("seen", _PERCENTAGE, "Refused (409) unless the hold has this cap at that moment."),
        ),
        problems=(404, 409),
        is_tagged=True,
    ),
    ("GET", "/api/v1/kill-switch"): Operation("whether everything goes to legacy, and by whom", answers.KillSwitch),
    ("PUT", "/api/v1/kill-switch"): Operation(
        "what is in force then: everything goes to legacy", answers.KillSwitch, body=bodies.PutKillSwitch
    ),
    ("DELETE", "/api/v1/kill-switch"): Operation(
        "what is in force then", answers.KillSwitch, (Query("reason", {**TEXT, "maxLength": 1_000}),), problems=(404,)
    ),
    ("GET", "/api/v1/routes/{name}/proposals"): Operation(
        "rules for what differed between two answers of legacy", answers.Proposals, problems=_ROUTE
    ),
    ("POST", "/api/v1/routes/{name}/proposals"): Operation(
        "writes some of them into the config file",
        answers.WrittenProposals,
        body=bodies.WriteProposals,
        problems=_ROUTE,
    ),
    ("GET", "/api/v1/diffs"): Operation(
        "signatures, most frequent first",
        [answers.SignatureRow],
        (
            Query("route", TEXT),
            Query("state", {**TEXT, "enum": sorted(ALL_STATES)}),
            Query("kind", {**TEXT, "enum": list(KINDS)}),
            Query("version", TEXT, "Of new."),
            Query("text", TEXT, "Words that all must stand in it."),
            *_PAGING,
        ),
        problems=_ROUTE,
        is_paged=True,
    ),
    ("GET", "/api/v1/diffs/{id}"): Operation(
        "one signature with its examples", answers.SignatureDetail, problems=(404,)
    ),
    ("GET", "/api/v1/diffs/{id}/rule"): Operation(
        "the line of the config file that ignoring it would write",
        answers.RulePreview,
        (Query("reason", {**TEXT, "maxLength": 1_000}), Query("ticket", {**TEXT, "maxLength": 1_000})),
        problems=(404,),
    ),
    ("GET", "/api/v1/diffs/{id}/state"): Operation(
        "what is decided about it", answers.Decision, problems=(404,), is_tagged=True
    ),
    ("POST", "/api/v1/diffs/{id}/state"): Operation(
        "the signature in its new state", answers.Decided, body=bodies.SetState, problems=(404, 409), is_tagged=True
    ),
    ("POST", "/api/v1/diffs/{id}/retry"): Operation(
        "whether an example's request, sent to both backends again, still differs",
        answers.Tried,
        body=bodies.Retry,
        may_omit_body=True,
        problems=(404,),
    ),
    ("GET", "/api/v1/trends"): Operation(
        "how often signatures were seen in the last hour, by the minute",
        answers.Trends,
        (
            Query(
                "id",
                {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 200},
                is_needed=True,
                is_repeated=True,
            ),
        ),
    ),
    ("GET", "/api/v1/explain"): Operation(
        "who would serve a request, and why",
        answers.Explained,
        (
            Query("path", {**TEXT, "pattern": "^/"}, is_needed=True),
            Query("method", TEXT),
            Query("user", TEXT),
            Query("host", TEXT),
            Query("header", {"type": "array", "items": TEXT}, "As name:value.", is_repeated=True),
        ),
    ),
    ("GET", "/api/v1/audit"): Operation(
        "changes, newest first",
        [answers.AuditLine],
        (
            Query("limit", {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 100}),
            Query("subject", TEXT, "A route or a signature."),
            Query("before", {"type": "integer", "minimum": 1, "maximum": 2**53}, "An id: goes on with older lines."),
        ),
        is_paged=True,
    ),
    ("POST", "/api/v1/reload"): Operation("reads the config file now", answers.Reloaded, problems=(422,)),
    ("GET", "/metrics"): Operation("Prometheus' text format, see [monitoring](monitoring.md)", "text/plain"),
    ("GET", "/livez"): Operation("`alive`, while the control process runs", "text/plain"),
    ("GET", "/readyz"): Operation(
        "`ready`, or 503 and why not: a config must be in force and a worker linked",
        "text/plain",
        also={503: "text/plain"},
    ),
}
