"""The ledger: for each patient, what went to billing, and the newest version of every claim. No Redis here.

A patient is a payer and a member id, under a keyed hash (see `worker.pipeline.patients`); no key is in the data.
Members of a family may share a member id, so hashes of birth date, sex and first name are kept and compared inside.

In Redis a ledger is one string: its version (the name of the entry that wrote it last), a space, and a JSON list with
one list a claim (see `LedgerEntry.packed`). It is read with the event memory in one round trip, judged against and
carried forward in memory, and written by the commit script if its version is still the one that was read.
"""

from __future__ import annotations

import base64
from collections.abc import Container, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import orjson

from rules.case import date_of, last_date_of, role_of
from rules.claim import VOID, Claim, Line, Role
from rules.facts.history import billed_side, lifts_of, months_after
from rules.history import NOTHING_BILLED, Billed, History, Relation, Side
from worker.store.secret import keyed

State = Literal["billed", "ended", "rejected", "seen"]
"""billed: it counts. ended: it was replaced or voided, maybe before it came. rejected: the payer did not take it.
seen: it went elsewhere than to billing."""
REPLACEMENT = "7"
MOST_SEEN = 20
"""How many claims that went elsewhere than to billing a ledger remembers, so that an older version that is still on
its way is not billed. Without a bound, a flood of faulty claims for one patient would slow each of them."""
RECOVERED = "?"
"""In place of the digest of a claim of which only the audit log told: see `worker.pipeline.recovery`."""
_LONGEST_ID = 38
_STATES: Mapping[State, str] = {"billed": "b", "ended": "e", "rejected": "r", "seen": "s"}
_ROLES: Mapping[Role, str] = {"practitioner": "p", "hospital_outpatient": "h", "asc": "a"}
_STATE_OF = {letter: state for state, letter in _STATES.items()}
_ROLE_OF = {letter: role for role, letter in _ROLES.items()}
_DIGEST = 12
_EPOCH, _MS_OF_DAY = date(1970, 1, 1).toordinal(), 86_400_000
_LAST = date(9000, 1, 1).toordinal()

Person = tuple[str, str, str]
"""Keyed hashes of birth date, sex and first name, 4 characters each; empty: not known."""
NOBODY: Person = ("", "", "")
_UNKNOWN = "----"
"""Four characters that base64 does not have."""


def patient_hash(secret: bytes, claim: Claim) -> str | None:
    """Keyed hash of payer id and member id, 32 hexadecimal digits; None without a member id.

    Spaces, dashes and small letters make no other patient.
    """
    return patient_of(secret, claim.payer.id, claim.subscriber.member_id if claim.subscriber else None)


def patient_of(secret: bytes, payer: str, member: str | None) -> str | None:
    """As `patient_hash`, of payer id and member id alone."""
    if member and not member.isalnum():
        member = "".join(filter(str.isalnum, member))
    if not member:
        return None
    person = f"patient\0{payer.strip().upper()}\0{member.upper()}".encode()
    return keyed(secret, person).hex()[:32]


def person_of(secret: bytes, patient: str, claim: Claim) -> Person:
    """What distinguishes the members of one member id. Salted with the patient, so that no two patients compare."""
    if claim.patient is None:
        return NOBODY
    sex, birth, first = claim.patient.sex, claim.patient.birth_date, claim.patient.first_name
    letters = "".join(filter(str.isalpha, first)).upper() if first else ""
    return (
        _hashed(secret, f"birth\0{patient}\0{birth.isoformat()}") if birth else "",
        _hashed(secret, f"sex\0{patient}\0{sex}") if sex and sex != "U" else "",
        _hashed(secret, f"first\0{patient}\0{letters}") if letters else "",
    )


def _hashed(secret: bytes, text: str) -> str:
    return base64.b64encode(keyed(secret, text.encode())[:3]).decode()


def same_person(one: Person, other: Person) -> bool | None:
    """False: something known differs. True: the birth date and one thing more agree. None: too little is known."""
    alike = [left == right for left, right in zip(one, other, strict=True) if left and right]
    if not all(alike):
        return False
    return True if one[0] and other[0] and len(alike) > 1 else None


