"""From the file's shape to the frozen values of the core. Nothing can fail here: the shape is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from proxy.config import rule_scalars, scalars
from proxy.config.rule_scalars import header_of, is_header
from proxy.config.shape import KINDS
from proxy.core.compared_headers import INCIDENTAL
from proxy.core.model import (
    Backend,
    BackendTls,
    BreakerRule,
    CompareRules,
    Health,
    ImageRule,
    KeySource,
    Match,
    Migration,
    Pin,
    Redaction,
    Route,
    ShadowRule,
    Side,
    Timeouts,
    Users,
)
from proxy.core.paths import parse as parse_path
from proxy.core.value_rules import Equate, Pattern, Round, TimeWindow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from proxy.config.shape import (
        BackendShape,
        BreakerShape,
        CompareShape,
        HealthShape,
        ImagesShape,
        MatchShape,
        MigrationShape,
        NoiseShape,
        PinShape,
        RouteShape,
        ShadowShape,
        TimeoutShape,
    )
    from proxy.core.value_rules import ValueRule

_Value = TypeVar("_Value")


def migration_of(shape: MigrationShape) -> Migration:
    """The whole config as values; percentages of groups are handed to the routes that state none."""
    percentages = group_millipercent(shape.routes)
    version_header = shape.backends.new.version_header
    return Migration(
        legacy=_backend("legacy", shape.backends.legacy),
        new=_backend("new", shape.backends.new),
        users=Users(
            salt=shape.users.salt,
            key=tuple(KeySource(*scalars.kind_and_name(source)) for source in shape.users.key),
            without_key=shape.users.without_key,
        ),
        routes=tuple(
            _route(name, route, percentages, shape.defaults.compare, version_header)
            for name, route in shape.routes.items()
        ),
        kill_switch=shape.kill_switch,
        pins=tuple(_pin(name, pin) for name, pin in shape.pins.items()),
        redaction=Redaction(
            headers=frozenset(shape.redact.headers),
            fields=tuple(parse_path(path) for path in shape.redact.fields),
        ),
    )


def group_millipercent(routes: Mapping[str, RouteShape]) -> dict[str, int]:
    """Group -> the percentage that its routes state. Groups in which nobody states one are left out."""
    return {
        group_of(name, route): route.rollout.percentage
        for name, route in routes.items()
        if route.rollout.percentage is not None
    }


def group_of(name: str, route: RouteShape) -> str:
    return route.rollout.group or name


def match_of(shape: MatchShape) -> Match:
    kind, pattern = next((kind, value) for kind in KINDS if (value := getattr(shape, kind)) is not None)
    methods = None if shape.methods is None else frozenset(shape.methods)
    return Match(kind, pattern, methods, shape.host)


def _backend(side: Side, shape: BackendShape) -> Backend:
    return Backend(
        side=side,
        **scalars.backend_address(shape.url)._asdict(),
        timeouts=_timeouts(shape.timeout),
        connections=shape.connections,
        health=_health(shape.health) if shape.health else None,
        breaker=_breaker(shape.breaker) if side == "new" and shape.breaker.enabled else None,
        tls=BackendTls(**shape.tls.model_dump()),
        version_header=shape.version_header,
    )


def _timeouts(shape: TimeoutShape) -> Timeouts:
    return Timeouts(
        connect_s=scalars.seconds(shape.connect),
        read_s=scalars.seconds(shape.read),
        write_s=scalars.seconds(shape.write),
        pool_s=scalars.seconds(shape.pool),
    )


def _health(shape: HealthShape) -> Health:
    return Health(
        path=shape.path,
        interval_s=scalars.seconds(shape.interval),
        timeout_s=scalars.seconds(shape.timeout),
        healthy_after=shape.healthy_after,
        unhealthy_after=shape.unhealthy_after,
    )


def _breaker(shape: BreakerShape) -> BreakerRule:
    return BreakerRule(
        failure_percentage=shape.failure_percentage,
        window_s=scalars.seconds(shape.window),
        min_requests=shape.min_requests,
        cool_down_s=scalars.seconds(shape.cool_down),
    )


def _pin(name: str, shape: PinShape) -> Pin:
    return Pin(name, shape.backend, frozenset(shape.users), tuple(shape.header.items()))


def _route(
    name: str, shape: RouteShape, percentages: Mapping[str, int], defaults: CompareShape, version_header: str
) -> Route:
    group = group_of(name, shape)
    return Route(
        name=name,
        match=match_of(shape.match),
        group=group,
        millipercent=percentages.get(group, 0),
        shadow=_shadow(shape.shadow),
        fallback=shape.fallback,
        compare=_compare(shape.compare, defaults, version_header),
    )


def _shadow(shape: ShadowShape) -> ShadowRule:
    return ShadowRule(shape.percentage, shape.writes, scalars.seconds(shape.timeout))


def _compare(own: CompareShape, defaults: CompareShape, version_header: str) -> CompareRules:
    """The route's rules, then those of `defaults`. Where both give a place a rule of one kind, the route's holds.

    The header that names new's version is only compared where the rules say so.
    """
    ignored = dict.fromkeys([*own.ignore, *defaults.ignore])
    rules = list(_value_rules(own, defaults))
    compared = frozenset([*own.headers, *defaults.headers])
    version = frozenset({version_header})
    return CompareRules(
        ignore=tuple(parse_path(place) for place in ignored if not is_header(place)),
        ignore_headers=frozenset(header_of(place) for place in ignored if is_header(place)) | (version - INCIDENTAL),
        headers=compared,
        unordered=tuple(parse_path(path) for path in dict.fromkeys([*own.unordered, *defaults.unordered])),
        keys=tuple((parse_path(path), member) for path, member in _merged(own.keys, defaults.keys)),
        values=tuple((parse_path(place), rule) for place, rule in rules if not is_header(place)),
        header_values=tuple((header_of(place), rule) for place, rule in rules if is_header(place)),
        noise_millipercent=_noise(own, defaults).percentage,
        images=_images(own.images or defaults.images),
    )


def _value_rules(own: CompareShape, defaults: CompareShape) -> Iterator[tuple[str, ValueRule]]:
    for place, amount in _merged(own.tolerance, defaults.tolerance):
        yield place, rule_scalars.tolerance_rule(amount)
    for place, decimals in _merged(own.round, defaults.round):
        yield place, Round(decimals)
    for place, duration in _merged(own.time_window, defaults.time_window):
        yield place, TimeWindow(scalars.seconds(duration))
    for place, form in _merged(own.pattern, defaults.pattern):
        yield place, Pattern(form)
    for place, equations in _merged(own.equate, defaults.equate):
        yield place, Equate(frozenset(equations))


def _merged(own: Mapping[str, _Value], defaults: Mapping[str, _Value]) -> Iterable[tuple[str, _Value]]:
    """The entries of both, the own ones first."""
    return {**own, **{place: value for place, value in defaults.items() if place not in own}}.items()


def _images(shape: ImagesShape | None) -> ImageRule | None:
    return ImageRule(shape.distance) if shape is not None and shape.enabled else None


def _noise(own: CompareShape, defaults: CompareShape) -> NoiseShape:
    return own.noise if "noise" in own.model_fields_set else defaults.noise
