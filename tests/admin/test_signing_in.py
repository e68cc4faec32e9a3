"""A browser signs in with a token, stays signed in, and is out when its time or its token is over."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from proxy.admin.access.attempts import MAX_ADDRESSES, MAX_FAILED, WINDOW_S, Attempts
from proxy.admin.access.door import open_door
from proxy.admin.access.rights import Role
from proxy.admin.access.roster import Key, digest_of, make_token, parse_roster, written
from proxy.admin.access.session import COOKIE, SESSION_S, Sessions
from proxy.admin.api import create_app
from proxy.errors import StartError
from proxy.settings import Settings
from tests.fakes import FakeControl
from tests.live import Stage, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN, VIEWING, LINK = make_token(), make_token(), make_token()
PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Stage, str]]:
    stage = Stage()
    with serve(stage) as url:
        yield stage, url


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    lines = [
        written("token", "ada", "operator", "never", TOKEN),
        written("token", "vera", "viewer", "never", VIEWING),
        written("link", "board", None, "never", LINK),
    ]
    file = tmp_path / "tokens"
    file.write_text("\n".join(lines) + "\n")
    return file


def settings_of(tokens_file: Path, **more: Any) -> Settings:
    return Settings(admin_listen="0.0.0.0:9000", admin_tokens_file=tokens_file, **more)


@pytest.fixture
def browser(tokens_file: Path, server: tuple[Stage, str], control: FakeControl) -> Iterator[httpx.Client]:
    stage, url = server
    stage.app = create_app(control, settings_of(tokens_file))
    with httpx.Client(base_url=url, headers=PAGE, trust_env=False) as client:
        yield client


def sign_in(browser: httpx.Client, token: str, after: str = "/") -> httpx.Response:
    return browser.post("/sign-in", data={"token": token, "next": after})


def test_a_page_asks_to_sign_in_and_leads_on(browser: httpx.Client) -> None:
    """To where the person was going, with its question."""
    asked = browser.get("/diffs?state=new")
    assert 401 == asked.status_code
    assert 'name="next" value="/diffs?state=new"' in asked.text
    entered = sign_in(browser, TOKEN, "/diffs?state=new")
    assert (303, "/diffs?state=new") == (entered.status_code, entered.headers["location"])
    page = browser.get("/diffs?state=new")
    assert (200, True) == (page.status_code, "ada, operator" in page.text)


def test_the_cookie_is_for_this_site_only_and_no_script_reads_it(browser: httpx.Client) -> None:
    """And it goes over TLS only where TLS ends before us."""
    plain, behind_tls = (
        browser.post("/sign-in", data={"token": TOKEN}, headers=headers).headers["set-cookie"]
        for headers in ({}, {"origin": f"https://{browser.base_url.netloc.decode()}"})
    )
    assert "HttpOnly" in plain
    assert "SameSite=strict" in plain
    assert TOKEN not in plain
    assert [False, True] == ["Secure" in plain, "Secure" in behind_tls]


def test_what_is_changed_has_the_name_of_who_signed_in(browser: httpx.Client, control: FakeControl) -> None:
    """Whatever the form or the header say."""
    sign_in(browser, TOKEN)
    form = {"percentage": "25", "seen": "5", "reason": "r", "who": "mallory", "confirm": "feeds"}
    assert 303 == browser.post("/routes/feeds/rollout", data=form).status_code
    body = {"percentage": 25, "reason": "r"}
    headers = {"x-changeover-who": "mallory", "authorization": f"Bearer {TOKEN}"}
    assert browser.put("/api/v1/routes/feeds/rollout", json=body, headers=headers).is_success
    calls = [call for call in control.calls if call[0] == "set_rollout"]
    assert ["ada", "ada"] == [call[4] for call in calls]


def test_a_viewer_sees_no_buttons_and_may_not_press_them(browser: httpx.Client, control: FakeControl) -> None:
    """What they would be refused isn't offered."""
    sign_in(browser, VIEWING)
    assert 'method="post" action="/routes/feeds' not in browser.get("/routes/feeds?percentage=50").text
    form = {"percentage": "25", "seen": "5", "reason": "r"}
    refused = browser.post("/routes/feeds/rollout", data=form)
    assert (403, True) == (refused.status_code, "vera has the role viewer" in refused.text)
    assert "set_rollout" not in [call[0] for call in control.calls]


