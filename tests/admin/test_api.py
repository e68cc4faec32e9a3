"""Every endpoint: what it answers, and what it asks of the control plane."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proxy.admin.api import ENDPOINTS, MAX_AUDIT_ROWS
from proxy.errors import ConfigError, Problem, StoreError
from tests.fakes import route_row, signature_row, status_row

if TYPE_CHECKING:
    import httpx

    from tests.fakes import FakeControl

ROLLOUT = "/api/v1/routes/feeds/rollout"
HOLD = "/api/v1/routes/feeds/hold"
STATE = "/api/v1/diffs/a1b2c3d4e5f6/state"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/api/v1/status", status_row()),
        ("/api/v1/routes", [route_row()]),
        ("/api/v1/diffs", [signature_row()]),
        ("/api/v1/diffs?route=feeds&state=new", [signature_row()]),
        ("/api/v1/diffs?route=other", []),
        ("/api/v1/diffs?state=fixed", []),
    ],
)
def test_api_answers_reads_with_what_control_says(client: httpx.Client, target: str, expected: Any):
    """A read answers 200 with the control plane's own values as JSON."""
    response = client.get(target)
    assert (200, "application/json", expected) == (
        response.status_code,
        response.headers["content-type"],
        response.json(),
    )


def test_api_never_lets_answers_be_cached(client: httpx.Client):
    """Live state must not come from a cache."""
    assert client.get("/api/v1/status").headers["cache-control"] == "no-store"


def test_diff_answers_with_its_examples(client: httpx.Client, control: FakeControl):
    """One signature comes with its kept pairs."""
    assert client.get("/api/v1/diffs/a1b2c3d4e5f6").json()["examples"] == control.examples


def test_diff_survives_what_json_can_not_carry(client: httpx.Client, control: FakeControl):
    """NaN and lone surrogates of a backend's answer reach the reader as text."""
    control.examples[0]["differences"][0].update(before=float("nan"), after="\ud800")
    difference = client.get("/api/v1/diffs/a1b2c3d4e5f6").json()["examples"][0]["differences"][0]
    assert (difference["before"], difference["after"]) == ("nan", "\ud800")


def test_rollout_put_hands_percentage_reason_and_who_on(client: httpx.Client, control: FakeControl):
    """The change goes to the control plane with its reason and the user that the command names."""
    response = client.put(ROLLOUT, json={"percentage": 12.5, "reason": " wave 2 "}, headers={"x-changeover-who": "ada"})
    assert (200, 12.5) == (response.status_code, response.json()["percentage"])
    assert [("set_rollout", "feeds", 12.5, "wave 2", "ada")] == control.calls


@pytest.mark.parametrize("who", ["", "x" * 65, "tab\tbed", "\xe9t\xe9"])
def test_who_is_api_unless_it_is_a_short_printable_name(client: httpx.Client, control: FakeControl, who: str):
    """A name that could garble the audit log is not taken over."""
    client.put(ROLLOUT, json={"percentage": 1, "reason": "r"}, headers=[(b"x-changeover-who", who.encode("latin-1"))])
    assert control.calls == [("set_rollout", "feeds", 1.0, "r", "api")]


def test_hold_put_caps_at_zero_by_default(client: httpx.Client, control: FakeControl):
    """The panic button needs no number."""
    response = client.put(HOLD, json={"reason": "errors"})
    assert (200, 0) == (response.status_code, response.json()["effective_percentage"])
    assert [("hold", "feeds", 0.0, "errors", "api")] == control.calls


def test_hold_delete_releases_with_an_optional_reason(client: httpx.Client, control: FakeControl):
    """Lifting a hold takes its reason from the query."""
    assert [200, 200] == [
        client.delete(HOLD, params={"reason": "fixed"}).status_code,
        client.delete(HOLD).status_code,
    ]
    assert [("release", "feeds", "fixed", "api"), ("release", "feeds", "", "api")] == control.calls


def test_state_post_hands_the_whole_decision_on(client: httpx.Client, control: FakeControl):
    """Owner, ticket and end of a decision travel with it."""
    body = {"state": "ignored", "reason": "r", "owner": "bo", "ticket": "T-1", "until": 1_800_000_000}
    assert client.post(STATE, json=body).json()["state"] == "ignored"
    assert [("set_state", "a1b2c3d4e5f6", "ignored", "r", "api", "bo", "T-1", 1_800_000_000.0)] == control.calls


