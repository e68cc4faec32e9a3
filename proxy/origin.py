"""Where a change that somebody asks for comes from, for its line in the audit.

The admin listener sets it for as long as it answers a request; it follows the request through tasks and threads, so
that what lies between need not know of it. Empty for what nobody asked for there, as an edit of the config file.
"""

from __future__ import annotations

from contextvars import ContextVar

ORIGIN: ContextVar[str] = ContextVar("origin", default="")
