"""Listeners are bound and released, TCP and Unix; a certificate is replaced while connections use the one before."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
import threading
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from proxy.addresses import TcpAddress, UnixAddress
from proxy.errors import StartError
from proxy.listeners import LOOK_S, ListenerTls, bind, listener_tls, release, url_of
from tests.certificates import EC, RSA, Authority, Pair, der_of, only_old, shake_hands

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users.sock"


def bind_unix(path: Path) -> socket.socket:
    return bind(UnixAddress(str(path)), "--listen")


def refusal_of(call: Callable[[], object]) -> str:
    with pytest.raises(StartError) as refusal:
        call()
    return str(refusal.value)


# --- sockets ---
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_tcp_listener_is_reached_by_its_url(host: str) -> None:
    """The URL has the port that was free."""
    try:
        listener = bind(TcpAddress(host, 0), "--listen")
    except StartError as error:  # a machine without IPv6
        pytest.skip(str(error))
    with listener:
        port = listener.getsockname()[1]
        socket.create_connection((host, port)).close()
        shown = {"::1": "[::1]", "localhost": "127.0.0.1"}.get(host, host)
        assert [f"http://{shown}:{port}", f"https://{shown}:{port}"] == [
            url_of(listener, is_tls=is_tls) for is_tls in (False, True)
        ]
        release(listener)


def test_tcp_address_that_is_taken_is_refused_by_its_flag() -> None:
    """Flag, address and cause."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        message = refusal_of(lambda: bind(TcpAddress("127.0.0.1", port), "--listen"))

    assert f"--listen 127.0.0.1:{port}: can't listen there (Address already in use); give another --listen" == message


def test_unix_listener_is_for_user_and_group_and_leaves_nothing(path: Path) -> None:
    """Its mode is 0660 from its first moment on, whatever the process's mask; released, the file is gone."""
    before = os.umask(0o027)
    try:
        listener = bind_unix(path)
        assert 0o027 == os.umask(0o027)
    finally:
        os.umask(before)
    assert (0o660, f"unix:{path}") == (stat.S_IMODE(path.stat().st_mode), url_of(listener))
    with socket.socket(socket.AF_UNIX) as user:
        user.connect(str(path))

    release(listener)

    assert not path.exists()


def test_unix_socket_that_a_killed_process_left_is_replaced(path: Path) -> None:
    """Nobody listens on it: its file is stale."""
    bind_unix(path).close()
    assert path.exists()

    listener = bind_unix(path)

    with socket.socket(socket.AF_UNIX) as user:
        user.connect(str(path))
    release(listener)


@pytest.mark.parametrize("backlog", [0, 16], ids=["full backlog", "free"])
def test_unix_socket_on_which_somebody_listens_is_left_to_him(path: Path, backlog: int) -> None:
    """Also where he is too busy to answer."""
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as waiting:
        other.bind(str(path))
        other.listen(backlog)
        waiting.connect(str(path))  # with a backlog of 0 there is room for one

        message = refusal_of(lambda: bind_unix(path))

        assert f"--listen unix:{path}: can't listen there (another process listens there); give another" in message
        assert path.exists()


def test_unix_socket_of_another_kind_is_left(path: Path) -> None:
    """A datagram socket can't be asked whether somebody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        assert "Protocol wrong type for socket" in refusal_of(lambda: bind_unix(path))
        assert path.exists()


@pytest.mark.parametrize("make", [lambda path: path.write_text("precious"), lambda path: path.mkdir(),
                                  lambda path: path.symlink_to("/nowhere")],
                         ids=["file", "folder", "link"])  # fmt: skip
def test_what_is_no_socket_is_left(path: Path, make: Callable[[Path], object]) -> None:
    """A wrong path doesn't cost a file."""
    make(path)

    assert "a file that is not a socket is there" in refusal_of(lambda: bind_unix(path))
    assert os.path.lexists(path)


def test_unix_socket_in_a_folder_that_isnt_there_is_refused(tmp_path: Path) -> None:
    """With the system's cause."""
    assert "No such file or directory" in refusal_of(lambda: bind_unix(tmp_path / "absent" / "users.sock"))