def test_state_post_with_a_rule_asks_for_it(client: httpx.Client, control: FakeControl):
    """Who sets `rule` gets the place and the file in the answer."""
    answer = client.post(STATE, json={"state": "ignored", "reason": "r", "rule": True, "ticket": "T-1"}).json()
    assert ("$.items[*].score", "config/migration.yaml", "") == (answer["rule"], answer["file"], answer["note"])
    assert [("ignore_by_rule", "a1b2c3d4e5f6", "r", "api", None, "T-1")] == control.calls


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"state": "known", "rule": True}, '"rule" goes with the state "ignored"'),
        ({"state": "ignored", "rule": True, "until": 1_800_000_000}, "has no end"),
        ({"state": "ignored", "rule": "yes"}, '"rule" must be true or false, not text'),
    ],
)
def test_state_post_refuses_a_rule_that_makes_no_sense(
    client: httpx.Client, control: FakeControl, fields: dict[str, Any], expected: str
):
    """Nothing is decided then."""
    response = client.post(STATE, json={"reason": "r", **fields})
    assert (400, True, []) == (response.status_code, expected in response.json()["detail"], control.calls)


def test_explain_asks_with_method_host_and_headers(client: httpx.Client, control: FakeControl):
    """Header names are compared in lower case, methods in upper case."""
    query = {"method": "get", "path": "/api/feeds", "user": "7", "host": "a.example", "header": ["X-Staff: 1"]}
    answer = client.get("/api/v1/explain", params=query).json()
    assert {"route", "backend", "reason", "bucket", "effective_percentage", "shadow"} == set(answer)
    assert [("explain", "GET", "/api/feeds", "7", "a.example", {"x-staff": "1"})] == control.calls


def test_audit_is_limited(client: httpx.Client):
    """The log comes newest first, as many lines as asked for."""
    assert [2] == [line["id"] for line in client.get("/api/v1/audit?limit=1").json()]


def test_reload_answers_what_control_says(client: httpx.Client, control: FakeControl):
    """A reload is asked for by POST and tells the digest in force."""
    assert client.post("/api/v1/reload").json() == {"changed": False, "digest": "ab" * 32}
    assert [("reload",)] == control.calls


def test_head_answers_as_get_without_a_body(client: httpx.Client):
    """HEAD is GET without content (RFC 9110 §9.3.2)."""
    response = client.head("/api/v1/status")
    assert (200, b"") == (response.status_code, response.content)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_every_endpoint_refuses_other_methods_and_names_its_own(client: httpx.Client, path: str):
    """A wrong method is answered 405 with every method of the address in Allow."""
    response = client.patch(path.format(name="feeds", id="a1b2c3d4e5f6"))
    allowed = set(response.headers["allow"].split(", ")) - {"HEAD"}
    assert (405, "method_not_allowed", set(ENDPOINTS[path])) == (
        response.status_code,
        response.json()["code"],
        allowed,
    )


