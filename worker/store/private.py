"""Folders and files of the state folder: their owner's alone, 0700 and 0600, whatever the umask of the process.

A umask only takes rights away, so `open(..., 0o600)` under 0177 gives a file that its owner cannot read; and what is
made by another program, or by `mkdir(parents=True)`, takes the umask as it is. So the mode is set, not asked for.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from worker.errors import FolderUnusable

FOLDER, FILE = 0o700, 0o600
KNOWN = frozenset(
    {"redis", "secret", "secret.audit", "secret.patient", "audit", "books", "tables", "snapshots", "desk"}
    | {"drafts.yaml", "tokens", ".tokens.lock", "webhook"}
)
"""What the state folder holds."""


def make_folder(folder: Path) -> None:
    """Makes the folder, and those above it that are missing.

    Raises:
        OSError
    """
    missing = []
    for path in (folder, *folder.parents):
        if path.exists():
            break
        missing.append(path)
    for path in reversed(missing):
        try:
            path.mkdir(FOLDER)
        except FileExistsError:  # somebody else was quicker
            continue
        path.chmod(FOLDER)
    if not folder.is_dir():
        raise NotADirectoryError(20, "it is a file")


def close_state(folder: Path) -> None:
    """Makes the state folder its owner's alone, with all that is in it, where it is there and ours.

    Only of what we know: one that holds something else as well, as a home folder does, is not ours to close.

    Raises:
        FolderUnusable: others may write in one that is not ours to close, and may so put a book or a secret there.
    """
    try:
        found = folder.stat()
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) == FOLDER:
            return
        if {entry.name for entry in os.scandir(folder)} <= KNOWN:
            close_folder(folder)
        elif stat.S_IMODE(found.st_mode) & 0o022:
            raise FolderUnusable(folder=folder, reason=f"its mode is {stat.S_IMODE(found.st_mode):o}")
    except FileNotFoundError:
        return
    except OSError as error:
        raise FolderUnusable(folder=folder, reason=error.strerror) from None


def close_folder(folder: Path) -> None:
    """Takes away what others may do with a folder of ours and all that is in it; what is not ours is left alone.

    Raises:
        OSError
    """
    _close(folder.resolve(), FOLDER)
    for path, folders, files in os.walk(folder):
        for name in folders:
            _close(Path(path, name), FOLDER)
        for name in files:
            _close(Path(path, name), FILE)


def _close(path: Path, mode: int) -> None:
    found = path.lstat()
    fit = stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)
    if fit and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) != mode:
        path.chmod(mode)


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file that is made where it is not there, closed at exec.

    Raises:
        OSError
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, FILE)
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != FILE:
        os.fchmod(descriptor, FILE)
    return descriptor


def write_private(path: Path, content: bytes) -> None:
    """Writes the file in one step, also if the process dies on the way.

    Raises:
        FolderUnusable
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        make_folder(path.parent)
        with open(open_private(aside, os.O_WRONLY | os.O_EXCL), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise FolderUnusable(folder=path.parent, reason=error.strerror or "it cannot be written") from None
