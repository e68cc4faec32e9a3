"""What a process is told at its start: listeners, folders, the store, workers, limits. Flags first, then variables.

How the migration goes is in `config`, which changes while the processes run; nothing here does.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from proxy.environment import PREFIX, variable
from proxy.errors import ConfigError, Problem

_MIB = 1_048_576
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*):(?P<port>[0-9]{1,5})")


def parse_address(text: str) -> tuple[str, int]:
    """Host (IPv6 without brackets) and port of `127.0.0.1:8000`, `[::1]:8000`. Port 0 means any that is free."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise ValueError(f"{text!r} is not an address to listen on; write HOST:PORT, as 127.0.0.1:8000 or [::1]:8000")
    host = found["host"]
    if not host.startswith("["):
        return host, int(found["port"])
    try:
        return str(ipaddress.IPv6Address(host[1:-1])), int(found["port"])
    except ValueError as error:
        raise ValueError(f"{text!r} has no IPv6 address in its brackets; write it as [::1]:8000") from error


def _address(text: str) -> str:
    parse_address(text)
    return text


def _lowered(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]


class Settings(BaseSettings):
    """One value for each field, from a keyword (a flag of `serve`), else CHANGEOVER_<FIELD>, else the default.

    An empty variable counts as unset. Raises pydantic's ValidationError; `load_settings` maps it to ConfigError.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    config: Path = Field(Path("config/migration.yaml"), description="The config file.")
    listen: Address = Field("127.0.0.1:8000", description="Where users are served.")
    admin_listen: Address = Field("127.0.0.1:9000", description="Where the admin API listens.")
    admin_token: str | None = Field(
        None, repr=False, description="What callers of the admin API must present; needed on any address but loopback."
    )
    workers: int = Field(1, ge=1, le=256, description="Worker processes; they share the listening socket.")
    state_dir: Path = Field(Path("var"), description="Folder for the socket, the SQLite store and the last rollout.")
    store_url: str | None = Field(
        None, repr=False, description="SQLAlchemy URL of the store; without it a SQLite file in the state folder."
    )
    log_format: Annotated[Literal["auto", "json", "console"], BeforeValidator(_lowered)] = Field(
        "auto", description="auto, json or console; auto is console on a terminal and json elsewhere."
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lowered)] = Field(
        "info", description="debug, info, warning or error."
    )
    comparers: int = Field(1, ge=1, le=64, description="Processes that compare unequal pairs.")
    compare_timeout_s: float = Field(2.0, gt=0, le=600, description="Seconds for one comparison, then it gives up.")
    max_compared_bytes: int = Field(
        _MIB, ge=0, description="Bytes of an answer's body that are kept to be compared; a longer one isn't compared."
    )
    max_shadow_body_bytes: int = Field(
        _MIB, ge=0, description="Bytes of a request's body that are kept for its shadow; a longer one isn't shadowed."
    )
    shadow_concurrency: int = Field(256, ge=1, description="Shadow requests of one route at a time, in one worker.")
    shadow_total_concurrency: int = Field(512, ge=1, description="Shadow requests at a time, in one worker.")
    shadow_total_bytes: int = Field(64 * _MIB, ge=0, description="Bytes that all shadows of a worker may hold.")
    link_buffer_bytes: int = Field(16 * _MIB, ge=_MIB, description="Bytes a worker may hold for the control process.")
    remembered_users: int = Field(
        100_000, ge=0, description="Hashes of users that a worker remembers, to report each one once."
    )
    drain_s: float = Field(10.0, ge=0, le=3600, description="Seconds that a stop waits for requests in flight.")
    store_max_age_days: int = Field(30, ge=1, description="Days that evidence is kept.")
    store_max_bytes: int = Field(512 * _MIB, ge=_MIB, description="Bytes that the store's evidence may take.")
    node: str = Field(
        default_factory=socket.gethostname, min_length=1, description="This node's name among others; its host name."
    )

    @property
    def listen_address(self) -> tuple[str, int]:
        return parse_address(self.listen)

    @property
    def admin_address(self) -> tuple[str, int]:
        return parse_address(self.admin_listen)

    @property
    def effective_store_url(self) -> str:
        return self.store_url or f"sqlite:///{self.state_dir / 'changeover.sqlite'}"

    @property
    def link_path(self) -> Path:
        return self.state_dir / "link.sock"

    @property
    def rollout_path(self) -> Path:
        return self.state_dir / "rollout.json"

    @property
    def mask_key_path(self) -> Path:
        return self.state_dir / "mask.key"

    def environment(self) -> dict[str, str]:
        """Variables from which a child process makes the same settings with `Settings()`; secrets are in clear.

        To be laid over the parent's own environment, in which the overrides of the config stay.
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {variable(name): str(value) for name, value in values.items() if value is not None}


def load_settings(**flags: Any) -> Settings:
    """The settings from flags and variables; a flag that is None wasn't given. Raises ConfigError with all faults."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        problems = tuple(
            Problem(0, 0, _origin(str(each["loc"][0]), given), _explained(each["msg"]))
            for each in error.errors(include_url=False, include_input=False)
        )
        raise ConfigError("settings", problems) from error


def _origin(setting: str, flags: dict[str, Any]) -> str:
    """How the value was given, as its owner wrote it: a flag, or a variable in the environment's own case."""
    if setting in flags:
        return f"--{setting.replace('_', '-')}"
    wanted = variable(setting)
    return next((name for name in os.environ if name.upper() == wanted), wanted)


def _explained(message: str) -> str:
    return message.removeprefix("Value error, ")
