"""The tables, as the newest migration leaves them; a test compares both.

Two kinds of rows. A node's own rows (`route_totals`, `route_minutes`, `served_minutes`, `nodes`) are written by that
node only and added up when read: no two nodes ever wait for each other there. Shared rows (`users`, `signatures`,
`examples`, `noise_places`) belong to a route, and a writer holds the route's row in `routes` while it changes them;
`noise_routes` is added to. `route_days` are written by who comes first, `route_windows` under the lock of their rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

if TYPE_CHECKING:
    from sqlalchemy import Dialect

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


class SafeText(TypeDecorator[str]):
    """Any text of Python's as both databases take it: names come from traffic, and may hold what they refuse.

    Lone surrogates can't be encoded, and PostgreSQL has no NUL: both are stored as their escapes, so that one odd
    member name in an answer doesn't lose the whole batch.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None or (value.isascii() and "\0" not in value):
            return value
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


# SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
_RowId = BigInteger().with_variant(Integer(), "sqlite")

INSTALLATION = Table(
    "installation",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True, autoincrement=False),
    Column("installation_id", SafeText, nullable=False),
    Column("version", BigInteger, nullable=False),  # grows with every change of a hold or of a triage decision
)

ROUTES = Table(
    "routes",
    METADATA,
    Column("route", SafeText, primary_key=True),
    Column("user_level", Integer, nullable=False),  # see proxy/store/users.py
    Column("judged_rules", SafeText, nullable=False, server_default=""),  # see proxy/store/judged.py
    # The rows in `users` by side: counted as they come and go, and all anew at times (proxy/store/users.py).
    Column("legacy_users", BigInteger, nullable=False, server_default="0"),
    Column("new_users", BigInteger, nullable=False, server_default="0"),
    Column("recounted_at", Double, nullable=False, server_default="0"),
)

ROUTE_TOTALS = Table(
    "route_totals",
    METADATA,
    Column("node", SafeText, primary_key=True),
    Column("route", SafeText, primary_key=True),
    Column("compared", BigInteger, nullable=False),  # as a whole (core.evidence), to be summed without JSON
    Column("counts", JSON, nullable=False),
    Index("ix_route_totals_route", "route"),
)

ROUTE_MINUTES = Table(
    "route_minutes",
    METADATA,
    Column("node", SafeText, primary_key=True),
    Column("route", SafeText, primary_key=True),
    Column("minute", BigInteger, primary_key=True),
    Column("counts", JSON, nullable=False),
    Index("ix_route_minutes_route", "route", "minute"),
    Index("ix_route_minutes_minute", "minute"),
)

