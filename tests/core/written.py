"""JSON as it may be written: documents of every kind from Hypothesis, each with many texts of equal meaning."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Number:
    """A number as its digits: what a Python number would lose."""

    text: str


@dataclass(frozen=True)
class Members:
    """An object's members in their order; a name may occur more than once."""

    pairs: tuple[tuple[str, Any], ...]


names = st.sampled_from(["a", "b", "id", "x y", "", "é", "\ud800", "😀", "42", "user_1042", "a/b", '"', "\\", "\u2028"])
integers = st.one_of(st.integers(), st.integers(10**30, 10**40), st.just(10**4_000)).map(
    lambda number: Number(str(number))
)
floats = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=25).map(lambda number: f"{number:f}"),
    st.sampled_from(["1e400", "-1.5e-400", "1e1000000", "2e-9999999", "0.10000000000000001", "-0.0", "1e22"]),
).map(Number)
plain_nodes = st.one_of(
    st.sampled_from([None, True, False, Number("NaN"), Number("-Infinity"), Number("9" * 5_000)]),
    integers,
    floats,
    st.text(max_size=6),
    st.text(st.characters(categories=["Cs", "Cc", "So", "Lu"]), max_size=3),
)
nodes = st.recursive(
    plain_nodes,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(st.tuples(names, inner), max_size=6).map(lambda pairs: Members(tuple(pairs))),
    ),
    max_leaves=20,
)
deep_nodes = st.tuples(nodes, st.lists(st.sampled_from(["list", *"ab"]), max_size=150)).map(lambda case: wrapped(*case))


def wrapped(node: Any, levels: list[str]) -> Any:
    for level in levels:
        node = [node] if level == "list" else Members(((level, node),))
    return node


@st.composite
def texts(draw: st.DrawFn, node: Any) -> str:
    """One of the texts that mean this document."""
    chance = draw(st.randoms(use_true_random=False))
    return write(node, chance)


def write(node: Any, chance: Any) -> str:
    space = chance.choice(["", "", " ", "\n\t", "\r\n"])
    if isinstance(node, Members):
        found = [
            f"{write(name, chance)}{space}:{write(value, chance)}" for name, value in _shuffled(node.pairs, chance)
        ]
        return f"{{{space}{f'{space},'.join(found)}{space}}}"
    if isinstance(node, list):
        return f"[{space}{f',{space}'.join(write(item, chance) for item in node)}{space}]"
    if isinstance(node, Number):
        return _number(node.text, chance)
    return _string(node, chance) if isinstance(node, str) else json.dumps(node)


def _shuffled(pairs: tuple[tuple[str, Any], ...], chance: Any) -> list[tuple[str, Any]]:
    """Another order of names; the values of one name keep theirs, which has a meaning."""
    order = [name for name, _ in pairs]
    chance.shuffle(order)
    values = {name: iter([value for other, value in pairs if other == name]) for name in order}
    return [(name, next(values[name])) for name in order]


def _number(text: str, chance: Any) -> str:
    """The same value in the same type: with zeros behind, or another exponent."""
    if not set(text) & set(".eE") or text.lstrip("-")[0].isalpha():
        return text
    form = chance.choice(["as it is", "zeros", "exponent"])
    mantissa, _, exponent = text.lower().partition("e")
    if form == "zeros":
        zeros = ("0" if "." in mantissa else ".0") + "0" * int(chance.randrange(3))
        return f"{mantissa}{zeros}e{exponent}" if exponent else f"{mantissa}{zeros}"
    sign, digits, power = Decimal(text).as_tuple()
    if form == "exponent":
        return f"{'-' * sign}{''.join(map(str, digits))}{chance.choice('eE')}{power}"
    return text


def _string(text: str, chance: Any) -> str:
    return f'"{"".join(_letter(letter, chance) for letter in text)}"'


def _letter(letter: str, chance: Any) -> str:
    is_plain = letter.isprintable() and letter not in '"\\'
    if is_plain and chance.random() < 0.5:
        return letter
    if letter == "/" and chance.random() < 0.5:
        return "\\/"
    return json.dumps(letter)[1:-1] if chance.random() < 0.5 or ord(letter) > 0xFFFF else f"\\u{ord(letter):04X}"
