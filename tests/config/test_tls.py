"""The files of backends' TLS are looked at when the config is read: what can't be used is refused at its key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from proxy.config import Loaded, build, parse
from proxy.core.model import Backend, BackendTls
from proxy.errors import ConfigError
from tests.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def text_with(legacy: str = '{url: "http://a"}', new: str = '{url: "http://b"}') -> str:
    return f"""version: 1
backends:
  legacy: {legacy}
  new: {new}
users: {{salt: s, key: ["cookie:id"]}}
routes: {{all: {{match: {{prefix: /}}}}}}
"""


def https(**tls: object) -> str:
    return json.dumps({"url": "https://h", "tls": {name: str(value) for name, value in tls.items()}})


def parsed(text: str, **environ: str) -> Loaded:
    return parse(text, "migration.yaml", environ)


def problems_of(text: str, **environ: str) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as refusal:
        parsed(text, **environ)
    return [(problem.line, problem.path, problem.message) for problem in refusal.value.problems]


def test_good_files_become_values(authority: Authority) -> None:
    """All keys of `tls`, as the workers get them; also after the way through a document."""
    pair = authority.issue()

    loaded = parsed(
        text_with(https(ca=authority.file, server_name="App.internal", certificate=pair.certificate, key=pair.key))
    )

    tls = BackendTls(str(authority.file), "app.internal", str(pair.certificate), str(pair.key))
    assert Backend("legacy", "https", "h", 443, tls=tls) == loaded.migration.legacy
    assert BackendTls() == loaded.migration.new.tls
    assert ((), loaded.migration) == (loaded.warnings, build(json.loads(json.dumps(loaded.document))))


def test_unix_socket_becomes_a_value() -> None:
    """Its URL is shown as it was written; a client of HTTP is given localhost."""
    backend = parsed(text_with('{url: "unix:/run/app.sock"}')).migration.legacy

    assert Backend("legacy", "http", "localhost", 80, socket_path="/run/app.sock") == backend
    assert ("unix:/run/app.sock", "http://localhost:80") == (backend.url, backend.base_url)


def test_files_that_cant_be_used_are_told_at_their_keys(authority: Authority, tmp_path: Path) -> None:
    """All of them at once, of both sides, each with the file's name and the reason."""
    pair, other = authority.issue(), authority.issue()
    (tmp_path / "empty.pem").touch()

    found = problems_of(
        text_with(
            https(ca=tmp_path / "empty.pem", certificate=pair.certificate, key=other.key),
            https(ca="/absent/ca.pem", certificate=tmp_path, key=pair.key),
        )
    )

    assert [(line, path) for line, path, _ in found] == [
        (3, "backends.legacy.tls.ca"),
        (3, "backends.legacy.tls.key"),
        (4, "backends.new.tls.ca"),
        (4, "backends.new.tls.certificate"),
    ]
    messages = [message for *_, message in found]
    assert f"{tmp_path / 'empty.pem'}: it holds no certificate, or a damaged one; give a PEM file" == messages[0]
    assert messages[1].startswith(f"{other.key}: it doesn't belong to the first certificate in {pair.certificate}")
    assert messages[2].startswith("/absent/ca.pem: the file doesn't exist")
    assert messages[3].startswith(f"{tmp_path}: it is not a file")


def test_files_are_told_beside_other_faults() -> None:
    """A fault elsewhere doesn't hide them."""
    text = text_with(https(ca="/absent/ca.pem")).replace("salt: s", 'salt: ""')

    assert ["backends.legacy.tls.ca", "users.salt"] == [path for _, path, _ in problems_of(text)]


def test_file_of_a_variable_is_told_by_its_name() -> None:
    """Overrides are checked as the file is."""
    found = problems_of(text_with(https()), CHANGEOVER_BACKENDS__LEGACY__TLS__CA="/absent/ca.pem")

    assert [(0, "CHANGEOVER_BACKENDS__LEGACY__TLS__CA")] == [(line, path) for line, path, _ in found]


def test_document_is_built_without_its_files() -> None:
    """A worker takes the rollout over even where its files are away, and serves what doesn't need them."""
    document = parsed(text_with(https())).document
    document["backends"]["legacy"]["tls"] = {"ca": "/absent/ca.pem"}

    assert "/absent/ca.pem" == build(document).legacy.tls.ca


def test_unverified_backend_is_warned_about() -> None:
    """With what it means, at its key."""
    (warning,) = parsed(text_with(new='{url: "https://h", tls: {verify: false}}')).warnings

    assert warning.startswith(
        "migration.yaml:4:41: backends.new.tls.verify: the certificate of https://h is not verified"
    )
    assert "can read and change every request and answer" in warning


def test_expired_certificate_is_warned_about(authority: Authority) -> None:
    """The backend will not accept it; the operator may be about to renew it."""
    pair = authority.issue_expired("changeover.internal")

    (warning,) = parsed(text_with(https(certificate=pair.certificate, key=pair.key))).warnings

    assert f"backends.legacy.tls.certificate: {pair.certificate}: it expired on " in warning


def test_sides_on_one_socket_are_warned_about() -> None:
    """As two equal addresses are; two sockets are two backends."""
    one, other = '{url: "unix:/run/one.sock"}', '{url: "unix:/run/other.sock"}'

    assert ["legacy and new are the same address" in warning for warning in parsed(text_with(one, one)).warnings] == [
        True
    ]
    assert () == parsed(text_with(one, other)).warnings
