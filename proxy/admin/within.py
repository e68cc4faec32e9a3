"""Addresses as the outside knows them: below the listener's URL prefix, where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

PREFIX = "changeover.prefix"
"""The member of an ASGI scope."""


def prefix_of(request: Request) -> str:
    """As `/changeover`; "" without one."""
    return str(request.scope.get(PREFIX, ""))


def outside(request: Request, path: str) -> str:
    """The address of a path of ours, for a link or a redirect."""
    return prefix_of(request) + path
