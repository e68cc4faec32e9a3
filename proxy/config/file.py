"""The config file on disk: read whole as text, replaced whole. What the text means is for `load`."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from proxy.errors import ConfigError, Problem, Refused

MAX_BYTES = 1_048_576  # thousands of routes; the parser, in pure Python, needs 8 s for so much


def read(file: Path) -> str:
    """The file's text, line ends and byte order mark included. Raises ConfigError when it is not usable text."""
    data = _read_bytes(file)
    if len(data) > MAX_BYTES:
        raise _unusable(file, f"the file is larger than {MAX_BYTES:,} bytes; a config is a page or a few")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(file, data, error) from error


def _read_bytes(file: Path) -> bytes:
    """The first bytes of a regular file: one more than allowed, to see that it is too large."""
    try:
        # A pipe or a device would block, or never end.
        if not stat.S_ISREG(file.stat().st_mode):
            raise _unusable(file, "this is not a file; give the path of a migration.yaml")
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise _unusable(file, "the file doesn't exist; create it, or name another with --config") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _unusable(file, f"the file can't be read: {reason}") from error


def _unusable(file: Path, message: str) -> ConfigError:
    return ConfigError(str(file), (Problem(1, 1, "", message),))


def _not_utf8(file: Path, data: bytes, error: UnicodeDecodeError) -> ConfigError:
    before = data[: error.start].decode("utf-8")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    message = f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8"
    return ConfigError(str(file), (Problem(line, column, "", message),))


def write_atomically(file: Path, text: str) -> None:
    """Replace the file's content at once: a reader, or a crash, meets the old text or the new one, never a mixture.

    The mode stays. Raises Refused for a file that others own (a symlink, as Kubernetes mounts a ConfigMap) and for
    a folder that can't be written.
    """
    if _is_linked(file):
        raise Refused(
            f"{file} is a symbolic link, as in a mounted ConfigMap: a change here would be lost or would "
            "cut the link; change the source that it is made from"
        )
    try:
        _replace(file, text.encode("utf-8"))
    except OSError as error:
        raise Refused(
            f"{file} can't be written: {error.strerror}; make the file's folder writable for Changeover, "
            "or edit the file where it is kept"
        ) from error


def _is_linked(file: Path) -> bool:
    """Whether the file is a link, or lies in a folder of links: Kubernetes swaps `..data` beside it."""
    return file.is_symlink() or (file.parent / "..data").is_symlink()


def _replace(file: Path, content: bytes) -> None:
    mode = stat.S_IMODE(file.stat().st_mode)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(name).replace(file)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_folder(file.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut: fsync(2) of a file doesn't cover its directory entry."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
