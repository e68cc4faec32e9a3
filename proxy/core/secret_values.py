"""Secrets found by what they look like, wherever they stand: tokens, keys, cards, e-mail addresses.

A text is searched in two steps. `suspects` looks for single characters that are rare in texts and part of a secret,
which costs a few per cent of a pass with the patterns; only where it finds one does `mask_values` make that pass.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from proxy.core.edits import edited
from proxy.core.mark import ends_with_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.core.edits import Edit

# Each begins with one character that is searched at memchr's speed, and looks at its neighbours only there.
_RARE = tuple(
    re.compile(pattern)
    for pattern in (
        r"J(?<=eyJ)[\w\-+/=.\\]{5}",
        r"A(?:KIA|SIA|Iza)[\w\-]{12}",
        r"_(?:(?<=[srp]k_)(?:live|test)_|(?<=gh[pousr]_)\w{20}|(?<=github_pat_)\w{20})",
        r"-(?:(?<=xox[abprs]-)\w|(?<=glpat-)\w|(?<=-----)BEGIN)",
        r"@[\w\[]",
        r"B(?:earer|EARER|asic|ASIC)",
    )
)
_SCHEMES = ("bearer", "basic ", "hooks.slack.com")

# One pass. Sources: RFC 7519 (a JWT begins with `{"`, in base64 `eyJ`; so does every JSON object in base64), RFC 6750
# §2.1, RFC 7617 §2, RFC 7468, and the prefixes that Stripe, AWS, Google, GitHub, GitLab and Slack publish for secret
# scanners. There is no \b in front: words may touch what was written before them.
_TOKENS = re.compile(
    r"(?P<token>eyJ[\w\-+/=.]{5,}+"
    r"|A(?:KIA|SIA)[0-9A-Z]{16}|AIza[\w\-]{35}"
    r"|(?<=hooks\.slack\.com/services/)[\w/]{8,}+"
    r"|[srp]k_(?:live|test)_\w{8,}+|gh[pousr]_\w{20,}+|github_pat_\w{20,}+|xox[abprs]-[\w\-]{8,}+|glpat-[\w\-]{16,}+"
    r"|-----BEGIN (?:\w++ )*PRIVATE KEY-----(?:[^\"<\-]++|-(?!----))*+-----END (?:\w++ )*PRIVATE KEY-----)"
    r"|(?i:bearer)(?:\s|%20|\+|\\[nrt]){1,4}+(?P<bearer>[\w.~+/\-]{8,}+=*+)"
    r"|(?i:basic)\s{1,4}+(?P<basic>[A-Za-z0-9+/_\-]{4,}+={0,2}+)"
)
# RFC 3986 §3.2: what stands between the slashes and the path, the query or the end.
_AUTHORITY = re.compile(r"://([^\s/?#\"'<>\\]++)")
# RFC 5321 §4.1.2, but for quoted local parts; written backwards for what stands in front of the "@".
_DOMAIN = re.compile(r"@(?!\dx\.)([\w\-]++(?:\.[\w\-]++)++)")
_LOCAL = re.compile(r"[\w.+\-%!~*$^|]++")
_MAX_LOCAL = 256  # RFC 5321 §4.5.3.1.1 allows 64

# ISO/IEC 7812: 13 to 19 digits whose first ones name the network, in a run or in the groups printed on cards.
_CARD = re.compile(
    r"[2-6](?<![0-9][0-9])"
    r"(?:[0-9]{12,18}+|[0-9]{3}([ \xa0.\-])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,3}+)?+"
    r"|[0-9]{3}([ \xa0.\-])[0-9]{6}\2[0-9]{4,5}+)"
    r"(?![0-9]|\.[0-9])"
)
# With every digit made a 0 and every separator a blank, the beginnings of such runs are found at the speed of a search
# for a string.
_AS_ZEROS = bytes(48 if 48 <= code <= 57 else 32 if code in b"-.\xa0" else code for code in range(256))
_WITHOUT_SEPARATORS = dict.fromkeys(map(ord, " \xa0.-"))
_CARD_BEGINNINGS = (b"0" * 13, b"0000 0000 0000 ", b"0000 000000 0000")
_NETWORKS = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|5[0-9]{15}|2[2-7][0-9]{14}"  # Mastercard, Maestro
    r"|3[47][0-9]{13}|3[0689][0-9]{12}|3[05689][0-9]{14,17}"  # American Express; Diners Club; JCB
    r"|6[0-9]{15,18}"  # Discover, UnionPay, Maestro, RuPay
)
_ZEROS = re.compile(rb"0*+")
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def suspects(text: str) -> Iterator[int]:
    """Indexes in the text, in no order, at which something may be part of such a secret; cards aside."""
    for rare in _RARE:
        for found in rare.finditer(text):
            yield found.start()
    for scheme in _SCHEMES:
        at = text.find(scheme)
        while at >= 0:
            yield at
            at = text.find(scheme, at + 1)


def cards(text: str) -> Iterator[tuple[int, int]]:
    """Where card numbers stand: by their length, network, and check digit (Luhn; ISO/IEC 7812-1 annex B)."""
    zeros = text.encode("latin-1", "replace").translate(_AS_ZEROS)  # one byte for each character
    for beginning in _CARD_BEGINNINGS:
        at = zeros.find(beginning)
        while at >= 0:
            found = _CARD.match(text, at) if text[at] in "23456" and not _is_fraction(text, at) else None
            if found is not None and _is_card(found[0]):
                yield found.span()
            at = zeros.find(beginning, _end_of_run(zeros, at + len(beginning)))


def _is_fraction(text: str, at: int) -> bool:
    """Whether the digits at this index are those behind a number's point."""
    return at >= 2 and text[at - 1] == "." and text[at - 2] in "0123456789"