def test_a_session_ends_with_its_token(browser: httpx.Client, tokens_file: Path, server: tuple[Stage, str]) -> None:
    """A line taken out of the file is out."""
    sign_in(browser, TOKEN)
    assert browser.get("/").is_success
    tokens_file.write_text(written("token", "other", "admin", "never", make_token()))
    server[0].app = create_app(FakeControl(), settings_of(tokens_file), b"another key")
    assert 401 == browser.get("/").status_code


def test_signing_out_ends_the_session(browser: httpx.Client) -> None:
    """In this browser."""
    sign_in(browser, TOKEN)
    left = browser.post("/sign-out", headers={"content-type": "application/x-www-form-urlencoded"})
    assert (303, "/sign-in") == (left.status_code, left.headers["location"])
    assert 401 == browser.get("/").status_code


@pytest.mark.parametrize(
    "after", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:pwned=1", "x"]
)
def test_signing_in_leads_nowhere_else(browser: httpx.Client, after: str) -> None:
    """A link to the form must not carry a person off to another site."""
    assert "/" == sign_in(browser, TOKEN, after).headers["location"]


def test_who_comes_from_another_site_is_asked_again_by_their_own_page(browser: httpx.Client) -> None:
    """The cookie stays away on the first step: the browser takes a second one by itself."""
    first = browser.get("/diffs?state=new", headers={"sec-fetch-site": "cross-site"})
    assert 'content="0; url=/diffs?state=new"' in first.text
    assert "/sign-in" in browser.get("/diffs?state=new").text


@pytest.mark.parametrize("path", ["//evil.example/x", "///evil.example"])
def test_who_comes_from_another_site_is_led_to_no_third_one(browser: httpx.Client, path: str) -> None:
    """Two slashes at a path's beginning are another host to a browser."""
    first = browser.get(str(browser.base_url).rstrip("/") + path, headers={"sec-fetch-site": "cross-site"})
    assert (401, False) == (first.status_code, "evil.example" in first.text)


def test_after_some_wrong_tokens_an_address_must_wait(browser: httpx.Client) -> None:
    """A right one included: otherwise it could go on trying."""
    statuses = [sign_in(browser, make_token()).status_code for _ in range(MAX_FAILED)]
    late = sign_in(browser, TOKEN)
    assert ([401] * MAX_FAILED, 429) == (statuses, late.status_code)
    assert 1 <= int(late.headers["retry-after"]) <= WINDOW_S


def test_attempts_are_forgotten_after_a_minute_and_bounded() -> None:
    """Many addresses push out the oldest."""
    now = 0.0
    attempts = Attempts(lambda: now)
    for _ in range(MAX_FAILED):
        attempts.failed("a")
    assert WINDOW_S == attempts.wait_s("a")
    now = WINDOW_S + 1
    assert 0.0 == attempts.wait_s("a")
    for number in range(MAX_ADDRESSES + 1):
        attempts.failed(str(number))
    assert MAX_ADDRESSES == len(attempts._failed)


def test_a_link_shows_the_progress_page_and_nothing_else(browser: httpx.Client) -> None:
    """Nor does it lead to pages that it may not see."""
    opened = browser.get(f"/shared/{LINK}")
    assert (303, "/progress") == (opened.status_code, opened.headers["location"])
    page = browser.get("/progress")
    assert (200, False) == (page.status_code, 'href="/audit"' in page.text)
    assert [403, 403, 403] == [browser.get(path).status_code for path in ("/", "/api/v1/status", "/audit.csv")]
    assert [404, 404] == [browser.get(f"/shared/{each}").status_code for each in (make_token(), TOKEN)]
    assert 401 == sign_in(browser, LINK).status_code


