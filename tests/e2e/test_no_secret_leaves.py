"""Law 6 through the whole system: no secret of users or backends stands in a store, log, metric, API or report."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest

from tests.core.secret_places import ANYWHERE, UNDER_A_NAME, readings
from tests.e2e.backends import Backend
from tests.e2e.node import Node, serving, write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CONFIG = """\
version: 1
backends: {{legacy: {{url: "{legacy}"}}, new: {{url: "{new}"}}}}
users: {{key: ["header:x-user-id"], salt: inkzee-2026}}
routes:
  all: {{match: {{prefix: /}}, shadow: {{percentage: 100}}}}
"""
# What legacy, new, and the user keep secret: nothing that is in the traffic by chance.
OF_LEGACY, OF_NEW, OF_THE_USER = "QzLegacySecret7731", "QzNewSecret8842", "QzUserSecret9953"
# (as it is written, what must not be seen of it), for legacy and for new
LOOKS = {
    "jwt": [(f"eyJhbGciOiJIUzI1NiJ9.eyJ{word}.{word}", word) for word in (OF_LEGACY, OF_NEW)],
    "card": [(card, card) for card in ("4111111111111111", "5555555555554444")],
    "address": [(f"{word}@shop.example", word) for word in (OF_LEGACY, OF_NEW)],
    "bearer": [(f"Bearer {word}", word) for word in (OF_LEGACY, OF_NEW)],
}
HIDDEN = [OF_LEGACY, OF_NEW, OF_THE_USER, "4111111111111111", "5555555555554444"]


def whole(content_type: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answers(side: int) -> dict[str, bytes]:
    """By path, each kind of secret in each place."""
    found = {}
    for number, (content_type, write) in enumerate(ANYWHERE.values()):
        for look, written in LOOKS.items():
            found[f"/{look}-{number}"] = whole(content_type, write(written[side][0]))
    for number, (content_type, write_named) in enumerate(UNDER_A_NAME.values()):
        found[f"/named-{number}"] = whole(content_type, write_named("password", (OF_LEGACY, OF_NEW)[side]))
    return found


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that has compared an answer of every kind, for a user who sends secrets too."""
    folder = tmp_path_factory.mktemp("secrets")
    paths = answers(0)
    with Backend("legacy", whole=paths) as legacy, Backend("new", whole=answers(1)) as new:
        config = write_config(folder, CONFIG.format(legacy=legacy.url, new=new.url))
        with serving(config, folder, CHANGEOVER_REQUEST_LOG="all") as node:
            fields = {
                "Authorization": f"Bearer {OF_THE_USER}",
                "Cookie": f"session={OF_THE_USER}",
                "X-Api-Key": OF_THE_USER,
                "Referer": f"https://shop.example/?token={OF_THE_USER}",
                "User-Agent": f"curl token={OF_THE_USER}",
                "X-User-Id": f"{OF_THE_USER}@shop.example",
            }
            with httpx.Client(base_url=node.url, headers=fields, trust_env=False) as user:
                for path in paths:
                    assert user.get(
                        f"{path}?access_token={OF_THE_USER}&mail={quote(OF_THE_USER)}%40x.example"
                    ).is_success
            node.settle("all", len(paths))
            yield node


def hidden_in(text: str) -> list[str]:
    return [secret for secret in HIDDEN if any(secret in reading for reading in readings(text))]


def test_secrets_are_found_as_differences(node: Node):
    """What is masked was compared all the same: the test would prove nothing otherwise."""
    row = node.route("all")
    assert row["mismatches"] == sum(row["requests"].values())
    assert "masked:" in str([node.get(f"diffs/{found['id']}") for found in node.get("diffs")])


def test_store_holds_no_secret(node: Node):
    """Neither its tables nor its journal, nor any other file of the state folder."""
    for file in filter(lambda path: path.is_file(), node.state.rglob("*")):
        assert (file.name, []) == (file.name, hidden_in(file.read_bytes().decode("latin-1")))


def test_logs_hold_no_secret(node: Node):
    """The request log names each target, masked."""
    log = node.program.stderr.read_text() + node.program.stdout.read_text()
    assert "access_token=masked:string:" in log
    assert [] == hidden_in(log)


def test_admin_api_and_metrics_show_no_secret(node: Node):
    """Every example of every signature, the routes, the audit and the metrics."""
    shown = [str(node.get(f"diffs/{found['id']}")) for found in node.get("diffs")]
    shown += [str(node.get(name)) for name in ("status", "routes", "audit", "diffs")]
    shown.append(httpx.get(f"{node.admin_url}/metrics", trust_env=False).text)
    assert [] == hidden_in("\n".join(shown))


@pytest.mark.parametrize("form", ["text", "markdown", "json", "html", "junit"])
def test_reports_show_no_secret(node: Node, form: str):
    """In each of their forms."""
    report = node.run("report", "--format", form).stdout
    assert "all" in report
    assert [] == hidden_in(report)
