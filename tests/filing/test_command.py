"""The commands: a source has exactly one exit, and says so where it is asked for the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run, scrub
from worker.pipeline import producers
from worker.store.connections import Store
from worker.store.registry import Producer, producers_of

from .conftest import EHR

__all__ = ["scrub"]


@pytest.fixture
def folders(home: Path) -> Path:
    for name in ("drop", "out", "state"):
        (home / name).mkdir(exist_ok=True)
    return home


def env(home: Path, producer: str) -> dict[str, str]:
    return {"SCRUB_STATE_DIR": str(home), "SCRUB_PRODUCER": producer}


@pytest.mark.parametrize(
    ("producer", "arguments", "said"),
    [
        ("ehr", ["claims.ndjson"], "ehr leaves by file, and a source has exactly one exit"),
        ("ehr", ["--watch", "drop"], "ehr leaves by file, and a source has exactly one exit"),
        ("lab", ["--watch", "drop", "--out", "out"], "lab leaves by the outlets"),
        ("", ["--watch", "drop", "--out", "out"], "the shared inbox leaves by the outlets"),
    ],
)
def test_a_source_has_one_exit(
    scrub: Run, store: Store, folders: Path, producer: str, arguments: list[str], said: str
) -> None:
    producers.add(store.redis, store.keys, EHR)
    producers.add(store.redis, store.keys, Producer("lab"))
    (folders / "claims.ndjson").write_text("{}")
    done = scrub("submit", *arguments, **env(folders, producer))
    assert (done.returncode, said in " ".join(done.stderr.split())) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--watch", "drop", "--out", "drop"], "expected another folder"),
        (["--watch", "drop", "--out", "nowhere"], "expected a folder that exists"),
        (["--watch", "drop", "--out", "out", "--cutoff", "5pm"], "expected a time of day"),
        (["--watch", "drop", "--cutoff", "17:00"], "expected --out DIR"),
        (["--out", "out"], "expected FILE"),
    ],
)
def test_what_does_not_go_together_is_said(
    scrub: Run, store: Store, folders: Path, arguments: list[str], said: str
) -> None:
    producers.add(store.redis, store.keys, EHR)
    done = scrub("submit", *arguments, **env(folders, "ehr"))
    assert (done.returncode, said in " ".join(done.stderr.replace("│", " ").split())) == (2, True), done.stderr


def test_a_payer_that_the_book_does_not_know_is_named(scrub: Run, store: Store, folders: Path) -> None:
    producers.add(store.redis, store.keys, EHR)
    more = {**env(folders, "ehr"), "SCRUB_SEND_UNDECIDED": "medicar:send"}
    done = scrub("submit", "--watch", "drop", "--out", "out", **more)
    assert (done.returncode, "the book knows no payer medicar" in " ".join(done.stderr.split())) == (2, True)


def test_an_exit_is_not_changed_while_claims_wait(scrub: Run, store: Store, folders: Path) -> None:
    done = scrub("producer", "add", "ehr", "--exit", "file", **env(folders, ""))
    assert done.returncode == 0
    assert producers_of(store.redis, store.keys)["ehr"] == EHR
    store.redis.xadd(store.keys.stream("ehr"), {"event": "x"})
    done = scrub("producer", "add", "ehr", **env(folders, ""))
    assert (done.returncode, "wait still, which leave by file" in " ".join(done.stderr.split())) == (2, True)
    assert " file " in scrub("producer", "list", **env(folders, "")).stdout
