"""Broken off at every step, by what a kill, a full disk or an emptied Redis leave: every claim in one class, and sent
once, also where somebody takes each file away as soon as it has its name.

Integrations that write a file under its name while it grows, or again after a crash, are how payers get batches twice:
a common topic of support threads on X12 pick-up folders (edi pick-up of a half written file; duplicate 837 after restart).
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.exits.splitting import cut
from tests.integration.helpers import counting
from worker.exits.staged import Plan
from worker.filing import collecting
from worker.filing.folders import Filing
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import producers
from worker.pipeline.consumer import InboxConsumer
from worker.store.agreement import agree_on_partitions
from worker.store.connections import Store

from .conftest import EHR, Desk, Open
from .filed import GOING, kinds, manifests, of, under_way
from .test_cutoff import failing

__all__ = ["failing"]


class Killed(BaseException):
    """As by a signal that nobody sees coming."""


@contextmanager
def killed_at(number: int) -> Iterator[list[int]]:
    """Ends a step at the so-many-th act on disk or Redis: of an even one before it, of an odd one after it."""
    count = [0]
    step = Filing.step
    inside = False

    def stepping(self: Filing) -> None:
        nonlocal inside
        inside = True
        try:
            step(self)
        finally:
            inside = False

    def bomb(real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **named: Any) -> Any:
            count[0] += inside
            if inside and count[0] == number and number % 2 == 0:
                raise Killed
            answer = real(*arguments, **named)
            if inside and count[0] == number:
                raise Killed
            return answer

        return act

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "fsync", "unlink"):
            patch.setattr(os, name, bomb(getattr(os, name)))
        for kind in (redis.Redis, redis.client.Pipeline):
            patch.setattr(kind, "execute_command", bomb(kind.execute_command))
        patch.setattr(Filing, "step", stepping)
        yield count


class Picker:
    """Who takes away each file that has its name, as a clearinghouse's agent does."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.taken: dict[str, bytes] = {}

    def look(self) -> None:
        for file in sorted(self.out.iterdir()):
            if file.name.startswith(".") or file.name.endswith(".manifest.json"):
                continue
            assert file.name not in self.taken, f"{file.name} came out twice"
            self.taken[file.name] = file.read_bytes()
            file.unlink()

    def manifests(self) -> list[Path]:
        return [*self.out.glob("*.manifest.json")]

    def claims(self, stem: str) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        for name, raw in self.taken.items():
            kind = name.removeprefix(f"{stem}.").partition(".")[0]
            if name.startswith(f"{stem}.") and kind in GOING:
                found.setdefault(kind, []).extend(cut(raw))
        return found


def stepped(one: Desk, worker: InboxConsumer, picker: Picker, stem: str) -> None:
    for _ in range(60):
        one.steps(1)
        picker.look()
        if (one.out / f"{stem}.manifest.json").exists() and not under_way(one.out):
            return
        worker.run()
    raise AssertionError(one.complained)


@pytest.mark.slow
def test_it_may_break_off_at_any_step(
    desk: Open, worker: InboxConsumer, store: Store, failing: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "RECLAIM_MS", 0)
    store.settings.__dict__.update(send_unchecked="send", send_undecided="send")
    picker, billed, number, over = Picker(desk().out), Counter[str](), 0, False
    while not over:
        number += 1
        stem = f"f{number}"
        names = [f"C-{number}1", f"H-{number}2", f"U-{number}3", f"C-{number}4"]
        failing(names[3])
        raw, one = of(*names, control=1000 + number), desk()
        one.put(f"{stem}.837", raw)
        with killed_at(number):
            try:
                stepped(one, worker, picker, stem)
                over = True
            except Killed:
                pass
        one.filing.close()
        picker.look()
        two = desk()
        stepped(two, worker, picker, stem)
        found = picker.claims(stem)
        assert Counter(one for claims in found.values() for one in claims) == Counter(cut(raw)), number
        assert {kind: len(claims) for kind, claims in found.items()} == dict.fromkeys(GOING, 1), number
        assert kinds(manifests(two.out)[stem]) == dict(zip(names, GOING, strict=True))
        billed.update([names[0], names[2], names[3]])
        two.filing.close()
    assert number > 60
    assert counting(store) == sorted(billed)
    assert reconcile(store.redis, store.keys).balance == 0


