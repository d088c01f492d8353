"""What becomes of claims that leave without a verdict, or with none of the book's: a worker that comes to them later
finds them decided, and where they are sent the ledger says billed.

Both before any file has its name, and so that to do it again changes nothing: a break leaves more in the ledger than
was sent, for as long as it takes to begin again, and never less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import cast

from redis import Redis

from rules.book.book import Book
from rules.claim import Claim
from rules.facts.history import months_after
from worker.audit.lines import AuditLine, claim_fields
from worker.audit.log import AuditLog, Head
from worker.config.routing import sent
from worker.filing.claims import QueuedClaim
from worker.pipeline import front, frontstore
from worker.pipeline.adoption import adopt
from worker.pipeline.front import Front
from worker.pipeline.ledger import LedgerEntry, entry_of
from worker.pipeline.ledgerstore import read_ledgers, write_ledgers
from worker.pipeline.patients import Patients
from worker.store.agreement import stale
from worker.store.keyring import Rings, event_digest
from worker.store.keys import LEFT, WITHOUT_VERDICT, Keys, case_mark
from worker.store.registry import Producer
from worker.store.scripts import script

_TRIES = 50


@dataclass(frozen=True, slots=True)
class Rests:
    """What it all rests on."""

    redis: Redis
    """Never tries again by itself."""
    keys: Keys
    rings: Rings
    book: Book
    audit: AuditLog
    producer: Producer
    months: int
    memory_ms: int
    unchecked: Mapping[str, str]
    undecided: Mapping[str, str]
    """Which of them are sent, by payer."""


def is_sent(claim: Claim, said: Mapping[str, str], book: Book) -> bool:
    """Whether the hospital sends such a claim."""
    found = book.registry.select(claim.payer)
    return sent(said, found.payer, found.plan)


def leave(one: QueuedClaim, token: str, revision: str, rests: Rests) -> str:
    """Ends the wait for a verdict; answers what the event memory holds: `kept` or `sent`, or else the decision on it.
    `revision`: the claim's place among its versions, by when its file came.

    Raises:
        KeysTurned, redis.exceptions.RedisError: to do it again is safe.
    """
    claim, (home, _) = one.document.claim, _case(one, rests)
    send = is_sent(claim, rests.undecided, rests.book) and _may_go(one, revision, rests)
    decision = sha256(f"left\0{token}\0{one.identity}".encode()).hexdigest()[:32]
    mark = event_digest(rests.rings, one.digest)
    ours = f"{mark} {decision} {LEFT}{'sent' if send else 'kept'}:{token[:32]}"
    tell(one, decision, send=send, rests=rests)
    try:
        answer = rests.redis.eval(
            script("leave"), 2, home.rings, home.event(one.identity), rests.rings.mark, ours, rests.memory_ms,
            WITHOUT_VERDICT,
        )  # fmt: skip
    except Exception as error:
        if turned := stale(error):
            raise turned from None
        raise
    held = cast(bytes, answer).decode()
    found = held.split(" ")[2]
    if found.startswith(LEFT):
        return found.removeprefix(LEFT).partition(":")[0]
    return held.split(" ")[1]


def tell(one: QueuedClaim, decision: str, *, send: bool, rests: Rests) -> None:
    """The audit log says that the claim leaves without a verdict."""
    claim, keys = one.document.claim, rests.keys
    patient = Patients(rests.rings.patient, rests.months).of(claim)
    line: AuditLine = {
        "log.level": "warning", "event.action": "claim.left", "event.outcome": "unknown", "trace.id": decision,
        "claim.decision_id": decision, "queue.producer": rests.producer.name,
        **claim_fields(claim, patient.name if patient else None), "claim.exit": "sent" if send else "kept",
    }  # fmt: skip
    head = rests.audit.write([line])
    write_ledgers(rests.redis, keys.first, {}, head, rests.rings.mark, rests.months)


def bill(one: QueuedClaim, token: str, revision: str, rests: Rests) -> None:
    """The front of its case and the ledger say from now on that it was billed.

    Raises:
        KeysTurned, CommitRefused, redis.exceptions.RedisError: to do it again is safe.
    """
    _show(one, revision, rests)
    found = _entry(one, revision, rests)
    if found is None:
        return
    keys, ledger, former, entry = found
    since = months_after(datetime.now(UTC).date(), -rests.months)
    for _ in range(_TRIES):
        for old in former:
            adopt(rests.redis, keys, rests.rings.mark, {ledger: old})
        before = read_ledgers(rests.redis, [ledger])[ledger]
        known = before.entries.get(entry.name)
        if known and known.state == "billed" and known.digest == entry.digest:
            return
        after = before.after(
            entry,
            billed=True,
            version=f"file-{token[:16]}-{one.document.number}",
            since=since if before.entries else date.min,
        )
        if after is before:
            return
        if not write_ledgers(rests.redis, keys, {ledger: (before, after)}, Head(), rests.rings.mark, rests.months):
            return
    raise AssertionError("the ledger of a claim changes with every look at it")


def _show(one: QueuedClaim, revision: str, rests: Rests) -> None:
    """Without a member id there is no ledger, and the fronts alone know."""
    claim, (home, mark) = one.document.claim, _case(one, rests)
    for there in frontstore.places(home, mark):

        def billed(known: Front | None, there: Keys = there) -> Front:
            after = front.billed(known, claim, revision)
            also = set() if there == home else {home.partition}
            return after._replace(homes=tuple(sorted({*after.homes, *also})))

        frontstore.change_front(rests.redis, there, mark, billed, rests.memory_ms)


def _case(one: QueuedClaim, rests: Rests) -> tuple[Keys, str]:
    """Its home partition, and the mark of its case."""
    claim = one.document.claim
    patient = Patients(rests.rings.patient, rests.months).of(claim)
    home = rests.keys.at(patient.name if patient else one.identity)
    return home, case_mark(rests.producer.facility, claim.claim_id)


def _may_go(one: QueuedClaim, revision: str, rests: Rests) -> bool:
    """Whether ledger and fronts know of no later version of the claim, and of none that went before where this one
    does not say that it replaces that: a payer would answer it as a duplicate, and no rule has looked at it."""
    claim, (home, mark) = one.document.claim, _case(one, rests)
    fronts = frontstore.read_fronts(rests.redis, home, mark).found
    if front.superseded_by(fronts, claim, revision, home.partition) or front.went_before(fronts, claim, revision):
        return False
    found = _entry(one, revision, rests)
    if found is None:
        return True
    _, ledger, former, entry = found
    ledgers = read_ledgers(rests.redis, [ledger, *former]).values()
    known = [there for one_ledger in ledgers if (there := one_ledger.entries.get(entry.name)) is not None]
    return not any(
        (there.order > entry.order and there.digest != entry.digest)
        or (there.state == "billed" and there.order < entry.order and claim.frequency_code == front.ORIGINAL)
        for there in known
    )


def _entry(one: QueuedClaim, revision: str, rests: Rests) -> tuple[Keys, str, tuple[str, ...], LedgerEntry] | None:
    """Its ledger, where else that may stand, and its entry; None: without a member id there is no ledger."""
    claim = one.document.claim
    patient = Patients(rests.rings.patient, rests.months).of(claim)
    if patient is None:
        return None
    keys = rests.keys.at(patient.name)
    entry = entry_of(
        claim, revision, one.digest, rests.book.codes, patient.person, patient.key, patient.persons,
        rests.producer.facility,
    )  # fmt: skip
    return keys, keys.ledger(patient.name), tuple(map(keys.ledger, patient.former)), entry
