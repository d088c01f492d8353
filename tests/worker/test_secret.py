"""The secret: made once, for its owner alone."""

from __future__ import annotations

import hmac
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from worker.errors import PasswordUnusable, SecretUnusable
from worker.store.secret import fingerprint, keyed, load_secret, read_password


def test_it_is_made_once_whoever_comes_first(tmp_path: Path) -> None:
    file = tmp_path / "state" / "secret"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(load_secret, [file] * 16))
    assert len(found) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize(
    ("content", "mode", "reason"), [("x" * 64, 0o644, "others may read it"), ("short", 0o600, "it has 5 bytes")]
)
def test_one_that_is_no_secret_is_refused(tmp_path: Path, content: str, mode: int, reason: str) -> None:
    file = tmp_path / "secret"
    file.write_text(content)
    file.chmod(mode)
    with pytest.raises(SecretUnusable, match=reason):
        load_secret(file)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make files of root's and leave root")
@pytest.mark.parametrize(
    ("mode", "reason"), [(0o440, ""), (0o444, "others may read it"), (0o460, "others may read it")]
)
def test_one_that_root_hands_to_our_group_is_taken_unless_others_may_read_or_the_group_may_write(
    mode: int, reason: str
) -> None:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    file = folder / "secret"
    file.write_text("x" * 64)
    os.chown(file, 0, 10001)
    file.chmod(mode)
    code = (
        "import os, sys; from pathlib import Path; from worker.store.secret import load_secret;"
        "os.setgroups([10001]); os.setgid(10001); os.setuid(10001); print(len(load_secret(Path(sys.argv[1]))))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False)
    shutil.rmtree(folder)
    assert (done.returncode, done.stdout) == ((1, "") if reason else (0, "64\n")), done.stderr
    assert reason in done.stderr


@pytest.mark.parametrize(("content", "found"), [("word\n", "word"), ("word", "word"), (" wo rd \r\n", " wo rd ")])
def test_a_password_is_the_one_line_of_its_file(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "password").write_text(content, newline="")
    assert read_password(tmp_path / "password") == found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"a\nb\n", "several lines"),
        (b"\xff", "UTF-8"),
        (None, "No such file"),
    ],
)
def test_a_file_without_a_password_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    with pytest.raises(PasswordUnusable, match=reason):
        read_password(tmp_path / "password")


def test_a_fingerprint_distinguishes_two_secrets() -> None:
    assert fingerprint(b"a" * 32) != fingerprint(b"b" * 32)


@pytest.mark.parametrize("size", [0, 1, 32, 63, 64, 65, 200])
def test_what_is_keyed_is_the_hmac_of_the_standard_library(size: int) -> None:
    key = bytes(range(200))[:size]
    for message in (b"", b"patient", bytes(1_000), b"patient"):
        assert keyed(key, message) == hmac.digest(key, message, "sha256")
