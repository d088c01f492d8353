"""What is in force is pinned by digest, book and overrides: a rollback returns to exactly what judged before.

Elsewhere: a rollback that takes the newest settings with the old image (devtron-labs/devtron#2273), or whatever the same
tag means by now (docker-archive/classicswarm#2960, kubernetes/kubernetes#33664); a changed file that only one replica
takes up (agentgateway/agentgateway#2648); a file that is gone taken for defaults (apache/skywalking-horizon-ui#124); an
edit that failed and nobody sees it (dandriscoll/trollbridge#129, prometheus/prometheus#15009).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import orjson
import pytest

from rules.book.pack import Files, packed
from rules.errors import OverridesInvalid
from worker import bootstrap
from worker.books import current, fleet, overrides
from worker.books.bookswitcher import BookSwitcher, OverridesText
from worker.books.overrides import NONE, digest_of_text
from worker.books.switch import in_force, sealed_pack
from worker.config.settings import Settings, Trusted, load_settings
from worker.doctor import examinations as doctor
from worker.errors import BookNotSigned, NoSuchBasis, NothingToRollBack, OverridesUnlike, SeveralBefore
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.notification import Notifier
from worker.pipeline.producer import send
from worker.process import presence
from worker.store import opening
from worker.store.connections import Store
from worker.store.embedded import socket_path

from .helpers import Worker, event, settled, until
from .unlike import judged, small, written
from .unlike import overrides as text_for

OWN, OTHER, THIRD = small(), small("2"), small("3")
TEXT = text_for(OWN)


@pytest.fixture
def book(home: Path) -> Path:
    return written(home / "my-book", OWN)


@pytest.fixture
def file(home: Path) -> Path:
    file = home / "o.yaml"
    file.write_text(TEXT)
    return file


@pytest.fixture
def settings(home: Path, book: Path, file: Path, unset: None) -> Settings:
    return load_settings(state_dir=home, book=book, overrides=file)


@pytest.fixture
def switcher(store: Store) -> Iterator[BookSwitcher]:
    found = bootstrap.book_switcher(store)
    yield found
    found.audit.close()


def silent(store: Store) -> Notifier:
    """Nobody is to be called: the tests judge themselves."""
    return Notifier(store.redis, store.keys, gate_ms=10_000, send=lambda: None)


@pytest.fixture
def judge(store: Store) -> Iterator[Callable[[int], str]]:
    """A worker within this process, alive by its beat; answers what judged the claim of this number."""
    consumer = bootstrap.inbox_consumer(store, silent(store))
    presence.beat(store, [os.getpid()], time.time())

    def judge(number: int) -> str:
        send(store.redis, store.keys, [event(number)], source="test", settings=store.settings)
        consumer.run()
        presence.beat(store, [os.getpid()], time.time())
        return judged(store)[f"PCN-{number:05}"]

    yield judge
    consumer.audit.close()


def restarted(home: Path, **more: object) -> Settings:
    """The settings of a process that starts now: it reads its files anew."""
    for read in (current.own, current.overrides_layer, current.watch):
        read.cache_clear()
    return load_settings(state_dir=home, **more)


def findings(store: Store, about: str) -> list[str]:
    now = reconcile(store.redis, store.keys)
    found = [*doctor.queue(store, now)]
    return [one.sentence for one in found if one.about == about and one.level != "well"]


def test_a_rollback_returns_to_the_digest_that_judged_before_whatever_is_on_the_disk_by_then(
    store: Store, home: Path, book: Path, file: Path, switcher: BookSwitcher, judge: Callable[[int], str]
) -> None:
    before = judge(1)
    switcher.switch(packed(OTHER), b"", "other.book", "try")
    assert judge(2) != before
    written(book, small(title="Edited"))
    file.write_text("overrides:\n")
    done = switcher.roll_back("wrong", None)
    assert (done.basis.book.digest, done.basis.overrides) == (OWN.digest, digest_of_text(TEXT))
    assert judge(3) == before
    with pytest.raises(NothingToRollBack):
        switcher.roll_back("again", None)
    again = restarted(home, book=book, overrides=file)
    assert current.own_book(again).digest == small(title="Edited").digest
    consumer = bootstrap.inbox_consumer(Store(again, store.keys, store.redis, store.once), silent(store))
    send(store.redis, store.keys, [event(4)], source="test", settings=again)
    consumer.run()
    consumer.audit.close()
    assert judged(store)["PCN-00004"] == before


@pytest.mark.slow
def test_it_is_so_for_real_workers_that_are_restarted_and_for_one_on_another_host(
    store: Store, home: Path, book: Path, file: Path, settings: Settings, start_worker: Callable[..., Worker]
) -> None:
    own = {"SCRUB_BOOK": str(book), "SCRUB_OVERRIDES": str(file)}
    # The person who switches has none of the workers' files, and another book of his own.
    theirs = restarted(home / "admin", redis_url=f"unix://{socket_path(settings.server_path)}",
                       secret_file=settings.secret_path)  # fmt: skip
    first = start_worker(env=own, concurrency=1).wait_ready(60)
    until(lambda: reconcile(store.redis, store.keys).alive, 60)

    def run(number: int) -> str:
        send(store.redis, store.keys, [event(number)], source="test", settings=settings)
        settled(store, number, seconds=60)
        return judged(store)[f"PCN-{number:05}"]

    before = run(1)
    with opening.open_store(theirs) as remote:
        switcher = bootstrap.book_switcher(remote)
        done = switcher.switch(packed(small("2")), b"", "x.book", "try")
        assert done is not None
        assert [(one.book.digest, one.overrides) for one in done.before] == [(OWN.digest, digest_of_text(TEXT))]
        assert list(done.judged.values()) == [[reconcile(store.redis, store.keys).alive[0].name]]
        written(book, small(title="Edited"))
        file.write_text("overrides:\n")
        switcher.roll_back("wrong", None)
        switcher.audit.close()
    assert run(2) == before
    assert first.stop(60) == 0
    second = start_worker(env=own, concurrency=1).wait_ready(60)
    assert run(3) == before
    assert second.stop(60) == 0
    away = {"SCRUB_STATE_DIR": str(home / "b"), "SCRUB_REDIS_URL": theirs.redis_url,
            "SCRUB_SECRET_FILE": str(settings.secret_path)}  # fmt: skip
    start_worker(env=away, concurrency=1).wait_ready(60)
    assert run(4) == before


def test_a_switch_without_a_worker_says_so_and_keeps_the_book_of_these_settings(
    store: Store, switcher: BookSwitcher
) -> None:
    done = switcher.switch(packed(OTHER), b"", "other.book", "try")
    assert done is not None
    assert not done.judged
    assert [(one.book.digest, one.overrides) for one in done.before] == [(OWN.digest, digest_of_text(TEXT))]
    assert switcher.roll_back("back", None).basis == done.before[0]


def test_a_book_that_was_taken_back_is_had_again_by_its_digest_and_a_wrong_one_names_those_that_are_known(
    store: Store, switcher: BookSwitcher
) -> None:
    for number, files in enumerate((OTHER, THIRD)):
        switcher.switch(packed(files), b"", "x.book", f"number {number}")
    assert switcher.roll_back("to the first", None, OWN.digest[:8]).basis.book.digest == OWN.digest
    with pytest.raises(NoSuchBasis):
        switcher.roll_back("no such", None, "00000000")
    switcher.switch(packed(OTHER), b"", "x.book", "again")
    with pytest.raises(NoSuchBasis, match=OWN.digest[:12]):
        switcher.roll_back("too short", None, OWN.digest[:2])


def test_workers_keep_the_overrides_of_their_start_until_a_person_puts_the_edited_file_in_force(
    store: Store, file: Path, switcher: BookSwitcher, judge: Callable[[int], str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = judge(1)
    edited = text_for(OWN, "b")
    file.write_text(edited)
    assert judge(2) == before
    now = in_force(store.redis, store.keys)
    (said,) = fleet.unused_overrides_files(reconcile(store.redis, store.keys), now)
    assert digest_of_text(edited)[:8] in said
    assert digest_of_text(TEXT)[:8] in said
    assert any(digest_of_text(edited)[:8] in one for one in findings(store, "overrides"))
    done = switcher.put_overrides(OverridesText(edited, name="o.yaml"), "contract of January")
    assert done is not None
    after = judge(3)
    assert after != before
    assert (
        list(fleet.unused_overrides_files(reconcile(store.redis, store.keys), in_force(store.redis, store.keys))) == []
    )
    assert switcher.put_overrides(OverridesText(edited), "again") is None
    line = orjson.loads(switcher.audit.file.read_bytes().splitlines()[-1])
    assert (line["event.action"], line["event.reason"]) == ("book.switched", "contract of January")
    assert (line["override.previous_digest"], line["override.digest"]) == tuple(map(digest_of_text, (TEXT, edited)))
    assert line["user.name"]
    assert switcher.roll_back("the contract is void", None).basis.overrides == digest_of_text(TEXT)
    assert judge(4) == before
    assert any(digest_of_text(edited)[:8] in one for one in findings(store, "overrides"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.write_text("overrides: [{name: x}]\n"), "cannot be used"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "cannot be used"),
        (lambda file: file.unlink(), "is gone"),
    ],
)
def test_a_file_of_overrides_that_turns_bad_or_goes_changes_nothing_and_is_named(
    store: Store, file: Path, judge: Callable[[int], str], change: Callable[[Path], object], words: str
) -> None:
    before = judge(1)
    change(file)
    assert judge(2) == before
    (said,) = fleet.unused_overrides_files(reconcile(store.redis, store.keys), in_force(store.redis, store.keys))
    assert words in said
    assert any(words in one for one in findings(store, "overrides"))


def test_that_nothing_is_in_force_any_more_is_said_once(
    store: Store, switcher: BookSwitcher, judge: Callable[[int], str], caplog: pytest.LogCaptureFixture
) -> None:
    before = judge(1)
    switcher.switch(packed(OTHER), b"", "other.book", "try")
    judge(2)
    store.redis.delete(store.keys.book, store.keys.books, store.keys.switches)
    assert judge(3) == before == judge(4)
    said = [one.getMessage() for one in caplog.records if "nothing is in force any more" in one.getMessage()]
    assert len(said) == 1
    assert OWN.digest[:8] in said[0]


def test_overrides_that_do_not_fit_the_book_or_are_no_overrides_are_refused_and_nothing_changes(
    store: Store, switcher: BookSwitcher
) -> None:
    with pytest.raises(OverridesInvalid):
        switcher.put_overrides(OverridesText("overrides: [{name: x}]\n"), "bad")
    without = Files({**OTHER.library, "procedures/64445/medicare/UNT001-one.yaml": b""})
    without = Files({name: text for name, text in without.library.items() if text})
    with pytest.raises(OverridesInvalid):
        switcher.switch(packed(without), b"", "x.book", "the override's rule is gone")
    assert in_force(store.redis, store.keys).digest is None
    done = switcher.switch(packed(without), b"", "x.book", "without them", OverridesText(None))
    assert done is not None
    assert done.basis.overrides == NONE


def test_overrides_in_force_end_with_their_last_day_while_workers_run_and_the_doctor_says_so(
    store: Store, switcher: BookSwitcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = date(2026, 12, 31)
    days = [last]
    monkeypatch.setattr(overrides, "today", lambda: days[-1])
    consumer = bootstrap.inbox_consumer(store, silent(store))
    text = text_for(OWN, "ends", str(last))
    switcher.put_overrides(OverridesText(text), "until December")
    for number in (1, 2):
        send(store.redis, store.keys, [event(number)], source="test", settings=store.settings)
        consumer.run()
        days.append(last + timedelta(days=1))
    consumer.audit.close()
    found = judged(store)
    assert found["PCN-00001"] != found["PCN-00002"]
    said = [one.sentence for one in doctor.examine(store.settings, last + timedelta(days=1), store)]
    assert any("ends expired on 2026-12-31" in one for one in said)


def put_by_0_1_0(store: Store, *stack: Files) -> None:
    """What version 0.1.0 left in Redis (commit 898ad03): `book`, `books`, `switches`, and nothing beside them."""
    before = {"version": "1", "digest": small(title="The command's own").digest}
    for files in stack:
        version = files.library["book.yaml"].split(b'"')[1].decode()
        name = {"version": version, "digest": files.digest}
        store.redis.hset(store.keys.books, files.digest, sealed_pack(packed(files), b""))
        store.redis.lpush(store.keys.book, files.digest)
        switch = {"moment": 1.5, "book": name, "before": before, "who": "root", "reason": "old", "own": False}
        store.redis.lpush(store.keys.switches, orjson.dumps(switch))
        before = name


def test_a_book_that_version_0_1_0_put_in_force_judges_on_and_is_taken_back_to_what_the_workers_have(
    store: Store, home: Path, book: Path, switcher: BookSwitcher, judge: Callable[[int], str]
) -> None:
    before = judge(1)
    put_by_0_1_0(store, OTHER, THIRD)
    now = in_force(store.redis, store.keys)
    assert (now.digest, now.overrides) == (THIRD.digest, None)
    third = judge(2)
    assert third != before
    assert switcher.roll_back("one", None).basis.book.digest == OTHER.digest
    assert judge(3) not in (before, third)
    written(book, small(title="Edited"))
    done = switcher.roll_back("two", None)
    assert (done.basis.book.digest, done.basis.overrides) == (OWN.digest, digest_of_text(TEXT))
    assert judge(4) == before
    assert in_force(store.redis, store.keys).digest == OWN.digest


def test_a_switch_over_one_of_version_0_1_0_keeps_that_one_with_the_workers_overrides(
    store: Store, switcher: BookSwitcher, judge: Callable[[int], str]
) -> None:
    put_by_0_1_0(store, OTHER)
    old = judge(1)
    switcher.switch(packed(THIRD), b"", "x.book", "new")
    assert [entry.basis.overrides for entry in switcher.stack()] == [digest_of_text(TEXT)] * 2
    assert judge(2) != old
    switcher.roll_back("back", None)
    assert judge(3) == old


def test_version_0_1_0_can_read_what_this_one_writes(
    store: Store, switcher: BookSwitcher, judge: Callable[..., str]
) -> None:
    judge(1)
    switcher.switch(packed(OTHER), b"", "x.book", "new")
    judge(2)
    assert store.redis.lrange(store.keys.book, 0, -1) == [OTHER.digest.encode(), OWN.digest.encode()]
    (switch,) = store.redis.lrange(store.keys.switches, 0, -1)
    assert orjson.loads(switch).keys() == {"moment", "book", "before", "who", "reason", "own"}
    assert orjson.loads(switch)["book"].keys() == {"version", "digest"}
    (judging,) = store.redis.hgetall(store.keys.judging).values()
    said = orjson.loads(judging.partition(b" ")[2])
    assert (said["book"].keys(), said["refused"]) == ({"version", "digest"}, "")
    (beat,) = store.redis.hgetall(store.keys.workers).values()
    known = {"host", "pid", "processes", "started", "version", "book_version", "book_digest"}
    assert known <= orjson.loads(beat.partition(b" ")[2]).keys()


def test_workers_that_judge_by_different_ones_are_all_kept_and_a_rollback_must_name_one(
    store: Store, home: Path, settings: Settings, switcher: BookSwitcher, judge: Callable[[int], str]
) -> None:
    before = judge(1)
    other_host(store, home, overrides=None)
    with pytest.raises(OverridesUnlike, match="elsewhere-1"):
        switcher.switch(packed(THIRD), b"", "x.book", "whose overrides?")
    done = switcher.switch(packed(THIRD), b"", "x.book", "none of them", OverridesText(None))
    assert done is not None
    assert {one.book.digest for one in done.before} == {OWN.digest, OTHER.digest}
    assert {name for names in done.judged.values() for name in names} >= {"elsewhere-1"}
    store.redis.hdel(store.keys.workers, "elsewhere-1")
    for digest in (OWN.digest, OTHER.digest):
        store.redis.delete(store.keys.offer(digest))
    with pytest.raises(SeveralBefore, match=OTHER.digest[:12]):
        switcher.roll_back("which?", None)
    assert switcher.roll_back("theirs", None, OTHER.digest[:12]).basis.book.digest == OTHER.digest
    with pytest.raises(NothingToRollBack):
        switcher.roll_back("again", None)
    assert switcher.roll_back("ours", None, OWN.digest[:12]).basis.overrides == digest_of_text(TEXT)
    assert judge(2) == before


def other_host(store: Store, home: Path, name: str = "elsewhere-1", **more: object) -> None:
    """The beat and the offer of a worker on another machine with a book of its own."""
    theirs = load_settings(state_dir=home / name, book=written(home / name / "book", OTHER), **more)
    mine = dict(store.redis.hgetall(store.keys.workers))
    store.redis.delete(store.keys.workers)
    away = Store(theirs, store.keys, store.redis, store.once)
    away.settings.secret_path.write_bytes((home / "secret").read_bytes())
    away.settings.secret_path.chmod(0o600)
    presence.beat(away, [1], time.time())
    (said,) = store.redis.hgetall(store.keys.workers).values()
    moment, _, says = said.partition(b" ")
    about = orjson.loads(says) | {"host": "elsewhere", "pid": 1, "processes": [1]}
    store.redis.delete(store.keys.workers)
    store.redis.hset(store.keys.workers, mapping={**mine, name: moment + b" " + orjson.dumps(about)})


def test_workers_with_keys_take_no_overrides_without_a_signature(
    store: Store, home: Path, switcher: BookSwitcher, settings: Settings
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = Ed25519PrivateKey.generate()
    key = home / "public.pem"
    key.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    strict = load_settings(state_dir=home, book=settings.book, overrides=settings.overrides, book_key=key)
    consumer = bootstrap.inbox_consumer(Store(strict, store.keys, store.redis, store.once), silent(store))
    unsigned, signed = text_for(OWN, "unsigned"), text_for(OWN, "signed")
    results = []
    for number, text in enumerate((OverridesText(unsigned), OverridesText(signed, private.sign(signed.encode()))), 1):
        switcher.put_overrides(text, "a test")
        send(store.redis, store.keys, [event(number)], source="test", settings=settings)
        consumer.run()
        (said,) = in_force(store.redis, store.keys).judging.values()
        results.append((said.overrides, "it has no signature" in said.refused))
    consumer.audit.close()
    assert results == [(digest_of_text(TEXT), True), (digest_of_text(signed), False)]
    with pytest.raises(BookNotSigned):
        switcher.roll_back("to what nobody signed", Trusted(key))


def test_a_pinned_folder_has_no_signature_and_a_worker_with_keys_and_another_book_refuses_it_by_name(
    store: Store, home: Path, switcher: BookSwitcher, book: Path, file: Path
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private, key = Ed25519PrivateKey.generate(), home / "public.pem"
    key.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    switcher.switch(packed(OTHER), private.sign(packed(OTHER)), "other.book", "signed", OverridesText(None))
    switcher.roll_back("to the folder, by a command without keys", None)
    written(book, small(title="Edited"))
    again = restarted(home, book=book, overrides=file, book_key=key)
    consumer = bootstrap.inbox_consumer(Store(again, store.keys, store.redis, store.once), silent(store))
    send(store.redis, store.keys, [event(1)], source="test", settings=again)
    consumer.run()
    consumer.audit.close()
    (said,) = in_force(store.redis, store.keys).judging.values()
    assert "it has no signature" in said.refused
    assert said.book.digest == small(title="Edited").digest


def test_what_a_worker_refuses_is_reported_with_its_first_fault_and_place(store: Store, switcher: BookSwitcher) -> None:
    """As a worker of an earlier release refuses a book with keys that it does not know."""
    consumer = bootstrap.inbox_consumer(store, silent(store))
    later = Files({**OTHER.library, "payers/medicare.yaml": OTHER.library["payers/medicare.yaml"] + b"later: [x]\n"})
    basis = {"book": later.digest, "version": "2", "overrides": NONE, "first": False}
    store.redis.hset(store.keys.books, mapping={
        later.digest: sealed_pack(packed(later), b""), "laid:1": orjson.dumps(basis)})  # fmt: skip
    store.redis.lpush(store.keys.book, later.digest)
    send(store.redis, store.keys, [event(1)], source="test", settings=store.settings)
    consumer.run()
    consumer.audit.close()
    (said,) = in_force(store.redis, store.keys).judging.values()
    assert said.refused.startswith("payers/medicare.yaml:")
    assert "later: unknown key" in said.refused