class LedgerRow(NamedTuple):
    """One line of a procedure of the book."""

    day: date
    last_day: date
    side: Side
    lifts: tuple[str, ...]
    procedure: str
    units: Decimal | None

    def packed(self) -> list[Any]:
        day, last_day, side, lifts, procedure, units = self
        modifiers = ",".join((side, *lifts)) if lifts else side
        packed = [day.toordinal(), modifiers, procedure, None if units is None else str(units)]
        return packed if last_day == day else [*packed, last_day.toordinal()]

    @classmethod
    def unpacked(cls, packed: list[Any]) -> LedgerRow:
        day, modifiers, procedure, units, *last = packed
        side, *lifts = modifiers.split(",")
        first = date.fromordinal(day)
        end = date.fromordinal(last[0]) if last else first
        return cls(first, end, side, tuple(lifts), procedure, None if units is None else Decimal(units))


class LedgerEntry(NamedTuple):
    """One claim of the ledger."""

    claim_id: str
    revision: str
    """Of its newest version, see `worker.pipeline.inbox.InboxEntry.revision`; `0-<day>` for what was imported."""
    state: State
    frequency: str = ""
    digest: str = ""
    """Start of the digest of its content."""
    npi: str = ""
    bills_as: Role = "practitioner"
    person: Person = NOBODY
    rows: tuple[LedgerRow, ...] = ()
    reference: str | None = None
    """What a replacement or void names; it is not stored."""
    facility: str = ""
    """Whose claim it is: voids, replacements and versions reach claims of their own facility alone. Empty: the
    installation's one, and all that came before there were several."""
    key: str = ""
    """Id of the patient key under which `person` is hashed; empty: the first."""
    persons: Mapping[str, Person] | None = None
    """Of a claim at hand: its person under the key of an entry; not stored. None: under its own key alone."""

    def under(self, key: str) -> Person:
        """The person under the key of another entry.

        Raises:
            KeyNotHere
        """
        if key == self.key:
            return self.person
        return NOBODY if self.persons is None else self.persons[key]

    @property
    def name(self) -> str:
        """Its name in a ledger: two facilities may give one claim id."""
        return name_of(self.claim_id, self.facility)

    @property
    def bare(self) -> bool:
        """Whether it says which version was heard of, and not what was billed."""
        return self.state == "seen" or self.digest == RECOVERED

    @property
    def order(self) -> tuple[int, ...]:
        """Later versions are greater."""
        return order(self.revision)

    @property
    def day(self) -> date:
        """When it was last heard of."""
        return day_of(self.revision)

    def packed(self) -> list[Any]:
        claim_id, revision, state, frequency, digest, npi, role, (birth, sex, first), rows, _, facility, *_ = self
        whose = [facility] if facility else []
        if not digest:
            return [claim_id, revision, _STATES[state], *whose]
        person = f"{birth or _UNKNOWN}{sex or _UNKNOWN}{first or _UNKNOWN}{self.key}"
        packed = [row.packed() for row in rows]
        return [claim_id, revision, _STATES[state], frequency, digest, npi, _ROLES[role], person, packed, *whose]

    @classmethod
    def unpacked(cls, packed: list[Any]) -> LedgerEntry:
        claim_id, revision, state, *more = packed
        if len(more) < 2:
            return cls(claim_id, revision, _STATE_OF[state], facility=more[0] if more else "")
        frequency, digest, npi, role, person, rows, *whose = more
        return cls(
            claim_id, revision, _STATE_OF[state], frequency, digest, npi, _ROLE_OF[role], _person(person),
            tuple(map(LedgerRow.unpacked, rows)), facility=whose[0] if whose else "", key=person[12:],
        )  # fmt: skip


def _person(text: str) -> Person:
    birth, sex, first = (text[at : at + 4].replace(_UNKNOWN, "") for at in (0, 4, 8))
    return birth, sex, first


