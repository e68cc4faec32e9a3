"""What was decided about the migration, as sentences for people who don't read code. Pure.

What was decided at once for several routes is one decision: a percentage is a group's, and is one line of the audit for
each of its routes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.admin.figures import percent
from proxy.core.model import percentage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Json = dict[str, Any]
TOGETHER_S = 1.0  # the lines of one change are written one after the other
_SAME = ("who", "action", "before", "after", "reason")


def decisions(lines: Iterable[Json]) -> list[Json]:
    """From lines of the audit, newest first: those that changed what is in force, with `subjects` and `words`."""
    found: list[Json] = []
    for line in lines:
        if line["action"] not in _SENTENCES or _is_beside_the_point(line):
            continue
        last = found[-1] if found else None
        if last and last["at"] - line["at"] <= TOGETHER_S and all(last[name] == line[name] for name in _SAME):
            last["subjects"].insert(0, line["subject"])
        else:
            kept = {name: value for name, value in line.items() if name not in {"origin", "subject"}}
            found.append({**kept, "subjects": [line["subject"]]})
    return [{**each, "words": _SENTENCES[each["action"]](each)} for each in found]


def _is_beside_the_point(line: Json) -> bool:
    """An edit of the file that moved nobody: other rules, other timeouts."""
    before, after = line["before"] or {}, line["after"] or {}
    return (
        line["action"] == "config.changed"
        and before.get("kill_switch") == after.get("kill_switch")
        and ("digest" in before or "digest" in after)
    )


def _rollout_set(line: Json) -> str:
    return f"{line['who']} {_moved(line)}"


def _config_changed(line: Json) -> str:
    before, after = line["before"] or {}, line["after"] or {}
    by = f"An edit of the config ({line['who']})"
    if "kill_switch" in after:
        return f"{by} {'sent everybody to legacy' if after['kill_switch'] else 'took the kill switch off'}"
    if not before:
        return f"{by} added {_named(line)} with {percent(after.get('percentage'))} of the users on new"
    if not after:
        return f"{by} took out {_named(line)}"
    return f"{by} {_moved(line)}"


def _moved(line: Json) -> str:
    before, after = (line["before"] or {}).get("percentage"), (line["after"] or {}).get("percentage")
    verb = "set" if before is None or after is None else "raised" if after > before else "lowered"
    return f"{verb} {_named(line)} from {percent(before)} to {percent(after)} of the users"


def _hold_put(line: Json) -> str:
    cap = (line["after"] or {}).get("cap_millipercent")
    most = "nobody" if not cap else f"at most {percent(percentage(cap))} of the users"
    return f"{line['who']} held {_named(line)}: {most} on new"


def _version_changed(line: Json) -> str:
    before, after = (line["before"] or {}).get("version"), (line["after"] or {}).get("version")
    return f"New was replaced: version {after} after {before}"


_SENTENCES: dict[str, Callable[[Json], str]] = {
    "rollout.set": _rollout_set,
    "config.changed": _config_changed,
    "hold.put": _hold_put,
    "hold.release": lambda line: f"{line['who']} lifted the hold on {_named(line)}",
    "kill_switch.on": lambda line: f"{line['who']} sent everybody to legacy (kill switch)",
    "kill_switch.off": lambda line: f"{line['who']} took the kill switch off",
    "version.changed": _version_changed,
}


def _named(line: Json) -> str:
    *first, last = line["subjects"]
    return f"{', '.join(first)} and {last}" if first else str(last)
