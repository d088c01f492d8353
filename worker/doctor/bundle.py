"""What who helps from outside may see of an installation: one archive without patient data.

It is chosen by what may go in, never by what must come out: settings with hidden passwords, what the doctor and the
reconciliation say in numbers, versions, digests of books, and of a log the lines that are ours and of no claim.
"""

from __future__ import annotations

import io
import platform
import sys
import tarfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import orjson
from redis.exceptions import RedisError

from rules.errors import ScrubError
from worker.books import current
from worker.books.switch import in_force
from worker.config.revision import revision
from worker.config.settings import Settings
from worker.config.told import told
from worker.doctor.examinations import examine
from worker.monitoring.figures import exposition, figures
from worker.monitoring.reconciliation import reconcile
from worker.store.agreement import standing
from worker.store.connections import Store
from worker.store.private import write_private

MOST = 2_000
"""Lines of the log that go in, the last ones."""
_LOGGED = frozenset(
    {
        "@timestamp",
        "log.level",
        "log.logger",
        "message",
        "event.action",
        "error.type",
        "error.stack_trace",
        "process.pid",
    }
)
"""Of a line of the operational log, besides all of queue.* and book.*."""
_GROUPS = ("queue.", "book.")


def logged(lines: Iterable[bytes]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The last lines of the operational log with what may be shown of each, and how many others there were, by why."""
    kept, left_out = deque[dict[str, Any]](maxlen=MOST), Counter[str]()
    for line in lines:
        try:
            found = orjson.loads(line)
        except ValueError:
            left_out["no line of a log in JSON"] += 1
            continue
        if not isinstance(found, dict) or found.get("service.name") != "claim-scrubber" or "log.logger" not in found:
            left_out["not of the operational log, as audit lines are not"] += 1
        elif any(name.startswith(("claim.", "rule.", "case.")) for name in found):
            left_out["of a claim"] += 1
        else:
            kept.append({name: value for name, value in found.items() if name in _LOGGED or name.startswith(_GROUPS)})
    return list(kept), left_out


def contents(settings: Settings, store: Store | None, log: Iterable[bytes], today: date) -> dict[str, bytes]:
    """The files of a bundle by name; `store` is None where Redis does not answer."""
    lines, left_out = logged(log)
    found = {
        "about.json": _json(_about(left_out)),
        "settings.json": _json([{"name": one.name, "value": one.value, "from": one.origin} for one in told(settings)]),
        "doctor.ndjson": _lines(asdict(one) for one in examine(settings, today, store)),
        "books.json": _json(_books(settings, store)),
        "log.ndjson": _lines(lines),
    }
    if store:
        try:
            found["figures.prom"] = ("\n".join(exposition(figures(reconcile(store.redis, store.keys)))) + "\n").encode()
            found["workers.json"] = _json(_workers(store))
        except (ScrubError, RedisError) as error:
            found["workers.json"] = _json({"not to be had": type(error).__name__})
    return found


def write(file: Path, parts: Mapping[str, bytes]) -> None:
    """A gzipped tar archive, its owner's alone.

    Raises:
        FolderUnusable
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in sorted(parts.items()):
            about = tarfile.TarInfo(f"{file.name.partition('.')[0]}/{name}")
            about.size, about.mode, about.mtime = len(content), 0o600, int(time.time())
            archive.addfile(about, io.BytesIO(content))
    write_private(file, out.getvalue())


def _about(left_out: Counter[str]) -> dict[str, Any]:
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "claim-scrubber": version("claim-scrubber"),
        "revision": revision(),
        "python": sys.version,
        "platform": platform.platform(),
        "packages": dict(sorted((one.metadata["Name"], one.version) for one in distributions())),
        "log lines left out": dict(left_out),
    }


def _books(settings: Settings, store: Store | None) -> dict[str, Any]:
    """Versions and digests; of a switch neither who nor why, which are a person's words."""
    found: dict[str, Any] = {}
    try:
        own = current.own_book(settings)
        found["own"] = {"version": own.version, "digest": own.digest, "rules": len(own.rules)}
        if store:
            now = in_force(store.redis, store.keys)
            found["in force"] = asdict(now.basis) if now.basis else None
    except (ScrubError, RedisError) as error:
        found["not to be had"] = type(error).__name__
    return found


def _workers(store: Store) -> dict[str, Any]:
    found = reconcile(store.redis, store.keys)
    server = store.redis.info("server") if not store.settings.embedded else {}
    return {
        "layout": standing(store.redis).layout,
        "server": {name: server.get(name) for name in ("redis_version", "server_name", "valkey_version", "os")},
        "workers": [asdict(one) | {"alive": one.alive} for one in found.workers],
        "incoming": [asdict(one) for one in found.incoming],
    }


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str) + b"\n"


def _lines(values: Iterable[Any] | Sequence[Any]) -> bytes:
    return b"".join(orjson.dumps(value, default=str) + b"\n" for value in values)
