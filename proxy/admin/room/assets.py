"""The files that pages need beside their HTML: read once, named by their content, so that a browser keeps them.

`static/manifest.json` says of each where it comes from; what isn't listed there is not served.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from starlette.responses import Response

from proxy.admin.render import STATIC
from proxy.errors import NotFound

if TYPE_CHECKING:
    from starlette.requests import Request

PATH = "/static/{name}"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_DIGEST_CHARACTERS = 12
# RFC 8246: what is asked for by the digest of its content never changes.
_KEPT = "public, max-age=31536000, immutable"
_HEADERS = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    media_type: str
    version: str


@cache
def assets() -> dict[str, Asset]:
    """Name -> file, of all that the manifest lists."""
    listed = json.loads((STATIC / "manifest.json").read_text())["files"]
    return {each["file"]: _read(each["file"]) for each in listed}


def asset_url(name: str) -> str:
    """Where a page finds a file; another address whenever its content is another."""
    return f"{PATH.format(name=name)}?v={assets()[name].version}"


async def answer_asset(request: Request) -> Response:
    name = request.path_params["name"]
    found = assets().get(name)
    if found is None:
        raise NotFound(f"file {name!r}: not among the control room's")
    is_versioned = request.query_params.get("v") == found.version
    headers = {**_HEADERS, "cache-control": _KEPT if is_versioned else "no-cache"}
    return Response(found.content, media_type=found.media_type, headers=headers)


def _read(name: str) -> Asset:
    path = STATIC / name
    content = path.read_bytes()
    return Asset(content, _TYPES[path.suffix], sha256(content).hexdigest()[:_DIGEST_CHARACTERS])
