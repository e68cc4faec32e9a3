"""The request of an example for other tools: a curl command, a HAR document.

Takes an example as `GET /api/v1/diffs/{id}` answers it. Masked values are no values: a command
leaves fields out that hold one, and names them.
"""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from proxy import __version__
from proxy.core.resend import SAFE_METHODS, is_masked, sendable_headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Json = dict[str, Any]
_SIDES = ("control", "candidate")


def curl_command(example: Json, backend: str) -> str:
    """One line for a POSIX shell. `backend` is its URL as the config has it, or `unix:/path`.

    Masked fields are left out; they, and what else can't be sent, stand in comments before it.
    """
    request = example["request"]
    headers, left_out = sendable_headers(request["headers"])
    words = ["curl", "--globoff", "--path-as-is", "-sS", "-i"]
    if request["method"] == "HEAD":
        words.append("--head")
    elif request["method"] != "GET":
        words += ["-X", request["method"]]
    for name, value in headers:
        words += ["-H", f"{name}: {value}" if value else f"{name};"]
    if backend.startswith("unix:"):
        words += ["--unix-socket", backend.removeprefix("unix:")]
        backend = "http://localhost"
    command = shlex.join([*words, backend + request["target"]])
    notes = [f"# left out, masked: {', '.join(left_out)}"] if left_out else []
    if is_masked(request["target"]):
        notes.append("# the target holds masked values: put your own in their place")
    if request["method"] not in SAFE_METHODS:
        notes.append("# the request's body is not kept")
    return "\n".join([*notes, command])


def har(examples: Iterable[Json], backends: Mapping[str, str]) -> Json:
    """A HAR 1.2 document with two entries for each example: control's answer, then candidate's.

    `backends`: `legacy` and `new` -> URL as the config has it.
    """
    entries = [_entry(example, side, backends[_asked(example, side)]) for example in examples for side in _SIDES]
    creator = {"name": "changeover", "version": __version__}
    return {"log": {"version": "1.2", "creator": creator, "entries": entries}}


def _asked(example: Json, side: str) -> str:
    return "new" if side == "candidate" and example["kind"] == "candidate" else "legacy"


def _entry(example: Json, side: str, base_url: str) -> Json:
    request, answer = example["request"], example[side]
    return {
        "startedDateTime": datetime.fromtimestamp(request["at"], UTC).isoformat(),
        "time": answer["elapsed_ms"],
        "request": {
            "method": request["method"],
            "url": ("http://localhost" if base_url.startswith("unix:") else base_url) + request["target"],
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": _pairs(request["headers"]),
            "queryString": _pairs(parse_qsl(urlsplit(request["target"]).query, keep_blank_values=True)),
            "headersSize": -1,
            "bodySize": -1,
        },
        "response": _response(answer),
        "cache": {},
        "timings": {"send": 0, "wait": answer["elapsed_ms"], "receive": 0},
        "comment": f"{side} of {request['id']}, masked",
    }


def _response(answer: Json) -> Json:
    fields: dict[str, str] = dict(reversed(answer["headers"]))
    content: Json = {"size": answer["length"], "mimeType": fields.get("content-type", "")}
    if answer["body"] is not None:
        content["text"] = answer["body"]
    if answer["body"] is None or answer["is_body_cut"]:
        content["comment"] = "the body was cut" if answer["is_body_cut"] else "the body was not kept"
    return {
        "status": answer["status"],
        "statusText": _phrase(answer["status"]),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(answer["headers"]),
        "content": content,
        "redirectURL": fields.get("location", ""),
        "headersSize": -1,
        "bodySize": answer["length"],
    }


def _pairs(pairs: Iterable[Sequence[str]]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in pairs]


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in {each.value for each in HTTPStatus} else ""
