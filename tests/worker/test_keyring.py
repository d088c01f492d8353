"""The rings of keys: their files, which key is in force, and what is compared under which."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rules.claim import read_claim
from tests.integration.helpers import claim
from worker.errors import KeyNotHere, RingUnusable
from worker.pipeline.ledger import Ledger, entry_of, patient_of, person_of
from worker.pipeline.patients import Patients
from worker.store.keyring import (
    RINGS,
    WAITS,
    Ring,
    Rings,
    add_key,
    event_digest,
    key_id,
    load_ring,
    load_rings,
    note_in_force,
    ring_file,
    same_digest,
)
from worker.store.keys import Keys
from worker.store.secret import load_secret

NOW = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    load_secret(tmp_path / "secret")
    return tmp_path / "secret"


def rotated(secret: Path, name: str, times: int = 1) -> Ring:
    for number in range(times):
        moment = NOW + timedelta(days=number)
        key = add_key(secret, name, moment)  # type: ignore[arg-type]
        note_in_force(secret, name, key.id, moment)  # type: ignore[arg-type]
    return load_ring(secret, name)  # type: ignore[arg-type]


def test_an_installation_with_one_secret_has_two_rings_of_that_key_and_says_nothing_in_redis(secret: Path) -> None:
    rings = load_rings(secret)
    content = load_secret(secret)
    assert rings == Rings(*(load_ring(secret, name) for name in RINGS), "")
    assert [rings.ring(name).active.secret for name in RINGS] == [content, content]
    assert event_digest(rings, "a" * 64) == "a" * 64
    assert sorted(path.name for path in secret.parent.iterdir()) == ["secret"], "no file is made"


def test_a_new_key_waits_until_it_is_put_in_force(secret: Path) -> None:
    key = add_key(secret, "audit", NOW)
    ring = load_ring(secret, "audit")
    assert (ring.place, [one.id for one in ring.waiting]) == (0, [key.id])
    assert stat.S_IMODE(ring_file(secret, "audit").stat().st_mode) == 0o600
    turned = load_rings(secret, "").turned("audit", key.id)
    assert turned.mark == f"{key.id} {ring.first.id}"
    assert load_rings(secret, turned.mark).audit.active == key
    assert load_rings(secret).audit.place == 0, "this machine did not put it in force"
    note_in_force(secret, "audit", key.id, NOW)
    assert load_rings(secret).audit.active.id == key.id
    assert load_rings(secret, "").audit.place == 0, "what Redis says goes before the files"


def test_the_rings_turn_apart(secret: Path) -> None:
    audit, patient = rotated(secret, "audit", 2), rotated(secret, "patient")
    rings = load_rings(secret)
    assert (rings.audit.place, rings.patient.place) == (2, 1)
    assert rings.mark == f"{audit.active.id} {patient.active.id}"
    assert {key.id for key in audit.keys} & {key.id for key in patient.keys} == {audit.first.id}


def test_a_key_that_waited_too_long_is_made_anew_and_one_in_force_never_goes(secret: Path) -> None:
    first = rotated(secret, "patient").active
    old = add_key(secret, "patient", NOW + timedelta(days=2))
    new = add_key(secret, "patient", NOW + timedelta(days=2) + WAITS + timedelta(minutes=2))
    ids = [key.id for key in load_ring(secret, "patient").keys]
    assert ids[1:] == [first.id, new.id]
    assert old.id not in ids


def test_a_key_that_redis_names_and_the_file_lacks_is_not_guessed(secret: Path) -> None:
    with pytest.raises(KeyNotHere, match="0badcafe is wanted and is not in .*secret.patient"):
        load_rings(secret, f"{load_ring(secret, 'audit').first.id} 0badcafe")
    rings = rotated_rings(secret)
    with pytest.raises(KeyNotHere, match="secret.audit"):
        same_digest(rings, f"0badcafe.{'0' * 32}", "a" * 64)


def rotated_rings(secret: Path) -> Rings:
    rotated(secret, "audit", 2)
    return load_rings(secret)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda text: text + "hello\n", "line 4 is none of a key"),
        (lambda text: text.replace(text.splitlines()[2][:8], "0badcafe"), "line 3: the key has another id"),
        (lambda text: text[:-2] + "0\n", "line 3: the key has another id"),
        (lambda text: text[:-9] + "\n", "another id|none of a key"),
        (lambda text: text + text.splitlines()[2] + "\n", "is there twice"),
    ],
)
def test_a_ring_that_was_torn_or_mistyped_is_refused(secret: Path, harm: object, reason: str) -> None:
    assert callable(harm)
    add_key(secret, "audit", NOW)
    file = ring_file(secret, "audit")
    text = file.read_text()
    file.write_text(harm(text))
    if file.read_text() == text:
        pytest.skip("the last digit was the same")
    with pytest.raises(RingUnusable, match=reason):
        load_ring(secret, "audit")


def test_a_ring_that_others_may_read_or_that_is_a_link_is_refused(secret: Path) -> None:
    add_key(secret, "audit", NOW)
    file = ring_file(secret, "audit")
    file.chmod(0o640)
    with pytest.raises(RingUnusable, match="others may read it"):
        load_ring(secret, "audit")
    file.chmod(0o600)
    file.rename(f"{file}.aside")
    file.symlink_to(f"{file}.aside")
    with pytest.raises(RingUnusable):
        load_ring(secret, "audit")
    with pytest.raises(RingUnusable):
        add_key(secret, "audit", NOW)


def test_a_digest_is_compared_under_the_key_that_it_names(secret: Path) -> None:
    before = load_rings(secret)
    plain = event_digest(before, "a" * 64)
    first = rotated(secret, "audit").active
    once = load_rings(secret)
    keyed_once = event_digest(once, "a" * 64)
    rotated(secret, "audit")
    twice = load_rings(secret)
    assert keyed_once.startswith(f"{first.id}.")
    assert "a" * 64 not in keyed_once
    for held in (plain, keyed_once, event_digest(twice, "a" * 64)):
        assert same_digest(twice, held, "a" * 64)
        assert not same_digest(twice, held, "b" * 64)


@pytest.mark.parametrize("count", [1, 2, 4, 64, 256])
def test_a_patient_stays_on_its_partition_whatever_key_is_in_force(secret: Path, count: int) -> None:
    content = load_secret(secret)
    homes = [Keys(0, count).at(patient_of(content, "87726", f"M{number}") or "") for number in range(300)]
    patients = Patients(rotated(secret, "patient", 3), 36, TODAY)
    names = [patients.named("87726", f"M{number}", patients.ring.active) or "" for number in range(300)]
    assert [Keys(0, count).at(name) for name in names] == homes
    assert len(set(names)) == 300
    before = {patient_of(content, "87726", f"M{number}") for number in range(300)}
    shared = [sum(one == other for one, other in zip(name, old or "", strict=True)) for name in names for old in before]
    assert max(shared) < 20, "and its name is another"


def test_keys_of_before_are_looked_for_as_long_as_a_ledger_may_be_under_them(secret: Path) -> None:
    ring = rotated(secret, "patient", 2)
    first, second, third = ring.keys
    later = [TODAY, NOW.date() + timedelta(days=365 * 3), NOW.date() + timedelta(days=365 * 4)]
    found = [Patients(ring, 36, day).former_keys() for day in later]
    assert found == [(second, first), (second, first), ()]
    assert ring.active == third
    assert Patients(Ring.of(b"s" * 64), 36, TODAY).former_keys() == ()


def test_who_a_patient_is_is_compared_under_the_key_of_the_entry(secret: Path) -> None:
    """Two of one member id: the entry of before says who it was under the first key."""
    content = load_secret(secret)
    model = read_claim(claim(1))
    old = patient_of(content, model.payer.id, "000000001") or ""
    before = entry_of(model, "1795945227218-0", "d" * 64, {"64445"}, person_of(content, old, model))
    ledger = Ledger("v", {"OLD-1": before._replace(claim_id="OLD-1")})
    read = Ledger.parse(str(ledger))
    patients = Patients(rotated(secret, "patient"), 36, TODAY)

    def samples(**patient: str) -> list[bool]:
        new = read_claim(
            claim(2, patient={"birth_date": "1970-03-02", "sex": "F", **patient}, subscriber={"member_id": "000000001"})
        )
        found = patients.of(new)
        assert found is not None
        entered = entry_of(new, "1795945227219-0", "e" * 64, {"64445"}, found.person, found.key, found.persons)
        again = Ledger.parse(str(Ledger("w", {"NEW": entered}))).entries["PCN-00002"]
        assert (again.key, again.person) == (key_id(patients.ring.active.secret), found.person)
        return [one.certain for one in read.history(entered).billed]

    assert samples() == [True]
    assert samples(birth_date="1999-03-02") == [], "somebody else of the family"
    later = Patients(rotated(secret, "patient"), 36, TODAY).of(model)
    assert later is not None
    assert later.persons[""] == before.person


def test_the_file_keeps_its_mode_whatever_the_umask(secret: Path) -> None:
    before = os.umask(0)
    try:
        add_key(secret, "patient", NOW)
    finally:
        os.umask(before)
    assert stat.S_IMODE(ring_file(secret, "patient").stat().st_mode) == 0o600
