"""A node on Unix sockets, and one behind TLS, as processes: from the start to what is left behind."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.certificates import EC, RSA, Authority, Pair, der_of
from tests.e2e.backends import Backend
from tests.e2e.node import write_example
from tests.e2e.program import Program, changeover, free_port

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path
    from subprocess import CompletedProcess

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
TARGET = "/api/unread"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def argv(config: Path, folder: Path, *arguments: str | Path) -> tuple[str, ...]:
    flags = ("--config", config, "--state-dir", folder / "state", "--log-format", "json", *arguments)
    return (sys.executable, "-m", "proxy", "serve", *map(str, flags))


@contextmanager
def node(config: Path, folder: Path, *arguments: str | Path) -> Iterator[Program]:
    """A node with two workers that has linked them."""
    with Program("serve", argv(config, folder, "--workers", "2", *arguments), folder) as program:
        program.wait_until(lambda: len(program.events("worker.linked")) >= 2, "both workers are linked")
        yield program


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """A config whose backends answer."""
    with Backend("legacy") as legacy, Backend("new") as new:
        yield write_example(tmp_path, legacy.url, new.url)


@contextmanager
def unix_user(path: Path) -> Iterator[httpx.Client]:
    with httpx.Client(base_url="http://shop.example", transport=httpx.HTTPTransport(uds=str(path))) as user:
        yield user


def test_node_on_unix_sockets_serves_and_leaves_none(config: Path, tmp_path: Path):
    """Users and operators come by sockets; a stale one is replaced, one in use is refused, the end removes both."""
    users, admin = tmp_path / "users.sock", tmp_path / "admin.sock"
    flags = ("--listen", f"unix:{users}", "--admin-listen", f"unix:{admin}")
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(users))  # and never listens
    with node(config, tmp_path, *flags) as program:
        started = program.events("node.starting")[0]
        assert (f"unix:{users}", f"unix:{admin}") == (started["users"], started["admin"])
        assert [(1, 2)] == [(each["sockets"], each["workers"]) for each in program.events("listener.shared")]
        with unix_user(users) as user:
            assert [200] * 20 == [user.get(TARGET).status_code for _ in range(20)]
        asked = changeover("health", "--admin-url", f"unix:{admin}")
        assert (0, "ready\n") == (asked.returncode, asked.stdout), asked.stderr
        second = changeover(*argv(config, tmp_path / "second", *flags)[3:])
        assert (2, True) == (second.returncode, "another process listens there" in second.stderr), second.stderr
        assert 0 == program.stop()
    assert [] == [path.name for path in (users, admin) if path.exists()]


def shown(port: int, context: ssl.SSLContext) -> bytes | None:
    """The certificate that a new connection to a node is shown."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return connection.getpeercert(binary_form=True)


def test_node_behind_tls_serves_and_renews_its_certificate(config: Path, authority: Authority, tmp_path: Path):
    """In each worker, without a restart; a client that doesn't speak TLS gets nothing."""
    pair, renewed = authority.issue(key_type=RSA), authority.issue(key_type=EC)
    flags = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
    tls = ("--tls-certificate", pair.certificate, "--tls-key", pair.key)
    with node(config, tmp_path, *flags, *tls) as program:
        url: str = program.events("node.starting")[0]["users"]
        port = int(url.rpartition(":")[2])
        assert f"https://127.0.0.1:{port}" == url
        with httpx.Client(base_url=url, verify=authority.trusting(), trust_env=False) as user:
            assert 200 == user.get(TARGET).status_code
            pair.replace(renewed)
            program.wait_until(lambda: len(program.events("certificate.replaced")) == 2, "both workers have it")
            assert 200 == user.get(TARGET).status_code
        assert {der_of(renewed)} == {shown(port, authority.trusting()) for _ in range(10)}
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}{TARGET}", trust_env=False)
        assert 0 == program.stop()


# --- starts that are refused ---
def refused(config: Path, folder: Path, *arguments: str | Path) -> CompletedProcess[str]:
    flags = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
    done = changeover(*argv(config, folder, *flags, *arguments)[3:])
    assert (2, "", False) == (done.returncode, done.stdout, "Traceback" in done.stderr), done.stderr
    return done


def test_tls_files_that_cant_be_used_are_refused_by_flag_and_file(config: Path, authority: Authority, tmp_path: Path):
    """Before anything is bound or started: one message."""
    pair, other = authority.issue(), authority.issue()
    rows: list[tuple[Pair | tuple[Path | None, Path | None], str]] = [
        ((pair.certificate, None), f"--tls-certificate {pair.certificate}: it needs --tls-key beside it"),
        ((pair.certificate, other.key), f"--tls-key {other.key}: it doesn't belong to the first certificate in"),
        ((tmp_path / "absent.pem", pair.key), f"--tls-certificate {tmp_path / 'absent.pem'}: the file doesn't exist"),
        ((pair.certificate, pair.certificate), f"--tls-key {pair.certificate}: it holds no private key"),
    ]
    for (certificate, key), words in rows:
        flags = (("--tls-certificate", certificate), ("--tls-key", key))
        done = refused(config, tmp_path, *(part for flag, value in flags if value for part in (flag, value)))
        assert words in done.stderr


def test_config_whose_tls_files_cant_be_used_is_refused_with_their_place(tmp_path: Path):
    """`serve` and `check` say the same: file, line, column, key, and the PEM file with its reason."""
    legacy, new = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    config = write_example(
        tmp_path,
        legacy,
        new,
        **{f'url: "{new}"': f'url: "{new.replace("http", "https")}"\n    tls: {{ca: /absent/ca.pem}}'},
    )
    line = 1 + config.read_text().partition("tls: {ca")[0].count("\n")
    words = f"{config}:{line}:15: backends.new.tls.ca: /absent/ca.pem: the file doesn't exist"

    assert words in refused(config, tmp_path).stderr
    assert words in changeover("check", config).stdout + changeover("check", config).stderr


def test_demo_behind_tls_or_on_a_unix_socket_is_refused(config: Path, authority: Authority, tmp_path: Path):
    """Its readers come to HOST:PORT without TLS."""
    pair = authority.issue()
    flags = ("--config", config, "--state-dir", tmp_path / "state")
    by_socket = changeover("demo", *flags, "--listen", f"unix:{tmp_path / 'users.sock'}")
    by_tls = changeover(
        "demo", *flags, CHANGEOVER_TLS_CERTIFICATE=str(pair.certificate), CHANGEOVER_TLS_KEY=str(pair.key)
    )
    assert [2, 2] == [by_socket.returncode, by_tls.returncode]
    assert "the demo's readers must know the port" in by_socket.stderr
    assert "the demo's readers come without TLS" in by_tls.stderr