def test_a_full_disk_leaves_nothing_half_and_is_tried_again(
    desk: Open, worker: InboxConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, one = of("C-1", "H-2"), desk()
    one.put("batch.837", raw)
    one.steps()
    worker.run()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        one.steps(3)
    assert [name for name in os.listdir(one.out) if not name.startswith(".")] == []
    assert "No space left on device" in one.complained[0]
    one.until_written("batch")
    assert kinds(manifests(one.out)["batch"]) == {"C-1": "clean", "H-2": "held"}


def test_another_folder_in_its_place_gets_nothing(desk: Open, worker: InboxConsumer, store: Store) -> None:
    """An unmounted share leaves the empty folder that it was mounted on."""
    one = desk()
    one.put("batch.837", of("C-1"))
    one.steps()
    worker.run()

    def killed(_: Plan) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "finish", killed)
        with pytest.raises(Killed):
            one.steps()
    one.filing.close()
    one.out.rename(one.out.with_name("mounted"))
    one.out.mkdir()
    two = desk()
    two.put("batch.837", of("C-1"))
    two.steps()
    assert [name for name in os.listdir(two.out) if not name.startswith(".")] == []
    assert "it was begun in another folder" in two.complained[0]
    two.filing.close()
    for file in two.out.iterdir():
        file.unlink()
    two.out.rmdir()
    two.out.with_name("mounted").rename(two.out)
    three = desk()
    three.until_written("batch")
    assert kinds(manifests(three.out)["batch"]) == {"C-1": "clean"}


def test_a_folder_that_is_gone_is_waited_for(desk: Open, worker: InboxConsumer) -> None:
    one = desk()
    one.put("batch.837", of("C-1"))
    one.out.rmdir()
    with pytest.raises(OSError, match="No such file"):
        one.steps()
    assert (one.drop / "batch.837").exists()
    one.out.mkdir()
    one.steps()
    worker.run()
    one.until_written("batch")


def test_redis_emptied_on_the_way_has_its_claims_judged_again(
    desk: Open, worker: InboxConsumer, consumers: Callable[..., InboxConsumer], store: Store
) -> None:
    raw, one = of("C-1", "H-2"), desk()
    one.put("batch.837", raw)
    one.steps()
    worker.run()
    store.redis.flushall()
    agree_on_partitions(store)
    producers.add(store.redis, store.keys, EHR)
    one.steps(1)
    consumers().run()
    one.until_written("batch")
    assert kinds(manifests(one.out)["batch"]) == {"C-1": "clean", "H-2": "held"}


def test_what_becomes_of_the_original_meanwhile_does_not_matter(desk: Open, worker: InboxConsumer) -> None:
    raw, one = of("C-1", "H-2"), desk()
    one.put("batch.837", raw)
    one.steps()
    (one.drop / "done/batch.837").unlink()
    one.put("batch.837", of("C-5", control=500))
    one.steps()
    worker.run()
    one.until_written("batch")
    one.until_written("batch-2")
    found = manifests(one.out)
    assert sorted(one for stem in ("batch", "batch-2") for one in kinds(found[stem])) == ["C-1", "C-5", "H-2"]


def test_a_file_that_is_cut_while_it_is_taken_is_taken_as_it_is_then(
    desk: Open, worker: InboxConsumer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, one = of("C-1", "C-2", "C-3"), desk()
    shorter = of("C-1")
    one.put("batch.837", whole)
    move = Filing.move

    def cut_before(self: Filing, taken: Any, token: str) -> bool:
        monkeypatch.undo()
        one.put("batch.837", shorter)
        return move(self, taken, token)

    monkeypatch.setattr(Filing, "move", cut_before)
    one.steps(1)
    assert [*one.out.iterdir()] == []
    assert reconcile(store.redis, store.keys).accepted == 0
    one.steps(3)
    worker.run()
    one.until_written("batch")
    assert kinds(manifests(one.out)["batch"]) == {"C-1": "clean"}


def test_what_has_no_name_yet_is_not_called_as_what_is_to_be_sent(desk: Open, worker: InboxConsumer) -> None:
    """`find -name '*.clean.837'` and pathlib take hidden names as well."""
    one = desk()
    one.put("batch.837", of("C-1", "H-2"))
    one.steps()
    worker.run()

    def killed(_: Plan) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "finish", killed)
        with pytest.raises(Killed):
            one.steps()
    hidden = os.listdir(one.out)
    assert len(hidden) > 5
    assert {name.rpartition(".")[2] for name in hidden} == {"part", "plan", "original", "about"}
