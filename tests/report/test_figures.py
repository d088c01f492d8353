"""The report's numbers: against a plain count of the same lines, and what a crash or a lost race does not change."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from duckdb import DuckDBPyConnection

from worker.errors import ReportEmpty
from worker.reporting import panels
from worker.reporting.figures import Figures, count
from worker.reporting.load import loaded
from worker.store.outletspecs import DISPOSITIONS

from .generated import lines

Line = dict[str, Any]
Counted = Callable[..., Figures]


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    """The figures of these lines."""

    def counted(*given: Line | bytes, name: str = "audit.jsonl") -> Figures:
        raw = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in given)
        (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        with loaded([tmp_path / name]) as database:
            return count(database, name)

    return counted


def verdict(number: int, disposition: str = "billing", **changes: Any) -> Line:
    return {
        "@timestamp": f"2026-10-01T08:{number // 60:02}:{number % 60:02}.000000Z", "event.action": "claim.scrubbed",
        "claim.decision_id": f"{number:032x}", "claim.claim_id": f"PCN-{number}", "claim.frequency_code": "1",
        "claim.payer": "medicare", "claim.disposition": disposition, "claim.charge_cents": 10_000,
        "queue.entry": f"{1_790_841_600_000 + number * 1000}-0", "queue.latency_ms": 100, "book.version": "1",
        "book.digest": "d" * 64, "audit.chain": "a", **changes,
    }  # fmt: skip


def superseded(line: Line) -> Line:
    return {**line, "event.action": "claim.superseded", "error.code": "not_mine"}


def test_claims_that_are_only_observed_are_clean_by_their_verdict_and_no_denial_of_theirs_was_foreseen(
    counted: Counted,
) -> None:
    held = {"rule.block": ["UNT001"], "rule.denials": ["CO-151"]}
    found = counted(
        verdict(1, **{"claim.observed": "billing"}), verdict(2, **{"claim.observed": "rework"}, **held),
        verdict(3, **{"claim.observed": "unchecked"}), verdict(4), verdict(5, "rework", **held),
        verdict(6, "rework", **{"claim.observed": "rework"}, **held),
    )  # fmt: skip
    whole = found.whole
    assert (whole["firsts"], whole["clean"], whole["billing"]) == (6, 2, 4)
    assert (whole["observed"], whole["let_go"], whole["let_go_cents"]) == (4, 1, 10_000)
    assert [(row["clean"], row["n"]) for row in found.by_payer] == [(2, 6)]
    assert [(row["code"], row["claims"]) for row in found.denials] == [("CO-151", 2)]


def test_what_was_not_looked_at_counts_once_a_claim_and_lines_of_before_are_read_without_it(counted: Counted) -> None:
    gaps = {"claim.coverage": "partial", "claim.gaps": ["edition_past", "line_not_judged"]}
    found = counted(
        verdict(1, **{"claim.coverage": "full"}), verdict(2, **gaps, **{"claim.wanted": ["ICD-10-CM FY 2027"]}),
        verdict(3, "rework", **gaps, **{"claim.wanted": ["ICD-10-CM FY 2027"]}),
        verdict(4, **{"claim.claim_id": "PCN-3", "claim.coverage": "full"}), verdict(5),
    )  # fmt: skip
    assert [(row["coverage"], row["claims"]) for row in found.coverage] == [("full", 2), ("partial", 1)]
    assert [(row["kind"], row["what"], row["claims"]) for row in found.gaps] == [
        ("import", "ICD-10-CM FY 2027", 1), ("gap", "edition_past", 1), ("gap", "line_not_judged", 1),
    ]  # fmt: skip
    assert (counted(verdict(1)).coverage, counted(verdict(1)).gaps) == ([], [])


def test_a_query_that_still_runs_does_not_hide_what_ended_the_report(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_bytes(json.dumps(verdict(1)).encode())
    forever = "SELECT count(*) FROM range(100000) a, range(100000) b, range(100000) c WHERE a.range + b.range = c.range"

    def ask_forever(database: DuckDBPyConnection) -> None:
        with suppress(duckdb.Error):
            database.execute(forever)

    def broken_off() -> None:
        with loaded([tmp_path / "audit.jsonl"]) as database:
            threading.Thread(target=ask_forever, args=(database,), daemon=True).start()
            time.sleep(0.3)
            threading.Timer(0.5, database.interrupt).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()


_INTERRUPTED_AT_THE_IMPORT = """
import os, signal, sys
from pathlib import Path
from worker.process.signals import Stopped, install
from worker.reporting.load import loaded

