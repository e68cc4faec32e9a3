"""Differences in the control room: the list, one signature's page, and what its buttons ask of the control plane."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from proxy.admin.audit_text import change_text
from proxy.admin.body_text import MARK, body_lines
from proxy.admin.plain import plain
from proxy.admin.room.beside import MAX_ROWS, Parts, bodies_beside, marked, values_beside
from proxy.admin.room.differences import ROWS
from proxy.admin.sift import sift
from proxy.core.paths import parse
from tests.admin.hostile import HOSTILE
from tests.admin.structure import Structure
from tests.fakes import REVISION, SINCE, answer, difference, example, signature_row

if TYPE_CHECKING:
    import httpx

    from tests.fakes import FakeControl

ID = "a1b2c3d4e5f6"
PAGE = f"/diffs/{ID}"
STATE = f"{PAGE}/state"
OWN = {"sec-fetch-site": "same-origin"}


def text_of(response: httpx.Response) -> str:
    return " ".join(" ".join(Structure(response.text).words).split())


# --- the list ---
def test_list_says_what_differs_in_a_sentence(client: httpx.Client):
    """With route, state, count and times; the sentence leads to the page."""
    response = client.get("/diffs")
    text = text_of(response)
    assert "New differs in $.items[*].score : number to text ." in text
    assert ("feeds body" in text, "1,234" in text, "2026-09-21 14:13:20Z" in text) == (True, True, True)
    assert f'href="{PAGE}"' in response.text


def test_page_hints_at_the_rule_that_a_list_calls_for(client: httpx.Client, control: FakeControl):
    """The line to write, and what it would do; nothing without a hint."""
    assert "write into the compare" not in text_of(client.get(PAGE))
    control.hint = {"place": "$.a", "member": "id", "rule": 'keys: {"$.a": "id"}'}
    assert 'pair them by id , write into the compare of feeds: keys: {"$.a": "id"}' in text_of(client.get(PAGE))
    control.hint = {"place": "$.a", "member": "", "rule": 'unordered: ["$.a"]'}
    assert "If the order of $.a means nothing, write into the compare of" in text_of(client.get(PAGE))


def test_list_shows_the_worst_first(client: httpx.Client, control: FakeControl):
    """What came back, then what is new, by count; what is settled comes last."""
    states = ("ignored", "new", "regressed", "known", "new")
    control.signature_rows = [
        signature_row(f"{number:012}", state=state, count=number) for number, state in enumerate(states)
    ]
    found = re.findall(r'href="/diffs/(\d{12})"', client.get("/diffs").text)
    assert [2, 4, 1, 3, 0] == [int(each) for each in found]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {1, 2, 3}),
        ("?route=feeds", {1, 3}),
        ("?route=", {1, 2, 3}),
        ("?kind=status", {2}),
        ("?state=known", {3}),
        ("?state=undecided", {1, 2}),
        ("?text=SCORE", {1}),
        ("?text=score+number", {1}),
        ("?text=score+etag", set()),
        ("?text=T-7", {3}),
        ("?version=v2", {2}),
        ("?route=feeds&state=undecided", {1}),
    ],
)
def test_list_is_filtered_by_its_address(client: httpx.Client, control: FakeControl, query: str, expected: set[int]):
    """Each filter on its own and together; an empty one filters nothing."""
    control.signature_rows = [
        signature_row(f"{1:012}"),
        signature_row(f"{2:012}", route="search", kind="status", path="", shape="200→500", versions=["v2"]),
        signature_row(f"{3:012}", state="known", path="$.etag", owner="bo", ticket="T-7"),
    ]
    response = client.get(f"/diffs{query}")
    assert expected == {int(each) for each in re.findall(r'href="/diffs/(\d{12})', response.text)}
    if not expected:
        assert "No difference fits these filters." in text_of(response)


@pytest.mark.parametrize("query", ["?state=ignore", "?page=0", "?page=x", "?colour=red", "?route=a&route=b"])
def test_list_refuses_an_address_that_it_would_misread(client: httpx.Client, query: str):
    """With the reason, as the API does."""
    assert 400 == client.get(f"/diffs{query}").status_code


def test_api_filters_as_the_page_does(client: httpx.Client):
    """One function for both."""
    assert [[ID], []] == [
        [row["id"] for row in client.get(f"/api/v1/diffs?kind={kind}&text=score").json()] for kind in ("body", "header")
    ]
    assert [] == sift([signature_row(versions=["v1"])], None, None, "v2")


def test_long_list_has_pages(client: httpx.Client, control: FakeControl):
    """With links back and on that keep the filters."""
    control.signature_rows = [signature_row(f"{number:012}", count=1) for number in range(2 * ROWS + 1)]
    page = client.get("/diffs?route=feeds&page=2").text
    assert ROWS == len(re.findall(r'href="/diffs/\d{12}', page))
    assert ("/diffs?route=feeds&amp;page=1" in page, "/diffs?route=feeds&amp;page=3" in page) == (True, True)


def test_empty_list_says_where_to_look(client: httpx.Client, control: FakeControl):
    """No differences may mean that nothing was compared."""
    control.signature_rows = []
    assert "Only what was compared can differ" in text_of(client.get("/diffs"))


# --- one signature ---
def test_page_shows_both_sides_with_marks(client: httpx.Client):
    """The value of each side and both bodies; what differs is marked by sign and element, not by colour alone."""
    page = client.get(PAGE).text
    assert ("<del>1</del>" in page, "<ins>&#34;1&#34;</ins>" in page) == (True, True)
    text = text_of(client.get(PAGE))
    wanted = ("GET /api/feeds?page=2", "legacy served the user", "cookie: session=***", "1.5 ms", "curl --globoff")
    assert [] == [each for each in wanted if each not in text]


def test_each_command_has_a_button_of_its_own_that_waits_for_the_script(client: httpx.Client, control: FakeControl):
    """Legacy's and new's, of each example."""
    control.examples = [example(), example()]
    page = client.get(PAGE).text
    buttons = re.findall(r'<button type="button" data-copies="([^"]+)" hidden>', page)
    assert (4, buttons) == (len(set(buttons)), re.findall(r'<pre class="text command" id="([^"]+)"', page))


def test_page_tells_null_from_what_is_not_there(client: httpx.Client, control: FakeControl):
    """Both travel as null."""
    control.examples = [
        example(differences=[difference(before="lax", after=None, shape="missing"), difference(before=None, after=1)])
    ]
    page = client.get(PAGE).text
    assert ("<ins>(not there)</ins>" in page, "<del>null</del>" in page) == (True, True)


def test_page_leads_to_its_neighbours_in_the_list(client: httpx.Client, control: FakeControl):
    """By the filters of the list it was opened from."""
    control.signature_rows = [signature_row(f"{number:012}", count=9 - number) for number in range(3)]
    control.signature_rows.append(signature_row("9" * 12, route="search", count=8))
    links = re.findall(r'<a rel="(\w+)" href="([^"]*)"', client.get(f"/diffs/{1:012}?route=feeds").text)
    assert [("prev", f"/diffs/{0:012}?route=feeds"), ("next", f"/diffs/{2:012}?route=feeds")] == links


def test_page_of_an_unknown_signature_is_404(client: httpx.Client):
    """As a page."""
    response = client.get("/diffs/nope", headers={"accept": "text/html"})
    assert (404, True) == (response.status_code, "nope" in response.text)


def test_page_without_examples_says_so(client: httpx.Client, control: FakeControl):
    """None may be kept any more."""
    control.examples = []
    assert "No example is kept." in text_of(client.get(PAGE))


@pytest.mark.parametrize("text", HOSTILE)
def test_page_is_the_same_whatever_was_captured(client: httpx.Client, control: FakeControl, text: str):
    """Bodies, paths, headers and people's words bring no tag and no attribute: they are shown as text."""

    def page(word: str) -> Structure:
        said: dict[str, Any] = {"who": word, "reason": word, "owner": word, "ticket": word, "until": SINCE}
        control.signature_rows = [signature_row(path=word, shape=word, versions=[word], **said)]
        body = json.dumps({"score": word, "list": [word]})
        differing = [difference(path=word, shape=word, before=word, after={word: word})]
        request = {"id": word, "at": SINCE, "method": "GET", "target": f"/{word}", "headers": [["x-a", word]]}
        control.examples = [
            example(request=request, control=answer(body), candidate=answer(body + " "), differences=differing)
        ]
        return Structure(client.get(PAGE).text + client.get("/diffs").text)

    hostile, harmless = page(text), page("word")
    assert ([], set(harmless.tags)) == (hostile.open, set(hostile.tags))  # a text of two lines may have more of them
    assert plain(text) in hostile.text


