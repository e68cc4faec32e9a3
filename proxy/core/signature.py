"""Which group a difference belongs to: route, kind, generalised path, shape. Values never enter it.

`ALGORITHM` is part of every id and grows with each change to what goes into one, so that old ids are never mixed
up with new ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from proxy.core.paths import EACH, MapKey, Path

if TYPE_CHECKING:
    from proxy.core.difference import Difference, Kind

ALGORITHM = 3

# Member names that are data, as in {"users": {"42": …}}: numbers, UUIDs (RFC 9562), long hexadecimal digests, ULIDs,
# days, e-mail addresses, ids with a prefix (`user_1042`), slugs with a year or an id in them (`new-york-2024`), and
# what has been masked (`mark`), as addresses are. Each matches in one way only, so that a name of a megabyte takes no
# more than its length. Other slugs are told by what they stand in (`walk.is_map`).
_ID = re.compile(
    r"""
    [0-9]+
    | [0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}
    | (?=.*[0-9])[0-9a-fA-F]{12,}
    | [0-7][0-9A-HJKMNP-TV-Z]{25}
    | [0-9]{4}-[0-9]{2}-[0-9]{2}(?:T.*)?
    | [^@\s]+@[^@\s][^@\s.]*\.[^@\s]+
    | [A-Za-z]+[_\-:][0-9]{3,}
    | (?=(?:[A-Za-z0-9]*-)*[0-9]{4,}(?:-|\Z))[A-Za-z0-9]+(?:-[A-Za-z0-9]+)+
    | masked:[a-z]+:[0-9a-f]{12}
    """,
    re.VERBOSE,
)
PLACEHOLDER = "{id}"


@dataclass(frozen=True, slots=True)
class Signature:
    """A group of differences. `path` is as an operator would write it in `ignore`: `$.items[*].date`, `header` names.

    `id` is 12 hex digits, the same on every node.
    """

    id: str
    route: str
    kind: Kind
    path: str
    shape: str


def sign(route: str, difference: Difference) -> Signature:
    """The group of a difference found on this route."""
    path = general_path(difference)
    text = "\0".join((str(ALGORITHM), route, difference.kind, path, difference.change))
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Signature(digest[:12], route, difference.kind, path, difference.change)


def place_id(signature: Signature) -> str:
    """The id of where a signature differs, whatever the shape: 12 hex digits as a signature's, and never one's own."""
    text = "\0".join((str(ALGORITHM), "place", signature.route, signature.kind, signature.path))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def general_path(difference: Difference) -> str:
    """The path without what is data in it: `[*]` for indexes, `{id}` for names that are ids."""
    if difference.kind == "status":
        return "status"
    if difference.kind == "header":
        return ".".join(general_name(str(part)) for part in difference.path)
    return str(Path(tuple(EACH if isinstance(part, int) else general_name(part) for part in difference.path)))


def general_name(name: str) -> str:
    """The name, or what stands for all that are ids."""
    return PLACEHOLDER if isinstance(name, MapKey) or _ID.fullmatch(name) else name
