"""The commands' way to a running server: its admin API over HTTP, every failure one clear error.

Neither proxy variables nor netrc are read: the operator's browser settings have no say in where a rollout goes.
"""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import click

from proxy.addresses import UNIX, socket_path
from proxy.errors import ChangeoverError, Conflict, NotFound, Refused, ServerNotReached

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

DEFAULT_URL = "http://127.0.0.1:9000"
TOKEN_VARIABLE = "CHANGEOVER_ADMIN_TOKEN"  # noqa: S105 - the name of a variable, not a secret
CONNECT_TIMEOUT_S = 2.0  # the listener is on this machine or near it
READ_TIMEOUT_S = 15.0  # a list over a month of evidence in a busy store
_MAX_DETAIL_CHARACTERS = 2_000
_ERRORS: dict[int, type[ChangeoverError]] = {404: NotFound, 409: Conflict}

# For every verb that asks a running server.
admin_option = click.option(
    "--admin-url",
    envvar="CHANGEOVER_ADMIN_URL",
    default=DEFAULT_URL,
    show_default=True,
    show_envvar=True,
    help="Where the server's admin API listens.",
)


class Client:
    """Asks the admin API. Raises ServerNotReached where nothing answers, Refused and its like where it says no."""

    def __init__(self, admin_url: str) -> None:
        if not _is_http_url(admin_url) and not _is_unix_url(admin_url):
            raise Refused(f"--admin-url {admin_url!r}: must be http://HOST:PORT, as {DEFAULT_URL}, or unix:/PATH")
        self._url = admin_url.rstrip("/")
        self._socket_path = socket_path(admin_url) if _is_unix_url(admin_url) else None

    def get(self, *path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        return self._ask("GET", path, query)

    def put(self, *path: str, body: dict[str, Any]) -> Any:
        return self._ask("PUT", path, body=body)

    def post(self, *path: str, body: dict[str, Any]) -> Any:
        return self._ask("POST", path, body=body)

    def delete(self, *path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
        return self._ask("DELETE", path, query)

    def is_ready(self) -> tuple[bool, str]:
        """Whether /readyz says yes, and its words."""
        response = self._send("GET", "/readyz", (), None)
        return response.is_success, response.text[:_MAX_DETAIL_CHARACTERS].strip()

    def _ask(
        self,
        method: str,
        path: Sequence[str],
        query: Sequence[tuple[str, str]] = (),
        body: dict[str, Any] | None = None,
    ) -> Any:
        """The JSON that the endpoint below /api/v1 answers; `path` is given in segments, which are quoted here."""
        target = "/".join(["/api/v1", *(quote(segment, safe="") for segment in path)])
        response = self._send(method, target, query, body)
        if not response.is_success:
            raise self._refusal(response)
        try:
            return response.json()
        except ValueError:
            raise ServerNotReached(self._stranger("its answer is not JSON")) from None

    def _send(
        self, method: str, target: str, query: Sequence[tuple[str, str]], body: dict[str, Any] | None
    ) -> httpx.Response:
        import httpx  # noqa: PLC0415 - verbs that don't ask a server start without it

        timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        base = self._url if self._socket_path is None else "http://localhost"
        transport = None if self._socket_path is None else httpx.HTTPTransport(uds=self._socket_path)
        try:
            with httpx.Client(trust_env=False, timeout=timeout, headers=_headers(), transport=transport) as client:
                return client.request(method, base + target, params=list(query), json=body)
        except httpx.TimeoutException:
            raise ServerNotReached(f"no answer in time from {self._url}: is the server overloaded?") from None
        except httpx.TransportError as error:
            raise ServerNotReached(
                f"no server answers at {self._url} ({error}): start it with `changeover serve`, "
                "or say where it is with --admin-url or CHANGEOVER_ADMIN_URL"
            ) from None

    def _refusal(self, response: httpx.Response) -> ChangeoverError:
        """The error that a problem document stands for; a server's own trouble counts as "not reached"."""
        problem = _problem(response)
        if problem is None:
            return ServerNotReached(self._stranger(f"it answers {response.status_code}"))
        detail = str(problem["detail"])[:_MAX_DETAIL_CHARACTERS]
        if response.status_code == 401:
            detail = f"{detail} The commands send the variable {TOKEN_VARIABLE}."
        if response.status_code >= 500:
            return ServerNotReached(f"the server at {self._url} can't do it now: {detail}")
        return _ERRORS.get(response.status_code, Refused)(detail)

    def _stranger(self, what: str) -> str:
        return f"what answers at {self._url} is not Changeover's admin API ({what}): look at --admin-url"


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an IPv6 address, or a port above 65,535
        return False


def _is_unix_url(url: str) -> bool:
    try:
        return url.startswith(UNIX) and bool(socket_path(url))
    except ValueError:
        return False


def _headers() -> dict[str, str]:
    headers = {"x-changeover-who": _user()}
    if token := os.environ.get(TOKEN_VARIABLE):
        headers["authorization"] = f"Bearer {token}"
    return headers


def _user() -> str:
    """The operating system's name for who runs the command; "" where it has none, as in a bare container."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        return ""
    return name if name.isascii() and name.isprintable() else ""


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        document = response.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) and "detail" in document else None
