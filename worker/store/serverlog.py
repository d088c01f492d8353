"""Why an embedded server ended, from the lines of its log: our own sentences, never the log's own text.

A server that cannot read its append-only file may write the command into its log with its arguments, and those are
claims. So a line is only recognized here, and what is printed is ours.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_TAIL_BYTES = 64 * 1024


class EndReason(NamedTuple):
    """Why, and what to do."""

    why: str
    mend: str


_CHECK = "copy the folder first, then mend it with redis-check-aof (ops/runbook.md, The embedded server does not start)"
_OTHER = "another server wrote it: give it that one back (ops/runbook.md, The embedded server does not start)"
_RESTORE = "bring the folder back from a copy (ops/runbook.md, The embedded server does not start)"
_SENTENCES: tuple[tuple[str, EndReason], ...] = (
    ("No space left on device|Disk quota exceeded", EndReason("its disk is full", "free some, and try again")),
    ("Can't handle RDB format version|Unknown RDB", EndReason("it cannot read the format of its base file", _OTHER)),
    ("nknown command", EndReason("its append-only file holds a command that it does not know", _OTHER)),
    (
        "Short read or OOM|Unexpected EOF reading RDB|RDB CRC|RDB checksum|in RDB reading|error loading the RDB",
        EndReason("the base of its append-only file is damaged", _RESTORE),
    ),
    (
        r"reading the append only file .*\.base\.",
        EndReason("the base of its append-only file is damaged, or of another server", _OTHER),
    ),
    (
        "reading the append only file|end of file reading|AOF loading aborted",
        EndReason("its append-only file is damaged", _CHECK),
    ),
    (
        "AOF manifest|AOF MANIFEST",
        EndReason("the list of its append-only files (appendonlydir/*.manifest) is damaged", _RESTORE),
    ),
    ("AOF file .* (length|doesn't exist)", EndReason("one of its append-only files is missing", _RESTORE)),
    (
        "unix socket path too long",
        EndReason("the path of its socket is too long", "set SCRUB_STATE_DIR to a shorter one, or TMPDIR"),
    ),
    (
        "Unix socket",
        EndReason(
            "it cannot make its socket", "see that the folder of the socket is there, yours, and on a local disk"
        ),
    ),
    (
        "Permission denied|Operation not permitted|Read-only file system|Can't chdir|append-only dir",
        EndReason("it may not write in its folder", "mend owner and mode of all that is in it (chown, chmod 700)"),
    ),
    (
        "Out Of Memory|Cannot allocate memory|out of memory",
        EndReason("there is too little memory for its claims", "add some, or raise the limit of this process"),
    ),
    (
        "FATAL CONFIG FILE ERROR",
        EndReason("it refuses a setting that we start it with", "install another version of it"),
    ),
    (
        "error while loading shared libraries|symbol lookup error",
        EndReason("a library that it needs is missing", "install it again"),
    ),
)
_KNOWN = [(re.compile(pattern), reason) for pattern, reason in _SENTENCES]


def size(log: Path) -> int:
    """Bytes that the log has now: where the lines of the next start begin."""
    return log.stat().st_size if log.exists() else 0


def reason(log: Path, since: int) -> EndReason | None:
    """Why the server ended whose lines begin at that byte; None where they do not say it in a way that is known."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(since, size(log) - _TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return None
    return next((found for pattern, found in _KNOWN if pattern.search(text)), None)
