"""Files that several processes read: the same bytes as one makes of them, whatever is in them and whatever dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import IO

import pytest

from worker.intake.document import Refusal

from . import year
from .running import backtested, file
from .test_backtest import DENIED, MARCH, PAID, claim, clp, remitted, x12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def mixed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Sound files, broken ones, one there twice, one that is missing, and a claim in two of them."""
    claims = [
        x12(folder, f"{at}.837", ("20260305", [one, claim(f"X{at}")]), control=at) for at, one in enumerate(MARCH)
    ]
    again = file(folder, "again.837", claims[1].read_bytes())
    cut = file(folder, "cut.837", claims[2].read_bytes()[:-300])
    text = file(folder, "text.837", "this is no claim")
    undated = file(folder, "undated.ndjson", b'{"claim_id": "U1"}\n')
    said = [("4", "0", DENIED) if at % 2 else ("1", "150", PAID) for at in range(4)]
    answers = [
        remitted(folder, f"{at}.835", clp(f"H{at}", status, "450", paid, f"I{at}", *lines), trace=f"C{at}")
        for at, (status, paid, lines) in enumerate(said)
    ]
    broken = file(folder, "broken.835", answers[0].read_bytes()[:200])
    return [*claims, again, cut, folder / "missing.837", text, undated], [*answers, broken]


def test_many_processes_make_the_same_of_good_and_bad_files_as_one(folder: Path) -> None:
    claims, answers = mixed(folder)
    told: dict[int, list[str]] = {1: [], 2: [], 3: []}
    found = [
        backtested(claims, answers, cores=cores, together=1, refuse=lambda one, of=cores: told[of].append(str(one)))
        for cores in (1, 2, 3)
    ]
    assert found[0] == found[1] == found[2]
    assert told[1] == told[2] == told[3] != []
    assert found[0].claims.matched >= 4
    assert multiprocessing.active_children() == []


def test_a_year_is_the_same_whether_one_reads_judges_and_counts_it_or_several(folder: Path) -> None:
    made = year.write(folder, 400, seed=5)
    one = backtested(made.claims, made.answers)
    assert backtested(made.claims, made.answers, cores=2, together=2**14) == one
    assert one.claims.counted > 300


@pytest.mark.parametrize("dies", ["killed", "raises"])
def test_what_a_process_leaves_unread_is_read_by_the_main_one(folder: Path, dies: str) -> None:
    claims, answers = mixed(folder)
    main = os.getpid()

    def opener(name: str) -> IO[bytes]:
        if os.getpid() != main and name.endswith("1.837"):
            if dies == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError("out of luck")
        return Path(name).open("rb")

    assert backtested(claims, answers, cores=2, together=1, opener=opener) == backtested(claims, answers)


def test_who_breaks_off_leaves_no_process_behind(folder: Path) -> None:
    claims, answers = mixed(folder)

    def stop(_: Refusal) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backtested(claims, answers, cores=2, together=1, refuse=stop)
    assert multiprocessing.active_children() == []
