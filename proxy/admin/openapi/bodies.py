"""What clients send in bodies, for the OpenAPI document; `proxy.admin.fields` reads them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from proxy.admin.fields import MAX_OWN_HEADERS, MAX_TEXT_CHARACTERS
from proxy.admin.openapi.answers import Percentage  # noqa: TC001  # pydantic reads it at run time

_PLAIN = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
Text: TypeAlias = Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS, pattern=_PLAIN)]
Said: TypeAlias = Annotated[
    str, Field(max_length=MAX_TEXT_CHARACTERS, pattern=r"\S", description="Goes into the audit.")
]
HeaderName: TypeAlias = Annotated[str, Field(pattern=r"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")]
HeaderValue: TypeAlias = Annotated[str, Field(pattern=r"^[\t\x20-\x7e\x80-\xff]*$")]


class Body(BaseModel):
    """No other field is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SetRollout(Body):
    percentage: Percentage
    reason: Said
    seen: Percentage | None = Field(None, description="Refused (409) unless the config wishes for it at that moment.")


class SetHold(Body):
    percentage: Percentage = Field(0, description="The cap.")
    reason: Said
    seen: Percentage | None = Field(
        None, description="The cap of the route's own hold that was seen, null for none; left out, it isn't looked at."
    )


class PutKillSwitch(Body):
    reason: Said


class SetState(Body):
    state: Literal["new", "known", "ignored", "noise"]
    reason: Said
    owner: Text | None = None
    ticket: Text | None = None
    until: Annotated[float, Field(ge=0, lt=10**11)] | None = Field(
        None, description="Unix seconds; then it is new again."
    )
    rule: bool | None = Field(None, description="With `ignored`: writes its place into the config.")
    seen: Text | None = Field(None, description="The `revision` that was seen; refused (409) where it is another.")


class Retry(Body):
    headers: Annotated[dict[HeaderName, HeaderValue], Field(max_length=MAX_OWN_HEADERS)] | None = Field(
        None, description="Sent in place of the example's fields of that name, then forgotten: `cookie` and the like."
    )


class WriteProposals(Body):
    rules: Annotated[list[str], Field(min_length=1, json_schema_extra={"uniqueItems": True})]
    reason: Said
