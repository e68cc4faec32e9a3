"""The evidence, the holds and the triage decisions, kept in SQLite (one node) or PostgreSQL (many)."""

from proxy.store.limits import Limits
from proxy.store.store import Store
from proxy.store.values import (
    AuditRow,
    Batch,
    Example,
    NodeRow,
    Shown,
    Sighting,
    SignatureDetail,
    SignatureRow,
    Swept,
    Window,
    WindowChange,
    Written,
)

__all__ = [
    "AuditRow",
    "Batch",
    "Example",
    "Limits",
    "NodeRow",
    "Shown",
    "Sighting",
    "SignatureDetail",
    "SignatureRow",
    "Store",
    "Swept",
    "Window",
    "WindowChange",
    "Written",
]
