"""Another book put in force while workers judge: taken up between batches, by all, and no claim the worse for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest

from rules.book.pack import Files, packed
from rules.claim import read_claim
from rules.errors import BookInvalid, PackInvalid
from rules.loader import whole_book
from tests.rules.small import FILE, LIBRARY_FILES, RULE
from worker import bootstrap
from worker.audit.check import verify
from worker.books import archive
from worker.books.bookswitcher import BookSwitcher
from worker.books.switch import in_force
from worker.books.switchstack import StackEntry
from worker.config.settings import Settings, Trusted
from worker.errors import BookNotSigned, BookOlder, NothingToRollBack, SwitchedMeanwhile
from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.rejudging.replay import replay
from worker.store import agreement
from worker.store.connections import Store
from worker.store.outletspecs import OUTLETS

from .helpers import Worker, claim, event, settled, until

Start = Callable[..., Worker]
PATIENT = {"SCRUB_SOFT_TIME_LIMIT": "20", "SCRUB_HARD_TIME_LIMIT": "30", "SCRUB_RECLAIM": "40", "SCRUB_BATCH": "50"}
"""A book is loaded between two batches, which may take seconds on a busy machine."""
OWN = whole_book()


def changed(version: str, more: Mapping[str, bytes] | None = None) -> Files:
    """The shipped book under another version."""
    head = OWN.library["book.yaml"].replace(b"2026.11", version.encode())
    assert head != OWN.library["book.yaml"]
    return Files({**OWN.library, "book.yaml": head, **(more or {})})


OTHER, THIRD = changed("2026.12"), changed("2027.01")


def small(version: str) -> Files:
    """A book with one rule, which is read in no time."""
    head = f'version: "{version}"\ncovers_from: 2023-01-01\n'.encode()
    return Files({**LIBRARY_FILES, FILE: RULE.encode(), "book.yaml": head})


@pytest.fixture
def switcher(store: Store) -> BookSwitcher:
    return bootstrap.book_switcher(store)


def put(store: Store, *numbers: int) -> None:
    send(store.redis, store.keys, map(event, numbers), source="test", settings=store.settings)


def judged(store: Store) -> dict[str, list[str]]:
    """The digests of the books that judged each claim."""
    found: dict[str, list[str]] = {}
    for name in OUTLETS:
        for entry in tail(store.redis, store.keys, name):
            report = entry.data["report"]
            found.setdefault(report["claim_id"], []).append(report["book"]["digest"])
    return found


def test_a_switch_among_two_thousand_claims_loses_none_and_each_names_the_book_that_judged_it(
    store: Store, settings: Settings, switcher: BookSwitcher, start_worker: Start
) -> None:
    started = start_worker(env=PATIENT).wait_ready()
    put(store, *range(1_000))
    until(lambda: len(judged(store)) > 200)
    switcher.switch(packed(OTHER), b"", "other.book", "a test")
    put(store, *range(1_000, 2_000))
    books = settled(store, 2_000, seconds=60)
    assert books.balance == 0
    found = judged(store)
    assert {name: len(digests) for name, digests in found.items()} == {f"PCN-{n:05}": 1 for n in range(2_000)}
    counts = Counter(digests[0] for digests in found.values())
    assert counts.keys() == {OWN.digest, OTHER.digest}
    assert counts[OTHER.digest] >= 900
    last = in_force(store.redis, store.keys)
    assert last.digest == OTHER.digest
    # A process that got none of the claims since has not looked for a book.
    assert OTHER.digest in {one.book.digest for one in last.judging.values()} <= {OWN.digest, OTHER.digest}
    assert started.stop() == 0
    lines = [
        orjson.loads(line)
        for file in settings.audit_path.glob("audit-*.jsonl")
        for line in file.read_bytes().splitlines()
    ]
    logged = {one["claim.decision_id"]: one["book.digest"] for one in lines if one["event.action"] == "claim.scrubbed"}
    for name in ("billing", "rework"):
        for entry in tail(store.redis, store.keys, name):
            assert logged[entry.decision_id] == entry.data["report"]["book"]["digest"]
    (line,) = (one for one in lines if one["event.action"] == "book.switched")
    assert (line["book.previous_digest"], line["book.digest"]) == (OWN.digest, OTHER.digest)
    assert (line["event.reason"], line["book.previous_version"], line["book.version"]) == (
        "a test",
        "2026.11",
        "2026.12",
    )
    assert line["user.name"]


@pytest.mark.slow
def test_both_books_are_kept_and_every_result_is_the_same_when_it_is_judged_again(
    store: Store, settings: Settings, switcher: BookSwitcher, start_worker: Start
) -> None:
    start_worker(env=PATIENT).wait_ready()
    put(store, 1)
    settled(store, 1)
    switcher.switch(packed(OTHER), b"", "other.book", "a test")
    bare = claim(3, received_date=None)
    send(store.redis, store.keys, [event(2), event(3, data=bare)], source="test", settings=settings)
    settled(store, 3)
    assert {file.stem for file in settings.books_path.iterdir()} == {OWN.digest, OTHER.digest}
    entries = [entry for name in ("billing", "rework") for entry in tail(store.redis, store.keys, name)]
    assert len(entries) == 3
    for entry in entries:
        report = entry.data["report"]
        day = entry.event.get("receiveddate")
        assert (day is None) == (report["claim_id"] != "PCN-00003")
        book = archive.find(settings.books_path, report["book"]["digest"])
        again = replay(
            report, read_claim(entry.data["claim"]), book, day and __import__("datetime").date.fromisoformat(day)
        )
        assert again.identical, again.differences


@pytest.mark.slow
def test_a_rollback_goes_back_step_by_step_to_the_book_that_the_workers_had_before(
    store: Store, switcher: BookSwitcher, start_worker: Start
) -> None:
    start_worker(env=PATIENT, concurrency=1).wait_ready()
    switcher.switch(packed(OTHER), b"", "other.book", "one")
    switcher.switch(packed(THIRD), b"", "third.book", "two")
    assert switcher.switch(packed(THIRD), b"", "third.book", "again") is None
    digests = []
    for number in range(3):
        put(store, number)
        settled(store, number + 1)
        digests.append(judged(store)[f"PCN-{number:05}"][0])
        if number < 2:
            switcher.roll_back("back", None)
    assert digests == [THIRD.digest, OTHER.digest, OWN.digest]
    with pytest.raises(NothingToRollBack):
        switcher.roll_back("back", None)
    last = in_force(store.redis, store.keys)
    assert last.digest == OWN.digest
    assert last.last is not None
    assert not last.last.own
    assert (last.last.before.digest, last.last.book.digest) == (OTHER.digest, OWN.digest)


@pytest.mark.parametrize(
    ("content", "error"),
    [(b"no book", PackInvalid), (packed(changed("9", {"sources.yaml": b"x: {}\n"})), BookInvalid)],
)
def test_a_book_that_does_not_load_is_refused_and_nothing_changes(
    store: Store, switcher: BookSwitcher, content: bytes, error: type[Exception]
) -> None:
    switcher.switch(packed(OTHER), b"", "other.book", "one")
    with pytest.raises(error):
        switcher.switch(content, b"", "bad.book", "two")
    assert in_force(store.redis, store.keys).digest == OTHER.digest


@pytest.mark.slow
def test_a_worker_that_cannot_read_the_book_in_force_stays_with_the_one_before_and_says_so(
    store: Store, switcher: BookSwitcher, start_worker: Start
) -> None:
    started = start_worker(env=PATIENT, concurrency=1).wait_ready()
    switcher.switch(packed(OTHER), b"", "other.book", "one")
    put(store, 1)
    settled(store, 1)
    switcher.switch(packed(THIRD), b"", "third.book", "two")
    store.redis.hset(store.keys.books, THIRD.digest, b"x" * 100)
    put(store, 2)
    settled(store, 2)
    assert judged(store) == {"PCN-00001": [OTHER.digest], "PCN-00002": [OTHER.digest]}
    (one,) = in_force(store.redis, store.keys).judging.values()
    assert one.book.digest == OTHER.digest
    assert "cannot be unpacked" in one.refused
    assert started.text().count("the book in force is refused") == 1
    switcher.switch(packed(changed("2027.02")), b"", "fourth.book", "three")
    put(store, 3)
    settled(store, 3)
    assert judged(store)["PCN-00003"] == [changed("2027.02").digest]


@pytest.mark.slow
def test_a_worker_that_starts_later_takes_the_book_in_force_and_one_with_keys_takes_no_unsigned_one(
    store: Store, home: Path, switcher: BookSwitcher, start_worker: Start
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = Ed25519PrivateKey.generate().public_key()
    key = home / "public.pem"
    key.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    switcher.switch(packed(OTHER), b"", "other.book", "one")
    first = start_worker(env=PATIENT, concurrency=1).wait_ready()
    put(store, 1)
    settled(store, 1)
    first.stop()
    start_worker(env={**PATIENT, "SCRUB_BOOK_KEY": str(key)}, concurrency=1).wait_ready()
    put(store, 2)
    settled(store, 2)
    assert judged(store) == {"PCN-00001": [OTHER.digest], "PCN-00002": [OWN.digest]}
    switcher.switch(packed(THIRD), b"", "third.book", "two")
    with pytest.raises(BookNotSigned):
        switcher.roll_back("back to one without a signature", Trusted(key))


def test_of_two_switches_at_the_same_moment_one_is_refused_and_both_are_audited(
    store: Store, settings: Settings, switcher: BookSwitcher
) -> None:
    class Slow(BookSwitcher):
        def stack(self) -> tuple[StackEntry, ...]:
            return ()

    parts = (switcher.audit, switcher.own, switcher.layer, switcher.folder, switcher.ring)
    late = Slow(switcher.redis, switcher.keys, *parts)
    switcher.switch(packed(OTHER), b"", "other.book", "first")
    with pytest.raises(SwitchedMeanwhile):
        late.switch(packed(THIRD), b"", "third.book", "second")
    assert in_force(store.redis, store.keys).digest == OTHER.digest
    lines = [orjson.loads(line) for line in switcher.audit.file.read_bytes().splitlines()]
    assert [(one.get("event.reason"), one["event.outcome"]) for one in lines[1:]] == [
        ("first", "success"), ("second", "success"), ("second", "failure"),
    ]  # fmt: skip
    ring = agreement.agreed_rings(store).audit
    found = verify(switcher.audit.file, ring)
    assert found.state == "sound"


def test_an_older_book_is_refused_where_that_is_asked_and_a_rollback_is_not(
    store: Store, switcher: BookSwitcher
) -> None:
    for version in ("9000.9", "9000.10"):  # later than the book that ships
        switcher.switch(packed(small(version)), b"", "small.book", version, allow_older=False)
    with pytest.raises(BookOlder, match="9000.9 is older than 9000.10"):
        switcher.switch(packed(small("9000.9")), b"", "small.book", "again", allow_older=False)
    assert in_force(store.redis, store.keys).digest == small("9000.10").digest
    switcher.roll_back("it was a mistake", None)
    assert in_force(store.redis, store.keys).digest == small("9000.9").digest
    switcher.switch(packed(small("9000.8")), b"", "small.book", "asked for", allow_older=True)
    assert in_force(store.redis, store.keys).digest == small("9000.8").digest


def test_redis_holds_the_ten_newest_books(store: Store, switcher: BookSwitcher) -> None:
    for number in range(12):
        switcher.switch(packed(small(str(number))), b"", "small.book", f"number {number}")
    books = [name for name in store.redis.hkeys(store.keys.books) if b":" not in name and len(name) == 64]
    assert len(books) == 10
    assert store.redis.llen(store.keys.book) == 13  # and what was before the first


def test_a_worker_judges_by_the_packed_book_that_its_setting_names(
    store: Store, home: Path, start_worker: Start
) -> None:
    file = archive.write(home / "other.book", packed(OTHER))
    start_worker(env={**PATIENT, "SCRUB_BOOK": str(file)}, concurrency=1).wait_ready()
    put(store, 1)
    settled(store, 1)
    assert judged(store) == {"PCN-00001": [OTHER.digest]}