class Strike:
    def find_spec(self, name, *_):
        if name.startswith("_duckdb"):
            os.kill(os.getpid(), signal.SIGINT)

install()
sys.meta_path.insert(0, Strike())
try:
    with loaded([Path(sys.argv[1])]):
        pass
except Stopped:
    sys.exit(0 if "_duckdb" in sys.modules else 3)
"""


def test_ctrl_c_while_duckdb_is_set_up_waits_until_it_is(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_bytes(json.dumps(verdict(1)).encode())
    command = [sys.executable, "-c", _INTERRUPTED_AT_THE_IMPORT, str(tmp_path / "audit.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_they_are_those_of_a_plain_count(counted: Counted) -> None:
    given = list(lines(3_000))
    found = counted(*given)
    real = {line["claim.decision_id"]: line for line in given if line["event.action"] != "claim.superseded"}
    went = Counter((line.get("claim.payer") or "", line["claim.disposition"]) for line in real.values())
    assert found.whole["decisions"] == len(real) == 3_000
    assert found.whole["clean"] == sum(n for (_, disposition), n in went.items() if disposition == "billing")
    assert {(row["payer"], name): row[name] for row in found.by_payer for name in DISPOSITIONS if row[name]} == went  # fmt: skip
    shown: Counter[tuple[str, str]] = Counter()
    for row in found.over_time:
        shown[row["payer"], row["disposition"]] += row["n"]
    assert shown == went
    codes, cents = Counter[str](), Counter[str]()
    for line in real.values():
        for code in line.get("rule.block", []):
            codes[code] += 1
            cents[code] += line["claim.charge_cents"] or 0
    assert {row["code"]: row["claims"] for row in found.findings if row["claims"]} == codes
    assert {row["code"]: row["cents"] for row in found.findings if row["claims"]} == {c: cents[c] for c in codes}
    denials = Counter(code for line in real.values() for code in line.get("rule.denials", []))
    assert {row["code"]: row["claims"] for row in found.denials} == denials
    assert sum(row["decided"] for row in found.flow) == 3_000
    assert found.flow[-1]["waiting"] >= 0
    latencies = sorted(line["queue.latency_ms"] for line in real.values())
    assert found.whole["p50"] == pytest.approx(latencies[1_500], rel=0.05)
    assert found.whole["p99"] == pytest.approx(latencies[2_970], rel=0.1)
    assert found.whole["longest"] == latencies[-1]


def test_a_decision_that_a_crash_left_twice_counts_once(counted: Counted) -> None:
    found = counted(verdict(1), verdict(1, **{"audit.chain": "b", "@timestamp": "2026-10-01T08:05:00.000000Z"}))
    assert (found.whole["decisions"], found.lines["twice"]) == (1, 1)


def test_a_decision_that_was_taken_back_does_not_count_and_counts_once_where_another_worker_made_it(
    counted: Counted,
) -> None:
    ours, theirs = verdict(1, "rework"), verdict(1, "rework", **{"audit.chain": "b"})
    found = counted(ours, superseded(ours), verdict(2))
    assert (found.whole["decisions"], found.whole["rework"], found.lines["superseded"]) == (1, 0, 1)
    found = counted(ours, theirs, superseded(ours), verdict(2))
    assert (found.whole["decisions"], found.whole["rework"], found.lines["twice"]) == (2, 1, 0)


def test_a_repeated_event_is_no_claim_also_when_it_was_taken_back(counted: Counted) -> None:
    repeated = {**verdict(1), "event.action": "claim.repeated"}
    del repeated["claim.disposition"]
    found = counted(verdict(1), repeated, superseded(repeated))
    assert (found.whole["decisions"], found.lines["repeated"], found.lines["twice"]) == (1, 1, 0)


def test_a_claim_that_was_mended_is_billed_and_still_not_clean(counted: Counted) -> None:
    same = {"claim.claim_id": "PCN-1"}
    found = counted(verdict(1, "rework", **{"rule.block": ["UNT001"]}), verdict(2, **same))
    assert (found.whole["firsts"], found.whole["clean"], found.whole["billing"], found.whole["rework"]) == (1, 0, 1, 0)
    replacement = verdict(3, **same, **{"claim.frequency_code": "7"})
    found = counted(verdict(1), replacement)
    assert (found.whole["firsts"], found.whole["clean"]) == (2, 2)


def test_the_first_verdict_goes_by_the_stream_within_a_batch_that_shares_its_time(counted: Counted) -> None:
    same = {"claim.claim_id": "PCN-1", "@timestamp": "2026-10-01T08:00:00.000000Z"}
    found = counted(verdict(2, "billing", **same), verdict(1, "rework", **same))
    assert (found.whole["clean"], found.whole["billing"]) == (0, 1)


@pytest.mark.parametrize(("before", "after"), [("0:", "0:"), ("ehr:", "ehr:"), ("3:ehr:", "3:inner:"), ("", "inner:")])
def test_a_claim_that_was_mended_is_one_claim_whatever_its_streams_are_called(
    counted: Counted, before: str, after: str
) -> None:
    """With several partitions, or streams of registered producers, whose ids are their senders' word."""
    rework, billed = verdict(1, "rework"), verdict(2, **{"claim.claim_id": "PCN-1"})
    rework["queue.entry"] = before + ("9999999999999-0" if before.endswith("ehr:") else rework["queue.entry"])
    billed["queue.entry"] = after + ("5-0" if after.endswith("ehr:") else billed["queue.entry"])
    found = counted(rework, billed)
    assert (found.whole["firsts"], found.whole["clean"], found.whole["billing"], found.whole["rework"]) == (1, 0, 1, 0)
    assert sum(row["decided"] for row in found.flow) == 2


