"""The contenders' selection and configs, and Changeover's evidence as a value."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from bench.children import ContenderFailed
from bench.contenders import CONTENDERS, select_contenders
from bench.contenders.changeover import changeover_command, parse_evidence, read_settled_evidence, render_config
from bench.contenders.contender import Evidence, Place
from bench.contenders.envoy import build_bootstrap
from bench.contenders.nginx import render_proxy
from bench.origin import Counter, Origins

ROUTE = {
    "name": "api",
    "pairs": 100,
    "matches": 90,
    "mismatches": 2,
    "coverage": {"compared": 92, "skipped": {"queue_full": 5, "too_large": 3}},
}

PAIRS: list[int] = []
PLACE = Place((0,), Path("/run/x"), Origins(1, 2, 3, Counter(1), Counter(2)))


class Admin(BaseHTTPRequestHandler):
    """Answers the next count of PAIRS, and the last one for ever; a negative one with an error."""

    def do_GET(self) -> None:
        pairs = PAIRS.pop(0) if len(PAIRS) > 1 else PAIRS[0]
        body = json.dumps([ROUTE | {"pairs": pairs}]).encode()
        self.send_response(200 if pairs >= 0 else 503)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def admin() -> Iterator[HTTPServer]:
    PAIRS[:] = [0, 100, 100, 300]
    with HTTPServer(("127.0.0.1", 0), Admin) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_selection_knows_names_and_families_and_keeps_the_order() -> None:
    """Nothing asked for is everything; an empty run can't be asked for."""
    assert select_contenders(()) == CONTENDERS
    asked = select_contenders(("envoy", "direct"))
    assert [each.name for each in asked] == ["direct", "envoy-pass", "envoy-mirror"]


def test_names_of_contenders_are_unique() -> None:
    """Samples are told apart by the name."""
    assert len(CONTENDERS) == len({each.name for each in CONTENDERS})


def test_evidence_is_the_sum_over_the_routes() -> None:
    """Counts and reasons of all routes are added."""
    other = ROUTE | {"name": "rest", "coverage": {"compared": 8, "skipped": {"queue_full": 2}}}
    expected = Evidence(200, 180, 4, 100, (("queue_full", 7), ("too_large", 3)))
    assert expected == parse_evidence(json.dumps([ROUTE, other]).encode())


def test_evidence_is_awaited_until_it_stands_still(admin: HTTPServer) -> None:
    """Late counts are waited for, through answers of nothing yet; the last answer is the one that counts."""
    assert read_settled_evidence(admin.server_port).pairs == 300


def test_evidence_that_is_refused_is_a_failure_of_the_contender(admin: HTTPServer) -> None:
    """A proxy that can't say what it compared gets no row."""
    PAIRS[:] = [-1]
    with pytest.raises(ContenderFailed, match="GET /api/v1/routes"):
        read_settled_evidence(admin.server_port)


def test_coverage_is_the_compared_part_of_what_was_due() -> None:
    """Skipped pairs lower it; where nothing was due there is none."""
    assert Evidence(100, 90, 2, 92, (("queue_full", 5), ("too_large", 3))).coverage == 0.92
    assert None is Evidence(0, 0, 0, 0).coverage


@pytest.mark.parametrize("percentage", [0, 100])
def test_changeover_config_sends_everybody_to_legacy_and_shadows_as_asked(percentage: int) -> None:
    """The YAML has the documented shape."""
    config = YAML(typ="safe").load(render_config(8001, 8002, shadow_percentage=percentage))
    assert config["backends"]["legacy"] == {"url": "http://127.0.0.1:8001"}
    assert config["backends"]["new"] == {"url": "http://127.0.0.1:8002"}
    route = config["routes"]["api"]
    assert (0, percentage) == (route["rollout"]["percentage"], route["shadow"]["percentage"])


def test_changeover_command_uses_one_worker_and_only_its_own_folder() -> None:
    """Everything that it writes goes where the bench deletes it."""
    command = changeover_command(PLACE.folder, 8000, 9000)
    assert "serve --config /run/x/migration.yaml" in " ".join(command)
    assert "--state-dir /run/x/state --workers 1" in " ".join(command)


@pytest.mark.parametrize("mirrors", [True, False])
def test_peers_mirror_only_when_asked(mirrors: bool) -> None:
    """The passing configs hold no mirror, the mirroring ones send every request."""
    bootstrap = json.dumps(build_bootstrap(PLACE, 1, mirrors=mirrors))
    assert mirrors == ('"numerator": 100, "denominator": "HUNDRED"' in bootstrap)
    assert mirrors == ("mirror /mirror;" in render_proxy(PLACE, 1, mirrors=mirrors))
