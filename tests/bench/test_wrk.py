"""The load's command line, and wrk's output as a value."""

from pathlib import Path

import pytest

from bench.children import ContenderFailed
from bench.scenarios import SCENARIOS
from bench.wrk import Load, Outcome, make_load, parse_wrk, wrk_command

CLEAN = """\
Running 4s test @ http://127.0.0.1:40001/api/items/4711
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   343.57us  103.77us   6.44ms   90.02%
    Req/Sec    69.30k     2.81k   74.41k    75.00%
  Latency Distribution
     50%  336.00us
     75%  372.00us
     90%    1.21ms
     99%    1.05s
  275863 requests in 4.01s, 75.77MB read
Requests/sec:  68794.51
Transfer/sec:     18.90MB
"""

ERRORS = """\
  Socket errors: connect 1, read 20, write 300, timeout 4000
  Non-2xx or 3xx responses: 77
Requests/sec:  68794.51
"""


def test_parse_reads_every_figure_in_its_unit() -> None:
    """Microseconds, milliseconds and seconds all become milliseconds; without error lines there are no errors."""
    expected = Outcome(275_863, 4.01, 68_794.51, p50_ms=0.336, p99_ms=1050.0, not_2xx=0, socket_errors=0)
    assert expected == parse_wrk(CLEAN)


def test_parse_adds_up_the_errors() -> None:
    """The four kinds of socket errors are summed, answers other than 2xx and 3xx are counted beside them."""
    outcome = parse_wrk(CLEAN.replace("Requests/sec:  68794.51\n", ERRORS))
    assert (outcome.not_2xx, outcome.socket_errors, outcome.errors) == (77, 4321, 4398)


@pytest.mark.parametrize("missing", ["     50%", "     99%", "Requests/sec:", "  275863 requests"])
def test_parse_refuses_an_output_without_one_of_the_figures(missing: str) -> None:
    """A missing figure is never taken for zero."""
    kept = "\n".join(line for line in CLEAN.splitlines() if not line.startswith(missing))
    with pytest.raises(ContenderFailed, match="wrk printed no figures"):
        parse_wrk(kept)


def test_command_carries_the_load_and_the_core() -> None:
    """Wrk is pinned and gets every parameter of the load."""
    load = Load(connections=64, seconds=9, threads=2, path="/x")
    command = wrk_command(8123, load, 3, cores=(1, 3))
    assert command[:3] == ["taskset", "--cpu-list", "1,3"]
    assert command[4:] == ["-t2", "-c64", "-d3s", "--latency", "http://127.0.0.1:8123/x"]


def test_command_of_every_scenario_names_its_script_and_scheme() -> None:
    """A POST, new headers and TLS reach wrk, and the scripts are there."""
    for scenario in SCENARIOS:
        command = wrk_command(8123, make_load(scenario, 3), 3, cores=(1,))
        scripts = [each for each in command if each.endswith(".lua")]
        assert bool(scenarios_need_a_script := scenario.body_bytes > 0 or scenario.varying != "nothing") == bool(
            scripts
        )
        assert not scenarios_need_a_script or Path(scripts[0]).is_file()
        assert scenario.tls == any(each.startswith("https://") for each in command)
