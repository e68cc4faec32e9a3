"""Medians, ratios and remarks of the rows."""

from bench.contenders.contender import Evidence, Work
from bench.results import Row, Sample, add_evidence, find_ratio
from bench.wrk import Outcome


def sample(
    rate: float = 1000.0,
    *,
    served: int = 100,
    mirrored: int = 100,
    busy: float = 1.0,
    foreign: float = 0.0,
    not_2xx: int = 0,
    evidence: Evidence | None = None,
) -> Sample:
    outcome = Outcome(int(rate), 1.0, rate, 1.0, 2.0, not_2xx, 0)
    return Sample("any", outcome, served, mirrored, busy, foreign, evidence)


def row(*samples: Sample, family: str = "envoy", work: Work = "pass", absence: str = "") -> Row:
    return Row("any", family, "Any", work, samples, absence)


def test_rate_is_the_median_with_its_spread() -> None:
    """One bad round moves the slowest figure, not the rate."""
    measured = row(sample(900.0), sample(10.0), sample(1100.0))
    assert (measured.slowest_per_s, measured.requests_per_s, measured.fastest_per_s) == (10.0, 900.0, 1100.0)


def test_ratio_compares_with_the_peer_that_does_the_same_work() -> None:
    """A mirroring row is never compared with a passing one."""
    passing, mirroring = row(sample(2000.0)), row(sample(1000.0), work="mirror")
    own = row(sample(1500.0), family="changeover", work="mirror")
    assert find_ratio(own, [passing, mirroring, own], "envoy") == 1.5
    assert None is find_ratio(own, [passing, own], "envoy")


def test_ratio_needs_samples_on_both_sides() -> None:
    """An absent peer gives no ratio, nor does an absent row get one."""
    absent, present = row(absence="not installed"), row(sample())
    assert None is find_ratio(present, [absent], "envoy")
    assert None is find_ratio(absent, [present], "envoy")


def test_mirrored_ratio_is_taken_over_all_runs() -> None:
    """A run with many requests weighs more; nothing served is no ratio."""
    assert row(sample(served=300, mirrored=100), sample(served=100, mirrored=100)).mirrored_ratio == 0.5
    assert None is row(sample(served=0, mirrored=0)).mirrored_ratio


def test_flaws_name_errors_lost_mirrors_and_an_idle_core() -> None:
    """Each is a reason not to take the rate at its face."""
    flawed = row(sample(not_2xx=3, mirrored=90, busy=0.5), work="mirror")
    assert flawed.find_flaws() == ["3 errors", "drops mirrors", "load side was the limit"]
    assert row(sample(), work="mirror").find_flaws() == []


def test_flaws_name_a_core_shared_with_others() -> None:
    """A disturbed run is marked, housekeeping is not."""
    assert row(sample(foreign=0.3)).find_flaws() == ["other programs took 30 % of its core"]
    assert row(sample(foreign=0.03)).find_flaws() == []


def test_flaws_of_a_row_that_failed_on_the_way_say_so() -> None:
    """A median of fewer runs is marked."""
    assert row(sample(), absence="failed: no port").find_flaws() == ["failed after 1 run(s)"]


def test_evidence_is_added_by_reason() -> None:
    """Runs without evidence don't count; no run with evidence gives none."""
    one = Evidence(10, 9, 0, 9, (("timeout", 1),))
    two = Evidence(10, 8, 0, 8, (("queue_full", 1), ("timeout", 1)))
    assert Evidence(20, 17, 0, 17, (("queue_full", 1), ("timeout", 2))) == add_evidence([one, two])
    assert one == row(sample(evidence=one), sample()).evidence
    assert None is add_evidence([])
