"""What either backend refuses, and how sessions, photos and state behave on a real socket."""

from __future__ import annotations

import threading

import httpx
import pytest

SIDES = ("legacy", "new")
JSON = {"content-type": "application/json"}
PNG = {"content-type": "image/png"}


@pytest.fixture(params=SIDES)
def side(request):
    """Each test runs against both backends."""
    return request.param


@pytest.mark.parametrize("path", ["/api/feeds", "/api/feeds/1", "/api/feeds/1/items", "/api/subscriptions"])
def test_api_without_session_is_refused(running, side, path):
    """401 as a problem document, with the challenge that RFC 9110 demands."""
    answer = httpx.get(running[side] + path)
    seen = (answer.status_code, answer.headers["content-type"], answer.headers["www-authenticate"])
    assert (401, "application/problem+json", 'Cookie realm="reader"') == seen


@pytest.mark.parametrize(
    "token", ["", "reader01", "reader01.", "reader01." + "0" * 64, "reader99.00", b"r\xc3\xa9.\xff", "." * 100]
)
def test_forged_session_is_refused(running, side, token):
    """A token that the secret did not sign is no session."""
    cookie = b"session=" + (token if isinstance(token, bytes) else token.encode())
    answer = httpx.get(running[side] + "/api/unread", headers={b"cookie": cookie})
    assert 401 == answer.status_code


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("POST", "/api/session", {"content": b"{", "headers": JSON}, 400),
        ("POST", "/api/session", {"content": b"[" * 50_000, "headers": JSON}, 400),
        ("POST", "/api/session", {"content": b"\xff", "headers": JSON}, 400),
        ("POST", "/api/session", {"json": [1]}, 400),
        ("POST", "/api/session", {"json": {"username": "reader01"}}, 400),
        ("POST", "/api/session", {"json": {"username": 1, "password": "x"}}, 400),
        ("POST", "/api/session", {"content": rb'{"username": "\ud800", "password": "x"}', "headers": JSON}, 401),
        ("POST", "/api/session", {"content": rb'{"username": "reader01", "password": "\ud800"}', "headers": JSON}, 401),
        ("POST", "/api/session", {"json": {"username": "reader01", "password": "x" * 70_000}}, 413),
        ("POST", "/api/session", {"data": {"username": "reader01"}}, 415),
        ("PUT", "/api/session", {}, 405),
        ("GET", "/api/feeds/", {}, 404),
        ("GET", "/api/feeds/%31%30%30", {}, 404),
        ("GET", "/api/feeds/1%2fitems", {}, 200),
        ("GET", "/api/feeds/٣", {}, 404),
        ("GET", "/api/feeds/99999999999999999999", {}, 404),
        ("GET", "/api/feeds/1/items?page=٣", {}, 400),
        ("GET", "/api/feeds/1/items?page=10001", {}, 400),
        ("GET", "/api/feeds/1/items?page=", {}, 400),
        ("GET", "/api/feeds/1/items?page=10000&per_page=100", {}, 200),
        ("GET", "/api/search", {}, 400),
        ("GET", "/api/search?q=%00%ff", {}, 400),
        ("GET", "/api/search?q=" + "a" * 101, {}, 400),
        ("GET", "/api/search?q=" + "+a" * 50, {}, 200),
        ("GET", "/api/search?q=a&limit=-1", {}, 400),
        ("POST", "/api/subscriptions", {"json": {"feed_id": 1.0}}, 400),
        ("POST", "/api/subscriptions", {"content": b'{"feed_id": ' + b"1" * 5000 + b"}", "headers": JSON}, 400),
        ("POST", "/api/photos", {"content": b"GIF89a", "headers": {"content-type": "image/gif"}}, 415),
        ("POST", "/api/photos", {"content": b"no picture", "headers": PNG}, 400),
        ("POST", "/api/photos", {"content": b"", "headers": PNG}, 400),
        ("POST", "/api/photos", {"content": b"x" * 5_000_001, "headers": PNG}, 413),
        ("POST", "/api/photos", {"content": iter([b"x" * 1_000_000] * 6), "headers": PNG}, 413),
        ("GET", "/api/photos/%00", {}, 404),
        ("DELETE", "/api/photos", {}, 405),
        ("GET", "/static/..%2fapp.py", {}, 404),
        ("GET", "/static/app.py", {}, 404),
    ],
)
def test_odd_request_gets_its_status(running, sign_in, side, method, path, options, status):
    """Bad input ends in a 4xx problem document, never in a 500, and alike on both backends."""
    if "content" in options and not isinstance(options["content"], bytes):
        options = options | {"content": iter([b"x" * 1_000_000] * 6)}  # an iterator serves one test only
    answer = sign_in(running[side]).request(method, path, **options)
    kind = "application/problem+json" if status >= 400 else "application/json"
    assert (status, kind) == (answer.status_code, answer.headers["content-type"])


