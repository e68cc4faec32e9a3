"""The origins' answers and their request counts."""

import json

import pytest

from bench.origin import EQUAL_BODY, REORDERED_BODY, choose_answer, parse_requests, render_return, render_server
from bench.scenarios import SCENARIOS, Scenario

STATUS = """\
Active connections: 33
server accepts handled requests
 1712 1712 290481
Reading: 0 Writing: 1 Waiting: 32
"""


def test_bodies_are_136_bytes_of_the_same_json_in_another_key_order() -> None:
    """Equal as JSON, different as bytes, and of the documented size."""
    assert json.loads(EQUAL_BODY) == json.loads(REORDERED_BODY)
    assert list(json.loads(EQUAL_BODY)) == list(reversed(json.loads(REORDERED_BODY)))
    assert (len(EQUAL_BODY.encode()), len(REORDERED_BODY.encode())) == (136, 136)


def test_bodies_survive_being_quoted_in_a_config() -> None:
    """Nginx would end the string at a quote, and expand a dollar sign."""
    assert set() == {"'", "$", "\\"} & set(EQUAL_BODY + REORDERED_BODY)
    assert f"return 200 '{EQUAL_BODY}';" in render_server(8123, render_return(EQUAL_BODY))


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each.answer_bytes])
def test_long_answers_are_json_of_the_size_that_is_asked_for(scenario: Scenario) -> None:
    """What is compared has to be read."""
    answer = choose_answer(scenario).expected
    assert scenario.answer_bytes == len(answer.encode())
    assert isinstance(json.loads(answer), list)


def test_request_count_is_the_third_figure_of_the_status_page() -> None:
    """Accepted and handled connections are not taken for requests."""
    assert parse_requests(STATUS) == 290_481


def test_request_count_of_another_page_is_refused() -> None:
    """A page that isn't a status page is an error, not a count of zero."""
    with pytest.raises(ValueError, match="not a stub_status page"):
        parse_requests(EQUAL_BODY)
