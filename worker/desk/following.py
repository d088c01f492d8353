"""Brings decisions into the case store: from the outlets, and from the audit log where those no longer have them.

The outlets are read up to a moment of Redis' clock, in the order of their commits, without a consumer group: the store
itself says how far it is, in the transaction that folds what was read, so that nothing is folded twice and nobody waits
for it. What was trimmed before it was read is folded from the audit lines of this machine, without its content.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property, reduce
from heapq import merge
from itertools import islice
from typing import Any, NamedTuple, cast

import orjson

from rules.book.book import Book
from rules.claim import Claim, read_claim
from rules.errors import ScrubError
from rules.terms import GapRoute
from worker.audit.claimlines import ClaimLine, all_lines, standing
from worker.audit.lines import payment_in
from worker.desk.cases import HELD, Decided, LastDay, beside, decided
from worker.desk.casestore import CaseStore, Content, Cursor, Session, WrittenDecision, content_shown
from worker.desk.lastday import last_day
from worker.desk.pricing import price
from worker.errors import ContractsInvalid
from worker.pipeline.expected import together
from worker.pipeline.ledger import order
from worker.pipeline.outlets import OutletEntry, pages
from worker.store.connections import Store
from worker.store.keyring import Key, load_rings
from worker.store.keys import Keys
from worker.store.outletspecs import FILES, JUDGED
from worker.store.registry import producers_of
from worker.store.secret import derived, keyed

_HANDLE = "23456789bcdfghjkmnpqrstvwxz"
"""Letters of a handle: none that are taken for another, and no vowels to make words of."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What one round folded."""

    decisions: int = 0
    from_audit: int = 0
    """Of these, without content: their entries were gone."""


@dataclass(slots=True)
class _OutletStream:
    """A stream of an outlet, and how far it was folded."""

    keys: Keys
    outlet: str
    cursor: Cursor

    @property
    def stream(self) -> str:
        return self.keys.outlet(self.outlet)


def handle_of(key: Key, scope: str, claim_id: str) -> str:
    """Ten letters and digits that say nothing of the claim to who has no key. The same for the same case, so that it
    keeps its handle where the store is lost; of no use where another case has it.
    """
    number = int.from_bytes(keyed(derived(key.secret, b"case handle"), orjson.dumps([scope, claim_id])))
    letters = []
    for _ in range(10):
        number, letter = divmod(number, len(_HANDLE))
        letters.append(_HANDLE[letter])
    return "".join(letters)


class Handles:
    """Names new cases, by the first audit key, which is read when it is needed."""

    def __init__(self, store: Store) -> None:
        self._file = store.settings.secret_path

    @cached_property
    def _key(self) -> Key:
        return load_rings(self._file).audit.first

    def new(self, session: Session, scope: str, claim_id: str) -> str:
        """A handle that no case of the store has."""
        name = handle_of(self._key, scope, claim_id)
        while session.has_handle(name):
            name = "".join(secrets.choice(_HANDLE) for _ in range(10))
        return name


def follow(store: Store, into: CaseStore, book: Callable[[], Book], page_size: int = 500) -> Followed:
    """Folds what was decided since the last time. `book`: by which the last day to file is asked, made when needed;
    `page_size`: entries that one transaction folds.

    Raises:
        CaseStoreUnusable, OSError, redis.exceptions.RedisError
    """
    facilities = {name: one.facility for name, one in producers_of(store.redis, store.keys).items()}
    with into.session() as session:
        places = [
            _OutletStream(part, outlet, session.cursor(part.outlet(outlet)))
            for part in store.keys.all
            for outlet in (*JUDGED, FILES)
        ]
        unpriced = session.unpriced(1)
    gone = [place for place in places if _skip_what_is_gone(store, place)]
    due, handles = DueDays(book), Handles(store)
    done = from_audit = _from_audit(store, into, facilities, gone, due) if gone else 0
    entries = _until_now(store, places)
    while page := list(islice(entries, page_size)):
        folded = [_read(entry, facilities, due) for _, entry in page]
        with into.session(alone=True) as session:
            for one, content in folded:
                _fold(session, one, content, handles, due)
            for place, entry in page:
                place.cursor = Cursor(entry.bare, place.cursor.count + 1)
            for place in {id(place): place for place, _ in page}.values():
                session.move(place.stream, place.cursor)
        done += len(folded)
    if unpriced:
        with suppress(ContractsInvalid):  # workers do not start with such a file; cases are shown all the same
            price(into, store.settings, book)
    return Followed(done, from_audit)