def mask_values(text: str, mark: Callable[..., str]) -> str:
    """The text with everything masked that looks like a secret."""
    if next(suspects(text), None) is not None:
        text = _TOKENS.sub(lambda found: _masked_token(found, mark), text)
        if "@" in text:
            text = _mask_addresses(_AUTHORITY.sub(lambda found: _masked_authority(found, mark), text), mark)
    return edited(text, [(start, end, mark(text[start:end], "card")) for start, end in cards(text)])


def _masked_token(found: re.Match[str], mark: Callable[..., str]) -> str:
    kind = found.lastgroup or "token"
    secret = found[kind]
    if kind == "basic" and not _is_basic(secret):
        return found[0]
    return found[0][: found.start(kind) - found.start()] + mark(secret, "token")


def _is_basic(credentials: str) -> bool:
    """Whether it begins with base64 of `user:password`, and is no word after "basic". What follows may be a path's."""
    whole = credentials.rstrip("=")
    return b":" in b64decode(whole[: len(whole) // 4 * 4], b"-_")


def _masked_authority(found: re.Match[str], mark: Callable[..., str]) -> str:
    user, at, host = found[1].rpartition("@")
    return f"://{mark(user, 'token')}@{host}" if at else found[0]


def _mask_addresses(text: str, mark: Callable[..., str]) -> str:
    edits: list[Edit] = []
    for found in _DOMAIN.finditer(text):
        at = found.start()
        local = _LOCAL.match(text[max(at - _MAX_LOCAL, 0) : at][::-1])
        if local is not None and not found[1].rpartition(".")[2].isdigit() and not ends_with_mark(text, at):
            start = at - local.end()
            edits.append((start, found.end(), mark(text[start : found.end()], "email")))
    return edited(text, edits)


def _end_of_run(zeros: bytes, at: int) -> int:
    found = _ZEROS.match(zeros, at)
    return at if found is None else found.end()


def _is_card(written: str) -> bool:
    digits = written.translate(_WITHOUT_SEPARATORS)
    if _NETWORKS.fullmatch(digits) is None or len(set(digits)) == 1:
        return False
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0
