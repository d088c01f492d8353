"""Commands that have ended, and whether a test looked at how they ended."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


class Ended(subprocess.CompletedProcess[str]):
    """A command that has ended; it notes that its exit code was read."""

    def __init__(self, args: object, returncode: int, stdout: str, stderr: str) -> None:
        super().__init__(args, returncode, stdout, stderr)  # type: ignore[arg-type]
        self.seen = returncode == 0

    @property
    def returncode(self) -> int:
        self.seen = True
        return self._code

    @returncode.setter
    def returncode(self, code: int) -> None:
        self._code = code


@contextmanager
def exit_codes_are_seen() -> Iterator[list[Ended]]:
    """Collects the commands of a test, and fails it for each that ended with other than 0 and was not asked how."""
    ended: list[Ended] = []
    yield ended
    unseen = [one for one in ended if not one.seen]
    told = [f"{one.args} ended with {one.returncode}\n{one.stdout[-1_000:]}{one.stderr[-1_000:]}" for one in unseen]
    assert not unseen, "the test does not look at this exit code:\n" + "\n".join(told)