def test_a_session_is_good_for_half_a_day_and_not_longer_than_its_key() -> None:
    """And only with the key that signed it."""
    sessions, other = Sessions(b"one", ""), Sessions(b"two", "")

    def read(by: Sessions, key: Key, at: float) -> str | None:
        answer = Response()
        sessions.begin(answer, request_with(""), key, 1000.0)
        cookie = answer.headers["set-cookie"].partition(";")[0]
        return by.key_id(request_with(cookie), at)

    lasting, short = Key("a", Role.VIEWER, float("inf"), "d" * 64), Key("b", Role.VIEWER, 1010.0, "e" * 64)
    assert ["d" * 32, "d" * 32, None, None] == [
        read(sessions, lasting, 1000.0),
        read(sessions, lasting, 999.0 + SESSION_S),
        read(sessions, lasting, 1001.0 + SESSION_S),
        read(other, lasting, 1000.0),
    ]
    assert ["e" * 32, None] == [read(sessions, short, 1009.0), read(sessions, short, 1010.0)]


def request_with(cookie: str) -> Request:
    headers = [(b"cookie", cookie.encode())] if cookie else []
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers})


# --- the tokens file ---
def test_the_file_is_read_again_and_a_bad_one_changes_nothing(tokens_file: Path) -> None:
    """Who was known stays known, and it is said why."""
    now = 0.0
    from proxy.admin.access.roster import RosterFile

    file = RosterFile(tokens_file, lambda: now)
    assert 3 == len(file.roster.keys)
    tokens_file.write_text("token ada king never sha256:1\n")
    now = 2.0
    assert (3, True) == (len(file.roster.keys), "tokens:1: the role 'king'" in (file.problem or ""))
    tokens_file.unlink()
    now = 4.0
    assert (3, True) == (len(file.roster.keys), "can't be read" in (file.problem or ""))
    tokens_file.write_text("person * viewer\n")
    now = 6.0
    assert (0, None) == (len(file.roster.keys), file.problem)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tokn a viewer never sha256:" + "0" * 64, "must be `token NAME ROLE"),
        ("token a viewer never", "must be `token NAME ROLE"),
        ("token a viewer tomorrow sha256:" + "0" * 64, "the end 'tomorrow'"),
        ("token a viewer 2026-13-01 sha256:" + "0" * 64, "the end '2026-13-01'"),
        ("token a viewer never hunter2", "never the token itself"),
        ("token " + "n" * 65 + " viewer never sha256:" + "0" * 64, "at most 64"),
        ("person a", "must be `person NAME ROLE`"),
        ("person a boss", "the role 'boss'"),
        ("person a viewer\nperson a admin", "f:2: 'a' stands in a line above"),
        (f"token a viewer never sha256:{'0' * 64}\nlink a never sha256:{'1' * 64}", "f:2: 'a' or its token"),
    ],
)
def test_a_line_that_means_nothing_is_told(line: str, words: str) -> None:
    """With file, line and what to write; a token that stands there by mistake isn't repeated."""
    with pytest.raises(StartError) as refusal:
        parse_roster(line, "f")
    assert words in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_until_is_the_last_day() -> None:
    """It is good until the day is over, in UTC."""
    roster = parse_roster(f"token a viewer 2026-12-31 sha256:{digest_of('x')}", "f")
    assert datetime(2027, 1, 1, tzinfo=UTC).timestamp() == roster.keys[digest_of("x")].until


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"admin_sso_header": "X-User"}, "CHANGEOVER_ADMIN_SSO_PROXIES"),
        ({"admin_sso_proxies": "10.0.0.1"}, "CHANGEOVER_ADMIN_SSO_HEADER"),
        ({"admin_sso_header": "X-User", "admin_sso_proxies": "10.0.0.1"}, "nobody has a role"),
        ({"admin_tokens_file": "/nowhere/tokens"}, "/nowhere/tokens"),
    ],
)
def test_a_door_that_nobody_could_use_is_refused(given: dict[str, Any], words: str) -> None:
    """At the start, naming the variable."""
    with pytest.raises(StartError, match=words):
        open_door(Settings(**given))


