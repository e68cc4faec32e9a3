"""What is in force as one JSON-able document: it goes down the link to the workers, and into the state folder."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from proxy.config.load import build
from proxy.core.model import ALL_MILLIPERCENT, Hold, Rollout
from proxy.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT = 1  # grows when an older worker or an older snapshot can't be read any more


class _Exact(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Hold(_Exact):
    route: str
    cap_millipercent: int = Field(ge=0, le=ALL_MILLIPERCENT)
    who: str
    reason: str
    since: float


class _Snapshot(_Exact):
    format: int = Field(ge=FORMAT, le=FORMAT)
    version: int = Field(ge=0)
    digest: str
    holds: list[_Hold]
    config: dict[str, Any]


def rollout_document(document: Mapping[str, Any], digest: str, version: int, holds: Sequence[Hold]) -> dict[str, Any]:
    """The rollout as a document; `document` and `digest` are those of `Loaded`, and shared with the result.

    The order of its keys counts (the first route that matches wins): a store that sorts keys must not keep it.
    """
    return {
        "format": FORMAT,
        "version": version,
        "digest": digest,
        "holds": [asdict(hold) for hold in holds],
        "config": document,
    }


def rollout_from_document(document: Mapping[str, Any]) -> Rollout:
    """The rollout of a document. Raises ConfigError for one that another version wrote, or that is damaged."""
    try:
        snapshot = _Snapshot.model_validate(document)
    except ValidationError as error:
        problems = tuple(
            Problem(0, 0, ".".join(str(step) for step in each["loc"]), each["msg"])
            for each in error.errors(include_url=False)
        )
        raise ConfigError("rollout", problems) from error
    return Rollout(
        migration=build(snapshot.config),
        version=snapshot.version,
        digest=snapshot.digest,
        holds=tuple(Hold(**hold.model_dump()) for hold in snapshot.holds),
    )
