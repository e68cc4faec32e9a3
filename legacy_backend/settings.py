"""Where the legacy backend listens and keeps its state: flags first, then LEGACY_BACKEND_… variables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Start the legacy backend of the demo: a feed reader on relational SQLite."""

    model_config = SettingsConfigDict(
        env_prefix="LEGACY_BACKEND_", cli_prog_name="python -m legacy_backend", cli_kebab_case=True, frozen=True
    )

    host: Annotated[str, Field(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="port to listen on; 0 takes a free one")] = 8001
    state_dir: Annotated[Path, Field(description="folder of the database")] = Path("var/legacy_backend")
    session_secret: Annotated[
        SecretStr, Field(min_length=8, description="signs session cookies; the same on both backends")
    ] = SecretStr("a demo secret, not a real one")
