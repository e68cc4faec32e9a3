"""Max-Forwards: how many more proxies a request may pass (RFC 9110 §7.6.2).

It means something for OPTIONS and TRACE only, and TRACE is refused before. What the end of the way answers is not
decided here.
"""

from __future__ import annotations

from proxy.errors import RequestRefused

ANSWER_HERE = -1  # what is left when 0 came
# "The recipient's maximum supported value", which the RFC leaves open; as for delta-seconds (RFC 9111 §1.2.2).
MAX_SUPPORTED = 2_147_483_647
_MOST_DIGITS = 10


def next_max_forwards(method: str, values: list[bytes] | None) -> int | None:
    """The Max-Forwards to forward in place of these values, one less than came.

    ANSWER_HERE: the request goes no further, it is to be answered here. None: the field, if there is one, passes
    untouched. Raises RequestRefused (400) for OPTIONS with a value that isn't one whole number.
    """
    if values is None or method != "OPTIONS":
        return None
    if len(values) != 1:
        raise RequestRefused(400, f"the request has {len(values)} Max-Forwards fields; send one")
    (value,) = values
    if not value.isdigit():  # ASCII digits only, as these are bytes
        raise RequestRefused(400, "Max-Forwards is not a whole number")
    digits = value.lstrip(b"0") or b"0"
    return MAX_SUPPORTED if len(digits) > _MOST_DIGITS else min(int(digits) - 1, MAX_SUPPORTED)