def test_a_claim_put_back_from_quarantine_does_not_count_again(counted: Counted) -> None:
    unread = verdict(1, "quarantine", **{"claim.claim_id": None, "event.action": "claim.quarantined"})
    found = counted(unread, verdict(2, **{"claim.requeued": True}))
    assert (found.whole["firsts"], found.whole["clean"], found.whole["requeued"]) == (1, 0, 1)


def test_the_charge_of_a_claim_is_at_stake_once_however_often_it_was_sent_in(counted: Counted) -> None:
    again = {"claim.claim_id": "PCN-1", "rule.block": ["UNT001"], "rule.denials": ["CO-151"]}
    found = counted(verdict(1, "rework", **again), verdict(2, "rework", **again))
    assert [(row["claims"], row["cents"]) for row in found.findings] == [(1, 10_000)]
    assert [(row["claims"], row["cents"]) for row in found.denials] == [(1, 10_000)]
    assert found.whole["held_cents"] == 10_000


def test_what_is_expected_of_some_lines_alone_is_beside_no_charge_of_a_whole_claim(counted: Counted) -> None:
    priced = {"claim.expected_cents": 6_000, "claim.expected_high_cents": 7_500}
    found = counted(
        verdict(1, "rework", **priced, **{"claim.expected_kind": "range"}),
        verdict(2, "rework", **priced, **{"claim.expected_kind": "part"}),
    )
    assert [found.whole[name] for name in ("priced", "expected", "expected_high")] == [1, 6_000, 7_500]


def test_what_held_claims_are_expected_to_bring_stands_beside_their_charge(counted: Counted) -> None:
    """Lines of earlier releases say nothing of it, and are counted as claims of which it is not known."""
    priced = {"claim.expected_cents": 6_000, "claim.expected_high_cents": 7_500}
    found = counted(
        verdict(1, "rework", **priced), verdict(2, "rework", **{**priced, "claim.payer": "uhc"}), verdict(3, "rework"),
        verdict(4, "billing", **priced), verdict(5, "rework", **{"claim.claim_id": "PCN-1"}, **priced),
    )  # fmt: skip
    whole = found.whole
    assert (whole["held_cents"], whole["priced"], whole["expected"], whole["expected_high"]) == (
        30_000,
        2,
        12_000,
        15_000,
    )
    rows = {row["payer"]: (row["priced"], row["expected"], row["expected_high"]) for row in found.by_payer}
    assert rows == {"medicare": (1, 6_000, 7_500), "uhc": (1, 6_000, 7_500)}
    page = panels.tiles(found)
    assert "3 claims whose newest verdict is rework; expected: $120 to $150 for 2 of them" in page
    (own,) = [panel for panel in panels.billing(found, str, str, None) if "Expected payment of held claims" in panel]
    assert re.findall("<td[^>]*>([^<]*)</td>", own) == [
        "2",
        "$200",
        "1",
        "$100",
        "$60",
        "$75",
        "1",
        "$100",
        "1",
        "$100",
        "$60",
        "$75",
    ]
    assert "expected" not in panels.tiles(counted(verdict(1, "rework"), name="b.jsonl"))


