"""The shapes of the admin API's answers, for its OpenAPI document and for tests; answers aren't built of them.

Times are Unix seconds, percentages 0 to 100, shares 0 to 1. A figure without data is null. Clients must bear fields
that are added; tests must not.
"""

from __future__ import annotations

from datetime import date  # noqa: TC003  # pydantic reads it at run time
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from proxy.core.difference import Kind  # noqa: TC001

# Not for type checkers alone: pydantic reads annotations at run time.
from proxy.core.evidence import Unkept  # noqa: TC001
from proxy.core.model import Side  # noqa: TC001
from proxy.core.noise import NoiseVerdict  # noqa: TC001
from proxy.core.rule_line import Section  # noqa: TC001
from proxy.core.stage import Stage  # noqa: TC001
from proxy.core.triage import State  # noqa: TC001

Percentage: TypeAlias = Annotated[float, Field(ge=0, le=100, description="In steps of 0.001.")]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Count: TypeAlias = Annotated[int, Field(ge=0)]
Moment: TypeAlias = Annotated[float, Field(ge=0, description="Unix seconds.")]
Seconds: TypeAlias = Annotated[float, Field(ge=0)]
HeaderLine: TypeAlias = Annotated[list[str], Field(min_length=2, max_length=2)]


class Answer(BaseModel):
    """No field is left out, and none is there that isn't described."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sides(Answer):
    legacy: Count
    new: Count


class Hold(Answer):
    route: str
    percentage: Percentage
    who: str
    reason: str
    since: Moment


class KilledBy(Answer):
    who: str
    reason: str
    since: Moment


# --- /status ---
class ConfigState(Answer):
    file: str
    digest: str
    since: Moment
    error: str | None
    refused_at: Moment | None
    warnings: list[str]


class WorkerLink(Answer):
    name: str
    pid: int
    connected_at: Moment
    gauges: dict[str, float]


class NodeConfig(Answer):
    digest: str
    since: Moment
    is_refused: bool


class NodeWorkers(Answer):
    linked: Count
    expected: Count


class NodeState(Answer):
    """A node by its own words of `at`; `is_silent`: it should have said something since."""

    name: str
    at: Moment
    is_silent: bool
    version: str
    config: NodeConfig
    rollout_version: Count
    workers: NodeWorkers


class Workers(Answer):
    linked: Count
    expected: Count
    links: list[WorkerLink]


class Comparers(Answer):
    processes: Count
    expected: Count
    busy: Count
    backlog: Count
    backlog_bytes: Count
    restarts: Count
    window: Count


class StoreState(Answer):
    name: str
    up: bool
    error: str | None
    dropped: Count


class WebhookState(Answer):
    configured: bool
    waiting: Count
    delivered: Count
    dropped: dict[str, Count]
    error: str | None


class Totals(Answer):
    requests: Sides
    failed: Sides
    pairs: Count
    compared: Count
    mismatches: Count
    expected: Count


class Status(Answer):
    version: str
    node: str
    uptime_s: Seconds
    kill_switch: bool
    killed_by: KilledBy | None
    rollout_version: Count
    config: ConfigState
    workers: Workers
    nodes: list[NodeState]
    comparers: Comparers
    store: StoreState
    webhooks: WebhookState
    totals: Totals


# --- routes ---
class Coverage(Answer):
    """`partly`: of the compared pairs, those of which only a part was compared, by reason.

    `unlisted`: differences seen that are in no list, because the route has as many kinds of them as are kept.
    """

    compared: Count
    partly: dict[str, Count]
    skipped: dict[str, Count]
    unlisted: Count
    expected: Count
    ratio: Share | None


class NoiseRuns(Answer):
    pairs: Count
    matches: Count
    mismatches: Count
    skipped: Annotated[dict[str, Count], Field(description="Those that were not compared, by reason.")]


class Quantiles(Answer):
    p50: float | None
    p95: float | None
    p99: float | None


class Latencies(Answer):
    legacy: Quantiles
    new: Quantiles


class ChangedVersion(Answer):
    before: str
    after: str


class Because(Answer):
    """What is another since the beginning of a window; none of it where all of what was counted counts."""

    version: ChangedVersion | None = None
    setup: list[Literal["rules", "match", "legacy", "new"]] | None = None
    week: bool | None = None


class Counted(Answer):
    """What was counted of a route."""

    requests: Sides
    failed: Sides
    server_errors: Sides
    fallbacks: Count
    pairs: Count
    matches: Count
    mismatches: Count
    noise: Count
    match_rate: Share | None
    coverage: Coverage
    noise_runs: NoiseRuns
    latency_ms: Latencies


class Evidence(Counted):
    """What was counted in a route's window; `since` is null where that is everything."""

    since: Moment | None
    because: Because


