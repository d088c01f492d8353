"""The answer that a drop folder puts beside the report: what of the file was taken, and that no more was sent."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.x12.test_277ca import clean
from tests.x12.test_answers import checked, sets, summary
from tests.x12.writer import file_of, interchange
from worker.monitoring.reconciliation import reconcile
from worker.store.connections import Store

from .conftest import CLEAN
from .test_watch import SETTLE, Start, drop, put, report, start, until

__all__ = ["drop", "start"]


def test_each_file_is_answered_and_what_the_answer_rejects_is_not_sent(drop: Path, start: Start, store: Store) -> None:
    """EdiFabric/EDIFACT.NET#61, azoner/pyx12#121: the sender must learn what became of the file."""
    good = interchange(sets("0001", "0002"), "professional")
    put(drop, "good.837", good.encode())
    put(drop, "part.837", good.replace("C0001", "D0001").replace("*0002~\nGE", "*0009~\nGE").encode())
    put(drop, "cut.837", good[: good.index("SV1", good.index("C0002"))].encode())
    put(drop, "page.837", b"<!DOCTYPE html><html>CANARY</html>")
    put(drop, "claims.ndjson", CLEAN)
    start("submit", "--watch", drop, "--settle", SETTLE)
    until(lambda: sorted(os.listdir(drop)) == ["done", "failed"], told=lambda: os.listdir(drop))
    assert sorted(os.listdir(drop / "done")) == [
        "claims.ndjson", "claims.ndjson.report.json", "good.837", "good.837.answer.x12", "good.837.report.json",
    ]  # fmt: skip
    assert sorted(name for name in os.listdir(drop / "failed") if ".answer" in name) == [
        "cut.837.answer.x12", "page.837.answer.txt", "part.837.answer.x12",
    ]  # fmt: skip
    whole = (drop / "done/good.837.answer.x12").read_text()
    assert summary(whole) == ([], ["A", "A"], ["A:2:2:2"], 2)
    states = [one[1] for one in checked(whole)[0].segments("277", "STC") if one[-1] == "RECEIVED, NOT YET CHECKED"]
    assert states == ["A1:19:40"] * 2
    assert summary((drop / "failed/part.837.answer.x12").read_text()) == ([], ["A", "R:3"], ["P:2:2:1"], 1)
    assert summary((drop / "failed/cut.837.answer.x12").read_text()) == (["R:023"], [], [], 0)
    text = (drop / "failed/page.837.answer.txt").read_text()
    assert "nothing of it was taken" in text
    assert "an HTML page" in text
    assert "CANARY" not in text
    counts = {
        name: report(drop, f"{where}/{name}")
        for where, name in (("done", "good.837"), ("failed", "part.837"), ("failed", "cut.837"))
    }
    assert {name: (one["sent"], one["refused"]) for name, one in counts.items()} == {
        "good.837": (2, 0), "part.837": (1, 2), "cut.837": (0, 3),
    }  # fmt: skip
    assert "the transaction set around this claim is rejected in the answer to the sender (999 IK5 3)" in json.dumps(
        counts["part.837"]
    )
    assert "the interchange around this claim is rejected" in json.dumps(counts["cut.837"])
    assert reconcile(store.redis, store.keys).accepted == 4


def test_a_file_that_was_mended_is_sent_whole_and_no_claim_is_a_duplicate(
    drop: Path, start: Start, store: Store
) -> None:
    raw = file_of([clean(claim_id="A"), clean(claim_id="B")])
    put(drop, "a.837", raw.replace("SE*", "SE*1").encode())
    start("submit", "--watch", drop, "--settle", SETTLE)
    until((drop / "failed/a.837").exists)
    put(drop, "a.837", raw.encode())
    until((drop / "done/a.837").exists)
    found = report(drop, "done/a.837")
    assert (found["read"], found["sent"], found["duplicate"]) == (2, 2, 0)
    assert reconcile(store.redis, store.keys).accepted == 2