def test_method_not_allowed_lists_the_allowed_ones_in_order(running, side):
    """The Allow header doesn't depend on the order of a set."""
    answer = httpx.put(running[side] + "/api/session")
    assert "DELETE, GET, HEAD, POST" == answer.headers["allow"]


@pytest.mark.parametrize(("first", "second"), [SIDES, SIDES[::-1]])
def test_session_of_one_backend_holds_on_the_other(running, sign_in, first, second):
    """A user who signed in on one side is the same user on the other."""
    token = sign_in(running[first], 7).cookies["session"]
    answer = httpx.get(running[second] + "/api/session", cookies={"session": token})
    assert {"user_id": 7, "username": "reader07", "name": "Gala Ahlers"} == answer.json()


def test_session_token_is_the_same_at_each_sign_in(running, sign_in, side):
    """It holds neither time nor chance, so that the two sides' answers can be compared."""
    url = running[side]
    assert sign_in(url, 3).cookies["session"] == sign_in(url, 3).cookies["session"]


def test_sign_out_empties_the_cookie(running, sign_in, side):
    """After it the client has no session, and the header has no time in it."""
    client = sign_in(running[side])
    header = client.delete("/api/session").headers["set-cookie"]
    expected = ('session=""; HttpOnly; Max-Age=0; Path=/; SameSite=lax', 401)
    assert expected == (header, client.get("/api/session").status_code)


def test_head_has_the_length_of_get(running, sign_in, side):
    """HEAD answers as GET does, without the body."""
    client = sign_in(running[side])
    lengths = [client.request(method, "/api/feeds/1").headers["content-length"] for method in ("GET", "HEAD")]
    assert lengths[0] == lengths[1]


def test_reading_page_without_session_shows_the_sign_in_form(running, side):
    """A browser gets a page that it can sign in with."""
    answer = httpx.get(running[side] + "/read")
    assert (401, True) == (answer.status_code, '<form id="sign-in">' in answer.text)


def test_state_survives_a_restart(backends, sign_in, make_picture, side):
    """Marks, subscriptions and photos are on disk."""
    first = sign_in(backends.start(side), 5)
    first.post("/api/items/4000/read")
    first.post("/api/subscriptions", json={"feed_id": 1})
    photo = first.post("/api/photos", content=make_picture("PNG", (300, 300)), headers=PNG).json()
    paths = ("/api/unread", "/api/subscriptions", "/api/photos", photo["thumbnail"], photo["original"], "/read/20")
    before = [first.get(path).content for path in paths]
    backends.stop()
    again = sign_in(backends.start(side), 5)
    assert before == [again.get(path).content for path in paths]


def test_marking_read_lowers_the_unread_count_once(backends, sign_in, side):
    """A second mark of the same item changes nothing."""
    client = sign_in(backends.start(side), 1)  # subscribed to feed 7, whose newest item 1400 is unread
    totals = [client.get("/api/unread").json()["total"]]
    for _ in range(2):
        client.post("/api/items/1400/read")
        totals.append(client.get("/api/unread").json()["total"])
    assert [totals[0], totals[0] - 1, totals[0] - 1] == totals


def test_photos_are_seen_by_their_owner_only(backends, sign_in, make_picture, side):
    """Another user gets 404, as for a photo that doesn't exist."""
    url = backends.start(side)
    photo = sign_in(url, 1).post("/api/photos", content=make_picture("PNG", (30, 30)), headers=PNG).json()
    other = sign_in(url, 2)
    assert [404, 404, 404] == [
        other.get(path).status_code for path in (f"/api/photos/{photo['id']}", photo["thumbnail"], photo["original"])
    ]


@pytest.mark.parametrize("size", [(5001, 5000), (20_000, 20_000)])
def test_photo_with_too_many_pixels_is_refused(running, sign_in, make_picture, side, size):
    """A small file that decodes into gigabytes is refused before it does."""
    data = bytearray(make_picture("PNG", (8, 8)))
    data[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
    answer = sign_in(running[side]).post("/api/photos", content=bytes(data), headers=PNG)
    assert 400 == answer.status_code


def test_many_users_at_once_are_all_answered(backends, sign_in, side):
    """Twenty users reading and marking at the same time see no error, and every mark counts."""
    url = backends.start(side)
    clients = [sign_in(url, number) for number in range(1, 21)]
    failures = []

    def read(client, number):
        feed_id = client.get("/api/subscriptions").json()["subscriptions"][0]["feed_id"]
        newest = [200 * feed_id - offset for offset in range(10)]
        paths = [("POST", f"/api/items/{item}/read") for item in newest] + [
            ("GET", f"/api/feeds/{feed_id}/items"),
            ("GET", "/api/unread"),
        ]
        statuses = [client.request(method, path).status_code for method, path in paths]
        items = client.get(f"/api/feeds/{feed_id}/items?per_page=10").json()["items"]
        if {200} != set(statuses) or not all(item["read"] for item in items):
            failures.append((number, statuses))

    threads = [threading.Thread(target=read, args=(client, number)) for number, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == failures