def test_an_empty_file_lets_nobody_in_and_is_refused(tmp_path: Path) -> None:
    """Rather than a listener that nobody can enter."""
    (tmp_path / "tokens").write_text("# nobody yet\n")
    with pytest.raises(StartError, match="nobody stands in it"):
        open_door(Settings(admin_tokens_file=tmp_path / "tokens"))


# --- names and prefix ---
def test_further_names_are_let_in(tokens_file: Path, server: tuple[Stage, str]) -> None:
    """And addresses, which nobody can rebind; others are told what to do."""
    stage, url = server
    stage.app = create_app(FakeControl(), settings_of(tokens_file, admin_hosts="changeover.example, other.example"))
    with httpx.Client(base_url=url, headers=PAGE, trust_env=False) as client:
        statuses = {
            host: client.get("/sign-in", headers={"host": host}).status_code
            for host in ("changeover.example", "OTHER.example:443", "10.1.2.3:9000", "[2001:db8::1]", "evil.example")
        }
        refused = client.get("/sign-in", headers={"host": "evil.example"})
    assert [200, 200, 200, 200, 421] == list(statuses.values())
    assert "CHANGEOVER_ADMIN_HOSTS" in refused.text


LOCAL = re.compile(r'\b(?:href|src|action)="([^"#][^"]*)"')


@pytest.mark.parametrize(
    "path",
    ["/", "/diffs", "/diffs/ID", "/progress", "/explain", "/audit", "/routes/feeds", "/routes/feeds?percentage=50"],
)
def test_below_a_prefix_everything_stays_below_it(server: tuple[Stage, str], path: str) -> None:
    """Links, forms, files, redirects and the cookie."""
    stage, url = server
    control = FakeControl()
    path = path.replace("ID", control.signature_rows[0]["id"])
    stage.app = create_app(control, Settings(admin_prefix="/changeover/"))
    with httpx.Client(base_url=url, headers=PAGE, trust_env=False) as client:
        page = client.get(f"/changeover{path}").raise_for_status()
        links = LOCAL.findall(page.text)
        assert len(links) > 5
        assert [] == [link for link in links if not link.startswith(("/changeover/", "?"))]
        assert client.get(next(link for link in links if "/static/room.css" in link)).is_success
        assert 404 == client.get(path).status_code if path != "/" else True


def test_the_prefix_is_in_redirects_problems_and_pages_of_lists(server: tuple[Stage, str], tokens_file: Path) -> None:
    """Wherever an address leaves."""
    stage, url = server
    control = FakeControl()
    control.route_rows = [{**control.route_rows[0], "name": name} for name in ("feeds", "items")]
    stage.app = create_app(control, settings_of(tokens_file, admin_prefix="/changeover"))
    bearer = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=url, trust_env=False) as client:
        entered = client.post("/changeover/sign-in", data={"token": TOKEN}, headers=PAGE)
        assert "/changeover/" == entered.headers["location"]
        assert "Path=/changeover;" in entered.headers["set-cookie"]
        assert COOKIE in client.cookies
        bare = client.get("/changeover", headers=bearer)
        assert (308, "/changeover/") == (bare.status_code, bare.headers["location"])
        missing = client.get("/changeover/api/v1/diffs/none", headers=bearer).json()
        assert "/changeover/api/v1/diffs/none" == missing["instance"]
        first = client.get("/changeover/api/v1/routes?limit=1", headers=bearer)
        assert "/changeover/api/v1/routes?" in first.headers["link"]
        assert [200, 200] == [client.get(probe).status_code for probe in ("/livez", "/changeover/livez")]


def test_tokens_end(tmp_path: Path) -> None:
    """At the end of their day."""
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    file = tmp_path / "tokens"
    file.write_text(written("token", "a", "viewer", yesterday, TOKEN))
    door = open_door(Settings(admin_tokens_file=file))
    now = datetime.now(UTC).timestamp()
    assert (None, "a") == (door.key_of(TOKEN, now), getattr(door.key_of(TOKEN, now - 86_400), "name", None))