@pytest.mark.parametrize("text", HOSTILE)
def test_body_that_is_no_json_is_shown_as_text(client: httpx.Client, control: FakeControl, text: str):
    """Its lines are lines of the table; no tag comes from them."""
    control.examples = [example(control=answer(text), candidate=answer(f"{text}!"))]
    page = Structure(client.get(PAGE).text)
    known = {tag for tag, _ in Structure(client.get("/").text).tags} | {tag for tag, _ in page.tags if tag in {
        "article", "details", "summary", "pre", "colgroup", "col", "del", "ins", "form", "label", "input", "button",
    }}  # fmt: skip
    assert ([], set()) == (page.open, {tag for tag, _ in page.tags} - known)


# --- decisions ---
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            {"action": "accept", "owner": "bo", "ticket": "T-1", "until": "2027-01-15"},
            ("set_state", ID, "known", "r", "ada", "bo", "T-1", 1_800_000_000.0 - 28_800),
        ),
        ({"action": "accept", "owner": "", "until": ""}, ("set_state", ID, "known", "r", "ada", None, None, None)),
        ({"action": "ignore", "ticket": "T-1"}, ("ignore_by_rule", ID, "r", "ada", None, "T-1")),
        ({"action": "reopen"}, ("set_state", ID, "new", "r", "ada", None, None, None)),
    ],
)
def test_button_asks_the_control_plane(
    client: httpx.Client, control: FakeControl, form: dict[str, str], expected: tuple[Any, ...]
):
    """The same functions that the API asks; the page follows, and the name is remembered for the next form."""
    response = client.post(STATE, data={"reason": "r", "who": "ada", "seen": REVISION, **form}, headers=OWN)
    assert (303, f"{PAGE}#decided") == (response.status_code, response.headers["location"])
    assert [(*expected, REVISION)] == control.calls
    cookie = response.headers["set-cookie"].lower()
    assert [] == [each for each in ("changeover_who=ada", "httponly", "samesite=strict") if each not in cookie]
    assert 'value="ada"' in client.get(PAGE).text


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"action": "accept"}, "&#34;reason&#34; is missing"),
        ({"action": "accept", "reason": " "}, "&#34;reason&#34; is missing"),
        ({"action": "delete", "reason": "r"}, "neither accept, ignore nor reopen"),
        ({"action": "accept", "reason": "r", "until": "soon"}, "must be a day as 2026-11-30"),
        ({"action": "accept", "reason": "r", "colour": "red"}, "unknown field"),
        ({"action": ["accept", "ignore"], "reason": "r"}, "twice"),
        ({"action": "accept", "reason": "r", "who": "x" * 65}, "at most 64"),
        ({"action": "accept", "reason": "x" * 1_001}, "1001 characters"),
        ({"action": "accept", "reason": "r", "seen": ""}, "load the page again"),
    ],
)
def test_form_that_makes_no_sense_changes_nothing(
    client: httpx.Client, control: FakeControl, form: dict[str, Any], complaint: str
):
    """The page says what is wrong."""
    response = client.post(STATE, data={"seen": REVISION, **form}, headers={**OWN, "accept": "text/html"})
    assert (400, True, []) == (response.status_code, complaint in response.text, control.calls)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://other.localhost"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