class RouteRow(Counted):
    name: str
    group: str
    stage: Stage
    percentage: Percentage
    effective_percentage: Percentage
    hold: Hold | None
    users: Sides
    stale_rules: list[str]
    evidence: Evidence


class Minute(Answer):
    at: Moment
    requests: Sides
    mismatches: Count
    compared: Count
    expected: Count


class NodeSeen(Answer):
    """`last_at`: the last minute of which it has counted anything."""

    name: str
    last_at: Moment


class History(Answer):
    until: Moment
    bucket_s: Count
    nodes: list[NodeSeen]
    routes: dict[str, list[Minute]]


class BeforeAfter(Answer):
    before: Percentage
    after: Percentage


class MovedUsers(Answer):
    seen: Count
    forward: Count
    back: Count
    is_estimate: bool


class Preview(Answer):
    name: str
    routes: list[str]
    percentage: BeforeAfter
    effective_percentage: BeforeAfter
    hold: Hold | None
    users: MovedUsers
    span_s: Seconds


class InForce(Answer):
    """What is in force on a route after a change."""

    name: str
    percentage: Percentage
    effective_percentage: Percentage
    hold: Hold | None
    rollout_version: Count


class Rollout(Answer):
    """What a route is steered by."""

    name: str
    percentage: Percentage
    effective_percentage: Percentage
    hold: Hold | None


class OwnHold(Answer):
    """The route's own hold; the one that binds may be another route's of the group."""

    name: str
    hold: Hold | None


class Changed(InForce):
    changed: bool
    file: str
    audited: bool


class KillSwitch(Answer):
    """It is on where either the config file or somebody has it on."""

    on: bool
    by_file: bool
    by_hand: KilledBy | None


class Gone(Answer):
    """A hold was released whose route is no longer in the config."""

    name: str
    hold: None


# --- rules ---
class Proposal(Answer):
    section: Section
    rule: str
    form: Annotated[str, Field(description="What `pattern` asks of both values; empty in the other sections.")]
    recognised: Literal["timestamp", "uuid", "token", "counter", "order"]
    kind: Kind
    path: str
    self_shown: Count
    self_pairs: Count
    verdict: NoiseVerdict
    evidence: str
    signatures: list[str]


class Written(Proposal):
    note: str


class Unrecognised(Answer):
    kind: Kind
    path: str
    self_shown: Count
    self_pairs: Count
    verdict: NoiseVerdict
    evidence: str
    signatures: list[str]


class Proposals(Answer):
    route: str
    proposals: list[Proposal]
    unrecognised: list[Unrecognised]


class WrittenProposals(Answer):
    route: str
    file: str
    written: list[Written]


class ChangedLine(Answer):
    line: Annotated[int, Field(ge=1)]
    before: str | None
    after: str | None


class RulePreview(Answer):
    rule: str | None
    file: str
    lines: list[ChangedLine]
    note: str


# --- differences ---
class Noise(Answer):
    verdict: NoiseVerdict
    p: float | None
    of_shape: bool
    self_shown: Count
    self_pairs: Count
    new_shown: Count
    new_pairs: Count
    both_shown: Count
    new_alone: Annotated[Count, Field(description="Noise runs in which new's answer differed from two equal ones.")]
    first_alone: Annotated[Count, Field(description="The same of legacy's first answer.")]
    again_alone: Annotated[Count, Field(description="The same of legacy's second answer.")]


class SignatureRow(Answer):
    id: str
    route: str
    kind: Kind
    path: str
    shape: str
    count: Count
    first_seen: Moment
    last_seen: Moment
    state: State
    who: str
    reason: str
    owner: str
    ticket: str
    until: Moment | None
    rule: str
    versions: list[str]
    noise: Noise | None
    revision: str


class Decision(Answer):
    """What is decided about a signature."""

    id: str
    state: State
    who: str
    reason: str
    owner: str
    ticket: str
    until: Moment | None
    rule: str
    revision: str


class Decided(SignatureRow):
    """After a decision; `file` and `note` where a rule was asked for."""

    file: str | None = None
    note: str | None = None


class TrendCount(Answer):
    at: Moment
    count: Count


class Trend(Answer):
    until: Moment
    span_s: Seconds
    bucket_s: Count
    counts: list[TrendCount]


