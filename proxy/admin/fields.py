"""Reads what a client sent: a strict JSON object or a query, each field known, typed and bounded.

A refusal says which field, which value and what is allowed; an unknown field is answered with the nearest known one.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

from starlette.requests import ClientDisconnect

from proxy.core.model import PERCENT_STEP
from proxy.core.resend import unsendable
from proxy.errors import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.requests import Request

MAX_BODY_BYTES = 65_536  # the largest honest body is a reason of a few lines
MAX_OWN_HEADERS = 20  # of a request that is sent again: a cookie, a token
MAX_TEXT_CHARACTERS = 1_000  # a reason is read in a table
BODY_TIMEOUT_S = 10.0  # 64 kB drip-fed longer than this is not an operator
# The percentage's decimal form is checked by PERCENT_STEP; longer numbers are cut off before they are expanded.
_MAX_EXPONENT = 10


async def read_object(request: Request, known: Collection[str], *, may_be_empty: bool = False) -> dict[str, Any]:
    """The request's body as a JSON object with no other than the `known` fields; numbers stay exact.

    Raises RequestRefused: 400 malformed or unknown field, 408 too slow, 413 larger than MAX_BODY_BYTES.
    """
    body = await read_body(request)
    if may_be_empty and not body.strip():
        return {}
    document = _parse(body)
    if not isinstance(document, dict):
        refuse(f"the body must be a JSON object such as {{{_example(known)}}}, not {_kind(document)}")
    refuse_unknown(document, known, "field")
    return document


def refuse(message: str) -> NoReturn:
    raise RequestRefused(400, message)


def refuse_unknown(given: Collection[str], known: Collection[str], noun: str) -> None:
    """Refuses the first name that nobody would read, with the nearest known one."""
    for name in given:
        if name not in known:
            refuse(unknown_name(name, known, noun))


def unknown_name(name: str, known: Collection[str], noun: str) -> str:
    """'unknown field "x": did you mean "y"?', or the list of what is known."""
    close = get_close_matches(name, known, n=1)
    allowed = ", ".join(sorted(known)) or "none"
    hint = f'did you mean "{close[0]}"?' if close else f"known: {allowed}"
    return f"unknown {noun} {json.dumps(name[:80])}: {hint}"


def text_field(document: Mapping[str, Any], name: str) -> str:
    """A text that must be there and say something."""
    value = optional_text_field(document, name)
    if not value:
        refuse(f'"{name}" is missing: say it in a few words, it goes into the audit log')
    return value


def optional_text_field(document: Mapping[str, Any], name: str) -> str | None:
    """A stripped text, or None where the field is missing, null or blank."""
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        refuse(f'"{name}" must be text, not {_kind(value)}')
    if len(value) > MAX_TEXT_CHARACTERS:
        refuse(f'"{name}" has {len(value)} characters: at most {MAX_TEXT_CHARACTERS} are kept')
    if not all(character.isprintable() or character in "\n\t" for character in value):
        refuse(f'"{name}" holds control characters: send plain text')
    return value.strip() or None


def texts_field(document: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts that must be there, as they are, each once."""
    value = document.get(name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        refuse(f'"{name}" must be a list of texts')
    if not value or len(set(value)) < len(value):
        refuse(f'"{name}" must name one thing at least, and each once')
    return value


def headers_field(document: Mapping[str, Any], name: str) -> dict[str, str]:
    """Header fields to send, by lower-case name; none where the field is missing or null. No refusal says a value."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        refuse(f'"{name}" must be an object of header names and their values, all of them texts')
    headers = {field.lower(): text.strip(" \t") for field, text in value.items()}
    if len(headers) < len(value) or len(value) > MAX_OWN_HEADERS:
        refuse(f'"{name}" must name each header once, whatever its case, and {MAX_OWN_HEADERS} at most')
    for field, text in headers.items():
        if fault := unsendable(field, text):
            refuse(f'"{name}": {json.dumps(field[:80])} can\'t be given: {fault}')
    return headers


def percentage_field(document: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """A number from 0 to 100 in steps of 0.001."""
    value = document.get(name, default)
    if value is None:
        refuse(f'"{name}" is missing: a number from 0 to 100')
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        refuse(f'"{name}" must be a number from 0 to 100, not {_kind(value)}')
    number = Decimal(str(value))
    if abs(number.adjusted()) > _MAX_EXPONENT or not PERCENT_STEP.match(format(number, "f")):
        refuse(f'"{name}" is {str(value)[:40]}: must be from 0 to 100 in steps of 0.001')
    return float(number)


def written_percentage(query: Mapping[str, str], name: str) -> float:
    """A percentage that comes as text, with a point or a comma: of a query or a form."""
    text = query.get(name, "").strip().replace(",", ".")
    try:
        return percentage_field({name: Decimal(text[:20])} if text else {}, name)
    except InvalidOperation:
        refuse(f'"{name}" is {text[:40]!r}: must be a number from 0 to 100')


def moment_field(document: Mapping[str, Any], name: str) -> float | None:
    """Unix seconds, or None."""
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value < 10**11:
        refuse(f'"{name}" must be a time in Unix seconds, not {str(value)[:40]}')
    return float(value)


def whole_field(query: Mapping[str, str], name: str, least: int, most: int, default: int | None) -> int | None:
    """A whole number of a query, within bounds."""
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
        refuse(f'the query field "{name}" is {text[:40]!r}: must be from {least} to {most}')
    return int(text)


def truth_field(document: Mapping[str, Any], name: str) -> bool:
    """True or false; false where the field is missing or null."""
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        refuse(f'"{name}" must be true or false, not {_kind(value)}')
    return bool(value)


def read_query(request: Request, known: Collection[str], repeatable: Collection[str] = ()) -> dict[str, str]:
    """The query's fields, each at most once (the `repeatable` ones are left to the caller)."""
    given = [name for name, _ in request.query_params.multi_items()]
    refuse_unknown(given, {*known, *repeatable}, "query field")
    for name in known:
        if given.count(name) > 1:
            refuse(f'the query field "{name}" is given {given.count(name)} times: send it once')
    return {name: value for name, value in request.query_params.items() if name in known and value}


async def read_body(request: Request) -> bytes:
    """The body as bytes. Raises RequestRefused: 408 too slow, 413 larger than MAX_BODY_BYTES."""
    stated = request.headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated) > MAX_BODY_BYTES:
        _refuse_size()
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BODY_BYTES:
                    _refuse_size()
                chunks.append(chunk)
    except TimeoutError:
        raise RequestRefused(408, f"the body did not arrive within {BODY_TIMEOUT_S:g} s") from None
    except ClientDisconnect:
        refuse("the client left before its body had arrived")
    return b"".join(chunks)


def _refuse_size() -> NoReturn:
    raise RequestRefused(413, f"the body is larger than {MAX_BODY_BYTES} bytes")


def _parse(body: bytes) -> Any:
    if not body.strip():
        refuse("the body is empty: send a JSON object")
    try:
        return json.loads(
            body.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_unique_members,
        )
    except UnicodeDecodeError as error:
        refuse(f"the body is not UTF-8: byte {error.start} is wrong")
    except json.JSONDecodeError as error:
        refuse(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}")
    except RecursionError:
        refuse("the body is nested too deeply")
    except ValueError as error:  # a number of more than 4,300 digits (sys.int_info.str_digits_check_threshold)
        refuse(f"the body holds an unreadable number: {error}")


def _refuse_constant(name: str) -> NoReturn:
    refuse(f"the body is not JSON: {name} is no number there (RFC 8259)")


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        refuse(f"the body states {json.dumps(twice[:80])} twice: state it once")
    return document


def _kind(value: Any) -> str:
    """The JSON name of a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number", Decimal: "a number"}
    return names[type(value)]


def _example(known: Collection[str]) -> str:
    return ", ".join(f'"{name}": …' for name in known)
