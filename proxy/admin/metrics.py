"""What Prometheus scrapes: one snapshot of the control plane as metric families, built anew for each scrape.

Labels are bounded: routes and backends come from the config, reasons and verdicts from fixed lists; a route is cut
off after MAX_REASONS different reasons, the rest of them is added up as "other". No user, path or value of traffic
is ever a label. Every family is described in docs/admin-api.md.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from proxy.core.evidence import COMPARED, latency_bucket_middle_us, latency_counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from proxy.core.model import Side

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
MAX_REASONS = 40  # config allows few pins, and the code knows fewer than twenty reasons; Prometheus pays per label
SIDES: tuple[Side, ...] = ("legacy", "new")
# Prometheus' customary bounds, begun lower: a proxied answer from memory takes well under a millisecond.
LATENCY_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Counts = dict[str, int]


class Snapshot(Collector):
    """One snapshot of the control plane; collected once, then thrown away."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    def collect(self) -> Iterator[Metric]:
        counters: dict[str, Counts] = self._content["routes"]
        yield from _traffic(counters)
        yield from _evidence(counters)
        yield _latency(counters)
        yield from _rollout(self._content["rollout"])
        yield from _workers(self._content["workers"])
        yield from _system(self._content)


def render_metrics(content: Mapping[str, Any]) -> bytes:
    """The text exposition of one snapshot (CONTENT_TYPE)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Snapshot(content))
    return generate_latest(registry)


def _traffic(counters: Mapping[str, Counts]) -> Iterator[Metric]:
    served = _counter("requests", "Requests answered to users, by the backend that answered.", "backend")
    failed = _counter("requests_failed", "Users' requests that ended in 502 or 504.", "backend")
    status = _counter("responses", "Answers by class of status.", "backend", "class")
    decided = _counter("decisions", "Decisions for a backend, by reason.", "reason")
    fallback = _counter("fallbacks", "Requests that legacy answered after new had failed.")
    retried = _counter("retries", "Requests sent again because a kept connection had gone stale.", "backend")
    spent = _counter("retries_refused", "Requests not sent again because the retry budget was spent.", "backend")
    left = _counter("clients_left", "Requests whose user left before the answer's end.")
    for route, counts in counters.items():
        for side in SIDES:
            served.add_metric([route, side], counts.get(f"served.{side}", 0))
            failed.add_metric([route, side], counts.get(f"failed.{side}", 0))
            retried.add_metric([route, side], counts.get(f"retried.{side}", 0))
            spent.add_metric([route, side], counts.get(f"retry.budget_spent.{side}", 0))
            for number in range(1, 6):
                if count := counts.get(f"status.{side}.{number}xx"):
                    status.add_metric([route, side, f"{number}xx"], count)
        _add_reasons(decided, route, counts, "decided.")
        fallback.add_metric([route], counts.get("fallback", 0))
        left.add_metric([route], counts.get("client_left", 0))
    yield from (served, failed, status, decided, fallback, retried, spent, left)


def _evidence(counters: Mapping[str, Counts]) -> Iterator[Metric]:
    pairs = _counter("pairs", "Requests for which both answers arrived, compared or not.")
    compared = _counter("pairs_compared", "Pairs that were compared, by verdict.", "verdict")
    skipped = _counter("pairs_skipped", "Requests that were not compared, by reason.", "reason")
    repeated = _counter("noise_runs", "Requests that legacy answered twice, by whether it agreed.", "verdict")
    dropped = _counter(
        "evidence_dropped", "Users, sightings, examples and counts of places that found no room.", "kind"
    )
    for route, counts in counters.items():
        pairs.add_metric([route], counts.get("pairs", 0))
        for verdict in COMPARED:
            compared.add_metric([route, verdict.value], counts.get(verdict, 0))
        _add_reasons(skipped, route, counts, "skipped.")
        repeated.add_metric([route, "match"], counts.get("self_matches", 0))
        repeated.add_metric([route, "mismatch"], counts.get("self_mismatches", 0))
        _add_reasons(dropped, route, counts, "dropped.")
    yield from (pairs, compared, skipped, repeated, dropped)


def _latency(counters: Mapping[str, Counts]) -> Metric:
    family = HistogramMetricFamily(
        "changeover_latency_seconds",
        "Time to the last byte of a backend's answer.",
        labels=["route", "backend"],
        unit="seconds",
    )
    for route, counts in counters.items():
        for side in SIDES:
            buckets, total_s = _cumulative(latency_counts(counts, side))
            family.add_metric([route, side], buckets, total_s)
    return family


def _cumulative(buckets: Mapping[int, int]) -> tuple[list[tuple[str, float]], float]:
    """Our fine buckets as (upper bound, count up to it) at LATENCY_BOUNDS_S, and the sum of seconds.

    A fine bucket counts by its middle: at most 6.25 % off (core.evidence).
    """
    seconds = [(latency_bucket_middle_us(bucket) / 1e6, count) for bucket, count in buckets.items()]
    cumulative: list[tuple[str, float]] = [
        (str(bound), sum(count for middle, count in seconds if middle <= bound)) for bound in LATENCY_BOUNDS_S
    ]
    cumulative.append(("+Inf", sum(buckets.values())))
    return cumulative, sum(middle * count for middle, count in seconds)


def _rollout(routes: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    wish = _gauge("rollout_percentage", "The percentage the config asks for.", "route")
    effective = _gauge("rollout_effective_percentage", "The percentage in force, under every hold.", "route")
    users = _gauge("users", "Different users seen, by the backend that served them.", "route", "backend")
    for route in routes:
        wish.add_metric([route["name"]], route["percentage"])
        effective.add_metric([route["name"]], route["effective_percentage"])
        for side in SIDES:
            users.add_metric([route["name"], side], route["users"][side])
    yield from (wish, effective, users)


# A worker's gauge -> metric, text. `refused.<status>` and `<purpose>.<side>.<state>` are taken apart.
_WORKER_GAUGES = {
    "connections": ("worker_connections", "Users' connections."),
    "in_flight": ("worker_requests_in_flight", "Users' requests under way."),
    "shadows": ("worker_shadows", "Shadow requests under way."),
    "shadow_bytes": ("worker_shadow_bytes", "Bytes that shadows hold."),
    "new_healthy": ("worker_new_healthy", "1 while users of new are served by new."),
    "new_breaker": ("worker_new_breaker", "New's circuit breaker: 0 closed, 1 half-open, 2 open."),
}


def _workers(workers: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    """How each linked worker is; a family without samples where it says nothing of it."""
    families = {name: _gauge(metric, text, "worker") for name, (metric, text) in _WORKER_GAUGES.items()}
    pools = _gauge("worker_backend_connections", "Connections to a backend.", "worker", "backend", "purpose", "state")
    labels = ["worker", "status"]
    refused = CounterMetricFamily("changeover_requests_refused", "Requests not forwarded, by status.", labels=labels)
    dropped = CounterMetricFamily("changeover_events_dropped", "Lines missing in the request log.", labels=["worker"])
    for worker in workers:
        name, gauges = worker["name"], worker["gauges"]
        for gauge, value in gauges.items():
            if gauge in families:
                families[gauge].add_metric([name], value)
            elif gauge.startswith("refused."):
                refused.add_metric([name, gauge.removeprefix("refused.")], value)
        dropped.add_metric([name], gauges.get("events_dropped", 0))
        for purpose in ("served", "shadow"):
            for side in SIDES:
                idle = gauges.get(f"{purpose}.{side}.idle", 0)
                busy = gauges.get(f"{purpose}.{side}.connections", 0) - idle
                pools.add_metric([name, side, purpose, "idle"], idle)
                pools.add_metric([name, side, purpose, "busy"], busy)
    yield from (*families.values(), pools, refused, dropped)


def _system(content: Mapping[str, Any]) -> Iterator[Metric]:
    yield _gauge_of("build_info", "The running version.", 1, version=content["version"])
    yield _gauge_of("rollout_version", "Grows with each change of what is in force.", content["rollout_version"])
    yield _gauge_of("config_refused", "1 while the config file is refused, else 0.", content["config_refused"])
    yield _gauge_of("workers_linked", "Workers linked to the control process.", content["workers_linked"])
    yield _gauge_of("store_up", "1 while the store takes evidence, else 0.", content["store_up"])
    dropped = CounterMetricFamily("changeover_records_dropped", "Records that the store did not take.", labels=[])
    dropped.add_metric([], content["records_dropped"])
    yield dropped


def _add_reasons(family: CounterMetricFamily, route: str, counts: Counts, prefix: str) -> None:
    reasons = Counter({name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)})
    kept = sorted(reasons)[:MAX_REASONS]
    for reason in kept:
        family.add_metric([route, reason], reasons[reason])
    if other := reasons.total() - sum(reasons[reason] for reason in kept):
        family.add_metric([route, "other"], other)


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"changeover_{name}", text, labels=["route", *labels])


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"changeover_{name}", text, labels=labels)


def _gauge_of(name: str, text: str, value: float, **labels: str) -> Metric:
    family = _gauge(name, text, *labels)
    family.add_metric(list(labels.values()), float(value))
    return family
