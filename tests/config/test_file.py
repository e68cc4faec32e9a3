"""The file is read whole as UTF-8, and replaced whole, with its mode; what can't be is said."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.config import load, read, write_atomically, write_edited
from proxy.config.file import MAX_BYTES
from proxy.errors import ConfigError, Problem, Refused


def refused(file: Path) -> Problem:
    with pytest.raises(ConfigError) as refusal:
        load(file, {})
    (problem,) = refusal.value.problems
    assert str(file) == refusal.value.file
    return problem


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A wrong path is told with the flag that names another."""
    message = "the file doesn't exist; create it, or name another with --config"

    assert Problem(1, 1, "", message) == refused(tmp_path / "none.yaml")


def test_folder_is_refused(tmp_path: Path) -> None:
    """A folder is no config."""
    assert "this is not a file; give the path of a migration.yaml" == refused(tmp_path).message


def test_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """Something that never ends, or never begins, isn't opened."""
    os.mkfifo(tmp_path / "pipe")

    assert "this is not a file; give the path of a migration.yaml" == refused(tmp_path / "pipe").message


def test_path_through_a_file_is_refused(tmp_path: Path) -> None:
    """The system's own reason is passed on."""
    (tmp_path / "file").write_text("")

    assert "the file can't be read: Not a directory" == refused(tmp_path / "file" / "config").message


def test_impossible_path_is_refused(tmp_path: Path) -> None:
    """A path that no system takes is refused like one that isn't there."""
    assert "the file can't be read: embedded null byte" == refused(tmp_path / "a\0b").message


@pytest.fixture
def _as_nobody() -> Iterator[None]:
    """Root may read every file: take on another user for the time of the test."""
    user = os.geteuid()
    os.seteuid(65534 if user == 0 else user)
    yield
    os.seteuid(user)


@pytest.mark.usefixtures("_as_nobody")
def test_unreadable_file_is_refused() -> None:
    """Missing rights are told as such."""
    file = Path(tempfile.mkdtemp(), "m.yaml")
    file.touch(mode=0)

    assert "the file can't be read: Permission denied" == refused(file).message


def test_file_that_is_not_utf8_is_refused_at_the_byte(tmp_path: Path) -> None:
    """Line and column lead to the first byte that isn't UTF-8."""
    file = tmp_path / "m.yaml"
    file.write_bytes("version: 1\n# é: ".encode() + b"\xe9\n")

    assert Problem(2, 6, "", "byte 0xe9 is not UTF-8; save the file as UTF-8") == refused(file)


def test_large_file_is_refused(tmp_path: Path) -> None:
    """What is larger than a config can be isn't parsed; the largest that can be is."""
    file = tmp_path / "m.yaml"
    file.write_text("#" * (MAX_BYTES + 1))
    too_large = refused(file)
    file.write_text("#" * MAX_BYTES)

    assert "the file is larger than 1,048,576 bytes; a config is a page or a few" == too_large.message
    assert "the file is empty; a config begins with version: 1" == refused(file).message


def test_text_is_read_as_it_is(tmp_path: Path) -> None:
    """Line ends and the byte order mark are kept, so that an edit keeps them."""
    file = tmp_path / "m.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r")

    assert "\ufeffa: 1\r\nb: 2\r" == read(file)


def test_written_text_replaces_the_content_and_keeps_the_mode(tmp_path: Path) -> None:
    """The new content is there, byte for byte, under the old mode, and no other file is left."""
    file = tmp_path / "m.yaml"
    file.write_text("old")
    file.chmod(0o640)
    inode = file.stat().st_ino

    write_atomically(file, "\ufeffnew: é\r\n")

    assert "\ufeffnew: é\r\n".encode() == file.read_bytes()
    assert 0o640 == stat.S_IMODE(file.stat().st_mode)
    assert inode != file.stat().st_ino
    assert [file] == list(tmp_path.iterdir())


def test_link_is_refused(tmp_path: Path) -> None:
    """A link is how others hand us a file; replacing it would cut them off."""
    (tmp_path / "real.yaml").write_text("old")
    (tmp_path / "m.yaml").symlink_to("real.yaml")

    with pytest.raises(Refused, match="is a symbolic link, as in a mounted ConfigMap"):
        write_atomically(tmp_path / "m.yaml", "new")

    assert "old" == (tmp_path / "real.yaml").read_text()
    assert (tmp_path / "m.yaml").is_symlink()


def test_file_in_a_mounted_config_map_is_refused(tmp_path: Path) -> None:
    """Kubernetes keeps `..data` beside the files; a change there would be lost at the next swap."""
    (tmp_path / "v1").mkdir()
    (tmp_path / "..data").symlink_to("v1")
    (tmp_path / "m.yaml").write_text("old")

    with pytest.raises(Refused, match="change the source that it is made from"):
        write_atomically(tmp_path / "m.yaml", "new")


def test_missing_file_is_not_created(tmp_path: Path) -> None:
    """Only a file that is there can be replaced."""
    with pytest.raises(Refused, match="can't be written: No such file or directory"):
        write_atomically(tmp_path / "m.yaml", "new")

    assert [] == list(tmp_path.iterdir())


def test_failed_replacement_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the system refuses the rename, the old text stays and the temporary file goes."""
    file = tmp_path / "m.yaml"
    file.write_text("old")

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", fail)

    with pytest.raises(Refused, match="can't be written: No space left on device"):
        write_atomically(file, "new")

    assert "old" == file.read_text()
    assert [file] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("a: 1\nb: {c: 5}\n", "a: 1\nb: {c: 10}\n", ":2:8: change `b: {c: 5}` to `b: {c: 10}`"),
        ("a: 1\nb: 2\n", "a: 1\n  c: 3\nb: 2\n", ":2:1: add the line `c: 3`"),
    ],
)
def test_edit_that_cannot_be_written_names_the_line(tmp_path: Path, before: str, after: str, words: str):
    """Whoever owns the file makes the change there."""
    owned, file = tmp_path / "owned.yaml", tmp_path / "m.yaml"
    owned.write_text(before)
    file.symlink_to(owned)
    with pytest.raises(Refused, match="is a symbolic link") as refused:
        write_edited(file, before, after)
    assert str(refused.value).endswith(f"; {file}{words}")
    assert before == owned.read_text()