def test_released_listener_leaves_anothers_socket(path: Path) -> None:
    """Who has taken the path meanwhile keeps it."""
    listener = bind_unix(path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()

        with capture_logs() as logs:
            release(listener)

        assert path.exists()
        assert ["listener.left"] == [entry["event"] for entry in logs]


# --- TLS: from settings ---
def test_listener_without_files_has_no_tls() -> None:
    """Neither file: users come without TLS."""
    assert listener_tls(None, None) is None


def test_one_file_without_the_other_is_refused(authority: Authority) -> None:
    """Both or neither; the given one is named, and the missing one."""
    pair = authority.issue()

    assert f"--tls-certificate {pair.certificate}: it needs --tls-key beside it; give both or neither" == refusal_of(
        lambda: listener_tls(pair.certificate, None)
    )
    assert f"--tls-key {pair.key}: it needs --tls-certificate beside it; give both or neither" == refusal_of(
        lambda: listener_tls(None, pair.key)
    )


def test_file_that_cant_be_used_is_refused_by_its_flag(authority: Authority) -> None:
    """Flag, file and reason; `test_certificates` has all the reasons."""
    pair, other = authority.issue(), authority.issue()

    assert f"--tls-key {other.key}: it doesn't belong to the first certificate in {pair.certificate}; " in refusal_of(
        lambda: listener_tls(pair.certificate, other.key)
    )
    pair.certificate.unlink()
    assert f"--tls-certificate {pair.certificate}: the file doesn't exist; " in refusal_of(lambda: listener_tls(*pair))


def test_expired_certificate_is_used_and_warned_about(authority: Authority) -> None:
    """Browsers warn their users, which is better than nobody being served."""
    pair = authority.issue_expired()

    with capture_logs() as logs:
        assert listener_tls(*pair) is not None

    assert [("certificate.expired", str(pair.certificate))] == [(entry["event"], entry["file"]) for entry in logs]


# --- TLS: handshakes ---
def shown(authority: Authority, tls: ListenerTls, name: str = "localhost") -> bytes | None:
    """The certificate that a new connection is shown."""
    return shake_hands(authority.trusting(), tls.context, name).getpeercert(binary_form=True)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_refused(version: ssl.TLSVersion, authority: Authority) -> None:
    """RFC 8996. The same client is understood by a server that allows them, so it is not refused for another reason."""
    pair = authority.issue(key_type=RSA)
    lenient = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    lenient.load_cert_chain(*pair)
    client, lenient = only_old(authority.trusting(), version), only_old(lenient, version)
    assert shake_hands(client, lenient).version() is not None

    with pytest.raises(ssl.SSLError, match=r"(?i)unsupported.protocol|protocol.version"):
        shake_hands(client, ListenerTls(*pair).context)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_versions_of_tls_are_spoken(version: ssl.TLSVersion, authority: Authority) -> None:
    """With forward secrecy in both."""
    client = authority.trusting()
    client.minimum_version = client.maximum_version = version

    connection = shake_hands(client, ListenerTls(*authority.issue()).context)

    cipher, spoken, _ = connection.cipher() or ("", "", 0)
    assert cipher.startswith(("ECDHE-", "TLS_AES_", "TLS_CHACHA20_"))
    assert spoken.startswith("TLSv1.")


@pytest.mark.parametrize(
    ("offered", "chosen"), [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (["h2"], None), ([], None)]
)
def test_http_1_1_is_all_that_is_chosen(offered: list[str], chosen: str | None, authority: Authority) -> None:
    """By ALPN (RFC 7301), after a reload as before it."""
    pair, other, client = authority.issue(), authority.issue(), authority.trusting()
    tls = ListenerTls(*pair)
    if offered:
        client.set_alpn_protocols(offered)

    before = shake_hands(client, tls.context).selected_alpn_protocol()
    pair.replace(other)
    tls.reload()

    assert (chosen, chosen) == (before, shake_hands(client, tls.context).selected_alpn_protocol())


# --- TLS: reload ---
@pytest.mark.parametrize(("old", "new"), [(EC, EC), (RSA, RSA), (EC, RSA), (RSA, EC)])
def test_renewed_certificate_is_shown_to_new_connections(old: object, new: object, authority: Authority) -> None:
    """Of whatever kind its key is: OpenSSL alone would go on showing the old one of another kind."""
    pair, renewed = authority.issue(key_type=old), authority.issue(key_type=new)
    tls = ListenerTls(*pair)
    first = der_of(pair)
    assert first == shown(authority, tls)
    pair.replace(renewed)

    with capture_logs() as logs:
        assert [True, False] == [tls.reload(), tls.reload()]

    assert der_of(renewed) == shown(authority, tls)
    assert ["certificate.replaced"] == [entry["event"] for entry in logs]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"], ids=["with SNI", "without SNI"])
def test_renewed_certificate_is_shown_with_and_without_a_server_name(name: str, authority: Authority) -> None:
    """A client that asks for an address sends no name (RFC 6066 §3)."""
    pair, renewed = authority.issue(), authority.issue()
    tls = ListenerTls(*pair)
    pair.replace(renewed)
    tls.reload()

    assert der_of(renewed) == shown(authority, tls, name)


def test_swapped_link_is_noticed(authority: Authority, tmp_path: Path) -> None:
    """As Kubernetes mounts secrets: the files are links into a folder that is swapped, their times say nothing."""
    pair, renewed, current = authority.issue(), authority.issue(), tmp_path / "..data"
    for name, issued in (("one", pair), ("two", renewed)):
        (tmp_path / name).mkdir()
        issued.certificate.rename(tmp_path / name / "tls.crt")
        issued.key.rename(tmp_path / name / "tls.key")
    current.symlink_to("one")
    tls = ListenerTls(current / "tls.crt", current / "tls.key")
    current.unlink()
    current.symlink_to("two")

    assert tls.reload()
    assert der_of(Pair(tmp_path / "two" / "tls.crt", tmp_path / "two" / "tls.key")) == shown(authority, tls)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pair: pair.certificate.unlink(),
        lambda pair: pair.key.unlink(),
        lambda pair: pair.certificate.write_bytes(b""),
        lambda pair: pair.key.write_bytes(pair.key.read_bytes()[:60]),
    ],
    ids=["no certificate", "no key", "empty certificate", "half a key"],
)
def test_broken_reload_keeps_the_certificate_in_force(spoil: Callable[[Pair], object], authority: Authority) -> None:
    """It is told once, with until when the old one lasts; what is mended is taken, what is undone changes nothing."""
    pair, renewed = authority.issue(), authority.issue()
    kept = authority.issue()
    kept.replace(pair)
    tls = ListenerTls(*pair)
    old = der_of(pair)
    spoil(pair)

    with capture_logs() as logs:
        assert [False] * 3 == [tls.reload() for _ in range(3)]

    assert [("error", "certificate.refused")] == [(entry["log_level"], entry["event"]) for entry in logs]
    assert old == shown(authority, tls)
    pair.replace(kept)
    assert not tls.reload()
    pair.replace(renewed)
    assert tls.reload()
    assert der_of(renewed) == shown(authority, tls)


