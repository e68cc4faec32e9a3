"""The tables, the page and the JSON made of a result."""

import json

from bench.contenders.contender import Evidence, Work
from bench.cores import assign_cores
from bench.machine import Machine, parse_cpu_model
from bench.report import render_evidence, render_json, render_rates, render_section, render_table
from bench.results import Result, Row, Sample
from bench.scenarios import CORE
from bench.wrk import Load, Outcome

EVIDENCE = Evidence(pairs=1200, matches=1100, mismatches=0, compared=1100, skipped=(("queue_full", 100),))


def make_row(name: str, family: str, work: Work, rate: float, evidence: Evidence | None = None) -> Row:
    outcome = Outcome(int(rate), 1.0, rate, 0.5, 1.25, 0, 0)
    return Row(name, family, name.title(), work, (Sample(name, outcome, 1000, 999, 0.98, 0.0, evidence),))


ROWS = (
    make_row("direct", "direct", "direct", 60_000.0),
    make_row("own", "changeover", "mirror", 15_000.0, EVIDENCE),
    make_row("peer", "envoy", "mirror", 12_000.0),
    Row("gone", "nginx", "Gone", "mirror", (), "nginx is not installed: apt-get install nginx-light\ndetail"),
)
RESULT = Result(
    scenario=CORE,
    rows=ROWS,
    load=Load(connections=32, seconds=4),
    rounds=3,
    cores=assign_cores((0, 1)),
    background=((0, 0.01), (1, 0.0)),
    machine=Machine("Any CPU", 2, "Linux 6.1", "3.11.2"),
    date="2026-11-23T04:00+00:00",
    command="scripts/bench",
    took_s=120.4,
    versions=("nginx 1.22.1", "wrk 4.1.0"),
)


def test_table_aligns_text_left_and_figures_right() -> None:
    """It reads well as it stands, and is valid Markdown."""
    expected = "| name | rate |\n| ---- | ---: |\n| a    |    1 |\n| bcd  | 1000 |"
    assert expected == render_table(["name", "rate"], [["a", "1"], ["bcd", "1000"]])


def test_table_without_rows_is_its_header() -> None:
    """Nothing to show is no error."""
    assert render_table(["a", "b"], []) == "| a | b |\n| - | - |"


def test_rates_show_the_ratio_to_the_peer_with_the_same_work() -> None:
    """15,000 beside the peer's 12,000 is 1.25; the direct row has no peer."""
    direct, own, *_ = (cells(line) for line in render_rates(ROWS).splitlines()[2:])
    assert own == ["Own", "mirroring", "15,000", "15,000–15,000", "0.50", "1.25", "1.25", "–", "99.9 %", "98 %", ""]
    assert direct[6:] == ["–", "–", "–", "–", ""]


def test_rates_mark_an_absent_contender_with_what_to_install() -> None:
    """One line of advice, no figures."""
    gone = cells(render_rates(ROWS).splitlines()[-1])
    assert gone[2] == "absent"
    assert gone[-1] == "nginx is not installed: apt-get install nginx-light"


def test_evidence_shows_coverage_with_its_gaps() -> None:
    """Only rows that compared are listed, with the reason of each gap."""
    lines = render_evidence(ROWS).splitlines()[2:]
    assert [cells(line) for line in lines] == [["Own", "1,200", "1,100", "0", "1,100", "91.7 %", "queue_full 100"]]
    assert render_evidence(ROWS[:1]) == ""


def test_section_names_the_circumstances() -> None:
    """Machine, versions, pinning, background, load, date and command stand before the figures."""
    page = render_section(RESULT)
    circumstances = [line for line in page.splitlines() if line.startswith("- ")]
    assert circumstances == [
        "- Date: 2026-11-23T04:00+00:00, in 120 s",
        "- Command: `scripts/bench`",
        "- Machine: Any CPU, 2 cores, Linux 6.1, Python 3.11.2",
        "- Versions: nginx 1.22.1, wrk 4.1.0",
        "- Pinning: proxy under test on core 0; origins and load together on core 1",
        "- Before the first run: core 0 1 %, core 1 0 % busy",
        "- Load: wrk, 1 thread, 32 connections; 3 rounds of 4 s after 1 s of warm-up, each contender started afresh",
    ]
    assert page.index(circumstances[-1]) < page.index("| Own")


def test_json_holds_medians_and_single_runs() -> None:
    """A later comparison needs no parsing of tables."""
    rows = {each["name"]: each for each in json.loads(render_json([RESULT]))["core"]["rows"]}
    assert rows["own"]["median"]["to_envoy"] == 1.25
    assert rows["own"]["samples"][0]["outcome"]["requests_per_s"] == 15_000.0
    assert None is rows["gone"]["median"]


def test_cpu_model_is_the_first_cores() -> None:
    """All cores say the same; the first one is enough."""
    assert parse_cpu_model("processor\t: 0\nmodel name\t: Any CPU 9000\nmodel name\t: Other\n") == "Any CPU 9000"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]
