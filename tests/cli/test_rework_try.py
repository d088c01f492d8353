"""`scrub rework try` and `scrub check --try`: changes are judged and told, and nothing is sent or changed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from rules.engine.patch import patched
from worker.desk.casestore import CaseStore
from worker.store.connections import Store

from .conftest import CLEAN, FAULTY, Run, example
from .test_check_held import Write
from .test_rework import Decide, consumer, decide, listed

__all__ = ("consumer", "decide")
UNITS = example("three units in a hospital")


def test_a_suggestion_is_shown_tried_and_copied_and_nothing_is_sent(
    scrub: Run, decide: Decide, store: Store, home: Path
) -> None:
    decide(FAULTY | {"claim_id": "PCN-1"})
    (case,) = listed(scrub)
    handle = case["handle"]
    before = store.redis.info("stats")["total_commands_processed"], store.redis.xlen(store.keys.outlet("rework"))
    shown = scrub("rework", "show", handle)
    assert "try 1a" in shown.stdout
    assert "confirm: The guidance was for this block" in " ".join(shown.stdout.split())
    assert f"`scrub rework try {handle}` judges the claim with it, and sends nothing." in shown.stdout

    tried = scrub("rework", "try", handle)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "nothing was sent, and nothing was changed" in tried.stdout
    assert "With this change the claim would go to billing." in tried.stdout
    assert "Make the same change in your billing system" in tried.stdout
    assert store.redis.xlen(store.keys.outlet("rework")) == before[1]
    assert store.redis.xlen(store.keys.outlet("billing")) == 0
    assert listed(scrub) == [case]

    part = scrub("rework", "try", "PCN-1", "--fix", "1")
    assert part.returncode == 1
    assert "Not applied: with this change" in part.stdout
    assert "still holds the claim" in part.stdout

    patch = json.loads(scrub("rework", "try", handle, "--format", "json").stdout)
    assert patch["disposition"] == "billing"
    assert (patch["still_holding"], patch["newly_holding"]) == ([], [])
    mended = patched(FAULTY | {"claim_id": "PCN-2"}, patch["patch"])
    decide(mended)
    assert store.redis.xlen(store.keys.outlet("billing")) == 1, "what was copied is what was tried"

    table = list(csv.DictReader(io.StringIO(scrub("rework", "try", handle, "--format", "csv").stdout)))
    assert {row["class"] for row in table} == {"decision", "follows"}
    assert [row["becomes"] for row in table if row["place"] == "/total_charge"] == ["$450.00"]


def test_what_nobody_suggests_and_what_is_unknown_is_said(scrub: Run, decide: Decide) -> None:
    decide(UNITS | {"claim_id": "PCN-1", "lines": [UNITS["lines"][0] | {"units": None}]})
    (case,) = listed(scrub)
    assert "Nothing is suggested" in scrub("rework", "show", case["handle"]).stdout
    none = scrub("rework", "try", case["handle"])
    assert (none.returncode, "Nothing is suggested for claim PCN-1" in none.stdout) == (1, True)
    decide(UNITS | {"claim_id": "PCN-2"})
    wrong = scrub("rework", "try", "PCN-2", "--fix", "7")
    assert (wrong.returncode, "no suggestion 7a for this claim. Expected one of 1a, 1b" in wrong.stderr) == (2, True)
    both = scrub("rework", "try", "PCN-2", "--fix", "1a", "--fix", "1b")
    assert (both.returncode, "ways out of one and the same finding" in both.stderr) == (2, True)


def test_what_is_gone_is_said(scrub: Run, decide: Decide, store: Store) -> None:
    decide(UNITS | {"claim_id": "PCN-1"})
    (case,) = listed(scrub)
    cases = CaseStore(store.settings.case_store_url)
    with cases.session() as session:
        session._connection.exec_driver_sql("UPDATE decisions SET content = NULL")
    still = scrub("rework", "try", case["handle"])
    assert still.returncode == 0, "of the outlet entry"
    store.redis.delete(store.keys.outlet("rework"))
    gone = scrub("rework", "try", case["handle"])
    assert (gone.returncode, "What claim PCN-1 said is gone" in gone.stderr) == (2, True)
    cases.close()


def test_check_tries_what_it_suggests(scrub: Run, write: Write) -> None:
    nothing = example("no units")
    text = scrub("check", "--try", str(write("n.ndjson", nothing)))
    assert (text.returncode, "Nothing is suggested" in text.stdout) == (1, True)
    file = str(write("c.ndjson", FAULTY, CLEAN))
    text = scrub("check", "--try", file)
    assert text.returncode == 1
    assert text.stdout.count("With this change the claim would go to billing.") == 1
    told = scrub("check", "--format", "json", "--try", file)
    assert told.returncode == 1
    held, clean = map(json.loads, told.stdout.splitlines())
    assert held["tried"]["disposition"] == "billing"
    schema = json.loads((Path(__file__).parents[2] / "ops/schema/report.json").read_text())
    Draft202012Validator(schema).validate(held)
    assert {"suggestions", "tried"} <= set(schema["properties"])
    assert {one["class"] for one in held["suggestions"]} == {"decision", "follows"}
    assert not {"suggestions", "tried"} & set(clean)
    assert held["findings"][0]["patch"] == []
    refused = scrub("check", "--try", "--format", "x12", file)
    assert (refused.returncode, "--try go with text and json" in refused.stderr) == (2, True)


def test_a_member_id_that_is_only_written_otherwise_is_repaired_without_being_told(scrub: Run, write: Write) -> None:
    dashed: dict[str, Any] = CLEAN | {"subscriber": {"member_id": "1EG4-TE5-MK73"}}
    file = str(write("c.ndjson", dashed))
    for arguments in (["check", file], ["check", "--format", "json", file]):
        done = scrub(*arguments)
        assert (done.returncode, "MK73" in done.stdout) == (1, False)
        if "json" not in arguments:
            assert "member id is written otherwise" in done.stdout
