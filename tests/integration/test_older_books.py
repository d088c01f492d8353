"""A book that was signed once is not put in force again by who has the password of Redis alone, nor by an older copy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from typer.testing import CliRunner

from rules.book.pack import packed
from worker import bootstrap
from worker.books import signature
from worker.books.asked import FILE, age
from worker.books.bookswitcher import BookSwitcher
from worker.books.switch import ProcessBook, in_force
from worker.cli import app
from worker.config.settings import Settings, load_settings
from worker.store.connections import Store
from worker.store.keyring import load_ring

from .helpers import quiet
from .test_behind import copy
from .test_behind import restore as put_back
from .test_rotation import scrub as scrub_with
from .test_switch import small

OLD, NEW, NEWEST = (small(f"9000.{number}") for number in (8, 9, 10))


@pytest.fixture
def private(home: Path) -> Path:
    key = Ed25519PrivateKey.generate()
    file = home / "private.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (home / "public.pem").write_bytes(public)
    return file


@pytest.fixture
def settings(home: Path, private: Path, unset: None) -> Settings:
    return load_settings(state_dir=home / "state", book_key=home / "public.pem")


@pytest.fixture
def switcher(store: Store) -> Iterator[BookSwitcher]:
    found = bootstrap.book_switcher(store)
    yield found
    found.audit.close()


class Process:
    """What a process of a worker judges by; another one is as a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._book: ProcessBook = bootstrap.inbox_consumer(store, quiet(store)).partitions[0].book.__self__  # type: ignore[attr-defined]

    def version(self) -> str:
        return self._book.book().version

    def refused(self) -> str:
        return in_force(self._store.redis, self._store.keys).judging[self._book.consumer].refused


@pytest.fixture
def switch(switcher: BookSwitcher, private: Path):  # type: ignore[no-untyped-def]
    def switched(files, **more):  # type: ignore[no-untyped-def]
        content = packed(files)
        return switcher.switch(content, signature.sign(content, private), "small.book", "a test", **more)

    return switched


def test_an_older_book_that_somebody_puts_there_by_hand_is_refused_until_it_is_asked_for(
    store: Store, switcher: BookSwitcher, switch, private: Path
) -> None:  # type: ignore[no-untyped-def]
    process = Process(store)
    for files in (OLD, NEW):
        switch(files)
        assert process.version() == ("9000.8" if files is OLD else "9000.9")
    # With the password of the operator and no secret: the stack, and what the newest switch said, are written as they were.
    said = store.redis.hget(store.keys.books, "switched")
    store.redis.lpush(store.keys.book, OLD.digest)
    assert process.version() == "9000.9"
    assert process.refused().startswith(f"The book 9000.8 ({OLD.digest[:12]}) is not taken up: this machine has judged")
    forged = {**json.loads(said), "moment": 99_999_999_999.5}
    store.redis.hset(store.keys.books, "switched", json.dumps(forged))
    assert process.version() == "9000.9"
    restarted = Process(store)
    assert restarted.version() != "9000.8", "what was seen is remembered over a restart"
    assert restarted.refused()
    assert switch(OLD), "by a person with the secret"
    assert (process.version(), restarted.version(), process.refused()) == ("9000.8", "9000.8", "")


def test_a_rollback_and_a_switch_to_an_older_one_are_taken_up(store: Store, switcher: BookSwitcher, switch) -> None:  # type: ignore[no-untyped-def]
    process = Process(store)
    switch(NEW)
    switch(NEWEST)
    assert process.version() == "9000.10"
    switcher.roll_back("it was a mistake", None)
    assert process.version() == "9000.9"
    switch(OLD)
    assert (process.version(), Process(store).version()) == ("9000.8", "9000.8")


def test_an_older_copy_of_redis_does_not_bring_its_book_back(store: Store, switch) -> None:  # type: ignore[no-untyped-def]
    process = Process(store)
    switch(NEW)
    assert process.version() == "9000.9"
    backup = copy(store)
    switch(OLD)  # asked for, and so the later one
    assert process.version() == "9000.8"
    put_back(store, backup)
    assert process.version() == "9000.8"
    assert "is not taken up" in process.refused()
    assert switch(NEW) is None, "it is in force already"
    assert process.version() == "9000.8"
    assert switch(NEW, again=True), "asked for"
    assert (process.version(), process.refused()) == ("9000.9", "")


def test_a_newer_book_by_a_release_that_says_nothing_of_the_secret_is_taken_up(store: Store, switch) -> None:  # type: ignore[no-untyped-def]
    process = Process(store)
    switch(OLD)
    assert process.version() == "9000.8"
    switch(NEW)
    said = json.loads(store.redis.hget(store.keys.books, "switched"))
    del said["proof"]
    store.redis.hset(store.keys.books, "switched", json.dumps(said))
    assert process.version() == "9000.9"


def test_after_a_rotation_the_audit_keys_of_before_still_say_that_it_was_asked_for(store: Store, switch) -> None:  # type: ignore[no-untyped-def]
    process = Process(store)
    switch(NEW)
    assert process.version() == "9000.9"
    switch(OLD)
    assert scrub_with(store.settings, "secret", "rotate", "audit", "--reason", "a test").returncode == 0
    assert len(load_ring(store.settings.secret_path, "audit").keys) == 2
    assert process.version() == "9000.8"


def test_where_signatures_are_not_looked_at_nothing_is_remembered(store: Store, switcher: BookSwitcher) -> None:
    store.settings.__dict__.pop("trusted", None)
    plain = load_settings(state_dir=store.settings.state_dir)
    unsigned = Store(plain, store.keys, store.redis, store.once, None)
    process = Process(unsigned)
    for files in (NEW, OLD):
        switcher.switch(packed(files), b"", "small.book", "a test")
        assert process.version() == ("9000.9" if files is NEW else "9000.8")
    assert not (plain.books_path / FILE).exists()


def test_the_command_has_it_taken_up_again(
    store: Store, switch, home: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    process = Process(store)
    switch(OLD)
    switch(NEW)
    assert process.version() == "9000.9"
    store.redis.lpush(store.keys.book, OLD.digest)
    assert process.version() == "9000.9"
    file = home / "old.book"
    file.write_bytes(packed(OLD))
    signature.beside(file).write_bytes(signature.sign(packed(OLD), private))
    monkeypatch.setenv("SCRUB_STATE_DIR", str(store.settings.state_dir))
    monkeypatch.setenv("SCRUB_BOOK_KEY", str(home / "public.pem"))
    done = CliRunner().invoke(app, ["rules", "switch", str(file), "--allow-older", "--reason", "asked for"])
    assert done.exit_code == 0, done.output
    assert process.version() == "9000.8"


def test_versions_are_compared_by_their_numbers() -> None:
    assert age("2026.9") < age("2026.10") < age("2027.1")
