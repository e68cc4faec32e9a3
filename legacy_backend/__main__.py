"""`python -m legacy_backend`: the backend on uvicorn, alone."""

from __future__ import annotations

import signal
import sys

import uvicorn
from pydantic import ValidationError

from legacy_backend.app import create_app
from legacy_backend.database import DatabaseError
from legacy_backend.settings import Settings

KEEP_ALIVE_S = 75  # as nginx; uvicorn's 5 s would close connections under a proxy's pool
SHUTDOWN_S = 3


def main() -> int:
    """0 after SIGINT or SIGTERM; 2 when the settings or the state folder can't be used."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))  # uvicorn raises the signal again when it has shut down
    try:
        settings = Settings(_cli_parse_args=True)
        app = create_app(settings)
    except ValidationError as error:
        return _refuse(
            "\n".join(f"{fault['loc'][0]}: {fault['msg']}, got {fault['input']!r}" for fault in error.errors())
        )
    except DatabaseError as error:
        return _refuse(str(error))
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        http="httptools",
        ws="none",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    return 0


def _refuse(message: str) -> int:
    print(f"legacy_backend: {message}", file=sys.stderr)  # noqa: T201  # a command's own message
    return 2


if __name__ == "__main__":
    sys.exit(main())
