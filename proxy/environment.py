"""The names of the environment variables that Changeover reads, apart from those that override the config file.

`settings` reads the first group, the commands the second. `config` reads every other variable with the prefix as an
override of `migration.yaml`, and needs these names to tell a process setting from a typo.
"""

from __future__ import annotations

PREFIX = "CHANGEOVER_"
DELIMITER = "__"

# The fields of `settings.Settings`, which a test compares with them.
SETTINGS = frozenset(
    {
        "ADMIN_HOSTS",
        "ADMIN_LISTEN",
        "ADMIN_PREFIX",
        "ADMIN_READ_ONLY",
        "ADMIN_SSO_HEADER",
        "ADMIN_SSO_PROXIES",
        "ADMIN_TOKEN",
        "ADMIN_TOKENS_FILE",
        "BODY_TIMEOUT_S",
        "COMPARERS",
        "COMPARE_TIMEOUT_S",
        "CONFIG",
        "DEBUG_TOKEN",
        "DOWNLOAD_BYTES_PER_S",
        "DRAIN_S",
        "GIVES_WAY",
        "HEAD_TIMEOUT_S",
        "KEEP_ALIVE_S",
        "LINK_BUFFER_BYTES",
        "LISTEN",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "MAX_COMPARED_BYTES",
        "MAX_CONNECTIONS",
        "MAX_IN_FLIGHT",
        "MAX_REQUEST_BODY_BYTES",
        "MAX_SHADOW_BODY_BYTES",
        "NODE",
        "REMEMBERED_USERS",
        "REQUEST_LOG",
        "SEND_TIMEOUT_S",
        "SHADOW_BYTES_PER_S",
        "SHADOW_CONCURRENCY",
        "SHADOW_TOTAL_BYTES",
        "SHADOW_TOTAL_CONCURRENCY",
        "STATE_DIR",
        "STORE_MAX_AGE_DAYS",
        "STORE_MAX_BYTES",
        "STORE_URL",
        "TLS_CERTIFICATE",
        "TLS_KEY",
        "TRUSTED_PROXIES",
        "UNDERSCORE_HEADERS",
        "UPLOAD_BYTES_PER_S",
        "WEBHOOK_SECRET",
        "WEBHOOK_URL",
        "WORKERS",
    }
)
# ADMIN_URL: where the commands find the server. TEST_POSTGRES: the server that the store's tests use.
OTHERS = frozenset({"ADMIN_URL", "TEST_POSTGRES"})


def variable(setting: str) -> str:
    """The variable of a process setting: `store_url` -> `CHANGEOVER_STORE_URL`."""
    return PREFIX + setting.upper()
