"""An installation that ran an earlier book starts this release: what would hold claims that passed comes as drafts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rules.book.pack import Files, packed, unpacked
from rules.loader import book_files
from tests.book import BOOK
from tests.former import last_packed
from worker.books import current, drafts
from worker.books.overrides import today
from worker.books.switch import in_force, sealed_pack
from worker.config.settings import Settings, load_settings
from worker.errors import SwitchedMeanwhile
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.store import opening
from worker.store.connections import Store
from worker.store.keys import Keys

from .helpers import Worker, claim, event, settled
from .test_former_overrides import STORE
from .test_upgrade import scrub

BAD = {"rendering_provider": {"npi": "1234567890"}}
(IDN002,) = (name for name in book_files() if name.endswith("/IDN002-malformed.yaml"))
"""The rule that finds it."""


@cache
def before() -> Files:
    """The book of an earlier release, which had no such rule."""
    return Files({name: text for name, text in book_files().items() if name != IDN002})


@pytest.fixture
def ran(settings: Settings) -> Settings:
    """A state folder in which that book judged."""
    settings.books_path.mkdir(parents=True)
    (settings.books_path / f"{before().digest}.book").write_bytes(packed(before()))
    return settings


def found(store: Store) -> dict[str, str]:
    """Where each claim went."""
    outlets = ("billing", "rework", "unchecked")
    return {e.data["claim"]["claim_id"]: name for name in outlets for e in tail(store.redis, store.keys, name)}


def judge(store: Store, number: int) -> dict[str, Any]:
    """The report on one more claim with a bad NPI."""
    send(store.redis, store.keys, [event(number, data=claim(number, **BAD))], source="test", settings=store.settings)
    settled(store, number)
    entries = (e for name in ("billing", "rework") for e in tail(store.redis, store.keys, name))
    return next(e.data["report"] for e in entries if e.data["claim"]["claim_id"] == f"PCN-{number:05}")


def listed(home: Path, **more: str) -> list[Mapping[str, Any]]:
    done = scrub(home, "rules", "drafts", "list", "--format", "json", **more)
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def checked(home: Path) -> dict[str, Any]:
    """The report of the command on the same claim, without Redis."""
    (home / "claim.json").write_text(json.dumps(claim(9, **BAD)))
    report: dict[str, Any] = json.loads(scrub(home, "check", "--format", "json", "claim.json").stdout)
    return report


def test_a_new_installation_has_no_drafts(store: Store, home: Path, start_worker: Callable[..., Worker]) -> None:
    start_worker(concurrency=1).wait_ready(60)
    assert judge(store, 1)["disposition"] == "rework"
    assert listed(home) == []
    assert checked(home)["book"]["digest"] == BOOK.digest, "and it has no overrides"


@pytest.mark.slow
def test_after_an_upgrade_a_new_rule_is_a_draft_until_a_person_accepts_it(
    ran: Settings, store: Store, home: Path, start_worker: Callable[..., Worker]
) -> None:
    start_worker(concurrency=2).wait_ready(60)
    report = judge(store, 1)
    assert report["disposition"] == "billing"
    assert [one["code"] for one in report["shadow"]] == ["IDN002"]
    mine = checked(home)
    assert (mine["book"], mine["shadow"]) == (report["book"], report["shadow"])
    (one,) = listed(home)
    assert (one["code"], one["expires"]) == ("IDN002", str(today() + timedelta(days=drafts.DAYS)))
    assert one["reason"].startswith("new in ")
    told = scrub(home, "doctor").stdout
    assert "1 rules, new in" in told
    assert "hold no claim until they are switched on" in " ".join(told.split())
    (home / "claims.ndjson").write_text(json.dumps(claim(8, **BAD)))
    impact = scrub(home, "rules", "impact", "--drafts", "claims.ndjson")
    assert (impact.returncode, "IDN002" in impact.stdout) == (1, True), impact.stderr
    wrong = scrub(home, "rules", "drafts", "accept", "IDN003", "--reason", "seen")
    assert (wrong.returncode, "no draft IDN003 waits" in wrong.stderr) == (2, True)
    done = scrub(home, "rules", "drafts", "accept", "IDN002", "--reason", "looked at October")
    assert done.returncode == 0, done.stderr
    report = judge(store, 2)
    assert report["disposition"] == "rework"
    assert (listed(home), checked(home)["book"]) == ([], report["book"])
    back = scrub(home, "rules", "rollback", "--reason", "not yet")
    assert back.returncode == 0, back.stderr
    report = judge(store, 3)
    assert (report["disposition"], report["book"]) == ("billing", checked(home)["book"])
    assert [one["code"] for one in listed(home)] == ["IDN002"], "and it waits again"


def test_accepted_drafts_stay_accepted_where_redis_was_emptied_and_workers_start_anew(
    ran: Settings, store: Store, home: Path
) -> None:
    drafts.settle(store)
    assert len(listed(home)) == 1
    done = scrub(home, "rules", "drafts", "accept", "--all", "--reason", "looked at October")
    assert "those that start with this book judge without them" in done.stdout, done.stderr
    lines = [json.loads(line) for file in ran.audit_path.iterdir() for line in file.read_text("utf-8").splitlines()]
    (line,) = (one for one in lines if one["event.action"] == "drafts.accepted")
    assert (line["event.reason"], line["override.name"]) == ("looked at October", ["new-common-idn002-malformed"])
    verified = scrub(home, "audit", "verify")
    assert verified.returncode == 0, verified.stdout
    store.redis.flushall()
    drafts.settle(store)
    assert listed(home) == []
    assert checked(home)["disposition"] == "rework"


def test_a_second_machine_takes_what_was_agreed_on_and_not_what_it_finds(
    ran: Settings, store: Store, home: Path
) -> None:
    drafts.settle(store)
    agreed = drafts.agreed(store.redis, store.keys, BOOK.digest)
    assert agreed is not None
    text = ran.drafts_path.read_text("utf-8")
    ran.drafts_path.unlink()
    for file in ran.books_path.iterdir():
        file.unlink()
    drafts.settle(store)
    assert ran.drafts_path.read_text("utf-8") == text
    assert drafts.agreed(store.redis, store.keys, BOOK.digest) == agreed


def test_of_two_who_switch_drafts_on_one_is_told(ran: Settings, store: Store) -> None:
    drafts.settle(store)
    library, seen = drafts.standing(store)
    drafts.agree(store, library, seen, "")
    with pytest.raises(SwitchedMeanwhile):
        drafts.agree(store, library, seen, "")


def test_a_hospitals_own_book_brings_no_drafts(ran: Settings, store: Store, home: Path) -> None:
    own = home / "my-book"
    for name, content in before().library.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_bytes(content)
    current.forget_own()
    with opening.open_store(load_settings(state_dir=home, book=own)) as theirs:
        drafts.settle(theirs)
    assert not ran.drafts_path.exists()


def test_drafts_that_nobody_looked_at_are_carried_into_the_next_release_with_their_last_day() -> None:
    book, day = BOOK, date(2026, 12, 1)
    first = drafts.made(before(), book, day)
    again = drafts.made(Files(book_files()), book, day + timedelta(days=300), first)
    assert again == first
    assert drafts.made(Files(book_files()), book, day) == ""
    assert f"expires: {day + timedelta(days=drafts.DAYS)}" in again


def test_a_draft_whose_rule_the_next_release_changed_again_is_new_there() -> None:
    book = BOOK
    first = drafts.made(before(), book, date(2026, 12, 1))
    changed = re.sub("written_for: [0-9a-f]{12}", f"written_for: {'0' * 12}", first)
    assert drafts.made(Files(book_files()), book, date(2027, 3, 1), changed).count("draft: ") == 1


@pytest.mark.slow
def test_after_0_1_claims_of_no_known_procedure_stay_unchecked_until_a_person_lets_form_hold_them(
    settings: Settings, store: Store, home: Path, start_worker: Callable[..., Worker]
) -> None:
    old = unpacked("last.book", last_packed())
    settings.books_path.mkdir(parents=True)
    (settings.books_path / f"{old.digest}.book").write_bytes(packed(old))
    start_worker(concurrency=1).wait_ready(60)
    other = [{**claim()["lines"][0], "procedure": "99213", "modifiers": []}]

    def send_one(number: int) -> None:
        data = claim(number, lines=other, **BAD)
        send(store.redis, store.keys, [event(number, data=data)], source="test", settings=store.settings)
        settled(store, number)

    send_one(1)
    (entry,) = tail(store.redis, store.keys, "unchecked")
    report = entry.data["report"]
    assert (report["observed"], [one["code"] for one in report["findings"]]) == ({"disposition": "rework"}, ["IDN002"])
    assert [one["name"] for one in report["overrides"]] == [drafts.WIDER]
    (home / "claim.json").write_text(json.dumps(claim(1, lines=other, **BAD)))
    mine = json.loads(scrub(home, "check", "--format", "json", "claim.json").stdout)
    assert {key: mine[key] for key in ("disposition", "observed", "book")} == {
        key: report[key] for key in ("disposition", "observed", "book")
    }
    (waits,) = [one for one in listed(home) if one["name"] == drafts.WIDER]
    assert (waits["code"], waits["reason"].partition(" ")[0], waits["payers"]) == ("form", "wider", ["all"])
    shown = scrub(home, "rules", "drafts", "list").stdout
    assert "Form on claims that the rules of no procedure judge" in shown
    impact = scrub(home, "rules", "impact", "--drafts", "claim.json")
    assert (impact.returncode, "unchecked" in impact.stdout, "rework" in impact.stdout) == (1, True, True), (
        impact.stderr
    )
    done = scrub(home, "rules", "drafts", "accept", "form", "--reason", "billers were told")
    assert done.returncode == 0, done.stderr
    send_one(2)
    assert found(store) == {"PCN-00001": "unchecked", "PCN-00002": "rework"}
    back = scrub(home, "rules", "rollback", "--reason", "not yet")
    assert back.returncode == 0, back.stderr
    send_one(3)
    assert found(store)["PCN-00003"] == "unchecked"


def test_form_on_every_claim_is_told_once_and_not_where_it_was_so_before() -> None:
    book, day = BOOK, date(2026, 12, 1)
    first = drafts.made(unpacked("last.book", last_packed()), book, day)
    assert first.count(drafts.WIDER) == 1
    assert drafts.made(Files(book_files()), book, day, first) == first
    assert (
        drafts.made(unpacked("last.book", last_packed()), book, day + timedelta(days=9), first).count(drafts.WIDER) == 1
    )
    assert drafts.WIDER not in drafts.made(before(), book, day)


@pytest.mark.slow
def test_where_0_1_1_put_a_book_in_force_it_judges_on_and_the_switch_to_this_one_brings_its_drafts(
    store: Store, home: Path, start_worker: Callable[..., Worker]
) -> None:
    """The store is as release 0.1.1 wrote it: a book in force, with overrides."""
    keys, redis, was, digest = store.keys, store.redis, STORE[Keys().book][0], before().digest
    redis.rpush(keys.book, digest, STORE[keys.book][1])
    redis.rpush(keys.switches, *(text.replace(was, digest) for text in STORE[keys.switches]))
    redis.hset(keys.books, mapping={name: text.replace(was, digest) for name, text in STORE[keys.books].items()})
    redis.hset(keys.books, digest, sealed_pack(packed(before()), b""))
    start_worker(concurrency=1).wait_ready(60)
    old = in_force(redis, keys).basis
    assert old is not None
    assert judge(store, 1)["shadow"] == []
    assert scrub(home, "status").stdout.count("The overrides file") == 0, "what waits is no edited file"
    assert [one["code"] for one in listed(home)] == ["IDN002"]
    assert scrub(home, "rules", "pack", "-o", "next.book").returncode == 0
    done = scrub(home, "rules", "switch", "next.book", "--overrides", "none", "--reason", "the book of this release")
    assert done.returncode == 0, done.stderr
    report = judge(store, 2)
    assert (report["disposition"], [one["code"] for one in report["shadow"]]) == ("billing", ["IDN002"])
    assert report["book"] == checked(home)["book"]
    done = scrub(home, "rules", "drafts", "accept", "IDN002", "--reason", "looked at October")
    assert done.returncode == 0, done.stderr
    report = judge(store, 3)
    assert (report["disposition"], report["book"]) == ("rework", checked(home)["book"])
    back = scrub(home, "rules", "rollback", "--to", old.name, "--reason", "back to the old book")
    assert back.returncode == 0, back.stderr
    assert in_force(redis, keys).basis == old


def test_make_prints_the_drafts_for_overrides_that_are_to_be_signed(home: Path) -> None:
    (home / "before.book").write_bytes(packed(before()))
    done = scrub(home, "rules", "drafts", "make", "before.book")
    assert done.returncode == 0, done.stderr
    (home / "o.yaml").write_text(done.stdout)
    shown = scrub(home, "rules", "overrides", "o.yaml")
    assert (shown.returncode, "draft" in shown.stdout) == (0, True), shown.stderr
