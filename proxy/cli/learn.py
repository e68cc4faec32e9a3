"""`changeover diffs learn`: rules proposed from what noise runs showed; written only when somebody asks for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from proxy.cli.client import Client, admin_option
from proxy.cli.output import output_option, print_json, print_lines, say
from proxy.core.learn import MIN_SELF_SHOWN
from proxy.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]
SECTIONS = ("ignore", "unordered", "pattern")
_RECOGNISED = {
    "timestamp": "a time near the request's",
    "uuid": "a UUID",
    "token": "a token",
    "counter": "a counter",
    "order": "random order",
}
_REASON = "learned from noise runs"


@click.command
@click.option("--route", required=True, help="The route whose noise runs to look at.")
@click.option("--write", "is_written", is_flag=True, help="Put the proposed lines into the config file.")
@click.option("--reason", help=f"Why, with --write; it goes into the audit log and the file [{_REASON}].")
@output_option
@admin_option
def learn(route: str, is_written: bool, reason: str | None, output: str, admin_url: str) -> None:
    """Propose rules for what legacy does by itself.

    Prints lines for the route's compare section, each with its evidence. Look at them: what they name is no longer
    compared.
    """
    if reason and not is_written:
        raise Refused("--reason goes with --write: without it nothing is written")
    client = Client(admin_url)
    found = client.get("routes", route, "proposals")
    if is_written and found["proposals"]:
        rules = [each["rule"] for each in found["proposals"]]
        answer = client.post("routes", route, "proposals", body={"rules": rules, "reason": reason or _REASON})
        found = {**found, "file": answer["file"], "written": answer["written"]}
    if output == "json":
        print_json(found)
        return
    print_lines(*proposal_lines(found))
    for each in found["unrecognised"]:
        say(f"not recognised: {each['kind']} {each['path']}, {each['evidence']}; decide about {each['signatures'][0]}")
    if not found["proposals"]:
        say(f"nothing to propose: {_basis(client, route)}")
    for each in found.get("written", ()):
        say(each["note"] or f"written to {found['file']}: {each['rule']}")


def _basis(client: Client, route: str) -> str:
    """What there was to learn from."""
    runs = next((each["noise_runs"] for each in client.get("routes") if each["name"] == route), None)
    if not runs or not runs["pairs"]:
        return "legacy was never asked twice here; set compare.noise.percentage for the route, to 100 for a while"
    return f"in {runs['pairs']:,} noise runs nothing that is volatile by its kind differed {MIN_SELF_SHOWN} times"


def proposal_lines(found: Json) -> Iterator[str]:
    """YAML for the route; nothing where nothing is proposed."""
    proposals = found["proposals"]
    if not proposals:
        return
    yield f"# routes.{found['route']}"
    yield "compare:"
    for section in SECTIONS:
        own = [each for each in proposals if each["section"] == section]
        if own:
            yield f"  {section}:"
        for each in own:
            place = json.dumps(each["rule"], ensure_ascii=False)
            line = f"{place}: {json.dumps(each['form'])}" if section == "pattern" else f"- {place}"
            yield f"    {line}  # {_RECOGNISED[each['recognised']]}, {each['evidence']}"
