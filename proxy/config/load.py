"""From a file, a text or a document to a checked migration; all that is wrong is told at once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from proxy.config import file as config_file
from proxy.config.checks import backend_findings, backends_of, route_findings, warnings_of
from proxy.config.convert import migration_of
from proxy.config.faults import findings
from proxy.config.files import file_findings, file_warnings
from proxy.config.overrides import override
from proxy.config.places import Places, written
from proxy.config.scalars import described
from proxy.config.shape import BackendShape, MigrationShape, RouteShape, Shape, document_of
from proxy.config.source import Malformed, Source, compose
from proxy.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.config.places import Finding
    from proxy.core.model import Migration


_Part = TypeVar("_Part", bound=Shape)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A config that can be used.

    `document` is its content after environment overrides, JSON-able; the order of its routes counts. `digest` is the
    SHA-256 of the document. `overridden` maps keys (`routes.feeds.rollout.percentage`) to the variable that gave
    the value: an edit of the file has no effect there.
    """

    migration: Migration
    document: dict[str, Any]
    digest: str
    file: Path
    warnings: tuple[str, ...] = ()
    overridden: Mapping[str, str] = field(default_factory=dict)


def load(file: Path, environ: Mapping[str, str]) -> Loaded:
    """The config in a file. Raises ConfigError with every problem; also when the file can't be read."""
    return parse(config_file.read(file), str(file), environ)


def parse(text: str, file: str, environ: Mapping[str, str]) -> Loaded:
    """The config in a text; `file` is what problems name. Raises ConfigError with every problem."""
    lines = tuple(text.splitlines())
    source = _compose(text, file, lines)
    changed = override(source.value, environ)
    places = Places(source, lines, changed.variables)
    problems = [places.fault(fault) for fault in source.faults]
    empty = {fault.loc for fault in source.faults}
    shape, found = _validate(changed.document)
    found += file_findings(_sound_backends(changed.document))
    # A value that couldn't be read is told once: by the reader.
    problems += [places.problem(finding) for finding in found if finding.loc not in empty or finding.is_about_key]
    problems += changed.problems
    if problems or shape is None:
        raise ConfigError(file, _in_order(problems))
    return Loaded(
        migration=migration_of(shape),
        document=(document := document_of(shape)),
        digest=digest_of(document),
        file=Path(file),
        warnings=(*_warnings(shape, places, file), *changed.warnings),
        overridden={written(loc): variable for loc, variable in changed.variables.items()},
    )


def build(document: Mapping[str, Any]) -> Migration:
    """The migration of a document that `parse` made. Raises ConfigError; its problems have keys but no lines."""
    shape, found = _validate(dict(document))
    if found or shape is None:
        raise ConfigError("document", tuple(Places().problem(finding) for finding in found))
    return migration_of(shape)


def digest_of(document: Mapping[str, Any]) -> str:
    """The SHA-256 of a document. Keys are not sorted: the order of routes decides which one matches."""
    return hashlib.sha256(json.dumps(document, ensure_ascii=False).encode()).hexdigest()


def _compose(text: str, file: str, lines: tuple[str, ...]) -> Source:
    try:
        source = compose(text)
    except Malformed as error:
        raise ConfigError(file, (Places(lines=lines).fault(error.fault),)) from error
    if source is None:
        message = "the file is empty; a config begins with version: 1"
        raise ConfigError(file, (Problem(1, 1, "", message, Places(lines=lines).line(1)),))
    if not isinstance(source.value, dict):
        line, column = source.position(())
        message = f"the file holds {described(source.value)}, not a mapping; a config begins with version: 1"
        raise ConfigError(file, (Problem(line, column, "", message, Places(lines=lines).line(line)),))
    return source


def _validate(document: dict[str, Any]) -> tuple[MigrationShape | None, list[Finding]]:
    """The shape of a document and what is wrong with it; the shape is None when a single value is."""
    try:
        shape = MigrationShape.model_validate(document)
    except ValidationError as error:
        found = findings(error.errors(include_url=False))
        routes, backends = _sound_routes(document), _sound_backends(document)
        return None, [*found, *backend_findings(backends), *route_findings(routes)]
    return shape, [*backend_findings(backends_of(shape)), *route_findings(shape.routes)]


def _sound_routes(document: dict[str, Any]) -> dict[str, RouteShape]:
    return _sound(document.get("routes"), RouteShape)


def _sound_backends(document: dict[str, Any]) -> dict[str, BackendShape]:
    return _sound(document.get("backends"), BackendShape)


def _sound(parts: Any, kind: type[_Part]) -> dict[str, _Part]:
    """The parts that are fine by themselves, so that what is wrong between them is told in the same run."""
    sound = {}
    for name, part in parts.items() if isinstance(parts, dict) else ():
        try:
            sound[name] = kind.model_validate(part)
        except ValidationError:
            continue
    return sound


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Each problem once, in the file's order, those of variables last."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda each: (each.line == 0, each.line, each.column)))


def _warnings(shape: MigrationShape, places: Places, file: str) -> list[str]:
    findings = [*warnings_of(shape), *file_warnings(backends_of(shape))]
    found = _in_order([places.problem(finding) for finding in findings])
    return [
        f"{file}:{each.line}:{each.column}: {each.path}: {each.message}"
        if each.line
        else f"{each.path}: {each.message}"
        for each in found
    ]
