"""How many files and sockets a process may have open: the soft limit is a default, not a wish, and is raised."""

from __future__ import annotations

import resource


def raise_descriptor_limit() -> int:
    """Raises the soft limit to the hard one (setrlimit(2)); returns what is in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return descriptor_limit()


def descriptor_limit() -> int:
    """The soft limit in force; a large number where there is none."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft
