"""Purging: cases that are done leave the store once they have been kept as long as they are to be, with all that it has
of the claim. Cases on which somebody has something to do never leave, nor such as a person preserves (a legal hold).

Each that leaves is a line of the audit log, which keeps its decisions and acts without claim and words; by that line
nothing brings the case back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, or_, select

from worker.audit.lines import AuditLine, who
from worker.desk.acting import Desk, line_of
from worker.desk.cases import HELD, Case
from worker.desk.casestore import CaseStore, Session
from worker.desk.schema import acts, cases

_PAGE = 200
"""Cases of one transaction."""


@dataclass(frozen=True, slots=True)
class Purgeable:
    """What could leave."""

    cases: list[Case] = field(default_factory=list)
    preserved: list[Case] = field(default_factory=list)
    """Old enough, and kept all the same: a person preserves them."""


def purgeable(store: CaseStore, now: datetime, days: int) -> Purgeable:
    """The cases that are done and on which nothing happened for so many days, the oldest first.

    Raises:
        CaseStoreUnusable
    """
    with store.session() as session:
        return _found(session, now - timedelta(days=days))


def purge(desk: Desk, now: datetime, days: int, reason: str) -> int:
    """Takes them out; answers how many left. `reason`: for the audit log.

    Raises:
        CaseStoreUnusable, AuditUnwritable, redis.exceptions.RedisError: what was taken out until then is on the log.
    """
    done = 0
    while True:
        with desk.cases.session(alone=True) as session:
            page = _found(session, now - timedelta(days=days)).cases[:_PAGE]
            if page:
                desk.put([_line(one, reason) for one in page])
            done += sum(session.delete(one) for one in page)
        if not page:
            break
    desk.cases.forget()
    return done


def _found(session: Session, before: datetime) -> Purgeable:
    since = before.isoformat()[:19]
    later = exists().where(acts.c.handle == cases.c.handle, or_(acts.c.moment >= since, acts.c.state == "pending"))
    wanted: tuple[ColumnElement[bool], ...] = (cases.c.state.not_in(HELD), cases.c.moment < since, ~later)
    old = session.chosen(select(cases).where(*wanted).order_by(cases.c.moment, cases.c.handle))
    kept = _preserved(session)
    return Purgeable([one for one in old if one.handle not in kept], [one for one in old if one.handle in kept])


def _preserved(session: Session) -> set[str]:
    """Handles of the cases that were preserved and not released since."""
    wanted = select(acts.c.handle, acts.c.kind).where(acts.c.kind.in_(("preserve", "release")), acts.c.state == "done")
    last = {row[0]: row[1] for row in session.rows(wanted.order_by(acts.c.moment))}
    return {handle for handle, kind in last.items() if kind == "preserve"}


def _line(case: Case, reason: str) -> AuditLine:
    return {**line_of(case, "case.purged", who()), "log.level": "warning", "event.reason": reason}