def test_unknown_address_is_a_problem_document(client: httpx.Client):
    """404 has the five members of RFC 9457 and the code."""
    response = client.get("/api/v1/nothing")
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    detail = document.pop("detail")
    expected = {"type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found"}
    assert (document, detail != "") == ({**expected, "instance": "/api/v1/nothing"}, True)


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("PUT", "/api/v1/routes/nope/rollout", {"percentage": 1, "reason": "r"}),
        ("PUT", "/api/v1/routes/nope/hold", {"reason": "r"}),
        ("DELETE", "/api/v1/routes/nope/hold", None),
        ("GET", "/api/v1/diffs/nope", None),
        ("POST", "/api/v1/diffs/nope/state", {"state": "known", "reason": "r"}),
    ],
)
def test_unknown_route_or_signature_is_404_with_its_name(client: httpx.Client, method: str, target: str, body: Any):
    """The detail names what was looked for."""
    response = client.request(method, target, json=body)
    assert (404, "not_found", True) == (
        response.status_code,
        response.json()["code"],
        "nope" in response.json()["detail"],
    )


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("", "empty"),
        ("{", "line 1, column 2"),
        ("[]", "not a list"),
        ("null", "not null"),
        ("7", "not a number"),
        ('{"percentage": NaN, "reason": "r"}', "NaN"),
        ('{"percentage": 1, "percentage": 2, "reason": "r"}', "twice"),
        ("[" * 60_000, "nested"),
        ('{"percentage": ' + "9" * 5_000 + ', "reason": "r"}', "number"),
        (b'{"reason": "\xff"}', "UTF-8"),
        ('{"percent": 1, "reason": "r"}', 'did you mean "percentage"'),
        ('{"percentage": 1, "reason": "r", "zzz": 1}', "known: percentage, reason"),
        ('{"reason": "r"}', '"percentage" is missing'),
        ('{"percentage": null, "reason": "r"}', '"percentage" is missing'),
        ('{"percentage": true, "reason": "r"}', "not a boolean"),
        ('{"percentage": "5", "reason": "r"}', "not text"),
        ('{"percentage": 100.001, "reason": "r"}', "0.001"),
        ('{"percentage": -1, "reason": "r"}', "0.001"),
        ('{"percentage": 0.0001, "reason": "r"}', "0.001"),
        ('{"percentage": 1e400, "reason": "r"}', "0.001"),
        ('{"percentage": 1e-400000, "reason": "r"}', "0.001"),
        ('{"percentage": 1}', '"reason" is missing'),
        ('{"percentage": 1, "reason": "  "}', '"reason" is missing'),
        ('{"percentage": 1, "reason": 7}', "must be text"),
        ('{"percentage": 1, "reason": "\\u001b[2J"}', "control characters"),
        ('{"percentage": 1, "reason": "' + "x" * 1_001 + '"}', "1001 characters"),
    ],
)
def test_rollout_put_refuses_bodies_with_a_reason(
    client: httpx.Client, control: FakeControl, body: str | bytes, complaint: str
):
    """Whatever is wrong with a body is answered 400, says what, and changes nothing."""
    response = client.put(ROLLOUT, content=body)
    assert (400, "request_refused") == (response.status_code, response.json()["code"])
    assert complaint in response.json()["detail"]
    assert [] == control.calls


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('{"header": {}}', 'did you mean "headers"'),
        ('{"headers": ["cookie: a"]}', "must be an object"),
        ('{"headers": {"cookie": 1}}', "all of them texts"),
        ('{"headers": {"cookie": "a", "Cookie": "b"}}', "each header once"),
        (json.dumps({"headers": {f"x-{number}": "" for number in range(21)}}), "20 at most"),
        ('{"headers": {"x": "a\\r\\nhost: evil"}}', "no header field can"),
        ('{"headers": {"x": "\u0107"}}', "no header field can"),
        ('{"headers": {"": "a"}}', "no name of a header field"),
        ('{"headers": {"transfer-encoding": "chunked"}}', "set by the client"),
    ],
)
def test_retry_refuses_headers_that_would_bend_the_request(
    client: httpx.Client, control: FakeControl, body: str, complaint: str
):
    """What is sent to the backends is one request, whatever a client writes."""
    response = client.post("/api/v1/diffs/a1b2c3d4e5f6/retry", content=body)
    assert (400, []) == (response.status_code, control.calls)
    assert complaint in response.json()["detail"]


@pytest.mark.parametrize("body", ["", "{}", '{"headers": null}', '{"headers": {}}'])
def test_retry_needs_no_headers_of_ones_own(client: httpx.Client, control: FakeControl, body: str):
    """A bare POST is enough."""
    assert 200 == client.post("/api/v1/diffs/a1b2c3d4e5f6/retry", content=body).status_code
    assert [{}] == [call[-1] for call in control.calls]


@pytest.mark.parametrize(
    ("text", "expected"), [("5", 5.0), ("0", 0.0), ("100", 100.0), ("12.345", 12.345), ("1e1", 10)]
)
def test_rollout_put_reads_every_form_of_a_percentage(
    client: httpx.Client, control: FakeControl, text: str, expected: float
):
    """JSON has many forms of a number; all within the steps are taken."""
    client.put(ROLLOUT, content=f'{{"percentage": {text}, "reason": "r"}}')
    assert [expected] == [call[2] for call in control.calls]


