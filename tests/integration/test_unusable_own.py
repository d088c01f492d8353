"""What is in force judges, also where a worker's own book or overrides file broke or went since it started last.

Elsewhere: an agent that does not start again though what it last ran with is at hand (grafana/agent#5506), one that falls
back in silence (grafana/agent#3977), a stopped state that nothing leads out of (gaixianggeng/mimi-remote#261), and a
rollback that wants what was just removed (helm/helm#12388).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rules.book.pack import packed
from rules.errors import BookMissing, ScrubError
from worker import bootstrap
from worker.books import current
from worker.books.bookswitcher import BookSwitcher, OverridesText
from worker.books.overrides import digest_of_text
from worker.books.switch import in_force
from worker.config.settings import Settings, load_settings
from worker.doctor import examinations as doctor
from worker.monitoring.reconciliation import reconcile
from worker.pipeline.notification import Notifier
from worker.pipeline.producer import send
from worker.process import presence
from worker.store.connections import Store

from .helpers import Worker, event, settled, until
from .unlike import judged, small, written
from .unlike import overrides as text_for

pytestmark = pytest.mark.slow

OWN, OTHER = small(), small("2")
TEXT = text_for(OWN)
BREAKS: dict[str, Callable[[Path], object]] = {
    "a book that is not YAML": lambda home: (home / "my-book/book.yaml").write_text("version: ["),
    "a book that is gone": lambda home: shutil.rmtree(home / "my-book"),
    "overrides that are gone": lambda home: (home / "o.yaml").unlink(),
    "overrides that are none": lambda home: (home / "o.yaml").write_text("overrides: [{name: x}]\n"),
    "a book that the overrides do not fit": lambda home: (
        home / "my-book/procedures/64445/medicare/UNT001-one.yaml"
    ).unlink(),
}


@pytest.fixture
def settings(home: Path, unset: None) -> Settings:
    (home / "o.yaml").write_text(TEXT)
    return load_settings(state_dir=home, book=written(home / "my-book", OWN), overrides=home / "o.yaml")


@pytest.fixture
def started_anew(store: Store) -> Callable[[], Store]:
    """A process that starts now: it reads its files anew."""

    def start() -> Store:
        current.forget_own()
        return Store(store.settings, store.keys, store.redis, store.once)

    return start


@pytest.fixture
def switcher(store: Store) -> BookSwitcher:
    return bootstrap.book_switcher(store)


def judge(store: Store, number: int) -> str:
    consumer = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=10_000, send=lambda: None))
    send(store.redis, store.keys, [event(number)], source="test", settings=store.settings)
    consumer.run()
    presence.beat(store, [os.getpid()], time.time())
    consumer.audit.close()
    return judged(store)[f"PCN-{number:05}"]


@pytest.mark.parametrize("kind", BREAKS)
def test_a_worker_judges_by_what_is_in_force_where_its_own_cannot_be_used_and_says_so(
    store: Store,
    home: Path,
    switcher: BookSwitcher,
    started_anew: Callable[[], Store],
    kind: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = judge(store, 1)
    switcher.switch(packed(OTHER), b"", "other.book", "try")
    switcher.roll_back("wrong", None)
    BREAKS[kind](home)
    again = started_anew()
    fault = current.take_own(again)
    assert fault
    assert judge(again, 2) == before
    (worker,) = reconcile(store.redis, store.keys).alive
    assert worker.own_fault == fault
    said = [
        one
        for one in doctor.queue(store, reconcile(store.redis, store.keys))
        if one.about == "workers" and fault in one.sentence
    ]
    assert [one.level for one in said] == ["poor"]
    switcher.switch(packed(OTHER), b"", "other.book", "once more")
    assert judge(again, 3) != before
    basis = switcher.roll_back("back, by digest", None, OWN.digest[:12]).basis
    assert (basis.book.digest, basis.overrides) == (OWN.digest, digest_of_text(TEXT))


@pytest.mark.parametrize("kind", BREAKS)
def test_where_nothing_is_in_force_it_does_not_start(home: Path, started_anew: Callable[[], Store], kind: str) -> None:
    BREAKS[kind](home)
    with pytest.raises(ScrubError):
        current.take_own(started_anew())


def test_where_it_is_usable_it_is_taken_whatever_is_in_force(
    store: Store, switcher: BookSwitcher, started_anew: Callable[[], Store]
) -> None:
    switcher.switch(packed(OTHER), b"", "other.book", "try")
    again = started_anew()
    assert current.take_own(again) == ""
    assert current.own_book(again.settings).digest == OWN.digest


def test_a_book_in_force_that_none_of_the_keys_signed_is_no_fallback(
    store: Store, home: Path, switcher: BookSwitcher, started_anew: Callable[[], Store]
) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private = Ed25519PrivateKey.generate()
    key = home / "public.pem"
    key.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    switcher.switch(packed(OTHER), b"", "other.book", "nobody signed", OverridesText(None))
    shutil.rmtree(home / "my-book")
    started_anew()
    strict = load_settings(state_dir=home, book=home / "my-book", book_key=key)
    with pytest.raises(BookMissing):
        current.take_own(Store(strict, store.keys, store.redis, store.once))
    switcher.switch(packed(OTHER), private.sign(packed(OTHER)), "other.book", "signed", OverridesText(text_for(OTHER)))
    with pytest.raises(BookMissing):
        current.take_own(Store(strict, store.keys, store.redis, store.once))
    basis = in_force(store.redis, store.keys).basis
    assert basis is not None
    signed = OverridesText(text_for(OTHER), private.sign(text_for(OTHER).encode()))
    switcher.switch(packed(small("3")), private.sign(packed(small("3"))), "x.book", "both signed", signed)
    assert current.take_own(Store(strict, store.keys, store.redis, store.once))
    assert current.own_book(strict).version == "3"


def test_a_rollback_needs_no_book_of_the_machine_where_it_is_asked_for(
    store: Store, home: Path, switcher: BookSwitcher, started_anew: Callable[[], Store]
) -> None:
    switcher.switch(packed(OTHER), b"", "other.book", "try")
    shutil.rmtree(home / "my-book")
    store.redis.delete(store.keys.workers)
    started_anew()
    assert switcher.roll_back("back", None, OWN.digest[:12]).basis.book.digest == OWN.digest


def test_real_workers_come_up_again_with_a_book_and_overrides_that_are_gone(
    store: Store, home: Path, settings: Settings, switcher: BookSwitcher, start_worker: Callable[..., Worker]
) -> None:
    own = {"SCRUB_BOOK": str(home / "my-book"), "SCRUB_OVERRIDES": str(home / "o.yaml")}
    switcher.switch(packed(OTHER), b"", "other.book", "try")
    switcher.roll_back("wrong", None)
    shutil.rmtree(home / "my-book")
    (home / "o.yaml").unlink()
    worker = start_worker(env=own, concurrency=2).wait_ready(60)
    until(lambda: reconcile(store.redis, store.keys).alive, 60)
    send(store.redis, store.keys, [event(1)], source="test", settings=settings)
    settled(store, 1, seconds=60)
    assert set(judged(store)) == {"PCN-00001"}
    assert "its own cannot be used" in worker.text()
    (basis,) = {(one.book.digest, one.overrides) for one in in_force(store.redis, store.keys).judging.values()}
    assert basis == (OWN.digest, digest_of_text(TEXT))
    assert worker.stop(60) == 0
