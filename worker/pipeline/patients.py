"""Patients under the patient ring: the name of a ledger, those that it had under keys of before, and who is who in it.

A rotated key must not move a patient to another partition, or one script could not write both ledgers. So the name of
a ledger under a later key begins with the one byte of its name under the first key that decides the partition, which
is why the number of partitions is then a power of two; the rest of it is the later key's. Who has an old key and no
later one learns from it where a patient is, and not who.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import NamedTuple

from rules.claim import Claim
from rules.facts.history import months_after
from worker.pipeline.ledger import Person, patient_of, person_of
from worker.store.keyring import WAITS, Key, Ring

_HOME = slice(6, 8)
"""Of a name under the first key: the digits that decide the partition, where their number is a power of two."""


class Patient(NamedTuple):
    """The patient of a claim."""

    name: str
    """Names its ledger under the key in force; 32 hexadecimal digits."""
    former: tuple[str, ...]
    """The same under keys of before, the newest first, as far as a ledger may be there."""
    person: Person
    key: str
    """Id of the key in force; empty: it is the first."""
    persons: Mapping[str, Person]
    """The person under each key that a ledger's entry may name."""


@dataclass(frozen=True, slots=True)
class Patients:
    """Names patients. Make it anew where another key comes in force, and now and then: what is old is looked for no
    more."""

    ring: Ring
    months: int
    """For how long a ledger keeps what went to billing."""
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    def of(self, claim: Claim) -> Patient | None:
        """None: there is no member id."""
        name = self.name(claim, self.ring.active)
        if name is None:
            return None
        active = self.ring.active
        former = tuple(found for key in self.former_keys() if (found := self.name(claim, key)))
        key = "" if active is self.ring.first else active.id
        return Patient(name, former, person_of(active.secret, name, claim), key, _Persons(self, claim))

    def name(self, claim: Claim, key: Key) -> str | None:
        """Names a ledger under one of the keys."""
        return self.named(claim.payer.id, claim.subscriber.member_id if claim.subscriber else None, key)

    def named(self, payer: str, member: str | None, key: Key) -> str | None:
        """The same, by payer id and member id alone."""
        found = patient_of(key.secret, payer, member)
        first = self.ring.first
        if found is None or key is first:
            return found
        home = patient_of(first.secret, payer, member) or ""
        return f"000000{home[_HOME]}{found[8:]}"

    def former_keys(self) -> tuple[Key, ...]:
        """The keys of before, the newest first, under which a ledger may still be."""
        ring = self.ring
        pairs = zip(ring.keys[: ring.place], ring.keys[1 : ring.place + 1], strict=True)
        return tuple(reversed([key for key, after in pairs if kept_until(after, self.months) >= self.today]))


def kept_until(successor: Key, months: int) -> date:
    """Until when ledgers under the key before this one are looked for."""
    assert successor.made is not None
    return months_after((successor.made + WAITS).date(), months)


class _Persons(dict[str, Person]):
    """Made when it is asked for: a ledger with entries under a key of before is rare."""

    def __init__(self, patients: Patients, claim: Claim) -> None:
        super().__init__()
        self._patients = patients
        self._claim = claim

    def __missing__(self, key: str) -> Person:
        """Raises KeyNotHere."""
        ring = self._patients.ring
        found = ring.get(key) if key else ring.first
        name = self._patients.name(self._claim, found) or ""
        person = self[key] = person_of(found.secret, name, self._claim)
        return person
