"""Max-Forwards is counted down for OPTIONS (RFC 9110 §7.6.2)."""

from __future__ import annotations

import pytest

from proxy.core.max_forwards import ANSWER_HERE, MAX_SUPPORTED, next_max_forwards
from proxy.errors import RequestRefused


@pytest.mark.parametrize(
    ("value", "forwarded"),
    [
        (b"0", ANSWER_HERE),
        (b"000", ANSWER_HERE),
        (b"1", 0),
        (b"10", 9),
        (b"007", 6),
        (b"0" * 5000 + b"2", 1),
        (b"2147483648", MAX_SUPPORTED),
        (b"2147483649", MAX_SUPPORTED),
        (b"9" * 5000, MAX_SUPPORTED),
    ],
)
def test_max_forwards_is_one_less(value: bytes, forwarded: int) -> None:
    """Each proxy takes one away; nothing is left of 0, and no number is too long to be read."""
    assert forwarded == next_max_forwards("OPTIONS", [value])


@pytest.mark.parametrize(
    ("method", "values"),
    [("OPTIONS", None), ("GET", None), ("GET", [b"0"]), ("POST", [b"nonsense", b"1"]), ("options", [b"0"])],
)
def test_max_forwards_of_other_methods_is_not_ours(method: str, values: list[bytes] | None) -> None:
    """Methods are case sensitive (RFC 9110 §9.1); for others than OPTIONS the field may be ignored."""
    assert next_max_forwards(method, values) is None


@pytest.mark.parametrize(
    "values", [[b""], [b"-1"], [b"+1"], [b"1.0"], [b"1, 1"], [b" 1"], [b"\xb2"], [b"1", b"1"], [], [b"one"]]
)
def test_max_forwards_that_is_no_number_is_refused(values: list[bytes]) -> None:
    """Who counts wrongly would be forwarded for ever."""
    with pytest.raises(RequestRefused, match="Max-Forwards") as refusal:
        next_max_forwards("OPTIONS", values)
    assert 400 == refusal.value.status
