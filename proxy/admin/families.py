"""Every family of metrics: name, type, labels, unit and meaning, once for the scrape and for docs/monitoring.md.

Names follow Prometheus' practices (prometheus.io/docs/practices/naming): base units, and `_total` where it only grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

PREFIX = "changeover_"

Type = Literal["counter", "gauge", "histogram"]
MetricFamily: TypeAlias = CounterMetricFamily | GaugeMetricFamily


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a family before any sample. `name` has neither prefix nor `_total`."""

    name: str
    type: Type
    labels: tuple[str, ...]
    unit: str
    text: str

    @property
    def scraped_name(self) -> str:
        """By which its samples are asked for; those of a histogram add `_bucket`, `_sum` and `_count`."""
        return f"{PREFIX}{self.name}{'_total' if self.type == 'counter' else ''}"


def _counter(name: str, labels: str, unit: str, text: str) -> Described:
    return Described(name, "counter", tuple(labels.split()), unit, text)


def _gauge(name: str, labels: str, unit: str, text: str) -> Described:
    return Described(name, "gauge", tuple(labels.split()), unit, text)


_ROUTE = (
    _counter("requests", "route backend", "requests", "answered to users, by the backend that answered"),
    _counter("requests_failed", "route backend", "requests", "of users that ended in 502, 503 or 504 of ours"),
    _counter("responses", "route backend class", "answers", "to users, by class of status"),
    _counter("decisions", "route reason", "requests", "decided for a backend, by reason"),
    _counter("fallbacks", "route", "requests", "that legacy answered after new had failed"),
    _counter("retries", "route backend", "requests", "sent again because a kept connection had gone stale"),
    _counter("retries_refused", "route backend", "requests", "not sent again then, because the retry budget was spent"),
    _counter("clients_left", "route", "requests", "whose user left before the answer's end"),
    _counter("pairs", "route", "pairs", "requests for which both answers arrived, compared or not"),
    _counter("pairs_expected", "route", "pairs", "that should have been compared: coverage is compared / expected"),
    _counter("pairs_compared", "route verdict", "pairs", "that were compared: match, mismatch, noise"),
    _counter("pairs_partly_compared", "route reason", "pairs", "that differ and were compared in part only, by reason"),
    _counter("pairs_skipped", "route reason", "requests", "that were not compared, by reason"),
    _counter("noise_runs", "route verdict", "pairs", "of legacy with itself, by whether it agreed: match, mismatch"),
    _counter("noise_runs_skipped", "route reason", "pairs", "of legacy with itself that were not compared, by reason"),
    _counter(
        "evidence_dropped", "route kind", "records", "users, sightings, examples and counts of places without room"
    ),
    Described(
        "latency_seconds", "histogram", ("route", "backend"), "seconds", "until the last byte of a backend's answer"
    ),
    _gauge("rollout_percentage", "route", "percent", "on new that the config asks for"),
    _gauge("rollout_effective_percentage", "route", "percent", "on new in force, under every hold"),
    _gauge("rollout_held", "route", "0 or 1", "1 while a hold caps the route or its group"),
    _gauge("users", "route backend", "users", "different ones seen, by the backend that served them"),
)
_WORKER = (
    _gauge("worker_connections", "worker", "connections", "of users"),
    _gauge(
        "worker_handshakes", "worker", "connections", "of users whose TLS handshake is under way; not among the others"
    ),
    _gauge("worker_requests_in_flight", "worker", "requests", "of users under way"),
    _gauge("worker_shadows", "worker", "requests", "of shadows under way"),
    _gauge("worker_shadow_bytes", "worker", "bytes", "that shadows hold"),
    _gauge("worker_masking", "worker", "pairs", "that wait for the masking child or are there"),
    _gauge("worker_new_healthy", "worker", "0 or 1", "1 while users of new are served by new"),
    _gauge("worker_new_breaker", "worker", "state", "of new's circuit breaker: 0 closed, 1 half-open, 2 open"),
    _gauge(
        "worker_backend_connections",
        "worker backend purpose state",
        "connections",
        "to a backend, for users (served) and shadows, idle and busy",
    ),
    _counter("requests_refused", "worker status", "requests", "that were not forwarded, since the worker started"),
    _counter("events_dropped", "worker", "lines", "missing in the request log, since the worker started"),
)
_SYSTEM = (
    _gauge("build_info", "version", "1", "says which version runs"),
    _gauge("kill_switch", "", "0 or 1", "1 while everything goes to legacy"),
    _gauge("rollout_version", "", "number", "grows with each change of what is in force"),
    _gauge("config_refused", "", "0 or 1", "1 while the config file is refused and the last good one stays"),
    _gauge("workers_expected", "", "processes", "workers that the node has when all is well"),
    _gauge("workers_linked", "", "processes", "workers linked to the control process"),
    _gauge("comparers_expected", "", "processes", "that compare when all is well"),
    _gauge("comparers_running", "", "processes", "that compare"),
    _gauge("comparers_backlog", "", "pairs", "that wait to be compared"),
    _gauge("comparers_backlog_bytes", "", "bytes", "of pairs that wait to be compared"),
    _counter("comparers_restarts", "", "processes", "that were replaced: late, too large, or crashed"),
    _counter("webhooks_delivered", "", "events", "that the webhook's receiver took"),
    _counter("webhooks_dropped", "reason", "events", "that it did not get: full, refused, gave_up"),
    _gauge("webhooks_waiting", "", "events", "not delivered yet"),
    _gauge("store_up", "", "0 or 1", "1 while the store takes evidence"),
    _counter("records_dropped", "", "records", "users, sightings, examples and lines of the audit that were lost"),
)
FAMILIES: tuple[Described, ...] = (*_ROUTE, *_WORKER, *_SYSTEM)
_BY_NAME = {each.name: each for each in FAMILIES}


def family(name: str) -> MetricFamily:
    """An empty counter or gauge to add samples to, their label values in the order described. Raises KeyError."""
    described = _BY_NAME[name]
    made_by = CounterMetricFamily if described.type == "counter" else GaugeMetricFamily
    return made_by(f"{PREFIX}{name}", _help(described), labels=described.labels)


def histogram(name: str) -> HistogramMetricFamily:
    """An empty histogram. Raises KeyError."""
    described = _BY_NAME[name]
    return HistogramMetricFamily(f"{PREFIX}{name}", _help(described), labels=described.labels)


def _help(described: Described) -> str:
    return f"{described.unit[0].upper()}{described.unit[1:]}: {described.text}."


def families_table() -> str:
    """The table of docs/monitoring.md."""
    rows = [
        f"| `{each.scraped_name}` | {each.type} | {', '.join(each.labels)} | {each.unit} | {each.text} |"
        for each in FAMILIES
    ]
    return "\n".join(["| metric | type | labels | unit | what |", "|---|---|---|---|---|", *rows, ""])
