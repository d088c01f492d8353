"""The case store: a database with cases, decisions and acts; SQLite in the state folder, or what SCRUB_CASE_STORE says.

SQLite begins each transaction as a writer (BEGIN IMMEDIATE), so that two never read the same and then write; and a row
is changed only where it still has the version that was read, so that a change which was not seen is never written over.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Row, Select, delete, func, insert, make_url, select, update
from sqlalchemy.exc import SQLAlchemyError

from rules.payment.sums import ClaimExpected
from rules.printable import printable
from worker.desk.cases import HELD, Act, Case, Decided, LastDay
from worker.desk.databases import alone_on, engine_of, file_of, tables_at, unlogged
from worker.desk.schema import acts, cases, cursors, decisions
from worker.errors import CaseAmbiguous, CaseChanged, CaseStoreTooNew, CaseStoreUnusable, CaseUnknown, PasswordUnusable
from worker.pipeline.expected import ToldLine


class Content(NamedTuple):
    """What was decided on, and how, as JSON."""

    claim: dict[str, Any]
    report: dict[str, Any]
    about: dict[str, str] | None = None
    """Of the entry what a waiver needs, see `worker.desk.following`; None: an earlier release folded it."""
    expected: list[ToldLine] | None = None
    """What its lines are expected to bring, by the book that decided; None: an earlier release folded it."""

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


ActState = Literal["pending", "done", "gone"]
"""pending: its audit line may stand or not; gone: it broke off before, and nothing happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAct:
    """An act as the store has it."""

    id: str
    handle: str
    act: Act
    text: str
    state: ActState = "pending"
    sends: bytes | None = None
    """What goes to the workers with it; None: nothing does, or it went."""
    host: str = ""
    """Where it was begun, and its audit line is; empty: nobody knows."""


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
    stranger: bool = False
    """It is of another patient than what was held then."""


def content_shown(case: Case, decisions: Sequence[WrittenDecision]) -> Content | None:
    """Of what is decided on a case, the oldest first: the content that stands, else the newest; None: all is gone."""
    there = [one for one in decisions if one.content]
    standing = next((one for one in there if one.decision_id == case.decision_id), there[-1] if there else None)
    return standing.content if standing else None


def revision_at(url: str, password_file: Path | None = None) -> str | None:
    """Of the tables of a store, without making one; None: there are none.

    Raises:
        CaseStoreUnusable
    """
    try:
        return tables_at(url, password_file)
    except (SQLAlchemyError, OSError, ModuleNotFoundError, PasswordUnusable) as error:
        where = make_url(url).render_as_string(hide_password=True)
        raise CaseStoreUnusable(where=where, reason=_said(error)) from None


def newest_revision() -> str:
    """Of the tables that this release uses."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("worker.desk").joinpath("migrations")))
    return config


class CaseStore:
    """One open store. `session` is a transaction: all of it is written, or nothing."""

    def __init__(self, url: str, password_file: Path | None = None) -> None:
        """Opens it, and brings its tables to this release. `password_file`: see `Settings.case_store_password_file`.

        Raises:
            CaseStoreUnusable, CaseStoreTooNew
        """
        self._where = make_url(url).render_as_string(hide_password=True)
        self.made = False
        """Whether there was nothing before it was opened."""
        try:
            self._engine = engine_of(url, password_file)
        except (SQLAlchemyError, OSError, ModuleNotFoundError) as error:
            raise self._unusable(error) from None
        try:
            with self.session(alone=True) as session:
                self.made = session.migrate(self._where)
            self._file = file_of(self._engine)
        except BaseException:
            self.close()
            raise

    @property
    def lost(self) -> bool:
        """Whether its file was moved or taken away since it was opened: what is written there, nobody reads again."""
        return self._file != file_of(self._engine)

    @property
    def where(self) -> str:
        """Its address, without a password."""
        return self._where

    def close(self) -> None:
        self._engine.dispose()

    def forget(self) -> None:
        """Leaves nothing of what was deleted in the files of SQLite.

        Raises:
            CaseStoreUnusable
        """
        try:
            unlogged(self._engine)
        except SQLAlchemyError as error:
            raise self._unusable(error) from None

    @contextmanager
    def session(self, *, alone: bool = False) -> Iterator[Session]:
        """A transaction. `alone`: no other of these runs meanwhile.

        Raises:
            CaseStoreUnusable
        """
        try:
            with self._engine.begin() as connection:
                if alone:
                    alone_on(connection)
                yield Session(connection)
        except (SQLAlchemyError, PasswordUnusable) as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> CaseStoreUnusable:
        return CaseStoreUnusable(where=self._where, reason=_said(error))


def _said(error: Exception) -> str:
    """Texts of errors quote statements with their values: of those only the database's own words go on."""
    if isinstance(error, ModuleNotFoundError):
        return f"the package {error.name} is not installed, which this database needs"
    if isinstance(error, PasswordUnusable):
        return f"the password file {error.values['file']} cannot be used, {error.values['reason']}"
    said = getattr(error, "orig", None) or getattr(error, "strerror", None) or type(error).__name__
    return str(said).split("\n")[0]


