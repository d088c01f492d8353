"""Certificates of claims that went to billing: issued while workers run, verified long after, and no byte another.

What others were caught at: a digest of few possible values without a salt, which is tried out
(dekobon/big-code-analysis#811); a signature over JSON that is parsed and written again
(brianloveswords/python-jws#3, bottlerocket-os/bottlerocket#66, mozilla/normandy#1210).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from rules.book.pack import Files, packed
from rules.loader import whole_book
from tests import standby
from tests.worker.test_signature import pair
from worker import bootstrap
from worker.certificate.content import read, written
from worker.intake.events import canonical
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.commitment import commitment
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.outlets import tail
from worker.pipeline.rotation import Rotation
from worker.store.connections import Store

from .helpers import Worker, claim, event, settled, until

OWN = whole_book()
_HEAD = OWN.library["book.yaml"].replace(b"2026.11", b"2026.12")
OTHER = Files({**OWN.library, "book.yaml": _HEAD})
PATIENT = {"SCRUB_SOFT_TIME_LIMIT": "20", "SCRUB_HARD_TIME_LIMIT": "30", "SCRUB_RECLAIM": "40"}
SCHEMA = json.loads((Path(__file__).parents[2] / "ops/schema/certificate.json").read_text("utf-8"))
# A year or an amount stands by itself: within a digest or a signature three or four digits are there by chance.
PRIVATE = re.compile(rb"CANARY|1931-07-13|2026-10-01|(?<![\w+/])(?:1931|4?450)(?![\w+/])")


def person(number: int, **changes: Any) -> dict[str, Any]:
    private = {
        "claim_id": f"CANARYCLAIM-{number}",
        "subscriber": {"member_id": f"CANARYMEMBER{number}", "group_number": "CANARYGROUP"},
        "patient": {"birth_date": "1931-07-13", "sex": "F", "first_name": "CANARYFIRST"},
    }
    return claim(number, **{**private, **changes})


class Desk:
    """Runs `scrub certificate` with a state folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.private, self.public = pair(home, "issuer")

    def run(self, *arguments: str | Path, state: Path | None = None) -> subprocess.CompletedProcess[str]:
        env = {"SCRUB_STATE_DIR": str(state or self.home), "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(self.home)}
        done = standby.scrub_in_text("certificate", *arguments, cwd=self.home, env=env)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def issued(self, name: str, *more: str | Path) -> Path:
        out = self.home / f"{len(list(self.home.glob('*-c.json')))}-c.json"
        done = self.run(name, "--key", self.private, "-o", out, *more)
        assert done.returncode == 0, done.stderr
        assert "CANARY" not in done.stdout
        return out

    def refused(self, name: str, *more: str | Path) -> str:
        done = self.run(name, "--key", self.private, "-o", self.home / "none.json", *more)
        assert done.returncode == 2, done.stdout
        assert not (self.home / "none.json").exists()
        return done.stderr

    def verified(self, file: Path, *more: str | Path, code: int = 0, state: Path | None = None) -> dict[str, Any]:
        done = self.run("verify", file, "--key", self.public, "--format", "json", *more, state=state)
        assert done.returncode == code, (done.stdout, done.stderr)
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def desk(home: Path) -> Desk:
    return Desk(home)


def put(store: Store, *events: bytes) -> None:
    for one in events:
        store.redis.xadd(store.keys.inbox, {"event": one})


def decided(store: Store, consumer: InboxConsumer, *events: bytes) -> None:
    put(store, *events)
    until(lambda: consumer.run() is None or reconcile(store.redis, store.keys).settled)
    assert reconcile(store.redis, store.keys).settled


def kept(store: Store, file: Path) -> Path:
    """What the consumer of billing keeps."""
    file.write_bytes(b"".join(orjson.dumps(one.event) + b"\n" for one in tail(store.redis, store.keys, "billing")))
    return file


def states(found: dict[str, Any]) -> dict[str, str]:
    return {part: found[part]["state"] for part in ("signature", "book", "audit", "claim") if part in found}


SOUND = dict.fromkeys(("signature", "book", "audit", "claim"), "sound")


def rotated(store: Store) -> str:
    made = bootstrap.rotation(store)
    try:
        return Rotation(store, made.audit, 20).rotate("audit", "a test").key.id
    finally:
        made.audit.close()


def test_a_certificate_holds_after_a_book_switch_and_a_rotation_on_a_machine_without_redis(
    store: Store, desk: Desk, home: Path, start_worker: Callable[..., Worker]
) -> None:
    worker = start_worker(env=PATIENT, concurrency=1).wait_ready()
    put(store, event(1, data=person(1)), event(2, data=person(2, received_date=None)))
    settled(store, 2)
    before = desk.issued("CANARYCLAIM-1")
    bootstrap.book_switcher(store).switch(packed(OTHER), b"", "other.book", "a test")
    key = rotated(store)
    put(store, event(3, data=person(3)))
    settled(store, 3, 60)
    late, after = desk.issued("CANARYCLAIM-2"), desk.issued("CANARYCLAIM-3")
    entries = kept(store, home / "kept.ndjson")
    assert worker.stop() == 0
    one, three = (read(file.read_bytes(), "it") for file in (before, after))
    assert (one.book.digest, three.book.digest) == (OWN.digest, OTHER.digest)
    assert one.audit.key != three.audit.key == key
    archived = home / "years later"
    shutil.copytree(home / "audit", archived / "tape")
    shutil.copytree(home / "books", archived / "shelf")
    state = archived / "state"
    state.mkdir(mode=0o700)
    for name in ("secret", "secret.audit"):
        shutil.copy2(home / name, state / name)
    against = ("--book", archived / "shelf", "--audit", archived / "tape", "--entry", entries)
    for file in (before, late, after):
        found = desk.verified(file, *against, state=state)
        assert states(found) == SOUND, found
        assert "same verdict" in found["claim"]["sentence"]
        jsonschema.validate(json.loads(file.read_bytes()), SCHEMA)
    assert not (state / "redis").exists()
    pack = home / "own.book"
    pack.write_bytes(packed(OWN))
    assert states(desk.verified(before, "--book", pack, state=state))["book"] == "sound"
    another = desk.verified(after, "--book", pack, state=state, code=1)["book"]
    assert "another book" in another["sentence"]
    (state / "secret.audit").unlink()
    lost = desk.verified(after, "--audit", archived / "tape", state=state, code=1)["audit"]
    assert key in lost["sentence"], "who lost the ring is told which key it is that is missing"


def test_nothing_of_a_patient_and_nothing_of_the_claim_is_in_it(
    store: Store, consumers: Callable[[], InboxConsumer], desk: Desk
) -> None:
    doubtful = person(1, diagnoses=["M54.31", "M54.32"], total_charge="4450.00")
    doubtful["lines"] = [{**doubtful["lines"][0], "charge": "4450.00"}]
    decided(store, consumers(), event(1, data=doubtful), event(2, data=person(2)))
    (entry, *_) = tail(store.redis, store.keys, "billing")
    file = desk.issued(entry.decision_id)
    content = file.read_bytes()
    assert PRIVATE.findall(content) == []
    salt = entry.data["salt"]
    lines = b"".join(one.read_bytes() for one in store.settings.audit_path.iterdir())
    assert salt.encode() not in content + lines, "who has the salt can try values against the commitment"
    said = read(content, "it")
    assert said.verdict.gaps
    assert said.waivers == ()
    assert [one.number for one in said.verdict.lines] == [1]


def test_every_byte_that_is_another_one_is_noticed(
    store: Store, consumers: Callable[[], InboxConsumer], desk: Desk
) -> None:
    from worker.certificate.checking import Against, checked
    from worker.errors import CertificateUnreadable

    decided(store, consumers(), event(1, data=person(1)))
    content = desk.issued("CANARYCLAIM-1").read_bytes()
    against = Against(desk.public, store.settings.books_path, store.settings.tables_path)

    def sound(changed: bytes) -> bool:
        try:
            (found, *_) = checked(changed, "it", against)
        except CertificateUnreadable:
            return False
        return found.state == "sound"

    assert sound(content)
    for at in range(len(content)):
        for bit in (0, 5):
            changed = bytearray(content)
            changed[at] ^= 1 << bit
            assert not sound(bytes(changed)), content[max(0, at - 20) : at + 20]
        assert not sound(content[:at] + content[at + 1 :])
        assert not sound(content[:at] + b" " + content[at:])
    assert not sound(content + b"\n")
    assert not sound(content[:-1])
    assert not sound(orjson.dumps(orjson.loads(content)))


def test_a_certificate_of_another_key_of_another_claim_or_of_a_changed_line_is_named_as_such(
    store: Store, consumers: Callable[[], InboxConsumer], desk: Desk, home: Path
) -> None:
    decided(store, consumers(), event(1, data=person(1)), event(2, data=person(2)))
    file = desk.issued("CANARYCLAIM-1")
    entries = kept(store, home / "kept.ndjson")
    _, stranger = pair(home, "stranger")
    done = desk.run("verify", file, "--key", stranger)
    assert done.returncode == 1
    assert "other key" in done.stdout
    both = home / "both.pem"
    both.write_bytes(stranger.read_bytes() + desk.public.read_bytes())
    assert desk.run("verify", file, "--key", both).returncode == 0, "the key of before stays in the file"
    text = entries.read_text()
    for found, wanted in (("CANARYMEMBER1", "CANARYMEMBER9"), ('"charge":"450.00"', '"charge":"450.01"')):
        entries.write_text(text.replace(found, wanted))
        assert "another claim" in desk.verified(file, "--entry", entries, code=1)["claim"]["sentence"]
    entries.write_text(text.replace('"coverage":"partial"', '"coverage":"full"'))
    assert "another one than was certified" in desk.verified(file, "--entry", entries, code=1)["claim"]["sentence"]
    assert "differs from its audit line in claim.coverage" in desk.refused("CANARYCLAIM-1", "--entry", entries)
    private = load_pem_private_key(desk.private.read_bytes(), None)
    said = read(file.read_bytes(), "it")
    forged = said.model_copy(update={"audit": said.audit.model_copy(update={"line": said.audit.line + 1})})
    file.write_bytes(written(forged, private))
    audit = store.settings.audit_path
    assert "is not its line" in desk.verified(file, "--audit", audit, code=1)["audit"]["sentence"]
    file.write_bytes(written(said, private))
    assert states(desk.verified(file, "--audit", audit))["audit"] == "sound"
    (log,) = (one for one in audit.iterdir() if said.audit.file == one.name)
    log.write_bytes(log.read_bytes().replace(b'"claim.coverage":"partial"', b'"claim.coverage":"fullyyy"'))
    assert "changed" in desk.verified(file, "--audit", audit, code=1)["audit"]["sentence"]
    assert "not sound" in desk.refused("CANARYCLAIM-1")


def test_why_there_is_none_is_said(
    store: Store, consumers: Callable[[], InboxConsumer], desk: Desk, home: Path
) -> None:
    held = person(2, total_charge="1.00")
    decided(
        store, consumers(), event(1, data=person(1)), event(2, data=held), event(3, data=person(3, claim_id="TWICE"))
    )
    decided(store, consumers(), event(4, data=person(4, claim_id="TWICE")))
    assert "Look at its number" in desk.refused("NEVER-SEEN")
    assert "it went to rework" in desk.refused("CANARYCLAIM-2")
    assert "say which decision" in desk.refused("TWICE")
    entries = kept(store, home / "kept.ndjson")
    former = [json.loads(line) for line in entries.read_text().splitlines()]
    for one in former:
        del one["data"]["salt"]
    (home / "former.ndjson").write_text("".join(json.dumps(one) + "\n" for one in former))
    assert "a release without certificates" in desk.refused("CANARYCLAIM-1", "--entry", home / "former.ndjson")
    store.redis.delete(store.keys.outlet("billing"))
    assert "no longer holds it" in desk.refused("CANARYCLAIM-1")
    assert desk.issued("CANARYCLAIM-1", "--entry", entries).exists()
    assert "cannot be used as a key" in desk.run("CANARYCLAIM-1", "--key", desk.public).stderr
    (home / "empty").mkdir()
    assert "no audit file here" in desk.refused("CANARYCLAIM-1", "--entry", entries, "--audit", home / "empty")
    (home / "text.json").write_text("{}")
    assert "something else" in desk.run("verify", home / "text.json", "--key", desk.public).stderr
    assert "SCRUB_CERTIFICATE_KEY" in desk.run("verify", home / "text.json").stderr


def test_two_decisions_on_the_same_claim_have_nothing_in_common_that_shows_it(
    store: Store, consumers: Callable[[], InboxConsumer]
) -> None:
    decided(store, consumers(), event(1, data=person(1)), event(2, data=person(1, claim_id="OTHER")))
    salts = [entry.data["salt"] for entry in tail(store.redis, store.keys, "billing")]
    assert all(len(bytes.fromhex(salt)) == 16 for salt in salts)
    assert len(set(salts)) == len(salts)
    assert "salt" not in next(tail(store.redis, store.keys, "rework")).data
    content = canonical(person(1))
    assert commitment(b"a" * 16, content) != commitment(b"b" * 16, content)
    with pytest.raises(ValueError, match="16 bytes"):
        commitment(b"a" * 15, content)


def test_openssl_verifies_it_as_well(
    store: Store, consumers: Callable[[], InboxConsumer], desk: Desk, home: Path
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not here")
    decided(store, consumers(), event(1, data=person(1)))
    content = desk.issued("CANARYCLAIM-1").read_bytes()
    (home / "signed").write_bytes(content[:-150])
    (home / "signature").write_bytes(bytes.fromhex(json.loads(content)["signature"]))
    done = subprocess.run(
        [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", desk.public, "-rawin", "-in", "signed", "-sigfile",
         "signature"], cwd=home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
