"""What Prometheus scrapes from a running node is what docs/monitoring.md says, after traffic of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.admin.families import FAMILIES
from tests.e2e.program import until
from tests.e2e.workers import FEED, two_sided_node

if TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.core import Metric

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
REQUESTS = 40


def test_scrape_of_a_node_has_the_documented_families(tmp_path: Path):
    """Names, types and labels agree both ways; counters add up to the requests that were made."""
    with two_sided_node(tmp_path) as (node, _, _):
        with httpx.Client(base_url=node.url, trust_env=False) as users:
            for number in range(REQUESTS):
                users.get(FEED, headers={"x-user-id": str(number)}).raise_for_status()
            users.get("/nowhere")
        node.settle("feeds", REQUESTS)

        def counted() -> bool:  # the last delta of a worker has its own time
            return sum_of("changeover_requests_total", route="feeds") == REQUESTS

        def sum_of(name: str, **labels: str) -> float:
            return sum(
                sample.value
                for family in scrape()
                for sample in family.samples
                if sample.name == name and labels.items() <= sample.labels.items()
            )

        def scrape() -> list[Metric]:
            text = httpx.get(f"{node.admin_url}/metrics", trust_env=False).raise_for_status().text
            return list(text_string_to_metric_families(text))

        until(counted, "every request in the scrape", within_s=20)
        node.put("routes/feeds/hold", percentage=0, reason="to see the metric")
        until(lambda: sum_of("changeover_rollout_held", route="feeds") == 1, "the hold in the scrape", within_s=20)
        scraped = {family.name: family for family in scrape() if not family.name.endswith("_created")}
        documented = {each.scraped_name.removesuffix("_total"): each for each in FAMILIES}
        assert documented.keys() == scraped.keys()
        assert {name: each.type for name, each in documented.items()} == {
            name: family.type for name, family in scraped.items()
        }
        wrong = {
            name: label_sets
            for name, each in documented.items()
            if (label_sets := {frozenset(sample.labels) - {"le"} for sample in scraped[name].samples})
            and label_sets != {frozenset(each.labels)}
        }
        assert {} == wrong
        without = {name for name, family in scraped.items() if not family.samples}
        assert without <= {
            "changeover_evidence_dropped",
            "changeover_noise_runs_skipped",
            "changeover_pairs_partly_compared",
            "changeover_requests_refused",
        }
