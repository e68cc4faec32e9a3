"""The OpenAPI 3.1 document: operations with what they have in common, and the schemas of their models.

Its dialect is JSON Schema 2020-12, as pydantic writes it. Answers may get fields: the document allows for it, where the
models don't.
"""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, TypeAdapter

from proxy import __version__
from proxy.admin.openapi.answers import Answer, Problem
from proxy.admin.openapi.files import FILE_OPERATIONS
from proxy.admin.openapi.operations import OPERATIONS, Operation, Query, Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REF = "#/components/schemas/{model}"
_SAFE = frozenset({"GET"})
_DESCRIPTION = (
    "Described in docs/admin-api.md. `HEAD` is answered wherever `GET` is. "
    "A query field without a value counts as not given."
)
_PROBLEM: Schema = {"application/problem+json": {"schema": {"$ref": REF.format(model="Problem")}}}


@cache
def openapi_document() -> dict[str, Any]:
    """The document of the JSON API, the files, the probes and the metrics. Not copied: don't change it."""
    schemas: dict[str, Schema] = {}
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in {**OPERATIONS, **FILE_OPERATIONS}.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation, schemas)
    _schema_of(Problem, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Changeover", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Where the listener asks who somebody is."}
            },
        },
    }


def _operation(method: str, path: str, operation: Operation, schemas: dict[str, Schema]) -> dict[str, Any]:
    is_probe = path in {"/livez", "/readyz"}
    parameters = [*map(_path_parameter, re.findall(r"\{(\w+)\}", path)), *map(_query_parameter, operation.query)]
    if method not in _SAFE:
        parameters.append(_who())
        if operation.is_tagged:
            parameters.append(_header("if-match", "The ETag of what was seen; refused (412) where it is another."))
    described: dict[str, Any] = {
        "operationId": _operation_id(method, path),
        "summary": operation.summary[0].upper() + operation.summary[1:],
        "responses": {
            "200": {"description": "As asked.", "content": _content(operation.answer_type, schemas)}
            | _answer_headers(method, operation),
            **_others(operation.also or {}),
            **({} if is_probe else _problems(method, operation)),
        },
    }
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": _schema_of(operation.body, schemas)}}
        described["requestBody"] = {"required": not operation.may_omit_body, "content": content}
    if is_probe:
        described["security"] = [{}]
    return described


def _operation_id(method: str, path: str) -> str:
    words = re.findall(r"\w+", path.replace("/api/v1", "").replace("/api/", ""))
    return "_".join([method.lower(), *words])


def _path_parameter(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameter(query: Query) -> Schema:
    parameter: Schema = {"name": query.name, "in": "query", "required": query.is_needed, "schema": query.schema}
    if query.text:
        parameter["description"] = query.text
    if query.is_repeated:
        parameter |= {"style": "form", "explode": True}
    return parameter


def _who() -> Schema:
    text = "Who asks, for the audit, in up to 64 printable ASCII characters; anything else counts as `api`."
    return _header("x-changeover-who", text)


def _header(name: str, text: str) -> Schema:
    return {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


def _answer_headers(method: str, operation: Operation) -> Schema:
    headers = {}
    if method in _SAFE and operation.is_tagged:
        headers["ETag"] = {"required": True, "schema": {"type": "string"}, "description": "To be sent as If-Match."}
    if operation.is_paged:
        headers["Link"] = {"schema": {"type": "string"}, "description": "The next page (RFC 8288), where there is one."}
    if operation.may_be_cut:
        text = "How many lines are there, where there would be more."
        headers["X-Changeover-Truncated"] = {"schema": {"type": "integer"}, "description": text}
    return {"headers": headers} if headers else {}


def _content(answer: Any, schemas: dict[str, Schema]) -> Schema:
    if isinstance(answer, str):
        return {answer: {"schema": {"type": "object" if answer.endswith("json") else "string"}}}
    return {"application/json": {"schema": _schema_of(answer, schemas)}}


def _others(also: Mapping[int, str]) -> Schema:
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": {kind: {"schema": {"type": "string"}}}}
        for status, kind in also.items()
    }


def _problems(method: str, operation: Operation) -> Schema:
    statuses = {400, 401, 421, 500, 503, *operation.problems}
    if method not in _SAFE:
        statuses |= {403, 412} if operation.is_tagged else {403}
    if operation.body is not None:
        statuses |= {408, 413}
    return {
        str(status): {"description": HTTPStatus(status).phrase, "content": _PROBLEM}
        for status in sorted(statuses - set(operation.also or {}))
    }


def _schema_of(model: Any, schemas: dict[str, Schema]) -> Schema:
    """The model's schema; what it is made of goes into `schemas`."""
    schema = TypeAdapter(model).json_schema(ref_template=REF)
    found: dict[str, Schema] = schema.pop("$defs", {})
    if isinstance(model, type) and issubclass(model, BaseModel):
        found[model.__name__] = schema
        schema = {"$ref": REF.format(model=model.__name__)}
    answers = {each.__name__ for each in _subclasses(Answer)}
    for name, each in found.items():
        schemas[name] = {key: value for key, value in each.items() if name not in answers or key != OPEN_KEY}
    return schema


OPEN_KEY = "additionalProperties"


def _subclasses(kind: type[Answer]) -> Iterable[type[Answer]]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)