# All routes together: how a migration went over months can't be added up from rows of every route.
SERVED_MINUTES = Table(
    "served_minutes",
    METADATA,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("node", SafeText, primary_key=True),
    Column("legacy", BigInteger, nullable=False),
    Column("new", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# What a route's totals were at the first look of each of the last days (UTC): what has been counted since is what
# they are now, less that. So a week of 500 routes is summed without reading its minutes.
ROUTE_DAYS = Table(
    "route_days",
    METADATA,
    Column("route", SafeText, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("counts", JSON, nullable=False),
    Index("ix_route_days_day", "day"),
)

# The same for the moment from which on a route's evidence counts, because something is another since: see
# proxy/store/windows.py.
ROUTE_WINDOWS = Table(
    "route_windows",
    METADATA,
    Column("route", SafeText, primary_key=True),
    Column("since", Double),
    Column("because", JSON, nullable=False),
    Column("setup", JSON, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("counts", JSON, nullable=False),
)

NODES = Table(
    "nodes",
    METADATA,
    Column("node", SafeText, primary_key=True),
    Column("at", Double, nullable=False),
    Column("state", JSON, nullable=False),
    Index("ix_nodes_at", "at"),
)

USERS = Table(
    "users",
    METADATA,
    Column("route", SafeText, primary_key=True),
    Column("hash", BigInteger, primary_key=True, autoincrement=False),  # the unsigned hash, as two's complement
    Column("side", SafeText, nullable=False),
    Column("last_seen", Double, nullable=False),
    Index("ix_users_last_seen", "last_seen"),
    sqlite_with_rowid=False,
)

DECIDED = ("known", "ignored", "noise")  # states of signatures that stay, however rare or old
SIGNATURES = Table(
    "signatures",
    METADATA,
    Column("id", SafeText, primary_key=True),
    Column("route", SafeText, nullable=False),
    Column("kind", SafeText, nullable=False),
    Column("path", SafeText, nullable=False),
    Column("shape", SafeText, nullable=False),
    Column("algorithm", Integer, nullable=False),
    Column("state", SafeText, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_seen", Double, nullable=False),
    Column("last_seen", Double, nullable=False),
    Column("compared_at_last_seen", BigInteger, nullable=False),
    Column("who", SafeText, nullable=False, server_default=""),
    Column("reason", SafeText, nullable=False, server_default=""),
    Column("owner", SafeText, nullable=False, server_default=""),
    Column("ticket", SafeText, nullable=False, server_default=""),
    Column("until", Double),
    Column("rule", SafeText, nullable=False, server_default=""),
    Column("ruled_at", Double),
    Column("fixed_at", Double),  # when it was found to be fixed, until it is seen again: for its history
    Column("versions", JSON, nullable=False, server_default="[]"),
    Index("ix_signatures_route", "route"),
    Index("ix_signatures_last_seen", "last_seen"),
)

NOISE_ROUTES = Table(
    "noise_routes",
    METADATA,
    Column("route", SafeText, primary_key=True),
    Column("since", Double, nullable=False),  # of the first noise run, or of the last halving
    Column("self_pairs", BigInteger, nullable=False),
    Column("new_pairs", BigInteger, nullable=False),
)

NOISE_PLACES = Table(
    "noise_places",
    METADATA,
    Column("id", SafeText, primary_key=True),  # of a place (`signature.place_id`) or of a signature
    Column("route", SafeText, nullable=False),
    Column("self_shown", BigInteger, nullable=False),
    Column("new_shown", BigInteger, nullable=False),
    Column("both_shown", BigInteger, nullable=False),
    # Noise runs in which one of three answers stood alone: new's, legacy's first, legacy's second; 0 for signatures.
    Column("new_alone", BigInteger, nullable=False, server_default="0"),
    Column("first_alone", BigInteger, nullable=False, server_default="0"),
    Column("again_alone", BigInteger, nullable=False, server_default="0"),
    Index("ix_noise_places_route", "route"),
)

# No foreign key and no index but the one that the sweep needs: there may be a thousand rows for each minute.
SIGNATURE_MINUTES = Table(
    "signature_minutes",
    METADATA,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("signature", SafeText, primary_key=True),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

EXAMPLES = Table(
    "examples",
    METADATA,
    Column("id", _RowId, primary_key=True),
    Column("signature", SafeText, ForeignKey("signatures.id", ondelete="CASCADE"), nullable=False),
    Column("at", Double, nullable=False),
    Column("payload_bytes", Integer, nullable=False),  # before compression: the bound for unpacking it
    Column("payload", LargeBinary, nullable=False),  # zlib
    Index("ix_examples_signature", "signature", "at"),
    Index("ix_examples_at", "at"),
)

HOLDS = Table(
    "holds",
    METADATA,
    Column("route", SafeText, primary_key=True),
    Column("cap_millipercent", Integer, nullable=False),
    Column("who", SafeText, nullable=False),
    Column("reason", SafeText, nullable=False),
    Column("since", Double, nullable=False),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", _RowId, primary_key=True),
    Column("at", Double, nullable=False),
    Column("who", SafeText, nullable=False),
    Column("action", SafeText, nullable=False),
    Column("subject", SafeText, nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("reason", SafeText, nullable=False),
    Column("origin", SafeText, nullable=False, server_default=""),
    Index("ix_audit_subject", "subject", "id"),
)
