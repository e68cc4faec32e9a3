"""What is asked of the contenders: each scenario differs from the core one in a single respect.

A new scenario is a value in `SCENARIOS`. What it needs of load, origins and contenders they read from its fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Varying = Literal["nothing", "header", "everything"]
"""What is new in each request: nothing; a cookie; or cookie and target, and the answer repeats the cookie."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of work. `body_bytes` above 0 makes it a POST; `answer_bytes` 0 is the small answer.

    `workers` is the number of processes or threads that serve users. `left_out` names contenders that would say nothing
    new here, and cost a minute.
    """

    name: str
    title: str
    connections: int = 32
    answer_bytes: int = 0
    body_bytes: int = 0
    varying: Varying = "nothing"
    tls: bool = False
    workers: int = 1
    left_out: tuple[str, ...] = ("changeover-reorder",)

    @property
    def heading(self) -> str:
        return f"{self.name}: {self.title}"


CORE = Scenario("core", "32 connections, GET, an answer of 136 B", left_out=())
SCENARIOS: tuple[Scenario, ...] = (
    CORE,
    Scenario("connections-1", "1 connection", connections=1),
    Scenario("connections-256", "256 connections", connections=256),
    Scenario("answer-10k", "an answer of 10 kB", answer_bytes=10_000),
    Scenario("answer-1m", "an answer of 1 MB", answer_bytes=1_000_000),
    Scenario("post-10k", "POST of 10 kB", body_bytes=10_000),
    Scenario("headers-vary", "a new cookie in each request", varying="header"),
    Scenario("all-varies", "a new cookie, target and answer for each request", varying="everything"),
    Scenario("tls", "users come by TLS", tls=True),
    Scenario("workers-2", "two workers", workers=2),
)


def select_scenarios(names: tuple[str, ...], *, everything: bool = False) -> tuple[Scenario, ...]:
    """Those named, in the order of `SCENARIOS`; the core one without names."""
    if everything:
        return SCENARIOS
    return tuple(each for each in SCENARIOS if each.name in names) or (CORE,)