def _skip_what_is_gone(store: Store, place: _OutletStream) -> bool:
    """Whether entries were trimmed that were not folded, or the stream is another one: Redis was emptied."""
    if not store.redis.exists(place.stream):
        return False
    about = cast(Any, store.redis.xinfo_stream(place.stream))
    first = about["first-entry"]
    if first and order(first[0].decode()) <= order(place.cursor.entry):
        return False
    counted = int(about["entries-added"]) - int(about["length"])
    gone = counted != place.cursor.count
    place.cursor = replace(place.cursor, count=counted)
    return gone


def _until_now(store: Store, places: Sequence[_OutletStream]) -> Iterator[tuple[_OutletStream, OutletEntry]]:
    """What was committed before this moment and not folded, in the order of the commits. A stream that is read later
    than another would else have later decisions on the same claim."""
    seconds, micros = store.redis.time()
    now = seconds * 1000 + micros // 1000
    return merge(*(_of(store, place, now) for place in places), key=lambda pair: _when(pair[1]))


def _when(entry: OutletEntry) -> tuple[int, str, tuple[int, ...]]:
    """One batch may decide several versions of a claim, all at one time, and each outlet counts its entries by itself:
    which came first their incoming entries tell."""
    came = str(entry.event.get("inboxentry", "")).rpartition(":")[2]
    return order(entry.bare)[0], str(entry.event["time"]), order(came) if came else (0, 0)


def _of(store: Store, place: _OutletStream, now: int) -> Iterator[tuple[_OutletStream, OutletEntry]]:
    for entry in pages(store.redis, place.keys, place.outlet, place.cursor.entry):
        if order(entry.bare)[0] >= now:
            return
        yield place, entry


class DueDays:
    """Asks for the last day to file; what cannot be asked is not known."""

    def __init__(self, book: Callable[[], Book]) -> None:
        self._make = book
        self._book: Book | None = None

    def of(self, claim: Claim) -> LastDay | None:
        if self._book is None:
            self._book = self._make()
        return last_day(claim, self._book)


def _read(entry: OutletEntry, facilities: Mapping[str, str], due: DueDays) -> tuple[Decided, Content]:
    """An outlet entry as a decision, and what it was made on."""
    event, claim, report = entry.event, entry.data["claim"], entry.data["report"]
    # absent where no line is of the book's procedures
    content = Content(claim, report, _about(entry), entry.data.get("expected", []))
    one = of_content(entry.decision_id, event["time"], facilities.get(event.get("producer", ""), ""), content, due)
    return one, content


def of_content(decision_id: str, moment: str, scope: str, content: Content, due: DueDays) -> Decided:
    """A decision, by what it was made on."""
    claim, report = content.claim, content.report
    waived = report.get("waived") or {}
    refused = waived.get("refused") or (report.get("repaired") or {}).get("refused")
    held, did = report["disposition"] == "rework", "waived" if waived else "repaired"
    reason = report.get("reason") or ""
    return Decided(
        decision_id=decision_id,
        moment=moment,
        disposition=report["disposition"],
        scope=scope,
        claim_id=claim["claim_id"],
        superseded=reason.startswith("superseded"),
        waived=bool(waived) and not waived.get("refused"),
        payer=report["payer"],
        payer_name=claim["payer"].get("name") or claim["payer"]["id"],
        charge_cents=int(sum(Decimal(str(line["charge"])) for line in claim["lines"]) * 100),
        codes=tuple(dict.fromkeys(found["code"] for found in _blocks(report))),
        fault=f"not {did}: {refused}" if refused else next(map(_fault, _blocks(report)), ""),
        expected=together(content.expected) if held and content.expected is not None else None,
        **_dated(claim, due) if held else {},
    )


def _fault(found: Mapping[str, Any]) -> str:
    return str(found.get("fault") or found["title"])


def _about(entry: OutletEntry) -> dict[str, str]:
    """Where it was decided, which version of the claim it is, who sent it and as which event: a waiver sends it on."""
    event = entry.event
    came = str(event["inboxentry"]).rpartition(":")[2]
    about = {
        "partition": entry.id.rpartition(":")[0] or "0", "entry": str(event["inboxentry"]),
        "revision": event.get("claimrevision", came), "source": event.get("eventsource"), "id": event.get("eventid"),
        "producer": event.get("producer", ""), "traceparent": event.get("traceparent", ""),
    }  # fmt: skip
    return {name: value for name, value in about.items() if value}


