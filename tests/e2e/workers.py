"""The worker processes of a node, seen from outside: who they are, what they hold, and whom they serve."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.backends import Backend
from tests.e2e.node import Node, serving, write_example
from tests.e2e.program import descendants, until

if TYPE_CHECKING:
    from collections.abc import Iterator

FEED = "/api/feeds/5"


@contextmanager
def two_sided_node(folder: Path, *arguments: str, **environ: str) -> Iterator[tuple[Node, Backend, Backend]]:
    """A node, its legacy and its new backend."""
    with ExitStack() as stack:
        legacy, new = (stack.enter_context(Backend(name)) for name in ("legacy", "new"))
        file = write_example(folder, legacy.url, new.url, **{'"header:x-runtime"': '"header:x-backend"'})
        yield stack.enter_context(serving(file, folder, *arguments, **environ)), legacy, new


def worker_processes(node: Node) -> set[int]:
    """All that run now, also those that drain."""
    return {pid for pid in descendants(node.program.pid) if _is_worker(pid)}


def _is_worker(pid: int) -> bool:
    try:
        return b"\0worker\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def current_workers(node: Node, number: int) -> dict[str, int]:
    """The process of each worker, once all of them were started."""
    names = [f"worker-{each + 1}" for each in range(number)]
    return {name: node.pid_of(name) for name in names}


def wait_rolled(node: Node, times: int) -> None:
    """Until so many rolling restarts of the node are done."""
    until(lambda: len(node.program.events("roll.done")) >= times, f"{times} rolling restarts done", within_s=30)


def connections_of(pid: int, port: int) -> int:
    """How many established connections to a port of this machine a process has accepted (proc(5), net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = {row[9] for row in rows if row[3] == "01" and int(row[1].partition(":")[2], 16) == port}
    held = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            held.add(target.removeprefix("socket:[").removesuffix("]"))
    return len(established & held)