@pytest.mark.parametrize("path", [STATE, f"{PAGE}/retry"])
def test_form_from_elsewhere_changes_nothing(
    client: httpx.Client, control: FakeControl, headers: dict[str, str], path: str
):
    """Neither another site's, nor one of which nobody says where it comes from."""
    response = client.post(path, data={"action": "reopen", "reason": "r"}, headers=headers)
    assert (403, []) == (response.status_code, control.calls)


def test_form_with_the_listeners_own_origin_is_taken(client: httpx.Client, control: FakeControl):
    """Browsers without Fetch Metadata send the origin with a form."""
    origin = str(client.base_url).rstrip("/")
    form = {"action": "reopen", "reason": "r", "seen": REVISION}
    response = client.post(STATE, data=form, headers={"origin": origin})
    assert (303, 1) == (response.status_code, len(control.calls))


def test_second_of_two_people_gets_a_conflict(client: httpx.Client, control: FakeControl):
    """Both have the same page open: the later decision overwrites nothing, and says so."""
    page = client.get(PAGE).text
    seen = re.findall(r'name="seen" value="([^"]*)"', page)
    assert [REVISION] * len(seen) == seen != []
    statuses = [
        client.post(STATE, data={"action": action, "reason": "r", "seen": seen[0]}, headers=OWN).status_code
        for action in ("accept", "ignore")
    ]
    assert ([303, 409], "known") == (statuses, control.signature_rows[0]["state"])


def test_line_to_be_written_carries_what_was_seen(client: httpx.Client, control: FakeControl):
    """The confirmation sends what the first page showed, not what is there by then."""
    asked = {"reason": "r", "seen": "0000000000ff"}
    page = client.get(f"{PAGE}/ignore", params=asked).text
    assert ["0000000000ff"] == re.findall(r'name="seen" value="([^"]*)"', page)


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_form_of_another_kind_is_refused(client: httpx.Client, control: FakeControl, kind: str):
    """Only what a form of ours sends is read."""
    response = client.post(STATE, content=b"action=reopen&reason=r", headers={**OWN, "content-type": kind})
    assert (400, []) == (response.status_code, control.calls)


@pytest.mark.parametrize("body", [b"reason=\xff", b"reason=%ff", b"&".join(b"a=%d" % each for each in range(50))])
def test_form_that_can_not_be_read_is_refused(client: httpx.Client, control: FakeControl, body: bytes):
    """Whatever the bytes are."""
    headers = {**OWN, "content-type": "application/x-www-form-urlencoded"}
    assert (400, []) == (client.post(STATE, content=body, headers=headers).status_code, control.calls)


def test_ignoring_shows_the_line_first(client: httpx.Client, control: FakeControl):
    """Nothing is written by looking; the form beneath has what was given."""
    response = client.get(f"{PAGE}/ignore", params={"reason": "meant to be", "who": "ada", "ticket": "T-1"})
    text = text_of(response)
    assert "compare: {ignore: [$.items[*].score]} # ada: meant to be" in text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', response.text))
    assert ({"action": "ignore", "reason": "meant to be", "who": "ada", "ticket": "T-1"}, []) == (fields, control.calls)


def test_retry_says_what_became_of_it(client: httpx.Client, control: FakeControl):
    """On the signature's own page."""
    sent = client.post(f"{PAGE}/retry", data={"who": "ada", "state": "undecided", "text": "sc re"}, headers=OWN)
    there = sent.headers["location"]
    assert (303, f"{PAGE}?state=undecided&text=sc+re&tried=1790000000.000000") == (sent.status_code, there)
    for _ in range(2):
        assert "it still differs. GET /api/feeds?page=2: legacy 200, new 200" in text_of(client.get(there))
    assert "the store can't say what became of it" in text_of(client.get(f"{PAGE}?tried=1"))
    assert [("retry", ID, "ada", {})] == control.calls, "loading it anew sends nothing"


def test_decision_leads_back_to_the_list_it_was_taken_from(client: httpx.Client, control: FakeControl):
    """The filters go along, through the page that shows the line too; what follows is the first that is left."""
    control.signature_rows.append(signature_row("ffffffffffff"))
    filters = {"route": "feeds", "state": "undecided"}
    page = client.get(PAGE, params=filters).text
    hidden = '<input type="hidden" name="route" value="feeds">\n<input type="hidden" name="state" value="undecided">'
    assert 3 == page.count(hidden)
    form = {"action": "accept", "reason": "r", "seen": REVISION, **filters}
    there = client.post(f"{PAGE}/state", data=form, headers=OWN).headers["location"]
    assert f"{PAGE}?route=feeds&state=undecided#decided" == there
    decided = client.get(there).text
    assert 'href="/diffs?route=feeds&amp;state=undecided">The list' in decided
    assert 'rel="next" href="/diffs/ffffffffffff?route=feeds&amp;state=undecided"' in decided
    shown = client.get(f"{PAGE}/ignore", params={"reason": "r", "seen": REVISION, **filters}).text
    assert '<input type="hidden" name="state" value="undecided">' in shown


def test_har_is_a_file(client: httpx.Client):
    """For tools that read it; no browser shows it."""
    response = client.get(f"{PAGE}/har")
    assert 'attachment; filename="changeover-a1b2c3d4e5f6.har"' == response.headers["content-disposition"]
    assert 2 == len(response.json()["log"]["entries"])


