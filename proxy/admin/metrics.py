"""What Prometheus scrapes: one snapshot of the control plane as metric families, built anew for each scrape.

Labels are bounded: routes and backends come from the config, reasons and verdicts from fixed lists; a route is cut
off after MAX_REASONS different reasons, the rest of them is added up as "other". No user, path or value of traffic
is ever a label. What each family is, says `proxy.admin.families`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from proxy.admin.families import family, histogram
from proxy.control.webhooks import DROP_REASONS
from proxy.core.evidence import COMPARED, coverage, latency_bucket_middle_us, latency_counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from proxy.admin.families import MetricFamily
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
    served, failed, status, decided = (
        family(each) for each in ("requests", "requests_failed", "responses", "decisions")
    )
    fallback, retried, spent = (family(each) for each in ("fallbacks", "retries", "retries_refused"))
    left = family("clients_left")
    for route, counts in counters.items():
        for side in SIDES:
            served.add_metric([route, side], counts.get(f"served.{side}", 0))
            failed.add_metric([route, side], counts.get(f"failed.{side}", 0))
            retried.add_metric([route, side], counts.get(f"retried.{side}", 0))
            spent.add_metric([route, side], counts.get(f"retry.budget_spent.{side}", 0))
            for number in range(1, 6):
                # Errors from the beginning: a rate needs the zero before the first one.
                if (count := counts.get(f"status.{side}.{number}xx", 0)) or number == 5:
                    status.add_metric([route, side, f"{number}xx"], count)
        _add_reasons(decided, route, counts, "decided.")
        fallback.add_metric([route], counts.get("fallback", 0))
        left.add_metric([route], counts.get("client_left", 0))
    yield from (served, failed, status, decided, fallback, retried, spent, left)


def _evidence(counters: Mapping[str, Counts]) -> Iterator[Metric]:
    pairs, expected, compared = (family(each) for each in ("pairs", "pairs_expected", "pairs_compared"))
    partly, skipped = (family(each) for each in ("pairs_partly_compared", "pairs_skipped"))
    repeated, lost, dropped = (family(each) for each in ("noise_runs", "noise_runs_skipped", "evidence_dropped"))
    for route, counts in counters.items():
        pairs.add_metric([route], counts.get("pairs", 0))
        expected.add_metric([route], coverage(counts).expected)
        for verdict in COMPARED:
            compared.add_metric([route, verdict.value], counts.get(verdict, 0))
        _add_reasons(partly, route, counts, "partly.")
        _add_reasons(skipped, route, counts, "skipped.")
        for outcome, counter in _NOISE_RUNS.items():
            repeated.add_metric([route, outcome], counts.get(counter, 0))
        _add_reasons(lost, route, counts, "self_skipped.")
        _add_reasons(dropped, route, _dropped(counts), "")
    yield from (pairs, expected, compared, partly, skipped, repeated, lost, dropped)


_NOISE_RUNS = {"match": "self_matches", "mismatch": "self_mismatches"}


def _dropped(counts: Counts) -> Counts:
    """Kind -> what found no room, in the workers and in control."""
    dropped = Counter(
        {name.removeprefix("dropped."): each for name, each in counts.items() if name.startswith("dropped.")}
    )
    dropped["users"] += counts.get("users.dropped", 0)
    return dict(+dropped)


def _latency(counters: Mapping[str, Counts]) -> Metric:
    latency = histogram("latency_seconds")
    for route, counts in counters.items():
        for side in SIDES:
            buckets, total_s = _cumulative(latency_counts(counts, side))
            latency.add_metric([route, side], buckets, total_s)
    return latency


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
    wish, effective = family("rollout_percentage"), family("rollout_effective_percentage")
    held, users = family("rollout_held"), family("users")
    for route in routes:
        wish.add_metric([route["name"]], route["percentage"])
        effective.add_metric([route["name"]], route["effective_percentage"])
        held.add_metric([route["name"]], float(route["hold"] is not None))
        for side in SIDES:
            users.add_metric([route["name"], side], route["users"][side])
    yield from (wish, effective, held, users)


# A worker's gauge -> family. `refused.<status>` and `<purpose>.<side>.<state>` are taken apart.
_WORKER_GAUGES = {
    "connections": "worker_connections",
    "handshakes": "worker_handshakes",
    "in_flight": "worker_requests_in_flight",
    "shadows": "worker_shadows",
    "shadow_bytes": "worker_shadow_bytes",
    "masking": "worker_masking",
    "new_healthy": "worker_new_healthy",
    "new_breaker": "worker_new_breaker",
}


def _workers(workers: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    """How each linked worker is; a family without samples where it says nothing of it."""
    families = {gauge: family(name) for gauge, name in _WORKER_GAUGES.items()}
    pools, refused, dropped = (
        family(each) for each in ("worker_backend_connections", "requests_refused", "events_dropped")
    )
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
    comparers = content["comparers"]
    yield _single("build_info", 1, content["version"])
    for name, value in {
        "kill_switch": content["kill_switch"],
        "rollout_version": content["rollout_version"],
        "config_refused": content["config_refused"],
        "workers_expected": content["workers_expected"],
        "workers_linked": content["workers_linked"],
        "comparers_expected": comparers["expected"],
        "comparers_running": comparers["processes"],
        "comparers_backlog": comparers["backlog"],
        "comparers_backlog_bytes": comparers["backlog_bytes"],
        "comparers_restarts": comparers["restarts"],
        "webhooks_delivered": content["webhooks"]["delivered"],
        "webhooks_waiting": content["webhooks"]["waiting"],
        "store_up": content["store_up"],
        "records_dropped": content["records_dropped"],
    }.items():
        yield _single(name, value)
    dropped = family("webhooks_dropped")
    for reason in DROP_REASONS:
        dropped.add_metric([reason], content["webhooks"]["dropped"].get(reason, 0))
    yield dropped


def _single(name: str, value: float, *labels: str) -> Metric:
    made = family(name)
    made.add_metric(list(labels), float(value))
    return made


def _add_reasons(made: MetricFamily, route: str, counts: Counts, prefix: str) -> None:
    reasons = Counter({name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)})
    kept = sorted(reasons)[:MAX_REASONS]
    for reason in kept:
        made.add_metric([route, reason], reasons[reason])
    if other := reasons.total() - sum(reasons[reason] for reason in kept):
        made.add_metric([route, "other"], other)
