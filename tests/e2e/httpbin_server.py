"""httpbin as a program: a threaded server on a free port of this machine, whose URL is printed first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from httpbin import app
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Handler(WSGIRequestHandler):
    """HTTP/1.1, so that connections are kept and answers of unknown length are chunked; without a log."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  # werkzeug's signature
        pass


def httpbin(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The app; it takes chunked uploads only from servers that it knows to take them apart, as this one does."""
    environ["SERVER_SOFTWARE"] = "gunicorn/stand-in"
    answer: Iterable[bytes] = app(environ, start_response)
    return answer


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, httpbin, threaded=True, request_handler=Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