def test_half_written_pair_is_taken_once_it_is_whole(authority: Authority) -> None:
    """Between the new certificate and its key there is a moment in which they don't fit."""
    pair, renewed = authority.issue(), authority.issue()
    tls = ListenerTls(*pair)
    pair.certificate.write_bytes(renewed.certificate.read_bytes())
    with capture_logs() as logs:
        assert not tls.reload()
    assert "doesn't belong to the first certificate" in logs[0]["cause"]

    pair.key.write_bytes(renewed.key.read_bytes())

    assert tls.reload()
    assert der_of(renewed) == shown(authority, tls)


def test_expired_renewal_is_warned_about(authority: Authority) -> None:
    """A wrong file, most likely; it is what the operator put there."""
    pair, expired = authority.issue(), authority.issue_expired()
    tls = ListenerTls(*pair)
    pair.replace(expired)

    with capture_logs() as logs:
        tls.reload()

    assert ["certificate.replaced", "certificate.expired"] == [entry["event"] for entry in logs]


async def sweep(tls: ListenerTls, now: float) -> None:
    """Sweeps, and waits for the look that this began, if it did."""
    tls.sweep(now)
    while tls._look is not None:  # noqa: ASYNC110  # it has no event
        await asyncio.sleep(0.001)


def test_sweeps_look_at_the_files_every_few_seconds(authority: Authority) -> None:
    """And not at each sweep; a fault is told, and the sweeps go on."""
    pair, renewed, last = authority.issue(), authority.issue(), authority.issue()
    tls = ListenerTls(*pair)

    async def scenario() -> None:
        await sweep(tls, 100.0)
        pair.replace(renewed)
        await sweep(tls, 100.0 + LOOK_S - 0.1)
        assert der_of(renewed) != shown(authority, tls)
        await sweep(tls, 100.0 + LOOK_S)
        assert der_of(renewed) == shown(authority, tls)
        pair.key.write_bytes(b"")
        with capture_logs() as logs:
            await sweep(tls, 100.0 + 2 * LOOK_S)
            await sweep(tls, 100.0 + 3 * LOOK_S)
        assert ["certificate.refused"] == [entry["event"] for entry in logs]
        pair.replace(last)
        await sweep(tls, 100.0 + 4 * LOOK_S)
        assert der_of(last) == shown(authority, tls)

    asyncio.run(scenario())


def test_sweeps_dont_wait_for_a_disk_that_hangs(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look at a time, beside the loop; the next one comes when it has ended."""
    may_read, looks = threading.Event(), 0
    tls = ListenerTls(*authority.issue())

    def hang(*_: object) -> str:
        nonlocal looks
        looks += 1
        may_read.wait(10)
        return tls._in_force.digest

    monkeypatch.setattr("proxy.listeners.read_digest", hang)

    async def scenario() -> None:
        for number in range(5):
            tls.sweep(100.0 + number * LOOK_S)
        await asyncio.sleep(0)  # the loop goes on meanwhile
        may_read.set()
        await sweep(tls, 100.0)
        assert 1 == looks

    asyncio.run(scenario())
