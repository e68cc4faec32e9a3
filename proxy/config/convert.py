"""From the file's shape to the frozen values of the core. Nothing can fail here: the shape is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.config import scalars
from proxy.config.shape import KINDS
from proxy.core.model import (
    Backend,
    BackendTls,
    BreakerRule,
    CompareRules,
    Health,
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.config.shape import (
        BackendShape,
        BreakerShape,
        CompareShape,
        HealthShape,
        MatchShape,
        MigrationShape,
        PinShape,
        RouteShape,
        ShadowShape,
        TimeoutShape,
    )


def migration_of(shape: MigrationShape) -> Migration:
    """The whole config as values; percentages of groups are handed to the routes that state none."""
    percentages = group_millipercent(shape.routes)
    return Migration(
        legacy=_backend("legacy", shape.backends.legacy),
        new=_backend("new", shape.backends.new),
        users=Users(
            salt=shape.users.salt,
            key=tuple(KeySource(*scalars.kind_and_name(source)) for source in shape.users.key),
            without_key=shape.users.without_key,
        ),
        routes=tuple(_route(name, route, percentages) for name, route in shape.routes.items()),
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


def _route(name: str, shape: RouteShape, percentages: Mapping[str, int]) -> Route:
    group = group_of(name, shape)
    return Route(
        name=name,
        match=match_of(shape.match),
        group=group,
        millipercent=percentages.get(group, 0),
        shadow=_shadow(shape.shadow),
        fallback=shape.fallback,
        compare=_compare(shape.compare),
    )


def _shadow(shape: ShadowShape) -> ShadowRule:
    return ShadowRule(shape.percentage, shape.writes, scalars.seconds(shape.timeout))


def _compare(shape: CompareShape) -> CompareRules:
    headers = [item.removeprefix("header:") for item in shape.ignore if item.startswith("header:")]
    paths = [item for item in shape.ignore if not item.startswith("header:")]
    return CompareRules(
        ignore=tuple(parse_path(path) for path in paths),
        ignore_headers=frozenset(headers),
        headers=frozenset(shape.headers),
        unordered=tuple(parse_path(path) for path in shape.unordered),
        keys=tuple((parse_path(path), member) for path, member in shape.keys.items()),
        tolerance=tuple((parse_path(path), amount) for path, amount in shape.tolerance.items()),
        noise_millipercent=shape.noise.percentage,
    )
