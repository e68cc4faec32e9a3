"""What Prometheus reads, as its own parser reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from proxy.admin.metrics import LATENCY_BOUNDS_S, MAX_REASONS, render_metrics

if TYPE_CHECKING:
    import httpx

    from tests.fakes import FakeControl

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read_samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def at(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return f"changeover_{name}", tuple(sorted(labels.items()))


def test_metrics_are_what_the_counters_say(client: httpx.Client):
    """Each counter, gauge and histogram carries the control plane's own number."""
    response = client.get("/metrics")
    samples = read_samples(response.text)
    expected = {
        at("requests_total", route="feeds", backend="legacy"): 950,
        at("requests_total", route="feeds", backend="new"): 50,
        at("responses_total", route="feeds", backend="legacy", **{"class": "5xx"}): 1,
        at("decisions_total", route="feeds", reason="bucket"): 1000,
        at("pairs_total", route="feeds"): 900,
        at("pairs_compared_total", route="feeds", verdict="mismatch"): 2,
        at("pairs_skipped_total", route="feeds", reason="timeout"): 100,
        at("pairs_expected_total", route="feeds"): 1000,
        at("responses_total", route="feeds", backend="new", **{"class": "5xx"}): 0,
        at("rollout_percentage", route="feeds"): 5,
        at("rollout_held", route="feeds"): 0,
        at("comparers_running"): 1,
        at("workers_expected"): 2,
        at("kill_switch"): 0,
        at("users", route="feeds", backend="legacy"): 19,
        at("latency_seconds_count", route="feeds", backend="legacy"): 950,
        at("workers_linked"): 2,
        at("store_up"): 1,
        at("worker_connections", worker="worker-1"): 7,
        at("worker_requests_in_flight", worker="worker-2"): 3,
        at("requests_refused_total", worker="worker-1", status="400"): 5,
        at("events_dropped_total", worker="worker-1"): 4,
        at("worker_backend_connections", worker="worker-1", backend="legacy", purpose="served", state="idle"): 4,
        at("worker_backend_connections", worker="worker-1", backend="legacy", purpose="served", state="busy"): 2,
        at("build_info", version="0.1.0"): 1,
    }
    assert expected == {key: samples.get(key) for key in expected}
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


async def _snapshot(control: FakeControl, **counters: int) -> dict[str, object]:
    content = await control.metrics_snapshot()
    return {**content, "routes": {"feeds": counters}}


def test_latency_histogram_is_cumulative_at_round_bounds(client: httpx.Client, control: FakeControl):
    """Fine buckets are added up to the bounds dashboards know; the sum is in seconds."""
    samples = read_samples(client.get("/metrics").text)
    labels = {"route": "feeds", "backend": "legacy"}
    counts = [samples[at("latency_seconds_bucket", le=str(bound), **labels)] for bound in LATENCY_BOUNDS_S]
    assert sorted(counts) == counts
    assert counts[-1] == samples[at("latency_seconds_bucket", le="+Inf", **labels)] == 950
    assert 0 < samples[at("latency_seconds_sum", **labels)] < 950 * LATENCY_BOUNDS_S[-1]


def test_reasons_beyond_the_limit_are_added_up_as_other(control: FakeControl):
    """However many reasons there are, labels stay bounded and no count is lost."""
    import asyncio

    many = {f"decided.pin:{number:04}": 1 for number in range(MAX_REASONS + 60)}
    samples = read_samples(render_metrics(asyncio.run(_snapshot(control, **many))).decode())
    decided = {dict(labels)["reason"]: value for (name, labels), value in samples.items() if "decisions" in name}
    assert (MAX_REASONS + 1, 60, MAX_REASONS + 60) == (len(decided), decided["other"], sum(decided.values()))


def test_label_values_are_escaped(control: FakeControl):
    """A name from the config can't end a label or a line."""
    import asyncio

    samples = read_samples(render_metrics(asyncio.run(_snapshot(control, **{'decided.pin:a"\n\\b': 3}))).decode())
    assert samples[at("decisions_total", route="feeds", reason='pin:a"\n\\b')] == 3


def test_users_that_found_no_room_are_counted_wherever_that_was(control: FakeControl):
    """In a worker and in control: one kind."""
    import asyncio

    counters = {"users.dropped": 2, "dropped.users": 3, "dropped.examples": 1}
    samples = read_samples(render_metrics(asyncio.run(_snapshot(control, **counters))).decode())
    assert (5, 1) == tuple(
        samples[at("evidence_dropped_total", route="feeds", kind=each)] for each in ("users", "examples")
    )