def _blocks(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for found in report["findings"]:
        for one in (found, *found.get("because", ())):
            if one["severity"] == "block" and one["outcome"] != "bypassed" and not one.get("observed"):
                yield one


def _dated(data: Any, due: DueDays) -> dict[str, Any]:
    try:
        claim = read_claim(data)
    except ScrubError:  # another release wrote what this one refuses
        return {}
    days = [line.service_date for line in claim.lines if line.service_date]
    return {"service_from": min(days, default=claim.statement_from_date), "last_day": due.of(claim)}


def _fold(session: Session, one: Decided, content: Content | None, handles: Handles, due: DueDays) -> None:
    """Content is kept of what is held alone."""
    before = session.of_claim(one.scope, one.claim_id)
    if before and session.known([one.decision_id]):
        return
    waiting = None
    if before and before.state in HELD:
        rows = session.decisions_of(before.handle)
        held = content_shown(before, rows)
        one = replace(one, stranger=bool(held and content and _is_another(held.claim, content.claim)))
        row = reduce(beside, rows, cast(WrittenDecision | None, None))
        if row and row.content:
            waiting = of_content(row.decision_id, row.moment, one.scope, row.content, due)
    after = decided(before, one, lambda: handles.new(session, one.scope, one.claim_id), waiting)
    if after is None:
        return
    if after is not before:
        session.write(before, after)
    session.add_decision(after.handle, one, content if one.disposition == "rework" else None)


def _is_another(held: Mapping[str, Any], claim: Mapping[str, Any]) -> bool:
    """Whether a claim is of another patient: both member id and birth date are there and differ. One of them alone is
    what a biller corrects."""
    pairs = [
        ((held.get(part) or {}).get(name), (claim.get(part) or {}).get(name))
        for part, name in (("subscriber", "member_id"), ("patient", "birth_date"))
    ]
    return all(before and after and before != after for before, after in pairs)


def _from_audit(
    store: Store, into: CaseStore, facilities: Mapping[str, str], gone: Sequence[_OutletStream], due: DueDays
) -> int:
    """Folds what the audit files of this machine know and the store does not; answers how many decisions. What a person
    took out of the store stays out."""
    settings, done, handles = store.settings, 0, Handles(store)
    since = min(order(place.cursor.entry)[0] for place in gone) / 1000
    lines = all_lines(settings.audit_path, load_rings(settings.secret_path).audit, since)
    for claim_id, said in lines.items():
        purged = purges(said)
        found = [one for line in standing(said) if (one := of_line(claim_id, line, facilities))]
        found = [one for one in found if one.scope not in purged or one.moment > purged[one.scope].decided]
        with into.session(alone=True) as session:
            known = session.known(one.decision_id for one in found)
            for one in found:
                if one.decision_id not in known:
                    _fold(session, one, None, handles, due)
                    done += 1
    with into.session() as session:  # last: who breaks off begins anew, and what is known is not folded again
        for place in gone:
            session.move(place.stream, place.cursor)
    return done


class Purge(NamedTuple):
    """That a person took the case of a claim out of the store."""

    decided: str
    """Moment of the last decision that went with it."""
    moment: str


def purges(lines: Sequence[ClaimLine]) -> Mapping[str, Purge]:
    """Of a claim, by facility the last one."""
    decided_at = {one.decision_id: one.moment for one in standing(lines)}
    return {
        one.line.get("case.facility", ""): Purge(decided_at.get(one.decision_id, one.moment), one.moment)
        for one in lines
        if one.line["event.action"] == "case.purged"
    }


def of_line(claim_id: str, line: ClaimLine, facilities: Mapping[str, str]) -> Decided | None:
    """A decision as the audit log has it; None: on what could not be judged."""
    said = line.line
    disposition = said.get("claim.disposition")
    if disposition not in JUDGED:
        return None
    return Decided(
        decision_id=line.decision_id,
        moment=line.moment,
        disposition=cast(GapRoute, disposition),
        scope=facilities.get(said.get("queue.producer", ""), ""),
        claim_id=claim_id,
        superseded=said.get("error.code") == "superseded",
        waived="claim.waived" in said,
        payer=said.get("claim.payer"),
        payer_name=said.get("claim.payer_id", ""),
        charge_cents=said.get("claim.charge_cents") or 0,
        codes=tuple(said.get("rule.block", ())),
        expected=payment_in(said) if disposition == "rework" else None,
    )