# --- beside ---
def test_marks_are_what_differs():
    """Equal beginnings and ends are left and cut; what differs is never cut away."""
    assert (Parts("score: ", "1", ","), Parts("score: ", "2", ",")) == marked("score: 1,", "score: 2,")
    left, right = marked("a" * 500 + "x" + "b" * 500, "a" * 500 + "y" + "b" * 500)
    assert ("x", "y", 61, 61) == (left.changed, right.changed, len(left.before), len(left.after))


def test_members_in_another_order_are_no_difference():
    """JSON gives their order no meaning (RFC 8259 §1)."""
    shown = bodies_beside(example(control=answer('{"a": 1, "b": 2}'), candidate=answer('{"b": 2, "a": 1}')))
    assert set() == {row.change for row in shown.rows} - {"equal", "left_out"}


def test_what_is_ignored_is_no_difference():
    """It has a mark on both sides, and a line that only one side has is still seen."""
    sides = example(control=answer('{"at": 1, "b": 1, "c": 1}'), candidate=answer('{"at": 2, "b": 2}'))
    shown = bodies_beside(sides, [parse("$.at"), parse("$.c")])
    rows = [(row.change, row.left.before, row.right.before) for row in shown.rows]
    assert ("equal", '  "at": (ignored),', '  "at": (ignored),') in rows
    assert ("equal", '  "at": 1,', '  "at": 2,') not in rows
    assert ("removed", '  "c": (ignored)', "") in rows


@pytest.mark.parametrize("body", ['{"at": "(ignored)"}', "not JSON", "[" * 2_000, '{"at": "\\ud800"}', ""])
def test_no_body_is_shown_otherwise_for_nothing(body: str):
    """Only what a rule ignores has a mark; what can't be read is shown as it is."""
    assert body_lines(answer(body)) == body_lines(answer(body), [parse("$.other")])
    assert MARK not in "\n".join(body_lines(answer(body), [parse("$.other")])).replace(f'"{MARK}"', "")


def test_rows_are_bounded_and_the_rest_is_counted():
    """However long the bodies are."""
    lines = [json.dumps([side * 1_000 + number for number in range(400)]) for side in (0, 1)]
    shown = bodies_beside(example(control=answer(lines[0]), candidate=answer(lines[1])))
    assert (MAX_ROWS, True) == (len(shown.rows), shown.left_out > 0)


def test_values_are_those_of_the_signature():
    """Three of them; the others are counted."""
    differences = [difference(path=f"$[{number}]") for number in range(5)] + [difference(signature="other")]
    shown, more = values_beside(example(differences=differences), ID)
    assert (["$[0]", "$[1]", "$[2]"], 2) == ([each["path"] for each, _, _ in shown], more)


# --- audit ---
def test_audit_shows_who_what_and_why(client: httpx.Client):
    """Newest first."""
    text = text_of(client.get("/audit"))
    assert "Who ada from 10.0.0.7 What rollout.set feeds Before → after 1 % → 5 % Why wave 1" in text


def test_audit_is_a_file_too(client: httpx.Client):
    """For a spreadsheet."""
    response = client.get("/audit.csv?subject=feeds")
    assert "text/csv; charset=utf-8" == response.headers["content-type"]
    expected = "2026-09-21 14:13:20Z,ada,rollout.set,feeds,1 % → 5 %,wave 1,10.0.0.7"
    assert (True, "attachment" in response.headers["content-disposition"]) == (expected in response.text, True)


def test_empty_audit_says_what_will_stand_there(client: httpx.Client):
    """A subject that nothing was done to."""
    assert "Nothing about this was changed yet." in text_of(client.get("/audit?subject=nope"))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"percentage": 1}, {"percentage": 5}, "1 % → 5 %"),
        (None, {"percentage": 5, "who": "ada", "reason": "r"}, "- → 5 %"),
        ({"percentage": 5}, None, "5 % → -"),
        ({"state": "new", "owner": ""}, {"state": "known", "owner": "bo"}, "state: new → known, owner: - → bo"),
        ({"a": [1]}, {"a": {"b": 2}}, 'a: [1] → {"b": 2}'),
        ({"cap_millipercent": 20_000, "since": 1.5}, None, "hold: at most 20 % → none"),
        ({"until": None}, {"until": SINCE}, "until: - → 2026-09-21 14:13:20Z"),
        (1, 2, "value: 1 → 2"),
        (None, None, "-"),
    ],
)
def test_change_is_one_line(before: Any, after: Any, expected: str):
    """Only what became another."""
    assert expected == change_text({"before": before, "after": after})