class ExampleRequest(Answer):
    id: str
    at: Moment
    method: str
    target: str
    headers: list[HeaderLine]


class ExampleAnswer(Answer):
    status: int
    headers: list[HeaderLine]
    body: str | None
    is_body_cut: bool
    length: Count
    digest: str
    elapsed_ms: float
    # Examples that earlier versions kept lack these.
    codec: str = "utf-8"
    content_length: Count = 0
    content_digest: str = ""
    unkept: Unkept = ""
    picture: Any = None


class Difference(Answer):
    signature: str
    kind: Kind
    path: str
    shape: str
    before: Any
    after: Any


class Example(Answer):
    at: Moment
    kind: Literal["candidate", "noise"]
    served: Side
    request: ExampleRequest
    control: ExampleAnswer
    candidate: ExampleAnswer
    first_difference: Count | None = None
    differences: list[Difference]
    differences_left_out: Count


class BackendUrls(Answer):
    legacy: str
    new: str


class ListHint(Answer):
    place: str
    member: str
    rule: str


class SignatureDetail(SignatureRow):
    trend: Trend
    hint: ListHint | None
    ignored: list[str]
    backends: BackendUrls
    examples: list[Example]


class Trends(Answer):
    until: Moment
    bucket_s: Count
    counts: dict[str, list[Count]]


class Tried(Answer):
    """`at` is that of its line in the audit."""

    id: str
    route: str
    at: Moment
    method: str
    target: str
    left_out: list[str]
    given: list[str]
    statuses: list[int]
    differs: bool | None
    reason: str
    others: list[str]


# --- the rest ---
class Explained(Answer):
    route: str | None
    backend: Side
    reason: str
    bucket: Annotated[int, Field(ge=0, le=99_999)] | None
    effective_percentage: Percentage | None
    shadow: Percentage


class AuditLine(Answer):
    id: Count
    at: Moment
    who: str
    action: str
    subject: str
    before: Any
    after: Any
    reason: str
    origin: Annotated[str, Field(description="The address that asked for it; empty where no request did.")]


# --- progress ---
class RouteBlocker(Answer):
    id: str
    state: State
    owner: str
    ticket: str
    count: Count
    sentence: str


class RouteProgress(Answer):
    name: str
    group: str
    stage: Stage
    percentage: Percentage
    effective_percentage: Percentage
    verdict: Literal["ready", "not ready", "too early", "unknown"]
    why: str
    basis: list[str]
    since: Moment | None
    window: str
    blockers: list[RouteBlocker]
    blockers_left_out: Count


class Group(Answer):
    """Routes that move together; users are those of the `largest` of them."""

    name: str
    routes: list[str]
    percentage: Percentage
    requests: Sides
    of_requests: Annotated[Share | None, Field(description="On new, in the windows of its routes.")]
    counted: Annotated[str, Field(description="Since when, in words.")]
    users: Sides
    of_users: Annotated[Share | None, Field(description="On new.")]
    largest: str


class Blocker(SignatureRow):
    sentence: str


class Bucket(Answer):
    at: Moment
    requests: Sides


class BurnUp(Answer):
    until: Moment
    bucket_s: Count
    buckets: list[Bucket]


class Projection(Answer):
    """Days as in RFC 3339; null where nothing can be said, and `words` say why."""

    words: str
    earliest: date | None
    latest: date | None


class Condition(Answer):
    words: str
    is_true: bool | None


class DecisionLine(Answer):
    """A line of the audit, or those of several routes that changed at once: `subjects`; and the same in `words`."""

    id: Count
    at: Moment
    who: str
    action: str
    subjects: list[str]
    before: Any
    after: Any
    reason: str
    words: str


class Traffic(Answer):
    requests: Sides
    of_requests: Share
    span_s: Seconds


class Progress(Answer):
    """`burn_up`, `traffic` and `projection` are null while the store can't say; `traffic` also where there was none."""

    ready: Count
    routes: list[RouteProgress]
    traffic: Traffic | None
    groups: list[Group]
    blockers: list[Blocker]
    blockers_left_out: Count
    burn_up: BurnUp | None
    projection: Projection | None
    switch_off: list[Condition]
    decided: list[DecisionLine]


class Reloaded(ConfigState):
    changed: bool
    rollout_version: Count


class ConfigFault(Answer):
    line: Count
    column: Count
    path: str
    message: str


class Problem(Answer):
    """RFC 9457; `file` and `problems` where a config is refused."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: str
    code: str
    file: str | None = None
    problems: list[ConfigFault] | None = None
