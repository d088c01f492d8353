"""The doctor on the case store: whether it is there and the right one, how far it is, and what waits in it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from redis.exceptions import RedisError

from rules.errors import ScrubError
from worker.audit.actlines import acts_logged
from worker.config.settings import Settings
from worker.doctor.diagnosis import Diagnosis
from worker.store.connections import Store
from worker.store.outletspecs import FILES, JUDGED

if TYPE_CHECKING:
    from worker.desk.casestore import CaseStore

_ABOUT = "case store"
_LATE = timedelta(days=1)
"""After which what was decided should be there."""
_AGAIN = (
    "Set SCRUB_CASE_STORE to the right one, or put its newest backup back; then `scrub rework rebuild` makes again "
    "what is missing."
)


def case_store(settings: Settings, store: Store | None, now: datetime) -> Iterator[Diagnosis]:
    """All of it; `store`: Redis, where it could be opened. Nothing is made or changed."""
    if find_spec("sqlalchemy") is None or find_spec("alembic") is None:
        if settings.case_store:
            sentence = "SCRUB_CASE_STORE is set, and packages that it needs are not installed."
            yield Diagnosis("ill", _ABOUT, sentence, "pip install 'claim-scrubber[desk]'")
        return
    from worker.desk.casestore import revision_at

    try:
        logged = acts_logged(settings.audit_path)
    except OSError:  # the audit folder's diagnosis says so already
        logged = set()
    try:
        revision = revision_at(settings.case_store_url, settings.case_store_password_file)
        if revision is None:
            yield _none(settings, len(logged))
            return
        yield from _there(settings, store, revision, logged, now)
    except ScrubError as error:
        yield Diagnosis("ill", _ABOUT, str(error))


def file_of(settings: Settings) -> Path | None:
    """Of SQLite; None: it is a server's."""
    url = settings.case_store_url
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def _none(settings: Settings, acts: int) -> Diagnosis:
    where = file_of(settings) or "the database of SCRUB_CASE_STORE"
    if acts:
        sentence = f"There is none at {where}, and the audit log here has {acts} acts of people on cases."
        return Diagnosis("ill", _ABOUT, sentence, _AGAIN)
    return Diagnosis("well", _ABOUT, f"{where} (made at first use)")


def _there(
    settings: Settings, store: Store | None, revision: str, logged: set[str], now: datetime
) -> Iterator[Diagnosis]:
    from worker.desk.casestore import CaseStore, newest_revision

    if revision < newest_revision():
        sentence = f"Its tables are at {revision}, this release uses {newest_revision()}."
        yield Diagnosis("poor", _ABOUT, sentence, "The next `scrub rework list` or `scrub serve` brings them there.")
        return
    with closing(CaseStore(settings.case_store_url, settings.case_store_password_file)) as cases:
        with cases.session() as session:
            every, held, there = session.count(), session.open_count(), session.act_ids()
            pending = session.pending_acts()
        yield Diagnosis("well", _ABOUT, f"{cases.where}: {every} cases, {held} of them held; tables at {revision}.")
        if missing := len(logged - there):
            sentence = f"{missing} acts of the audit log here are not in it: it is a new one, or an older copy."
            yield Diagnosis("ill", _ABOUT, sentence, _AGAIN)
        old = [one for one in pending if datetime.fromisoformat(one.act.moment) < now - timedelta(minutes=5)]
        if old:
            sentence = f"{len(old)} acts were begun and broke off, the first on {old[0].act.moment[:10]}."
            yield Diagnosis("poor", _ABOUT, sentence, "scrub rework list, on the machine on which they were begun.")
        yield from _behind(cases, store, now)
        yield from _past(cases, settings, now)
    yield from _open_to_others(settings)


def _behind(cases: CaseStore, store: Store | None, now: datetime) -> Iterator[Diagnosis]:
    """How many decisions are not brought in, and since when."""
    behind, since = 0, now.timestamp() * 1000
    with suppress(RedisError), cases.session() as session:
        for part in store.keys.all if store else ():
            for outlet in (*JUDGED, FILES):
                stream = part.outlet(outlet)
                if not store or not store.redis.exists(stream):
                    continue
                cursor = session.cursor(stream)
                about = cast(Any, store.redis.xinfo_stream(stream))
                behind += max(0, int(about["entries-added"]) - cursor.count)
                for entry, _ in cast(Any, store.redis.xrange(stream, f"({cursor.entry}", count=1)):
                    since = min(since, float(entry.decode().partition("-")[0]))
    first = datetime.fromtimestamp(since / 1000, UTC)
    if behind and now - first > _LATE:
        sentence = f"{behind} decisions are not brought in, the first of {first:%Y-%m-%d}."
        mend = "Run `scrub serve`, or `scrub rework list` daily: what outlets no longer have comes without its claim."
        yield Diagnosis("poor", _ABOUT, sentence, mend)


def _past(cases: CaseStore, settings: Settings, now: datetime) -> Iterator[Diagnosis]:
    from worker.desk.purging import purgeable

    if settings.case_retention and (found := purgeable(cases, now, settings.case_retention).cases):
        sentence = f"{len(found)} cases are kept for longer than SCRUB_CASE_RETENTION ({settings.case_retention} days)."
        yield Diagnosis("poor", _ABOUT, sentence, "scrub rework purge")


def _open_to_others(settings: Settings) -> Iterator[Diagnosis]:
    file = file_of(settings)
    if file and file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        sentence = f"Others may read {file}, which has claims and notes."
        yield Diagnosis("ill", _ABOUT, sentence, f"chmod 600 {file}*")
