"""Where the new backend listens, keeps its state, and which bugs it has: flags, then NEW_BACKEND_… variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from new_backend.bugs import Bug, parse_bugs


class Settings(BaseSettings):
    """Start the new backend of the demo: the feed reader on documents."""

    model_config = SettingsConfigDict(
        env_prefix="NEW_BACKEND_", cli_prog_name="python -m new_backend", cli_kebab_case=True, frozen=True
    )

    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="port to listen on; 0 takes a free one")] = 8002
    state_dir: Annotated[Path, Field(description="folder of the documents and photos")] = Path("var/new_backend")
    session_secret: Annotated[
        SecretStr, Field(min_length=8, description="signs session cookies; the same on both backends")
    ] = SecretStr("a demo secret, not a real one")
    bugs: Annotated[str, Field(description="all, none, or names separated by commas; -name takes one off")] = "all"

    @field_validator("bugs")
    @classmethod
    def _know_bugs(cls, text: str) -> str:
        parse_bugs(text)
        return text

    @property
    def active_bugs(self) -> frozenset[Bug]:
        """The bugs that are switched on."""
        return parse_bugs(self.bugs)
