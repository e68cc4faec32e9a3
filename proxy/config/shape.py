"""The shape of `migration.yaml`: every key, with its kind, its default and a sentence for editors.

The models say what each key alone may be. What keys mean together is checked in `convert`; the defaults of the
values that travel are those of `proxy.core.model`. Percentages are held here as whole thousandths.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    model_validator,
)
from pydantic import WithJsonSchema as Schema

from proxy.config import rule_scalars, scalars
from proxy.core.model import VERSION_HEADER, Match
from proxy.core.routes import compile_match

Millipercent = Annotated[
    int,
    PlainValidator(scalars.millipercent),
    PlainSerializer(scalars.percentage_number),
    Schema({"type": "number", "minimum": 0, "maximum": 100}),
]
Tolerance = Annotated[
    float | str,
    PlainValidator(rule_scalars.tolerance),
    Schema(
        {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,6})? ?%$"}]}
    ),
]
Decimals = Annotated[
    int, PlainValidator(rule_scalars.decimals), Schema({"type": "integer", "minimum": 0, "maximum": 15})
]
Distance = Annotated[
    float,
    PlainValidator(rule_scalars.distance),
    Schema({"type": "number", "minimum": 0, "maximum": rule_scalars.MAX_DISTANCE}),
]
Version = Annotated[int, PlainValidator(scalars.version), Schema({"const": 1})]
Duration = Annotated[
    str,
    PlainValidator(scalars.duration),
    Schema({"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m)$"}),
]
Name = Annotated[str, AfterValidator(scalars.name)]
Header = Annotated[str, AfterValidator(scalars.header)]
Text = Annotated[str, AfterValidator(scalars.text)]
JsonPath = Annotated[str, AfterValidator(scalars.json_path)]
PemFile = Annotated[str, AfterValidator(scalars.pem_file), Field(json_schema_extra={"pattern": "^/"})]
Place = Annotated[str, AfterValidator(rule_scalars.place)]
Equation = Annotated[str, PlainValidator(rule_scalars.equation), Schema({"enum": list(rule_scalars.EQUATIONS)})]
UrlPath = Annotated[str, AfterValidator(scalars.url_path)]
KINDS: tuple[Literal["path", "prefix", "regex"], ...] = ("path", "prefix", "regex")


def _regex(value: str) -> str:
    try:
        compile_match(Match("regex", value))
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from error
    return value


def _template(value: str) -> str:
    compile_match(Match("path", scalars.url_path(value)))
    return value


def _distinct_headers(value: Any) -> Any:
    """The mapping, unless two of its keys are one header in different case (RFC 9110 §5.1)."""
    names = [str(name).lower() for name in value] if isinstance(value, dict) else []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the header {twice[0]!r} is given twice, in different case; keep one")
    return value


class Shape(BaseModel):
    """What all parts of the file share: no unknown keys, no guessing of types, no change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TimeoutShape(Shape):
    connect: Duration = Field("2s", description="To open a connection.")
    read: Duration = Field("30s", description="Between two pieces of an answer.")
    write: Duration = Field("30s", description="Between two pieces of a request.")
    pool: Duration = Field("1s", description="To wait for a free connection.")


class HealthShape(Shape):
    path: UrlPath = Field(description="Asked with GET; a status below 500 is good.")
    interval: Duration = Field("2s", description="Time from one probe to the next.")
    timeout: Duration = Field("2s", description="To answer a probe, in all; later is bad.")
    healthy_after: int = Field(2, ge=1, le=100, description="Good probes in a row that make an ill backend healthy.")
    unhealthy_after: int = Field(2, ge=1, le=100, description="Bad probes in a row that make a healthy backend ill.")


class BreakerShape(Shape):
    enabled: bool = Field(default=True, description="false: users of new stay on new, whatever its answers are.")
    failure_percentage: int = Field(
        50, ge=1, le=100, description="It opens when so many requests in a hundred got no answer, or 502, 503 or 504."
    )
    window: Duration = Field("10s", description="The time over which requests are counted.")
    min_requests: int = Field(
        20, ge=1, le=1_000_000, description="It opens only after so many requests of one worker within the window."
    )
    cool_down: Duration = Field(
        "5s", description="How long it stays open; doubled up to a minute when it opens anew. Then new is tried."
    )


