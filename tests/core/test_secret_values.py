"""Secrets by their look: what is one, and what only resembles one."""

from __future__ import annotations

import pytest

from proxy.core.mark import Mark
from proxy.core.secret_values import mask_values

mark = Mark(b"0123456789abcdef0123456789abcdef")
CARDS = [
    "4111111111111111",
    "4222222222222",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "3782 822463 10005",
    "30569309025904",
    "3530111333300000",
    "6011 1111 1111 1117",
    "6200-0000-0000-0005",
]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("around", ["{}", "card no.{}.", "({}), 12/27", "a={};", '"{}"'])
def test_card_numbers_are_masked(card: str, around: str):
    """Of each network, in a run or in groups, whatever stands around."""
    assert mask_values(around.format(card), mark) == around.format(mark(card, "card"))


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # wrong check digit
        "1700000000000",  # milliseconds
        "1700000000000000",
        "0.4111111111111111",
        "4111111111111111.5",
        "41111111111111111111111",
        "0000000000000000",
        "4444444444444444"[:15],
        "550e8400-e29b-41d4-a716-446655440000",
        "2026-11-23 12:30:00.123456",
        "4111 1111-1111 1111",
    ],
)
def test_other_numbers_are_no_cards(text: str):
    """Times, fractions, ids and longer numbers stay, so that a report can show them."""
    assert mask_values(text, mark) == text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ann@shop.example", "ann@shop.example"),
        ("<ann.b+c@mail.shop.example>,", "ann.b+c@mail.shop.example"),
        ("mailto:ann@shop.example?subject=x", "ann@shop.example"),
        ("to ann@shop.example.", "ann@shop.example"),
        ("änn@bücher.example", "änn@bücher.example"),
        ("user=ann%2Bb@shop.xn--p1ai", "ann%2Bb@shop.xn--p1ai"),
    ],
)
def test_addresses_are_masked(text: str, address: str):
    """And nothing around them."""
    assert mask_values(text, mark) == text.replace(address, mark(address, "email"))


@pytest.mark.parametrize(
    "text", ["@ann", "ann@localhost", "react@18.2.0", "logo@2x.png", "@media (x)", "a @ b.example", "see @ann.example"]
)
def test_other_signs_are_no_addresses(text: str):
    """Names of users and packages, and what styles write."""
    assert mask_values(text, mark) == text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("BASIC dXNlcjpwYXNzdw==", "dXNlcjpwYXNzdw=="),
        ("bearer abcdefgh-1", "abcdefgh-1"),
        ("https://ann:a@b@host/x", "ann:a@b"),
        ("https://token@host/x", "token"),
        ("redis://:pw@host:6379", ":pw"),
        ("glpat-0123456789abcdefghij", "glpat-0123456789abcdefghij"),
    ],
)
def test_credentials_are_masked(text: str, secret: str):
    """The scheme and the host stay."""
    assert mask_values(text, mark) == text.replace(secret, mark(secret, "token"))


@pytest.mark.parametrize("text", ["basic training", "a basic dXNlcg set", "Bearer x", "https://host/@ann", "mask_live"])
def test_other_words_are_no_credentials(text: str):
    """Words after "basic" that aren't base64 of a user and a password, and short ones after "bearer"."""
    assert mask_values(text, mark) == text


def test_marks_are_left_alone():
    """Also where a mark is followed by what makes an address or a URL of it."""
    text = f"https://{mark('a:b', 'token')}@host.example/{mark('c')}@host.example"
    assert mask_values(text, mark) == text
