"""Addresses are read as people write them, and shown so again."""

import pytest

from proxy.addresses import MAX_SOCKET_PATH_BYTES, TcpAddress, UnixAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8000", TcpAddress("127.0.0.1", 8000)),
        ("localhost:0", TcpAddress("localhost", 0)),
        ("0.0.0.0:65535", TcpAddress("0.0.0.0", 65535)),
        ("[::1]:80", TcpAddress("::1", 80)),
        ("unix:/run/changeover.sock", UnixAddress("/run/changeover.sock")),
        ("unix:/run/with blank:8000", UnixAddress("/run/with blank:8000")),
    ],
)
def test_address_is_read_and_shown_as_written(text: str, address: TcpAddress | UnixAddress) -> None:
    """Names, IPv4 addresses, bracketed IPv6 addresses and paths are taken apart, and put together again."""
    assert (address, text) == (parse_address(text), str(address))


def test_ipv6_address_has_one_form() -> None:
    """However the zeros are written."""
    assert TcpAddress("::1", 80) == parse_address("[0:0::1]:80")


@pytest.mark.parametrize(
    "text",
    ["", "8000", ":8000", "host:", "host:65536", "host:-1", "::1:80", "[zz]:80", "[1.2]:80", "http://h:80", "h:8 0"],
)
def test_impossible_address_is_refused(text: str) -> None:
    """What can't be listened on is refused with how to write it."""
    with pytest.raises(ValueError, match=r"write (it as|HOST:PORT)"):
        parse_address(text)


@pytest.mark.parametrize(
    "text", ["unix:", "unix:run/app.sock", "unix:@abstract", "unix:/run/", "unix:/run/a\nb", "unix:/\0"]
)
def test_path_that_names_no_socket_is_refused(text: str) -> None:
    """A Unix socket has an absolute path of visible characters."""
    with pytest.raises(ValueError, match=r"write it as unix:/run/app\.sock"):
        parse_address(text)


def test_path_is_as_long_as_the_system_takes_it() -> None:
    """The longest path is taken, one byte more is refused: the system counts bytes."""
    longest = "unix:/" + "é" * ((MAX_SOCKET_PATH_BYTES - 1) // 2)
    assert longest == str(parse_address(longest))
    with pytest.raises(ValueError, match="longer than the 107 bytes"):
        parse_address(longest + "e")
