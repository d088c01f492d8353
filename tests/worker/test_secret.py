"""The secret: made once, for its owner alone."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from worker.errors import SecretUnusable
from worker.secret import fingerprint, load_secret


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


def test_a_fingerprint_tells_two_secrets_apart() -> None:
    assert fingerprint(b"a" * 32) != fingerprint(b"b" * 32)
