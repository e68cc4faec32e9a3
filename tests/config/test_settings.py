"""Process settings come from flags, then variables, then defaults; a child process gets the same ones."""

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from proxy.core.trusted import TrustedProxies
from proxy.environment import OTHERS, SETTINGS, variable
from proxy.errors import ConfigError
from proxy.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of whoever runs the tests have no part in them."""
    for name in SETTINGS | OTHERS:
        monkeypatch.delenv(f"CHANGEOVER_{name}", raising=False)


def problems_of(**flags: object) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as refusal:
        load_settings(**flags)
    return [(problem.path, problem.message) for problem in refusal.value.problems]


def test_defaults_are_the_documented_ones() -> None:
    """Without flags and variables a process listens on loopback and keeps its state in var/."""
    settings = load_settings(node="n")

    assert (Path("config/migration.yaml"), "127.0.0.1", 8000, "127.0.0.1", 9000, 1, Path("var")) == (
        settings.config,
        *settings.listen_address,
        *settings.admin_address,
        settings.workers,
        settings.state_dir,
    )
    assert "sqlite:///var/changeover.sqlite" == settings.effective_store_url
    assert [Path("var/link.sock"), Path("var/rollout.json"), Path("var/mask.key")] == [
        settings.link_path,
        settings.rollout_path,
        settings.mask_key_path,
    ]
    assert (None, None, "auto", "info") == (
        settings.admin_token,
        settings.store_url,
        settings.log_format,
        settings.log_level,
    )


def test_flag_wins_over_variable_and_variable_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """The nearest source decides; a flag that wasn't given is no source, nor is an empty variable."""
    monkeypatch.setenv("CHANGEOVER_WORKERS", "2")
    monkeypatch.setenv("changeover_log_level", "DEBUG")
    monkeypatch.setenv("CHANGEOVER_STORE_URL", "")

    assert (2, "debug", None) == (
        load_settings(workers=None).workers,
        load_settings().log_level,
        load_settings().store_url,
    )
    assert 3 == load_settings(workers="3").workers


def test_variables_of_the_config_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Overrides of the config have the same prefix and don't disturb."""
    monkeypatch.setenv("CHANGEOVER_KILL_SWITCH", "true")
    monkeypatch.setenv("CHANGEOVER_CONFIG__X", "1")

    assert Path("config/migration.yaml") == load_settings().config


def test_child_process_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that a child is given make the settings that the parent has, secrets included."""
    settings = load_settings(
        listen="[::1]:0",
        admin_listen="unix:/run/changeover/admin.sock",
        tls_certificate="/etc/changeover/chain.pem",
        tls_key="/etc/changeover/key.pem",
        trusted_proxies="10.0.0.0/8, unix",
        admin_token="a token of some length",
        admin_tokens_file="/etc/changeover/tokens",
        admin_hosts="changeover.example, admin.example",
        admin_sso_header="X-Forwarded-User",
        admin_sso_proxies="10.0.0.7, unix",
        admin_prefix="/changeover",
        admin_read_only=True,
        workers=4,
        state_dir="/srv/state",
        store_url="postgresql://u:p@h/d",
        compare_timeout_s=0.25,
        node="node-1",
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)

    assert settings == Settings()


def test_environment_leaves_out_what_is_unset() -> None:
    """A setting without a value has no variable, so that the child has its default."""
    assert {variable(name) for name in Settings.model_fields} - {
        "CHANGEOVER_STORE_URL",
        "CHANGEOVER_ADMIN_SSO_HEADER",
        "CHANGEOVER_ADMIN_TOKEN",
        "CHANGEOVER_ADMIN_TOKENS_FILE",
        "CHANGEOVER_DEBUG_TOKEN",
        "CHANGEOVER_TLS_CERTIFICATE",
        "CHANGEOVER_TLS_KEY",
        "CHANGEOVER_WEBHOOK_SECRET",
        "CHANGEOVER_WEBHOOK_URL",
    } == set(load_settings().environment())


def test_secrets_are_not_shown() -> None:
    """Settings can be logged: neither the token nor the store's password is in their text."""
    settings = load_settings(admin_token="s3cret-token", store_url="postgresql://u:s3cret@h/d")

    assert "s3cret" not in repr(settings) + str(settings)


def test_settings_are_frozen() -> None:
    """Nothing changes a setting while the process runs."""
    with pytest.raises(ValueError, match="frozen"):
        load_settings().workers = 2  # type: ignore[misc]


def test_every_wrong_setting_is_told_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag is named as a flag, a variable in the case in which it was written, all at once."""
    monkeypatch.setenv("CHANGEOVER_WORKERS", "0")
    monkeypatch.setenv("changeover_log_format", "xml")

    found = problems_of(listen="8000", drain_s="soon")

    assert [
        (
            "--listen",
            "'8000' is not an address to listen on; write HOST:PORT, as 127.0.0.1:8000 or [::1]:8000, or unix:/PATH",
        ),
        ("CHANGEOVER_WORKERS", "Input should be greater than or equal to 1"),
        ("changeover_log_format", "Input should be 'auto', 'json' or 'console'"),
        ("--drain-s", "Input should be a valid number, unable to parse string as a number"),
    ] == found


def test_unknown_flag_is_refused() -> None:
    """A misspelt keyword doesn't pass for a setting."""
    assert [("--wokers", "Extra inputs are not permitted")] == problems_of(wokers=2)


def test_trusted_proxies_are_nobody_unless_given() -> None:
    """Whoever is believed was named."""
    assert TrustedProxies() == load_settings().trusted
    assert (
        TrustedProxies((IPv4Network("10.0.0.0/8"),), True) == load_settings(trusted_proxies="10.0.0.0/8,unix").trusted
    )


def test_trusted_proxies_that_cannot_be_read_are_told_by_the_flag() -> None:
    """A typo doesn't trust somebody else."""
    [(path, message)] = problems_of(trusted_proxies="10.0.0.0/8, proxy.example")

    assert "--trusted-proxies" == path
    assert message.startswith("'proxy.example' is neither an address nor a network; write addresses, networks and")


def test_admin_listener_on_a_unix_socket_is_reached_as_localhost() -> None:
    """Only this machine reaches it; the Host header of who asks is localhost."""
    assert ["localhost", "::1"] == [
        load_settings(admin_listen=listen).admin_host for listen in ("unix:/run/admin.sock", "[::1]:9000")
    ]


def test_names_that_config_knows_are_the_settings() -> None:
    """`config` tells settings from typos by a list of names, which is complete."""
    assert SETTINGS == {name.upper() for name in Settings.model_fields}
