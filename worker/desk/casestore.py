"""The case store: a database with cases, decisions and acts; SQLite in the state folder, or what SCRUB_CASE_STORE says.

SQLite begins each transaction as a writer (BEGIN IMMEDIATE), so that two never read the same and then write; and a row
is changed only where it still has the version that was read, so that a change which was not seen is never written over.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Row, Select, create_engine, event, func, insert, make_url, select, update
from sqlalchemy.exc import SQLAlchemyError

from rules.printable import printable
from worker.desk.cases import HELD, Act, Case, Decided, LastDay
from worker.desk.schema import acts, cases, cursors, decisions
from worker.errors import CaseAmbiguous, CaseChanged, CaseStoreTooNew, CaseStoreUnusable, CaseUnknown, PasswordUnusable
from worker.store.private import make_folder, open_private
from worker.store.secret import read_password

_BUSY_SECONDS = 15
"""For which a writer of SQLite waits for another."""
_LOCK = 0x5C12B
"""Number of our lock on PostgreSQL, which is known in one database alone."""


class Content(NamedTuple):
    """What was decided on, and how, as JSON."""

    claim: dict[str, Any]
    report: dict[str, Any]
    about: dict[str, str] | None = None
    """Of the entry what a waiver needs, see `worker.desk.following`; None: an earlier release folded it."""

    def packed(self) -> bytes:
        return zlib.compress(orjson.dumps(self._asdict()))

    @classmethod
    def unpacked(cls, raw: bytes) -> Content:
        return cls(**orjson.loads(zlib.decompress(raw)))


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a stream was folded."""

    entry: str = "0-0"
    """The last that was."""
    count: int = 0
    """How many of those that Redis has counted were folded, or are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAct:
    """An act as the store has it."""

    id: str
    handle: str
    state: str
    act: Act
    text: str
    sends: bytes | None = None
    """What goes to the workers with it; None: nothing does, or it went."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDecision:
    """A decision of a case as the store has it."""

    decision_id: str
    moment: str
    disposition: str
    superseded: bool
    codes: tuple[str, ...]
    content: Content | None
    """None: only the audit log had it."""


