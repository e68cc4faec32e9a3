"""What a process is told at its start: listeners, folders, the store, workers, limits. Flags first, then variables.

How the migration goes is in `config`, which changes while the processes run; nothing here does.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from proxy.addresses import Address, UnixAddress, parse_address
from proxy.core.trusted import TrustedProxies, parse_trusted_proxies
from proxy.environment import PREFIX, variable
from proxy.errors import ConfigError, Problem

_MIB = 1_048_576


def _address(text: str) -> str:
    parse_address(text)
    return text


def _proxies(text: str) -> str:
    parse_trusted_proxies(text)
    return text


def _prefix(text: str) -> str:
    trimmed = text.rstrip("/")
    if trimmed and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", trimmed):
        raise ValueError(f"{text!r} must be a path as /changeover")
    return trimmed


def _lowered(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


WrittenAddress = Annotated[str, AfterValidator(_address)]


class Settings(BaseSettings):
    """One value for each field, from a keyword (a flag of `serve`), else CHANGEOVER_<FIELD>, else the default.

    An empty variable counts as unset. Raises pydantic's ValidationError; `load_settings` maps it to ConfigError.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True)

    config: Path = Field(Path("config/migration.yaml"), description="The config file.")
    listen: WrittenAddress = Field("127.0.0.1:8000", description="Where users are served.")
    tls_certificate: Path | None = Field(
        None, description="PEM file of the users' listener: its certificate, then its chain; with it users come by TLS."
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key, without passphrase.")
    trusted_proxies: Annotated[str, AfterValidator(_proxies)] = Field(
        "",
        description="Proxies that say for whom they ask: addresses, networks and the word unix; nobody unless given.",
    )
    admin_listen: WrittenAddress = Field("127.0.0.1:9000", description="Where the admin API listens.")
    admin_token: str | None = Field(
        None, repr=False, description="A token that may do everything there; on any address but loopback one is needed."
    )
    admin_tokens_file: Path | None = Field(
        None, description="File of named tokens with roles, as `changeover access` writes it."
    )
    admin_hosts: str = Field("", description="Further names of the admin listener in a browser, with commas between.")
    admin_sso_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header in which a sign-on proxy says who asks, as X-Forwarded-User.",
    )
    admin_sso_proxies: Annotated[str, AfterValidator(_proxies)] = Field(
        "", description="Sign-on proxies that are believed: addresses, networks and the word unix."
    )
    admin_prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        "", description="Path below which the admin listener answers, as /changeover."
    )
    admin_read_only: bool = Field(False, description="true: the admin listener shows everything and changes nothing.")
    debug_token: str | None = Field(
        None,
        repr=False,
        min_length=16,
        description="Requests with it in X-Changeover-Debug are told who answered and why; nobody is without it.",
    )
    webhook_url: str | None = Field(
        None, repr=False, description="Where events are sent, such as holds and new differences; nowhere unless given."
    )
    webhook_secret: str | None = Field(
        None, repr=False, min_length=16, description="What events are signed with; needed with a webhook URL."
    )
    workers: int = Field(1, ge=1, le=256, description="Worker processes, over which users are spread.")
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
    request_log: Annotated[Literal["off", "problems", "all"], BeforeValidator(_lowered)] = Field(
        "problems", description="off, problems or all: of which requests the log has a line."
    )
    comparers: int = Field(1, ge=1, le=64, description="Processes that compare unequal pairs.")
    compare_timeout_s: float = Field(
        2.0, gt=0, le=600, description="Seconds of work for one comparison, then it gives up."
    )
    max_compared_bytes: int = Field(
        _MIB, ge=0, description="Bytes of an answer's body that are kept to be compared; a longer one isn't compared."
    )
    max_shadow_body_bytes: int = Field(
        _MIB, ge=0, description="Bytes of a request's body that are kept for its shadow; a longer one isn't shadowed."
    )
    shadow_concurrency: int = Field(256, ge=1, description="Shadow requests of one route at a time, in one worker.")
    shadow_total_concurrency: int = Field(512, ge=1, description="Shadow requests at a time, in one worker.")
    shadow_total_bytes: int = Field(64 * _MIB, ge=0, description="Bytes that all shadows of a worker may hold.")
    shadow_bytes_per_s: int = Field(
        128 * _MIB,
        ge=_MIB,
        description="Bytes of shadows' answers that a worker reads in a second; above, none is asked.",
    )
    upload_bytes_per_s: int = Field(
        64 * _MIB,
        ge=_MIB,
        description="Bytes that all long uploads to a worker bring in a second while others are served.",
    )
    download_bytes_per_s: int = Field(
        64 * _MIB,
        ge=_MIB,
        description="Bytes that all long answers of a worker take in a second while others are served.",
    )
    link_buffer_bytes: int = Field(16 * _MIB, ge=_MIB, description="Bytes a worker may hold for the control process.")
    remembered_users: int = Field(
        100_000, ge=0, description="Hashes of users that a worker remembers, to report each one once."
    )
    head_timeout_s: float = Field(10.0, gt=0, description="Seconds that a user may take to send a request's head.")
    body_timeout_s: float = Field(
        60.0,
        gt=0,
        description="Seconds that a user may send nothing of a request's body; it may take as long in all, and one "
        "more for each 500 bytes.",
    )
    keep_alive_s: float = Field(75.0, gt=0, description="Seconds that an idle connection of a user is kept.")
    send_timeout_s: float = Field(60.0, gt=0, description="Seconds that a user may stop reading an answer.")
    max_connections: int = Field(10_000, ge=1, description="Connections of users, in one worker; 503 above.")
    max_in_flight: int = Field(10_000, ge=1, description="Requests under way, in one worker; 503 above.")
    max_request_body_bytes: int = Field(
        0, ge=0, description="Bytes of a request's body, 413 above; 0 lets the backends say."
    )
    underscore_headers: Annotated[Literal["drop", "keep"], BeforeValidator(_lowered)] = Field(
        "drop", description="drop or keep header fields with an underscore in their name, which some backends mistake."
    )
    drain_s: float = Field(10.0, ge=0, le=3600, description="Seconds that a stop waits for requests in flight.")
    gives_way: bool = Field(
        True, description="Whether whatever doesn't serve users gives way to the workers on a core that they share."
    )
    store_max_age_days: int = Field(30, ge=1, description="Days that evidence is kept.")
    store_max_bytes: int = Field(512 * _MIB, ge=_MIB, description="Bytes that the store's evidence may take.")
    node: str = Field(
        default_factory=socket.gethostname, min_length=1, description="This node's name among others; its host name."
    )

    @property
    def listen_address(self) -> Address:
        return parse_address(self.listen)

    @property
    def trusted(self) -> TrustedProxies:
        return parse_trusted_proxies(self.trusted_proxies)

    @property
    def admin_address(self) -> Address:
        return parse_address(self.admin_listen)

    @property
    def admin_host(self) -> str:
        """By which the admin listener is reached; `localhost` for a Unix socket, as only this machine reaches it."""
        address = self.admin_address
        return "localhost" if isinstance(address, UnixAddress) else address.host

    @property
    def admin_host_names(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.admin_hosts.split(",") if name.strip())

    @property
    def admin_sso(self) -> TrustedProxies:
        return parse_trusted_proxies(self.admin_sso_proxies)

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

    @property
    def session_key_path(self) -> Path:
        return self.state_dir / "session.key"

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
