"""What keys mean together: equal routes, groups that disagree, TLS without https, settings that have no effect.

Only what the document says counts here, so that every process judges it alike; files are looked at in `files`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proxy.config import scalars
from proxy.config.convert import match_of
from proxy.config.places import Finding

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from proxy.config.shape import BackendShape, MigrationShape, RouteShape
    from proxy.config.source import Loc

_PARAMETER_NAME = re.compile(r"\{[^:{}]*")


def route_findings(routes: Mapping[str, RouteShape]) -> list[Finding]:
    """What is wrong between routes that are each fine by themselves."""
    return [*_equal_routes(routes), *_disagreeing_groups(routes)]


def _equal_routes(routes: Mapping[str, RouteShape]) -> list[Finding]:
    first: dict[Hashable, str] = {}
    findings = []
    for name, route in routes.items():
        earlier = first.setdefault(_meaning(route), name)
        if earlier != name:
            message = (
                f"matches the same requests as the route {earlier!r} ({{other}}), so it would never be used; "
                "change one match or remove one route"
            )
            findings.append(Finding(_at(name, "match"), message, other=_at(earlier, "match")))
    return findings


def _meaning(route: RouteShape) -> Hashable:
    """A match without what makes no difference: the parameters' names in a template, the order of methods."""
    match = match_of(route.match)
    is_template = match.kind == "path"
    pattern = _PARAMETER_NAME.sub("{", match.pattern) if is_template else match.pattern
    return match.kind, pattern.replace(":str}", "}") if is_template else pattern, match.methods, match.host


def _disagreeing_groups(routes: Mapping[str, RouteShape]) -> list[Finding]:
    """Law 2: one user, one side, in every route of a group."""
    stated: dict[str, tuple[str, int]] = {}
    findings = []
    for name, route in routes.items():
        percentage = route.rollout.percentage
        if percentage is None:
            continue
        group = route.rollout.group or name
        first, wanted = stated.setdefault(group, (name, percentage))
        if percentage != wanted:
            message = (
                f"{scalars.percentage_number(percentage)} here, {scalars.percentage_number(wanted)} in the route "
                f"{first!r} ({{other}}), and both are in the group {group!r}, whose routes move together; "
                "write one percentage, or leave it out here"
            )
            here, there = _at(name, "rollout", "percentage"), _at(first, "rollout", "percentage")
            findings.append(Finding(here, message, other=there))
    return findings


def backend_findings(backends: Mapping[str, BackendShape]) -> list[Finding]:
    """What is wrong between the keys of a backend; by side."""
    findings = []
    for side, backend in backends.items():
        if side == "legacy" and "breaker" in backend.model_fields_set:
            message = (
                "legacy has no breaker: nothing stands in for legacy, so its users have nowhere else to go; "
                "remove it, or write it under new"
            )
            findings.append(Finding(("backends", side, "breaker"), message, is_about_key=True))
        if side == "legacy" and "version_header" in backend.model_fields_set:
            message = "only new's version is noted with differences; write it under backends.new"
            findings.append(Finding(("backends", side, "version_header"), message, is_about_key=True))
        tls = backend.tls
        if "tls" in backend.model_fields_set and scalars.backend_address(backend.url).scheme != "https":
            message = f"has no effect on {backend.url}; write https:// there, or remove tls"
            findings.append(Finding(("backends", side, "tls"), message, is_about_key=True))
        for given, missing in (("certificate", "key"), ("key", "certificate")):
            if getattr(tls, given) is not None and getattr(tls, missing) is None:
                message = f"needs {missing} beside it; give both or neither"
                findings.append(Finding(("backends", side, "tls", given), message, is_about_key=True))
    return findings


def warnings_of(shape: MigrationShape) -> list[Finding]:
    """What is allowed and probably not meant."""
    findings = []
    legacy, new = shape.backends.legacy.url, shape.backends.new.url
    if scalars.backend_address(legacy) == scalars.backend_address(new):
        message = "legacy and new are the same address, so every comparison compares legacy with itself"
        findings.append(Finding(("backends", "new", "url"), message))
    for side, backend in backends_of(shape).items():
        if not backend.tls.verify:
            message = (
                f"the certificate of {backend.url} is not verified: whoever is in between can read and change "
                "every request and answer; give its ca instead"
            )
            findings.append(Finding(("backends", side, "tls", "verify"), message))
    if not shape.users.key and shape.users.without_key == "legacy":
        message = "no user has a key and users without a key stay on legacy, so no percentage has an effect"
        findings.append(Finding(("users",), message))
    for name, route in shape.routes.items():
        if "shadow" in route.model_fields_set and "percentage" not in route.shadow.model_fields_set:
            findings.append(Finding(_at(name, "shadow"), "has no percentage, so nothing is shadowed"))
    return findings


def backends_of(shape: MigrationShape) -> dict[str, BackendShape]:
    """The backends by side, in the file's usual order."""
    return {"legacy": shape.backends.legacy, "new": shape.backends.new}


def _at(route: str, *keys: str) -> Loc:
    return ("routes", route, *keys)
