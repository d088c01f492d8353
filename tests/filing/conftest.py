"""A folder in, a folder out, and who works on them, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.conftest import consumers, home, settings, store
from tests.integration.helpers import until
from worker import bootstrap
from worker.filing.cutoff import Cutoff
from worker.filing.folders import Filing
from worker.intake.dropfolder import DropFolder
from worker.pipeline import producers
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.producer import SOURCE
from worker.store.connections import Store
from worker.store.registry import Producer

__all__ = ["consumers", "home", "settings", "store"]
EHR = Producer("ehr", exit="file")


@dataclass
class Desk:
    """One process that files, as its steps are taken by a test."""

    filing: Filing
    drop: Path
    out: Path
    said: list[str] = field(default_factory=list)
    complained: list[str] = field(default_factory=list)

    def put(self, name: str, raw: bytes) -> None:
        (self.drop / name).write_bytes(raw)

    def steps(self, count: int = 2) -> None:
        for _ in range(count):
            self.filing._resting.clear()
            self.filing.step()

    def until_written(self, stem: str) -> None:
        def written() -> bool:
            self.steps(1)
            return (self.out / f"{stem}.manifest.json").exists()

        until(written, 20, lambda: self.complained)


Open = Callable[..., Desk]


@pytest.fixture
def desk(home: Path, store: Store) -> Iterator[Open]:
    """Opens a process; several may be open at once, on the same folders."""
    made: list[Desk] = []
    for name in ("drop", "out"):
        (home / name).mkdir()
    producers.add(store.redis, store.keys, EHR)

    def make(cutoff: str | None = None, of: Store = store, out: str = "out") -> Desk:
        of.settings.__dict__["producer"] = "ehr"
        found = Desk(None, home / "drop", home / out)  # type: ignore[arg-type]
        found.filing = bootstrap.filing(
            of, DropFolder(home / "drop", 0.0), home / out, Cutoff.read(cutoff) if cutoff else None, EHR, SOURCE,
            lambda: None, found.said.append, found.complained.append,
        )  # fmt: skip
        found.filing.collector.ensure()
        made.append(found)
        return found

    yield make
    for one in made:
        one.filing.close()


@pytest.fixture
def worker(consumers: Callable[..., InboxConsumer]) -> InboxConsumer:
    """A worker that runs when it is told to."""
    return consumers()