def test_a_denial_is_foreseen_once_a_claim_and_mended_once_its_newest_verdict_is_billing(counted: Counted) -> None:
    """A replacement (frequency 7) is the claim mended; several reasons, and several verdicts, are one claim."""
    held = {"rule.block": ["UNT001", "DUP001"], "rule.denials": ["CO-151", "OA-18"]}
    mended, waiting = {"claim.claim_id": "PCN-1"}, {"claim.claim_id": "PCN-2"}
    found = counted(
        verdict(1, "rework", **mended, **held), verdict(2, "rework", **mended, **held),
        verdict(3, "billing", **mended, **{"claim.frequency_code": "7"}), verdict(4, "rework", **waiting, **held),
        verdict(5, "rework", **{"claim.claim_id": "PCN-3", "rule.block": ["CLM001"]}),
    )  # fmt: skip
    (row,) = found.foreseen
    assert (row["claims"], row["cents"], row["mended"], row["mended_cents"]) == (2, 20_000, 1, 10_000)


def test_what_is_no_audit_line_is_passed_over_and_counted(counted: Counted) -> None:
    tender = {"@timestamp": "2026-10-01T08:00:00Z", "event.action": "queue.books", "queue.balance": 0}
    found = counted(verdict(1), b"worker: Warm shutdown (MainProcess)\n", tender, b'{"event.action": "claim.scr')
    assert (found.whole["decisions"], found.lines["lines"], found.lines["passed_over"]) == (1, 4, 3)


@pytest.mark.parametrize("entry", ["18446744073709551615-0", "9223372036854775807-1", "253402300800000-0", "9" * 40])
def test_an_entry_of_no_possible_time_stops_no_report(counted: Counted, entry: str) -> None:
    assert counted(verdict(1), verdict(2, **{"queue.entry": entry})).whole["decisions"] == 2


@pytest.mark.parametrize("name", ["a[1]*?.jsonl", "audit.jsonl.gz", "audit'.jsonl"])
def test_files_are_read_by_their_very_name_packed_or_not(counted: Counted, name: str) -> None:
    assert counted(verdict(1), name=name).whole["decisions"] == 1


@pytest.mark.parametrize("given", [(), ({"event.action": "audit.opened"},), (b"\n",)])
def test_a_log_without_a_decision_is_refused(counted: Counted, given: Any) -> None:
    with pytest.raises(ReportEmpty, match="There is no decision in audit.jsonl"):
        counted(*given)


@pytest.mark.parametrize("missing", ["duckdb", "vl_convert"])
def test_without_the_extra_a_sentence_says_how_to_get_it(tmp_path: Path, missing: str) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_text(json.dumps(verdict(1)))
    code = f"import sys; sys.modules[{missing!r}] = None; from worker.cli import main; main()"
    command = [sys.executable, "-c", code, "report", str(file), "-o", str(tmp_path / "r.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "claim-scrubber[report]" in done.stderr
    assert not list(tmp_path.glob("*.html"))


@pytest.mark.slow
@pytest.mark.parametrize(("part", "number"), list(enumerate([signal.SIGINT, signal.SIGTERM, signal.SIGINT])))
def test_a_signal_at_any_moment_ends_it_soon_and_leaves_nothing(tmp_path: Path, number: int, part: int) -> None:
    raw = b"".join(json.dumps(line).encode() + b"\n" for line in lines(500))
    (tmp_path / "audit.jsonl").write_bytes(raw * 100)
    (tmp_path / "tmp").mkdir()
    command = [
        str(Path(sys.executable).with_name("scrub")),
        "report",
        str(tmp_path / "audit.jsonl"),
        "-o",
        str(tmp_path / "r.html"),
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True) as process:
        time.sleep(0.6 + part + random.random())
        process.send_signal(number)
        began = time.monotonic()
        _, err = process.communicate(timeout=30)
    assert b"Traceback" not in err, err
    assert process.returncode in (0, 128 + number, -number)
    assert time.monotonic() - began < 10
    assert not list((tmp_path / "tmp").iterdir())
    assert {file.name for file in tmp_path.iterdir()} <= {"audit.jsonl", "tmp", "r.html"}
