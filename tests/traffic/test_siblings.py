"""Siblings: connections that a worker has left in its queue are found and accepted, and only those."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from proxy.traffic import siblings as siblings_module
from proxy.traffic.siblings import Siblings


@pytest.fixture
def stack():
    with ExitStack() as entered:
        yield entered


def listener(stack: ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_server(("127.0.0.1", 0)))


def connect(stack: ExitStack, to: socket.socket, number: int = 1) -> list[tuple[str, int]]:
    """The addresses of so many users."""
    made = [stack.enter_context(socket.create_connection(to.getsockname())) for _ in range(number)]
    return [each.getsockname() for each in made]


def taken(stack: ExitStack, siblings: Siblings) -> list[tuple[str, int]]:
    """Whose connections are taken over now."""
    accepted = [stack.enter_context(each) for each in siblings.waiting()]
    assert [False] * len(accepted) == [each.getblocking() for each in accepted]
    return sorted(each.getpeername() for each in accepted)


def test_siblings_take_over_what_waits_in_any_queue(stack: ExitStack):
    """Each connection once; a queue that is empty gives none, at once."""
    a, b, c = (listener(stack) for _ in range(3))
    siblings = Siblings([a, b, c])
    assert [] == taken(stack, siblings)
    users = connect(stack, a, 2) + connect(stack, c)
    assert sorted(users) == taken(stack, siblings)
    assert [] == taken(stack, siblings)


def test_siblings_leave_some_of_a_long_queue_to_the_others(stack: ExitStack):
    """One look takes a bounded number: a worker must not be drowned by a queue that all may share."""
    sick = listener(stack)
    siblings = Siblings([sick])
    connect(stack, sick, siblings_module._MOST_AT_ONCE + 1)
    assert [siblings_module._MOST_AT_ONCE, 1] == [len(taken(stack, siblings)) for _ in range(2)]


def test_siblings_that_are_closed_or_absent_give_nothing(stack: ExitStack):
    """A worker that stops takes no more; one that is alone has nobody to care for. The queue is not touched."""
    alone, other = Siblings(), listener(stack)
    copy = socket.socket(fileno=socket.dup(other.fileno()))  # as another process has it
    siblings = Siblings([copy])
    siblings.close()
    users = connect(stack, other)
    assert ([], []) == (taken(stack, alone), taken(stack, siblings))
    assert users == taken(stack, Siblings([other]))