class TlsShape(Shape):
    ca: PemFile | None = Field(None, description="PEM file of the authorities to trust, in place of the system's.")
    server_name: Annotated[str, AfterValidator(scalars.server_name)] | None = Field(
        None, description="The name to ask for and to find in the certificate, in place of the URL's host."
    )
    certificate: PemFile | None = Field(
        None, description="PEM file of the certificate to show to the backend, then its chain; needs key."
    )
    key: PemFile | None = Field(None, description="PEM file of the certificate's private key, without passphrase.")
    verify: bool = Field(
        default=True, description="false: believe any certificate. Whoever is in between reads and changes everything."
    )


class BackendShape(Shape):
    url: Annotated[str, AfterValidator(scalars.backend_url)] = Field(
        description="http://host:port, https://host:port or unix:/path. No URL path: requests keep theirs.",
        json_schema_extra={"pattern": "^(https?://[^/?#@]+/?|unix:/.*[^/])$"},
    )
    timeout: TimeoutShape = Field(TimeoutShape(), description="How long each phase of an exchange may take.")
    connections: int = Field(
        256,
        ge=1,
        le=65_535,
        description="The most connections of a worker to this backend at a time, for users; and as many for shadows.",
    )
    health: HealthShape | None = Field(None, description="An active probe; without it a backend counts as healthy.")
    breaker: BreakerShape = Field(
        BreakerShape(), description="Sends users of new to legacy while new's answers fail. Only new has one."
    )
    tls: TlsShape = Field(TlsShape(), description="How a backend with https is known, and we to it.")
    version_header: Header = Field(
        VERSION_HEADER, description="The header in which new names its version, noted with each difference."
    )


class BackendsShape(Shape):
    legacy: BackendShape = Field(
        description="The backend that is to be switched off one day.",
        json_schema_extra={"not": {"anyOf": [{"required": ["breaker"]}, {"required": ["version_header"]}]}},
    )
    new: BackendShape = Field(description="The backend that takes over.")


class UsersShape(Shape):
    key: list[Annotated[str, AfterValidator(scalars.key_source)]] = Field(
        [],
        description="Where a user's key is: header:NAME, cookie:NAME or jwt:CLAIM; the first that is present wins.",
    )
    without_key: Literal["cookie", "legacy"] = Field(
        "legacy", description="Users without a key: cookie issues one to them, legacy keeps them on legacy."
    )
    salt: Annotated[str, AfterValidator(scalars.salt)] = Field(
        description="Any text. It makes this assignment of users its own; a new salt reshuffles all users.",
        json_schema_extra={"minLength": 1},
    )


class PinShape(Shape):
    backend: Literal["legacy", "new"] = Field(description="Where these users go, whatever the percentage.")
    users: list[Text] = Field([], description="Keys of users, as text.")
    header: Annotated[dict[Header, Text], BeforeValidator(_distinct_headers)] = Field(
        {}, description="Headers and their exact values; one that agrees is enough."
    )

    @model_validator(mode="after")
    def _has_somebody(self) -> PinShape:
        if not self.users and not self.header:
            raise ValueError("pins nobody; give it users: [...] or header: {name: value}")
        return self


class RedactShape(Shape):
    headers: list[Header] = Field([], description="Headers to mask, beyond the built-in list.")
    fields: list[JsonPath] = Field([], description="JSON fields to mask, as paths, beyond the built-in list.")


class MatchShape(Shape):
    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [kind]} for kind in KINDS]},
    )

    path: Annotated[str, AfterValidator(_template)] | None = Field(
        None, description="A template for the whole path: /api/feeds/{id}, /files/{rest:path}."
    )
    prefix: UrlPath | None = Field(None, description="What the path begins with.")
    regex: Annotated[str, AfterValidator(_regex)] | None = Field(
        None, description="A regular expression for the whole path."
    )
    methods: list[Annotated[str, AfterValidator(scalars.method)]] | None = Field(
        None, min_length=1, description="Request methods in upper case; without it any."
    )
    host: Annotated[str, AfterValidator(scalars.host)] | None = Field(
        None, description="The host that users ask for, without port; without it any."
    )

    @model_validator(mode="after")
    def _has_one_kind(self) -> MatchShape:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if not given:
            raise ValueError("matches nothing; give it path, prefix or regex")
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}; keep one of them")
        return self


