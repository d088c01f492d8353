"""`scrub rework` as a biller uses it: the list, a case, acts on it, and what becomes of it when the claim comes again.

What billers ask of a work list: only what is to be done, by money and deadline, and to whom it belongs
(masslight/ottehr#9313, openemr/openemr#7251).
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from worker import bootstrap
from worker.desk.cases import Act
from worker.desk.casestore import CaseStore, WrittenAct
from worker.pipeline.consumer import InboxConsumer
from worker.pipeline.notification import Notifier
from worker.store.connections import Store

from .conftest import CLEAN, FAULTY, Run
from .test_check_held import Write

Decide = Callable[..., None]
TODAY = datetime.now().astimezone().date()


@pytest.fixture
def consumer(store: Store) -> Iterator[InboxConsumer]:
    found = bootstrap.inbox_consumer(store, Notifier(store.redis, store.keys, gate_ms=1, send=lambda: None))
    yield found
    found.audit.close()


@pytest.fixture
def decide(scrub: Run, write: Write, consumer: InboxConsumer) -> Decide:
    def decide(*claims: dict[str, Any]) -> None:
        assert scrub("submit", write("c.ndjson", *claims)).returncode == 0
        consumer.run()

    return decide


def dated(claim: dict[str, Any], days: int, **more: Any) -> dict[str, Any]:
    """A Medicare claim that may be filed for so many days from today."""
    served = (TODAY.replace(year=TODAY.year - 1) + timedelta(days=days)).isoformat()
    lines = [{**line, "service_date": served} for line in claim["lines"]]
    return {**claim, "lines": lines, "received_date": None, **more}


def listed(scrub: Run, *more: str) -> list[dict[str, Any]]:
    done = scrub("rework", "list", *more, "--format", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == (1 if found else 0)
    return found


def test_a_held_claim_has_a_life_after_it_was_printed(scrub: Run, decide: Decide, home: Path) -> None:
    empty = scrub("rework", "list")
    assert (empty.returncode, empty.stdout) == (0, "No case.\n")
    decide(FAULTY | {"claim_id": "PCN-1"})
    (case,) = listed(scrub)
    handle = case["handle"]
    assert (case["state"], case["claim_id"], case["charge_cents"]) == ("open", "PCN-1", 66000)
    text = scrub("rework", "list")
    assert text.returncode == 1
    assert handle in text.stdout
    assert "1 case, $660.00" in text.stdout

    until = (TODAY + timedelta(days=3)).isoformat()
    note = "record asked for on Monday"
    for arguments, said in (
        (["assign", handle, " me "], f"{handle} (PCN-1), assigned, version 3: open, owner "),
        (["pend", handle, until, "--note", "-"], f"{handle} (PCN-1), pended, version 5: pended until {until}"),
        (["note", "PCN-1", "second call"], f"{handle} (PCN-1), note written, version 7: pended"),
    ):
        done = scrub("rework", *arguments, stdin=note.encode())
        assert (done.returncode, done.stdout.startswith(said)) == (0, True), done.stdout + done.stderr
    assert listed(scrub) == []
    assert scrub("rework", "list").stdout == "No case.\n1 pended, not shown (--state held)\n"
    assert [one["handle"] for one in listed(scrub, "--state", "held")] == [handle]
    shown = scrub("rework", "show", handle)
    assert shown.returncode == 0
    for part in ("PCN-1", "pended until", "UNT001", "fix:", note, "second call", "assigned to"):
        assert part in shown.stdout

    decide(CLEAN | {"claim_id": "PCN-1"})
    assert [one["state"] for one in listed(scrub, "--state", "all")] == ["mended"]
    late = scrub("rework", "close", handle, "--as", "paid")
    assert late.returncode == 2
    assert f"Case {handle}: close is not possible: it is mended" in late.stderr
    decide(FAULTY | {"claim_id": "PCN-1", "total_charge": "661.00"})
    assert [one["state"] for one in listed(scrub)] == ["open"]
    assert scrub("rework", "close", handle, "--as", "without_billing").returncode == 0
    assert [one["closed_reason"] for one in listed(scrub, "--state", "closed")] == ["without_billing"]
    assert scrub("rework", "reopen", handle).returncode == 0

    logs = b"".join(file.read_bytes() for file in (home / "state/audit").iterdir())
    assert note.encode() not in logs
    assert logs.count(b'"event.action":"case.') == 5
    verified = scrub("audit", "verify")
    assert verified.returncode == 0, verified.stdout
    followed = scrub("claim", "PCN-1")
    assert followed.returncode == 0


def test_the_list_is_in_groups_by_the_last_day_with_the_highest_charge_first(scrub: Run, decide: Decide) -> None:
    decide(
        dated(FAULTY, 4, claim_id="SOON", total_charge="100.00"), dated(FAULTY, 200, claim_id="LATER"),
        dated(FAULTY, -9, claim_id="PAST"), dated(FAULTY, 20, claim_id="MONTH"),
        dated(FAULTY, 5, claim_id="SOON-MORE") | {"lines": [{**dated(FAULTY, 5)["lines"][0], "charge": "9000.00"}]},
    )  # fmt: skip
    assert [one["claim_id"] for one in listed(scrub)] == ["PAST", "SOON-MORE", "SOON", "MONTH", "LATER"]
    assert listed(scrub, "--sort", "charge")[0]["claim_id"] == "SOON-MORE"
    assert {one["claim_id"] for one in listed(scrub, "--due", "7")} == {"PAST", "SOON", "SOON-MORE"}
    table = scrub("rework", "list")
    assert table.returncode == 1
    heads = [line for line in table.stdout.splitlines() if line and not line.startswith(" ")]
    assert table.stdout.startswith("  case        last day to file")
    assert heads[:-1] == ["Past the last day to file", "7 days and less", "30 days and less", "Later"]


def test_it_is_narrowed_by_payer_code_and_owner(scrub: Run, decide: Decide) -> None:
    decide(FAULTY | {"claim_id": "A"}, CLEAN | {"claim_id": "B", "diagnoses": ["XX"]})
    first = next(one for one in listed(scrub) if one["claim_id"] == "A")
    assert scrub("rework", "assign", first["handle"], "dana").returncode == 0
    for arguments, expected in (
        (["--payer", "MEDIC"], {"A", "B"}), (["--payer", "Aetna"], set()), (["--code", "unt001"], {"A"}),
        (["--payer", "Medicare Part A"], {"A", "B"}), (["--code", "FRQ001"], set()),
        (["--owner", "dana"], {"A"}), (["--owner", "nobody"], {"B"}),
    ):  # fmt: skip
        assert {one["claim_id"] for one in listed(scrub, *arguments)} == expected


def test_the_table_for_a_spreadsheet_has_no_formula(scrub: Run, decide: Decide) -> None:
    payer = {**FAULTY["payer"], "name": "=HYPERLINK(1)"}
    decide(FAULTY | {"claim_id": "+1-A", "payer": payer})
    done = scrub("rework", "list", "--format", "csv")
    assert done.returncode == 1
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["claim"], row["payer"], row["charge"]) == ("'+1-A", "'=HYPERLINK(1)", "660.00")


def test_two_people_on_one_case_are_told(scrub: Run, decide: Decide) -> None:
    decide(FAULTY | {"claim_id": "A"})
    (case,) = listed(scrub)
    seen = str(case["version"])
    assert scrub("rework", "assign", "A", "dana", "--seen", seen).returncode == 0
    done = scrub("rework", "assign", "A", "lee", "--seen", seen)
    assert done.returncode == 2
    assert "was changed by somebody else since you looked" in done.stderr
    assert [one["owner"] for one in listed(scrub)] == ["dana"]


def test_an_act_that_broke_off_before_its_audit_line_is_told_with_who_began_it(
    scrub: Run, decide: Decide, store: Store
) -> None:
    decide(FAULTY | {"claim_id": "A"})
    (case,) = listed(scrub)
    cases = CaseStore(store.settings.case_store_url)
    with cases.session() as session:
        about = Act(kind="close", moment="2026-01-05T10:00:00Z", account="dana", reason="paid")
        session.add_act(WrittenAct(id="1", handle=case["handle"], act=about, text="x"))
    cases.close()
    first, second = scrub("rework", "list"), scrub("rework", "list")
    assert (first.returncode, second.returncode) == (1, 1)
    assert f"case {case['handle']}: dana began to close it on 2026-01-05, and it broke off" in first.stderr
    assert "broke off" not in second.stderr, "it never happened, and is told once it is old"
    assert [one["state"] for one in listed(scrub)] == ["open"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "nothing"], "There is no case nothing"),
        (["pend", "A", "2020-01-01"], "expected a day after today"),
        (["pend", "A", "soon"], "is no date"),
        (["show", ""], "expected a handle or a claim number"),
        (["note", "A", " "], "expected a text"),
        (["list", "--payer", "nosuch"], "no payer begins so: 'nosuch'; known are "),
        (["list", "--code", "UNT0001"], "the book has no rule 'UNT0001'"),
    ],
)
def test_what_cannot_be_done_says_why(scrub: Run, decide: Decide, arguments: list[str], sentence: str) -> None:
    decide(FAULTY | {"claim_id": "A"})
    done = scrub("rework", *arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.replace("│", " ").split())


def test_a_store_that_cannot_be_used_is_named_and_workers_decide_on(
    scrub: Run, decide: Decide, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database" * 99)
    decide(FAULTY | {"claim_id": "A"})
    done = scrub("rework", "list", SCRUB_CASE_STORE=f"sqlite:///{tmp_path}/x.db")
    assert done.returncode == 2
    assert "file is not a database. Workers decide on without it, and no claim is lost" in done.stderr
    assert store.redis.xlen(store.keys.outlet("rework")) == 1
    bad = scrub("rework", "list", SCRUB_CASE_STORE="mysql://x")
    assert bad.returncode == 2
    assert "expected sqlite:///FILE or postgresql" in bad.stderr


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "sys.argv = ['scrub', 'rework', 'list']\nfrom worker.cli import main\nsys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "pip install 'claim-scrubber[desk]'" in done.stderr
