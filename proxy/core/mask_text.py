"""Secrets masked in text of any kind: by what they look like, and by the names in front of them.

Nothing here knows the text's grammar; every pattern is linear in the text's length. What it finds is more than
the secrets (`password: required` on a page is masked too), and never changes what isn't a value.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.secret_names import SecretNames

# By value: a needle (in lower case) that must occur, and as group 1 what to mask. Sources: RFC 7519 (a JWT begins
# with `{"`, in base64 `eyJ`; so does every JSON object in base64), RFC 6750 §2.1, RFC 7468, RFC 3986 §3.2.1,
# and the prefixes that Stripe, AWS, GitHub and Slack publish for secret scanners. There is no \b in front,
# because in JSON text an escape (`\n`) may stand there; `_NO_ESCAPE` keeps the last digit of one (`\u000e`) out.
_NO_ESCAPE = r"(?<!\\u[0-9a-fA-F]{3})"
_VALUES = tuple(
    (needle, re.compile(pattern))
    for needle, pattern in (
        ("eyj", _NO_ESCAPE + r"(eyJ[\w\-+/=.]{5,}+)"),
        ("bearer", r"(?i:bearer)(?:\s|%20|\+|\\[nrt]){1,4}+([\w.~+/\-]{8,}+=*+)"),
        (
            "private key-----",
            r"(-----BEGIN (?:\w++ )?PRIVATE KEY-----(?:[^\"<\-]++|-(?!----))*+-----END (?:\w++ )?PRIVATE KEY-----)",
        ),
        ("://", r"://([^\s/?#:@\"'<>\\]*+:[^\s/?#@\"'<>\\]++)@"),
        ("sk_", r"(sk_(?:live|test)_\w{8,}+)"),
        ("akia", _NO_ESCAPE + r"(AKIA[0-9A-Z]{16})"),
        ("gh", r"(gh[pousr]_\w{20,}+)"),
        ("github_pat_", r"(github_pat_\w{20,}+)"),
        ("xox", r"(xox[abprs]-[\w\-]{8,}+)"),
    )
)
_MARKED = "masked:"
_MARK = re.compile(_MARKED + r"[a-z]+:[0-9a-f]{12}")
# Every run of name characters is tried once, from its beginning: a look-behind keeps long runs linear.
_PARAMETER = re.compile(r"[?&;#6]([\w.\-\[\]%]++)=")  # 6 for \u0026; quick, and finds too much
_QUERY = re.compile(r"(?P<before>[?&;#]|\\u0026)(?P<name>[\w.\-\[\]%]++)=(?P<value>[^&;#\s\"'<>\\]++)")
_NAME = re.compile(
    r"(?<![\w.\-%\[\]\\])(?P<name>[\w.\-%\[\]\\]++)"
    r"(?:[\"']\s*+(?P<quoted_sign>[:=])\s*+|[ \t]*+(?P<sign>[:=])[ \t]*+)"
)
_UNICODE_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
# The value after a name: in quotes, or to the end of what such a value can be. A colon may be followed by several
# words ("Password: correct horse"), an equals sign by one.
_QUOTED = re.compile(r"([\"'`])((?:(?!\1)[^\\\r\n]|\\.)*+)\1")
_WORDS = re.compile(r"[^\r\n<>\"'&,;{}\[\]]++")
_WORD = re.compile(r"[^\s<>\"'&,;]++")
_LINE = re.compile(r"[^\r\n]*+")
_TAG = re.compile(r"<(?:input|meta|button|option|param)\b[^<>]*+>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"(?<![\w\-:])([\w\-:]++)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'<>]++))")
_CDATA = r"\s*+<!\[CDATA\[(?:[^<\]]++|\](?!\]>)|<(?!!\[CDATA))*+\]\]>"
_ELEMENT = re.compile(rf"<(?P<name>[\w:.\-]++)(?:\s[^<>]*+)?>(?P<value>{_CDATA}|[^<>]++)(?=</)")
_decoder = json.JSONDecoder()


def mask_values(text: str, mark: Callable[..., str]) -> str:
    """The text with everything masked that looks like a token or key, or like a password in a URL."""
    lowered = text.lower()
    for needle, pattern in _VALUES:
        if needle in lowered:
            text = pattern.sub(lambda found: _with_group(found, mark), text)
    return text


def mask_queries(text: str, names: SecretNames, mark: Callable[..., str]) -> str:
    """The text with the secret parameters of URLs in it masked."""
    if not any(names.has(unquote(name)) for name in set(_PARAMETER.findall(text))):
        return text

    def replace(found: re.Match[str]) -> str:
        if not names.has(unquote(found["name"])):
            return found[0]
        return f"{found['before']}{found['name']}={_marked(unquote(found['value']), mark)}"

    return _QUERY.sub(replace, text)


def mask_pairs(text: str, names: SecretNames, mark: Callable[..., str]) -> str:
    """The text with the value masked after each secret name and `=` or `:`, as scripts, settings and logs have it."""
    if not any(names.has(_plain_name(name)) for name in {found[0] for found in _NAME.findall(text)}):
        return text
    parts: list[str] = []
    copied = 0
    for found in _NAME.finditer(text):
        if found.start() < copied or _MARK.match(text, max(found.start() - len(_MARKED), 0)):
            continue  # inside a value that is masked, or in a mark, as `masked:token:`
        if names.has(_plain_name(found["name"])):
            start, end, replacement = _value_after(text, found, mark)
            parts += (text[copied:start], replacement)
            copied = end
    return "".join((*parts, text[copied:]))


def mask_markup(text: str, names: SecretNames, mark: Callable[..., str]) -> str:
    """HTML or XML with the values of secret inputs and meta tags masked, and the text of secret elements."""

    def tag(found: re.Match[str]) -> str:
        return _masked_tag(found[0], names, mark)

    def element(found: re.Match[str]) -> str:
        if not names.has(found["name"].rpartition(":")[2]):
            return found[0]
        start = found.start("value") - found.start()
        return found[0][:start] + _marked(found["value"], mark)

    return _ELEMENT.sub(element, _TAG.sub(tag, text))


def _with_group(found: re.Match[str], mark: Callable[..., str]) -> str:
    start, end = found.start(1) - found.start(), found.end(1) - found.start()
    return found[0][:start] + mark(found[1], "token") + found[0][end:]


def _plain_name(name: str) -> str:
    """The name without percent encoding and, as in broken JSON, without escapes."""
    return unquote(_UNICODE_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), name))


def is_mark(value: str) -> bool:
    """Whether the value has been masked already."""
    return _MARK.fullmatch(value) is not None


def _marked(value: str, mark: Callable[..., str]) -> str:
    return value if is_mark(value) or not value.strip() else mark(value)


def _value_after(text: str, name: re.Match[str], mark: Callable[..., str]) -> tuple[int, int, str]:
    """Where the value of a found name begins and ends, and its mark."""
    start = name.end()
    quoted = _QUOTED.match(text, start)
    if quoted is not None:
        return quoted.start(2), quoted.end(2), _marked(quoted[2], mark)
    if text.startswith(("{", "["), start):
        end = _bracketed_end(text, start)
        return start, end, f'"{mark(text[start:end], "object")}"'
    bare = (_WORD if "=" in (name["sign"], name["quoted_sign"]) else _WORDS).match(text, start)
    return (start, start, "") if bare is None else (start, bare.end(), _marked(bare[0], mark))


def _bracketed_end(text: str, start: int) -> int:
    """The end of the JSON value that begins at `start`; of the line where it isn't JSON (too much, and linear)."""
    try:
        return _decoder.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        line = _LINE.match(text, start)
        return line.end() if line is not None else start


def _masked_tag(tag: str, names: SecretNames, mark: Callable[..., str]) -> str:
    attributes = {found[1].lower(): found for found in _ATTRIBUTE.finditer(tag)}
    labels = [_attribute(attributes[name]) for name in ("name", "id", "autocomplete", "type") if name in attributes]
    if not any(names.has(label) for label in labels):
        return tag
    for name in ("value", "content"):
        found = attributes.get(name)
        if found is not None:
            group = next(group for group in (2, 3, 4) if found[group] is not None)
            return tag[: found.start(group)] + _marked(found[group], mark) + tag[found.end(group) :]
    return tag


def _attribute(found: re.Match[str]) -> str:
    return next(value for value in found.group(2, 3, 4) if value is not None)