class RolloutShape(Shape):
    percentage: Millipercent | None = Field(None, description="How many users are on new: 0 to 100 in steps of 0.001.")
    group: Name | None = Field(
        None, description="Routes of one group move together; without it a route is its own group."
    )


class ShadowShape(Shape):
    percentage: Millipercent = Field(
        0, description="How many requests are sent to the other backend as well: 0 to 100 in steps of 0.001."
    )
    writes: bool = Field(default=False, description="Shadow unsafe methods too: POST, PUT, PATCH, DELETE.")
    timeout: Duration = Field("5s", description="How long a shadow request may take in all.")


class NoiseShape(Shape):
    percentage: Millipercent = Field(
        0, description="How many requests are sent to legacy twice, to learn what differs by itself."
    )


class ImagesShape(Shape):
    enabled: bool = Field(default=True, description="false: pictures of this route are compared byte by byte.")
    distance: Distance = Field(4.0, description="By how many percent a colour may be off, in 8 × 8 parts of a picture.")


class CompareShape(Shape):
    ignore: list[Place] = Field([], description="What may differ: JSON paths, and header:NAME.")
    headers: list[Annotated[str, AfterValidator(rule_scalars.comparable_header)]] = Field(
        [], description="Headers that are compared although they are not by default, such as server."
    )
    unordered: list[JsonPath] = Field([], description="Lists whose order means nothing.")
    keys: dict[JsonPath, Text] = Field({}, description="Lists whose items are told apart by a member: path -> member.")
    tolerance: dict[Place, Tolerance] = Field(
        {}, description="By how much numbers may differ: path -> number, or share as 0.5%."
    )
    round: dict[Place, Decimals] = Field({}, description="Numbers that are compared rounded: path -> decimals.")
    time_window: dict[Place, Duration] = Field({}, description="How far points in time may be apart: path -> duration.")
    pattern: dict[Place, Annotated[str, AfterValidator(rule_scalars.form)]] = Field(
        {},
        description="Values that may differ if both have a form: path -> uuid, datetime, date, url, integer, number, "
        "hex, masked, or a regular expression.",
    )
    equate: dict[Place, Annotated[list[Equation], Field(min_length=1)]] = Field(
        {}, description="What means the same: path -> equations, as [null=missing, empty=null]."
    )
    images: ImagesShape | None = Field(
        None, description="Compare pictures by format, size and look; a fingerprint of each leaves the worker."
    )
    noise: NoiseShape = Field(NoiseShape(), description="Ask legacy twice, to learn what differs by itself.")


class DefaultsShape(Shape):
    compare: CompareShape = Field(CompareShape(), description="Rules of every route; a route's own are added to them.")


class RouteShape(Shape):
    match: MatchShape = Field(description="Which requests are this route's.")
    rollout: RolloutShape = Field(RolloutShape(), description="How far the route is rolled out.")
    shadow: ShadowShape = Field(ShadowShape(), description="How much is sent to the other backend to compare.")
    fallback: bool = Field(
        default=False, description="When new fails, legacy answers, if the request can be repeated without harm."
    )
    compare: CompareShape = Field(CompareShape(), description="What differs on purpose.")


class MigrationShape(Shape):
    """A migration: two backends, who the users are, and how far each route is."""

    version: Version = Field(description="The format of this file: 1.")
    backends: BackendsShape = Field(description="The two backends.")
    users: UsersShape = Field(description="What makes two requests one user.")
    kill_switch: bool = Field(default=False, description="true: everything goes to legacy, nothing is shadowed.")
    pins: dict[Name, PinShape] = Field({}, description="Users who go to one backend whatever the percentage.")
    redact: RedactShape = Field(RedactShape(), description="What is masked, beyond the built-in list.")
    defaults: DefaultsShape = Field(DefaultsShape(), description="What holds for every route.")
    routes: dict[Name, RouteShape] = Field(description="The routes by name; the first that matches wins.")


def document_of(shape: MigrationShape) -> dict[str, Any]:
    """The file's content as JSON-able values: only the keys that were written; routes and pins in the file's order."""
    return shape.model_dump(mode="json", exclude_unset=True)