class CaseStore:
    """One open store. `session` is a transaction: all of it is written, or nothing."""

    def __init__(self, url: str, password_file: Path | None = None) -> None:
        """Opens it, and brings its tables to this release. `password_file`: see `Settings.case_store_password_file`.

        Raises:
            CaseStoreUnusable, CaseStoreTooNew
        """
        self._where = make_url(url).render_as_string(hide_password=True)
        try:
            self._engine = _engine(url, password_file)
        except (SQLAlchemyError, OSError) as error:
            raise self._unusable(error) from None
        except ModuleNotFoundError as error:
            reason = f"the package {error.name} is not installed, which this database needs"
            raise CaseStoreUnusable(where=self._where, reason=reason) from None
        try:
            with self.session(alone=True) as session:
                session.migrate(self._where)
            self._file = _identity(self._engine)
        except BaseException:
            self.close()
            raise

    @property
    def lost(self) -> bool:
        """Whether its file was moved or taken away since it was opened: what is written there, nobody reads again."""
        return self._file != _identity(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def session(self, *, alone: bool = False) -> Iterator[Session]:
        """A transaction. `alone`: no other of these runs meanwhile.

        Raises:
            CaseStoreUnusable
        """
        try:
            with self._engine.begin() as connection:
                if alone:
                    _alone(connection)
                yield Session(connection)
        except SQLAlchemyError as error:
            raise self._unusable(error) from None
        except PasswordUnusable as error:
            reason = f"the password file {error.values['file']} cannot be used, {error.values['reason']}"
            raise CaseStoreUnusable(where=self._where, reason=reason) from None

    def _unusable(self, error: Exception) -> CaseStoreUnusable:
        """Its texts quote statements with their values: of those only the database's own words go on."""
        said = getattr(error, "orig", None) or getattr(error, "strerror", None) or type(error).__name__
        return CaseStoreUnusable(where=self._where, reason=str(said).split("\n")[0])


def _engine(url: str, password_file: Path | None) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(parsed, hide_parameters=True, pool_pre_ping=True)
        if password_file:
            event.listen(engine, "do_connect", lambda *given: given[3].update(password=read_password(password_file)))
        return engine
    if parsed.database:
        file = Path(parsed.database)
        make_folder(file.parent)
        if not file.exists():
            os.close(open_private(file, os.O_RDWR))
    engine = create_engine(parsed, hide_parameters=True, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin_as_writer)
    return engine


def _identity(engine: Engine) -> tuple[int, int] | None:
    """Which file it is; None: there is none."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    try:
        found = os.stat(engine.url.database)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None  # the module would begin transactions itself, and as a reader
    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_as_writer(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _alone(connection: Connection) -> None:
    """On SQLite each transaction is; on PostgreSQL who comes second waits, and does not fail on what the first made."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


class Session:
    """What one transaction reads and writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def migrate(self, where: str) -> None:
        """Brings the tables to this release.

        Raises:
            CaseStoreTooNew
        """
        config = Config()
        config.set_main_option("script_location", str(files("worker.desk").joinpath("migrations")))
        config.attributes["connection"] = self._connection
        known = ScriptDirectory.from_config(config)
        if self._connection.dialect.has_table(self._connection, "alembic_version"):
            found = self._connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            if found == known.get_current_head():
                return
            if found not in {one.revision for one in known.walk_revisions()}:
                raise CaseStoreTooNew(where=where, found=found, known=known.get_current_head())
        command.upgrade(config, "head")

    def cursor(self, stream: str) -> Cursor:
        """How far a stream was folded."""
        row = self._connection.execute(select(cursors).where(cursors.c.stream == stream)).first()
        return Cursor(row.entry, row._mapping["count"]) if row else Cursor()

    def move(self, stream: str, to: Cursor) -> None:
        """Puts a cursor down."""
        values = {"entry": to.entry, "count": to.count}
        if not self._connection.execute(update(cursors).where(cursors.c.stream == stream).values(values)).rowcount:
            self._connection.execute(insert(cursors).values(stream=stream, **values))

    def of_claim(self, scope: str, claim_id: str) -> Case | None:
        """The case of a claim."""
        wanted = select(cases).where(cases.c.scope == scope, cases.c.claim_id == claim_id)
        row = self._connection.execute(wanted).first()
        return _case(row) if row else None

    def named(self, name: str) -> Case:
        """The case of a handle or a claim number.

        Raises:
            CaseUnknown, CaseAmbiguous
        """
        rows = self._connection.execute(select(cases).where(cases.c.handle == name)).all()
        rows = rows or self._connection.execute(select(cases).where(cases.c.claim_id == name)).all()
        if len(rows) > 1:
            raise CaseAmbiguous(handles=", ".join(sorted(f"{row.handle} ({row.scope or 'none'})" for row in rows)))
        if not rows:
            raise CaseUnknown(case=name)
        return _case(rows[0])

    def of_numbers(self, claim_ids: Iterable[str]) -> list[Case]:
        """The cases of claim numbers, at all facilities."""
        rows = self._connection.execute(select(cases).where(cases.c.claim_id.in_(list(claim_ids))))
        return sorted(map(_case, rows), key=lambda one: (one.claim_id, one.scope))

    def of_number(self, claim_id: str) -> list[Case]:
        """The cases of a claim number, one a facility."""
        return [_case(row) for row in self._connection.execute(select(cases).where(cases.c.claim_id == claim_id))]

    def all(self) -> Iterator[Case]:
        """Every case, in no order."""
        yield from map(_case, self._connection.execute(select(cases)))

    def rows(self, wanted: Select[*tuple[Any, ...]]) -> Sequence[Any]:
        """What a query finds (worker/desk/lists.py has those of lists)."""
        return self._connection.execute(wanted).all()

    def chosen(self, wanted: Select[*tuple[Any, ...]]) -> list[Case]:
        """The cases that a query of their whole table finds, in its order."""
        return [_case(row) for row in self._connection.execute(wanted)]

    def open_count(self) -> int:
        """Cases on which somebody has something to do."""
        wanted = select(func.count()).select_from(cases).where(cases.c.state.in_(HELD))
        return int(self._connection.execute(wanted).scalar_one())

    def known(self, decision_ids: Iterable[str]) -> set[str]:
        """Those of the decisions that are here."""
        wanted = select(decisions.c.decision_id).where(decisions.c.decision_id.in_(list(decision_ids)))
        return set(self._connection.execute(wanted).scalars())

    def write(self, before: Case | None, after: Case) -> None:
        """Writes a case, where it still is as it was read.

        Raises:
            CaseChanged
        """
        row = _row(after)
        if before is None:
            self._connection.execute(insert(cases).values(row))
            return
        same = (cases.c.handle == before.handle) & (cases.c.version == before.version)
        if not self._connection.execute(update(cases).where(same).values(row)).rowcount:
            found = self._connection.execute(select(cases.c.version).where(cases.c.handle == before.handle)).scalar()
            raise CaseChanged(case=before.handle, found=found, seen=before.version)

    def add_decision(self, handle: str, one: Decided, content: Content | None) -> None:
        """Puts down a decision of a case; one that is there stays as it is."""
        if self.known([one.decision_id]):
            return
        self._connection.execute(
            insert(decisions).values(
                decision_id=one.decision_id, handle=handle, moment=one.moment, disposition=one.disposition,
                superseded=int(one.superseded), codes=list(one.codes), content=content and content.packed(),
            )
        )  # fmt: skip

    def decisions_of(self, handle: str) -> list[WrittenDecision]:
        """Those of a case, the oldest first."""
        wanted = select(decisions).where(decisions.c.handle == handle)
        found = [
            WrittenDecision(
                decision_id=row.decision_id, moment=row.moment, disposition=row.disposition,
                superseded=bool(row.superseded), codes=tuple(row.codes),
                content=Content.unpacked(row.content) if row.content else None,
            )
            for row in self._connection.execute(wanted)
        ]  # fmt: skip
        return sorted(found, key=lambda one: (one.moment, one.decision_id))

    def add_act(self, id: str, handle: str, act: Act, text: str, sends: bytes | None = None) -> None:
        """Puts down what somebody is about to do; `sends`: what goes to the workers with it."""
        row = {**asdict(act), "id": id, "handle": handle, "state": "pending", "text": text, "sends": sends}
        self._connection.execute(insert(acts).values({name: _kept(value) for name, value in row.items()}))

    def end_act(self, id: str, state: str) -> bool:
        """done, or refused; False: somebody else has ended it."""
        begun = (acts.c.id == id) & (acts.c.state == "pending")
        return bool(self._connection.execute(update(acts).where(begun).values(state=state, sends=None)).rowcount)

    def acts_of(self, handle: str) -> list[WrittenAct]:
        """Those on a case, the oldest first."""
        return self._acts(select(acts).where(acts.c.handle == handle))

    def pending_acts(self) -> list[WrittenAct]:
        """Those that were begun and whose end nobody wrote."""
        return self._acts(select(acts).where(acts.c.state == "pending"))

    def _acts(self, wanted: Any) -> list[WrittenAct]:
        names = [field.name for field in fields(Act)]
        found = [
            WrittenAct(
                id=row.id, handle=row.handle, state=row.state, text=row.text, sends=row.sends,
                act=Act(**{name: getattr(row, name) for name in names}),
            )
            for row in self._connection.execute(wanted)
        ]  # fmt: skip
        return sorted(found, key=lambda one: (one.act.moment, one.id))


def _kept(value: Any) -> Any:
    """What people wrote, without what a database refuses: NUL, and halves of characters."""
    return "\n".join(map(printable, value.split("\n"))) if isinstance(value, str) else value


def _row(case: Case) -> dict[str, Any]:
    row = {name: _kept(getattr(case, name)) for name in (field.name for field in fields(case)) if name != "last_day"}
    last = case.last_day
    return row | {
        "codes": list(case.codes), "last_day": last and last.day, "last_day_rule": last and last.rule,
        "last_day_grade": last and last.grade,
    }  # fmt: skip


def _case(row: Row[Any] | Sequence[Any]) -> Case:
    found: dict[str, Any] = dict(row._mapping)  # type: ignore[union-attr]
    day, rule, grade = (found.pop(name) for name in ("last_day", "last_day_rule", "last_day_grade"))
    found["last_day"] = LastDay(day=day, rule=rule, grade=grade) if day else None
    return Case(**found | {"codes": tuple(found["codes"])})