def name_of(claim_id: str, facility: str) -> str:
    """The name of a claim in a ledger."""
    return f"{claim_id}\0{facility}" if facility else claim_id


def order(revision: str) -> tuple[int, ...]:
    """A revision (`worker.pipeline.inbox.InboxEntry.revision`), or an entry id, as numbers: later ones are greater."""
    return tuple(map(int, revision.partition(":")[0].split("-")))


def day_of(revision: str) -> date:
    """The day (UTC) of an entry, or of an imported claim; of an id that no clock made, one that is far away."""
    milliseconds, number, *_ = order(revision)
    return date.fromordinal(min(_EPOCH + milliseconds // _MS_OF_DAY, _LAST) if milliseconds else number)


def imported_revision(day: date) -> str:
    """The revision of a claim that was billed before the project came: older than every inbox entry."""
    return f"0-{day.toordinal()}"


def entry_of(
    claim: Claim, revision: str, digest: str, codes: Container[str], person: Person, key: str = "",
    persons: Mapping[str, Person] | None = None, facility: str = "",
) -> LedgerEntry:  # fmt: skip
    """The claim as the ledger would keep it. `key`: under which patient key; `persons`: the person under any other."""
    rows = [row for line in claim.lines if line.procedure in codes and (row := _row(claim, line))]
    npi = (claim.billing_provider.npi if claim.billing_provider else None) or ""
    return LedgerEntry(
        claim.claim_id, revision, "billed", claim.frequency_code, digest[:_DIGEST], npi, role_of(claim), person,
        tuple(rows), claim.original_reference_number, facility, key, persons,
    )  # fmt: skip


def _row(claim: Claim, line: Line) -> LedgerRow | None:
    """None: the line has no date, and matches no other."""
    day = date_of(claim, line)
    if day is None:
        return None
    last = max(day, last_date_of(claim, line) or day)
    return LedgerRow(day, last, billed_side(line), lifts_of(line), line.procedure or "", line.units)


class Ledger(NamedTuple):
    """One patient's claims."""

    version: str = ""
    """What wrote it last; empty: there is none."""
    entries: Mapping[str, LedgerEntry] = MappingProxyType({})
    """By `LedgerEntry.name`: claim id and facility."""

    @classmethod
    def parse(cls, text: str) -> Ledger:
        """The ledger in the string that Redis holds; empty: a new one."""
        if not text:
            return EMPTY
        version, _, body = text.partition(" ")
        return cls(version, {entry.name: entry for entry in map(LedgerEntry.unpacked, orjson.loads(body))})

    def __str__(self) -> str:
        return f"{self.version} {orjson.dumps([entry.packed() for entry in self.entries.values()]).decode()}"

    def history(self, new: LedgerEntry) -> History:
        """What a rule may know of the patient when it judges this claim."""
        if not self.entries:
            return NOTHING_BILLED
        known = self.entries.get(new.name)
        later = known.revision if known and known.order > new.order else None
        replaced = self._displaced(new) if new.frequency == REPLACEMENT else ()
        return History("consulted", tuple(self._billed(new, replaced)), later)

    def _billed(self, new: LedgerEntry, replaced: tuple[str, ...]) -> Iterator[Billed]:
        for entry in self.entries.values():
            relation = _relation(entry, new)
            if entry.state != "billed" or (entry.name in replaced and relation != "copy"):
                continue
            same = relation != "other" or same_person(entry.person, new.under(entry.key))
            if same is False:
                continue
            for row in entry.rows:
                yield Billed(
                    entry.claim_id, relation, row.procedure, row.day, row.last_day, row.side, row.lifts, row.units,
                    entry.npi or None, entry.bills_as, same is True,
                )  # fmt: skip

    def after(self, new: LedgerEntry, *, billed: bool, version: str, since: date) -> Ledger:
        """The ledger once this claim was decided; `billed`: it went to billing. Entries from before `since` go.

        A version that is older than what is known of its claim changes nothing, nor does a claim that is none of this
        book's and was never one.
        """
        known = self.entries.get(new.name)
        if known and known.order > new.order and not (billed and known.bare):
            return self
        entries = {key: entry for key, entry in self.entries.items() if entry.day >= since}
        if not billed:
            if not known and not new.rows:
                return self
            first = known or LedgerEntry(new.claim_id, "", "seen", facility=new.facility)
            entries[new.name] = first._replace(revision=new.revision)
            seen = [one for one in entries.values() if one.state == "seen" and one.facility == new.facility]
            if len(seen) > MOST_SEEN:
                del entries[min(seen, key=lambda entry: entry.order).name]
            return Ledger(version, entries)
        if new.frequency in (REPLACEMENT, VOID):
            for key in self._displaced(new):
                claim_id = key.partition("\0")[0]
                entries[key] = LedgerEntry(claim_id, new.revision, "ended", facility=new.facility)
        entry = (
            new if new.frequency != VOID else LedgerEntry(new.claim_id, new.revision, "ended", facility=new.facility)
        )
        later = known is not None and known.order > new.order
        entries[new.name] = entry._replace(revision=known.revision) if known and later else entry
        return Ledger(version, entries)

    def _displaced(self, new: LedgerEntry) -> tuple[str, ...]:
        """The claims whose place a replacement or void takes, by their names in the ledger: those of its facility.

        It names them by its own claim id, or by a reference that is a claim id. Mostly the reference is the payer's
        own number, which is not known here: then it is the one claim of that provider, role and person with the same
        days and sides; or, for a replacement, which may correct these, the only one with a day in common. Where
        there is none yet, the names are remembered against an original that comes later.
        """
        said = [name for name in (new.claim_id, new.reference) if name and len(name) <= _LONGEST_ID]
        names = [name_of(name, new.facility) for name in said]
        ours = {key: entry for key, entry in self.entries.items() if entry.facility == new.facility}
        older = {key: entry for key, entry in ours.items() if entry.order <= new.order}
        named = [name for name in names if name in older and older[name].state == "billed"]
        if named:
            return tuple(dict.fromkeys(named))
        near = [entry for entry in older.values() if _may_be(entry, new)]
        same = [entry for entry in near if _places(entry) == _places(new)]
        found = same or (near if new.frequency == REPLACEMENT else [])
        if len(found) == 1:
            return (found[0].name,)
        return tuple(name for name in dict.fromkeys(names) if name in older or name not in self.entries)

    def rejected(self, key: str, version: str) -> Ledger:
        """The ledger once the payer's rejection of a claim was recorded."""
        entry = self.entries[key]._replace(state="rejected")
        return Ledger(version, {**self.entries, key: entry})

    @property
    def newest(self) -> date:
        """The day of its last entry."""
        return max([entry.day for entry in self.entries.values()], default=date.min)


EMPTY = Ledger()


def _relation(entry: LedgerEntry, new: LedgerEntry) -> Relation:
    if (entry.claim_id, entry.facility) != (new.claim_id, new.facility):
        return "other"
    return "copy" if entry.digest == new.digest else "version"


def _may_be(entry: LedgerEntry, new: LedgerEntry) -> bool:
    return (
        entry.state == "billed"
        and (entry.npi, entry.bills_as) == (new.npi, new.bills_as)
        and same_person(entry.person, new.under(entry.key)) is not False
        and not {row.day for row in entry.rows}.isdisjoint(row.day for row in new.rows)
    )


def _places(entry: LedgerEntry) -> set[tuple[date, str]]:
    return {(row.day, row.side) for row in entry.rows}


def expiry_ms(ledger: Ledger, months: int) -> int:
    """When nothing in the ledger counts any more, in milliseconds since 1970."""
    return _expiry_ms(ledger.newest, months)


@lru_cache(maxsize=4_096)
def _expiry_ms(newest: date, months: int) -> int:
    end = months_after(newest, months) + timedelta(days=1)
    return max(1, int(datetime(end.year, end.month, end.day, tzinfo=UTC).timestamp() * 1000))