@pytest.mark.parametrize("is_stated", [True, False])
def test_body_over_64_kb_is_refused_with_413(client: httpx.Client, control: FakeControl, is_stated: bool):
    """A large body is refused by its stated length, or while it is read."""
    body = b'{"reason": "' + b"x" * 65_536 + b'"}'
    response = client.put(ROLLOUT, content=body if is_stated else iter([body[:40_000], body[40_000:]]))
    assert (413, [], "65536" in response.json()["detail"]) == (response.status_code, control.calls, True)


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("/api/v1/status?x=1", 'unknown query field "x"'),
        ("/api/v1/diffs?rout=feeds", 'did you mean "route"'),
        ("/api/v1/diffs?route=a&route=b", "2 times"),
        ("/api/v1/diffs?state=ignore", 'did you mean "ignored"'),
        ("/api/v1/explain?method=GET", '"path" is missing'),
        ("/api/v1/explain?path=feeds", "begin with"),
        ("/api/v1/explain?path=/&header=nocolon", "name:value"),
        ("/api/v1/audit?limit=0", f"from 1 to {MAX_AUDIT_ROWS}"),
        ("/api/v1/audit?limit=1001", f"from 1 to {MAX_AUDIT_ROWS}"),
        ("/api/v1/audit?limit=x", "from 1 to"),
    ],
)
def test_queries_are_refused_with_a_reason(client: httpx.Client, target: str, complaint: str):
    """A query that would be misread is answered 400 and says what is wrong."""
    response = client.get(target)
    assert 400 == response.status_code
    assert complaint in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"state": "fixed", "reason": "r"}, "unknown state"),
        ({"state": "ignore", "reason": "r"}, 'did you mean "ignored"'),
        ({"state": "known"}, '"reason" is missing'),
        ({"state": "known", "reason": "r", "until": "tomorrow"}, "Unix seconds"),
        ({"state": "known", "reason": "r", "until": -1}, "Unix seconds"),
    ],
)
def test_state_post_refuses_what_people_can_not_decide(
    client: httpx.Client, control: FakeControl, body: Any, complaint: str
):
    """Only evidence makes a signature fixed or regressed."""
    response = client.post(STATE, json=body)
    assert (400, []) == (response.status_code, control.calls)
    assert complaint in response.json()["detail"]


def test_store_error_is_503_with_retry_after(client: httpx.Client, control: FakeControl):
    """A store that is away is said to be, and worth another try."""
    control.fault = StoreError("store: away")
    response = client.get("/api/v1/diffs")
    assert (503, "store", "1") == (response.status_code, response.json()["code"], response.headers["retry-after"])


def test_config_error_brings_every_problem_along(client: httpx.Client, control: FakeControl):
    """A refused config is answered with the place and words of each fault."""
    control.fault = ConfigError("m.yaml", (Problem(3, 5, "routes.feeds", "is wrong"),))
    document = client.post("/api/v1/reload").json()
    expected = [{"line": 3, "column": 5, "path": "routes.feeds", "message": "is wrong"}]
    assert (422, "m.yaml", expected) == (document["status"], document["file"], document["problems"])


def test_fault_of_ours_is_a_problem_without_its_content(client: httpx.Client, control: FakeControl):
    """An unforeseen error is answered 500 and keeps its values to the log."""
    control.fault = RuntimeError("secret value")
    response = client.get("/api/v1/status")
    assert (500, "internal", False) == (response.status_code, response.json()["code"], "secret" in response.text)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (status_row(), (200, "ready\n")),
        (status_row(workers={"linked": 0, "expected": 1}), (503, "not ready: no worker is linked\n")),
        (status_row(config={"digest": ""}), (503, "not ready: no config is in force\n")),
    ],
)
def test_readyz_needs_a_config_and_a_worker(
    client: httpx.Client, control: FakeControl, status: Any, expected: tuple[int, str]
):
    """Ready means: users are served as configured."""
    control.status_answer = status
    response = client.get("/readyz")
    assert expected == (response.status_code, response.text)


def test_livez_asks_nobody(client: httpx.Client, control: FakeControl):
    """Alive is alive, whatever the store does."""
    control.fault = StoreError("store: away")
    assert client.get("/livez").text == "alive\n"


PROPOSALS = "/api/v1/routes/feeds/proposals"


def test_proposals_are_read_and_written(client: httpx.Client, control: FakeControl):
    """What is asked for goes on with its reason and who asked."""
    control.proposed = {"proposals": [{"rule": "$.a"}, {"rule": "$.b"}], "unrecognised": []}
    assert {"route": "feeds", **control.proposed} == client.get(PROPOSALS).json()
    answer = client.post(PROPOSALS, json={"rules": ["$.b"], "reason": "volatile"}).json()
    assert [{"rule": "$.b", "note": ""}] == answer["written"]
    assert [("write_proposals", "feeds", ["$.b"], "volatile", "api")] == control.calls


@pytest.mark.parametrize("rules", [None, [], "$.a", [1], ["$.a", "$.a"]])
def test_proposals_need_a_list_of_rules(client: httpx.Client, control: FakeControl, rules: Any):
    """Nothing is written by an empty or unreadable wish."""
    answer = client.post(PROPOSALS, json={"rules": rules, "reason": "volatile"})
    assert (400, []) == (answer.status_code, control.calls)


def test_diffs_refuse_an_unknown_kind(client: httpx.Client):
    """A mistyped kind is not an empty list."""
    answer = client.get("/api/v1/diffs", params={"kind": "bodies"})
    assert (400, 'unknown kind "bodies": did you mean "body"?') == (answer.status_code, answer.json()["detail"])
