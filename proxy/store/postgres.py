"""What is particular to PostgreSQL: psycopg 3, and a deadline for everything that could hang."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

CONNECT_TIMEOUT_S = 5  # libpq takes whole seconds, and rounds 1 up to 2
POOL_TIMEOUT_S = 5
_SESSION = (
    "SET statement_timeout = '15s'",  # a batch takes milliseconds, the largest report well under a second
    "SET lock_timeout = '5s'",
    "SET idle_in_transaction_session_timeout = '30s'",  # a frozen node must not keep the others waiting
)
# The server's timeouts don't help when the network swallows packets; these are the client's own.
_SOCKET = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}


def open_engine(url: URL) -> Engine:
    """An engine for psycopg 3; nothing is opened yet."""
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "changeover", **_SOCKET},
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=4,
        max_overflow=4,
        pool_timeout=POOL_TIMEOUT_S,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _entry: Any) -> None:
        with connection.cursor() as cursor:
            for statement in _SESSION:
                cursor.execute(statement)
        connection.commit()

    return engine