class Session:
    """What one transaction reads and writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def migrate(self, where: str) -> bool:
        """Brings the tables to this release; answers whether there were none.

        Raises:
            CaseStoreTooNew
        """
        config = _config()
        config.attributes["connection"] = self._connection
        known = ScriptDirectory.from_config(config)
        there = self._connection.dialect.has_table(self._connection, "alembic_version")
        if there:
            found = self._connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            if found == known.get_current_head():
                return False
            if found not in {one.revision for one in known.walk_revisions()}:
                raise CaseStoreTooNew(where=where, found=found, known=known.get_current_head())
        command.upgrade(config, "head")
        return not there

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

    def count(self) -> int:
        """Cases."""
        return int(self._connection.execute(select(func.count()).select_from(cases)).scalar_one())

    def act_ids(self) -> set[str]:
        """Of all acts, however they ended."""
        return set(self._connection.execute(select(acts.c.id)).scalars())

    def open_count(self) -> int:
        """Cases on which somebody has something to do."""
        wanted = select(func.count()).select_from(cases).where(cases.c.state.in_(HELD))
        return int(self._connection.execute(wanted).scalar_one())

    def has_handle(self, handle: str) -> bool:
        """Whether a case has it."""
        return self._connection.execute(select(cases.c.handle).where(cases.c.handle == handle)).first() is not None

    def known(self, decision_ids: Iterable[str]) -> set[str]:
        """Those of the decisions that are here."""
        wanted = select(decisions.c.decision_id).where(decisions.c.decision_id.in_(list(decision_ids)))
        return set(self._connection.execute(wanted).scalars())

    def unpriced(self, most: int) -> list[str]:
        """Handles of cases of which nobody asked what they are expected to bring."""
        wanted = select(cases.c.handle).where(cases.c.expected_kind.is_(None)).order_by(cases.c.handle).limit(most)
        return list(self._connection.execute(wanted).scalars())

    def price(self, handle: str, expected: ClaimExpected) -> None:
        """Puts down what a case is expected to bring: no change of it that anybody would have to see first."""
        still = (cases.c.handle == handle) & cases.c.expected_kind.is_(None)
        self._connection.execute(update(cases).where(still).values(_payment(expected)))

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
                superseded=int(one.superseded), stranger=int(one.stranger), codes=list(one.codes),
                content=content and content.packed(),
            )
        )  # fmt: skip

    def decisions_of(self, handle: str) -> list[WrittenDecision]:
        """Those of a case, the oldest first."""
        wanted = select(decisions).where(decisions.c.handle == handle)
        found = [
            WrittenDecision(
                decision_id=row.decision_id, moment=row.moment, disposition=row.disposition,
                superseded=bool(row.superseded), stranger=bool(row.stranger), codes=tuple(row.codes),
                content=Content.unpacked(row.content) if row.content else None,
            )
            for row in self._connection.execute(wanted)
        ]  # fmt: skip
        return sorted(found, key=lambda one: (one.moment, one.decision_id))

    def add_act(self, one: WrittenAct) -> None:
        """Puts down what somebody is about to do, or did."""
        row = {**asdict(one.act), "id": one.id, "handle": one.handle, "state": one.state, "text": one.text,
               "sends": one.sends, "host": one.host}  # fmt: skip
        self._connection.execute(insert(acts).values({name: kept(value) for name, value in row.items()}))

    def end_act(self, id: str, state: ActState) -> bool:
        """done, also where it was given up as gone and was still under way; or gone, where it is pending. False:
        somebody else has ended it."""
        begun = ("pending", "gone") if state == "done" else ("pending",)
        found = (acts.c.id == id) & acts.c.state.in_(begun)
        sends = {"sends": None} if state == "done" else {}
        return bool(self._connection.execute(update(acts).where(found).values(state=state, **sends)).rowcount)

    def acts_of(self, handle: str) -> list[WrittenAct]:
        """Those on a case, the oldest first."""
        return self._acts(select(acts).where(acts.c.handle == handle))

    def pending_acts(self, handle: str | None = None) -> list[WrittenAct]:
        """Those that were begun and whose end nobody wrote, of all cases or of one."""
        mine = () if handle is None else (acts.c.handle == handle,)
        return self._acts(select(acts).where(acts.c.state == "pending", *mine))

    def delete(self, case: Case) -> bool:
        """Takes a case out, with its decisions and acts; False: it is not any more as it was read."""
        same = (cases.c.handle == case.handle) & (cases.c.version == case.version)
        if not self._connection.execute(select(cases.c.handle).where(same).with_for_update()).first():
            return False
        for table in (acts, decisions, cases):
            self._connection.execute(delete(table).where(table.c.handle == case.handle))
        return True

    def _acts(self, wanted: Any) -> list[WrittenAct]:
        names = [field.name for field in fields(Act)]
        found = [
            WrittenAct(
                id=row.id, handle=row.handle, state=row.state, text=row.text, sends=row.sends, host=row.host,
                act=Act(**{name: getattr(row, name) for name in names}),
            )
            for row in self._connection.execute(wanted)
        ]  # fmt: skip
        return sorted(found, key=lambda one: (one.act.moment, one.id))


def kept(value: Any) -> Any:
    """What people wrote, without what a database refuses: NUL, and halves of characters."""
    return "\n".join(map(printable, value.split("\n"))) if isinstance(value, str) else value


def _row(case: Case) -> dict[str, Any]:
    row = {name: kept(getattr(case, name)) for name in (field.name for field in fields(case)) if name != "last_day"}
    last = case.last_day
    return row | _payment(row.pop("expected")) | {
        "codes": list(case.codes), "last_day": last and last.day, "last_day_rule": last and last.rule,
        "last_day_grade": last and last.grade,
    }  # fmt: skip


def _payment(expected: ClaimExpected | None) -> dict[str, Any]:
    found = expected or ClaimExpected()
    return {
        "expected_kind": expected and expected.kind, "expected_low": found.low_cents, "expected_high": found.high_cents,
    }  # fmt: skip


def _case(row: Row[Any] | Sequence[Any]) -> Case:
    found: dict[str, Any] = dict(row._mapping)  # type: ignore[union-attr]
    day, rule, grade = (found.pop(name) for name in ("last_day", "last_day_rule", "last_day_grade"))
    found["last_day"] = LastDay(day=day, rule=rule, grade=grade) if day else None
    kind, low, high = (found.pop(f"expected_{name}") for name in ("kind", "low", "high"))
    found["expected"] = ClaimExpected(kind, low, high) if kind else None
    return Case(**found | {"codes": tuple(found["codes"])})
