"""The end of `scrub check`: money held, what holds most claims, where to start; and `--only`.

Billers ask a scrubber for a list to work, not for a listing of everything: LibreHealthIO/lh-ehr#1023 (what is missing is
to be seen before the batch is made), openemr/openemr#1994 (warnings in the log while the claims can still be mended).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import CLEAN, FAULTY, UNCHECKED, Run

Write = Callable[..., Path]


def claim(claim_id: str, charge: str, *, units: int = 1, side: str = "RT") -> dict[str, Any]:
    line = CLEAN["lines"][0] | {"units": units, "charge": charge, "modifiers": [side]}
    return {**CLEAN, "claim_id": claim_id, "total_charge": charge, "lines": [line, *CLEAN["lines"][1:]]}


def end(text: str) -> list[str]:
    lines = text.splitlines()
    first = next((place for place, line in enumerate(lines) if line.startswith("Held: ")), len(lines) - 1)
    return lines[first:]


def test_the_end_says_how_much_is_held_by_what_and_where_to_start(scrub: Run, write: Write) -> None:
    file = write(
        "c.ndjson", claim("A", "450.00"), claim("B", "300.00", units=2), claim("C", "1200.00", units=3),
        claim("D", "999.00", side="LT"),
    )  # fmt: skip
    done = scrub("check", file)
    assert done.returncode == 1
    held, units, *_ = found = end(done.stdout)
    assert held.startswith(("Held: 2 claims, $1,500.00", "Held: 3 claims, $2,499.00"))
    assert units.split()[:3] == ["2", "claims", "$1,500.00"]
    assert units.endswith("[UNT001, UNT002]")
    (start,) = (line for line in found if line.startswith("Start with: "))
    assert start.endswith(": it alone holds 2 claims, $1,500.00.")
    assert found[-2] == f"Highest charge: C, $1,200.00 ({file}:3)."
    assert found[-1].startswith("4 claims: ")


def test_a_claim_that_two_slips_hold_counts_for_both_and_starts_nothing(scrub: Run, write: Write) -> None:
    both = claim("A", "100.00", units=2) | {"billing_provider": CLEAN["billing_provider"] | {"npi": "1234567890"}}
    done = scrub("check", write("c.ndjson", both, both | {"claim_id": "B"}))
    assert done.returncode == 1
    found = end(done.stdout)
    assert found[0] == "Held: 2 claims, $200.00."
    assert [line.split()[:3] for line in found[1:3]] == [["2", "claims", "$200.00"]] * 2
    assert not [line for line in found if line.startswith("Start with")]


@pytest.mark.parametrize("claims", [[CLEAN, CLEAN], [UNCHECKED, CLEAN], [FAULTY]])
def test_nothing_is_said_where_nothing_is_held_or_of_one_claim(
    scrub: Run, write: Write, claims: list[dict[str, Any]]
) -> None:
    done = scrub("check", write("c.ndjson", *claims))
    assert done.returncode in (0, 1)
    assert "Held: " not in done.stdout
    assert "Highest charge" not in done.stdout


def test_what_is_held_is_the_sum_of_the_lines_where_the_total_is_missing_or_another(scrub: Run, write: Write) -> None:
    bare = {**claim("A", "100.00", units=2), "total_charge": None}
    done = scrub("check", write("c.ndjson", bare, bare | {"claim_id": "B", "total_charge": "7.00"}))
    assert done.returncode == 1
    assert end(done.stdout)[0].startswith("Held: 2 claims, $200.00")


def test_five_causes_are_listed_and_the_others_counted(scrub: Run, write: Write) -> None:
    worst = FAULTY | {
        "billing_provider": {"npi": "1"},
        "diagnoses": ["X"],
        "total_charge": "1.00",
        "place_of_service": "00",
    }
    done = scrub("check", write("c.ndjson", worst, claim("A", "100.00", units=2)))
    assert done.returncode == 1
    found = end(done.stdout)
    causes = [line for line in found if line.split()[1:2] in (["claim"], ["claims"]) and line.startswith(" ")]
    assert len(causes) == 5
    assert any(line.startswith("  and ") and "more cause" in line for line in found)


def test_only_shows_the_claims_of_a_disposition_and_counts_all(scrub: Run, write: Write) -> None:
    file = write(
        "c.ndjson", CLEAN | {"claim_id": "GOOD"}, claim("BAD", "450.00", units=2), UNCHECKED | {"claim_id": "ELSE"}
    )
    for only, shown in (("rework", "BAD"), ("billing", "GOOD"), ("unchecked", "ELSE")):
        done = scrub("check", "--only", only, file)
        assert done.returncode == 1
        heads = [line for line in done.stdout.splitlines() if line.startswith(("GOOD  ", "BAD  ", "ELSE  "))]
        assert [line.split()[0] for line in heads] == [shown]
        assert done.stdout.splitlines()[-1] == "3 claims: 1 billing, 1 rework, 1 unchecked"
    done = scrub("check", "--only", "rework", "--format", "json", file)
    assert done.returncode == 1
    (report,) = map(json.loads, done.stdout.splitlines())
    assert (report["claim_id"], report["disposition"]) == ("BAD", "rework")


def test_only_and_split_go_with_no_answer_to_the_sender(scrub: Run, write: Write) -> None:
    for more in (["--only", "rework"], ["--split", "out"]):
        done = scrub("check", "--format", "x12", *more, write("c.ndjson", CLEAN))
        assert done.returncode == 2
        assert "--only, --split and --try go with text and json" in " ".join(done.stderr.replace("│", " ").split())


def test_only_takes_a_disposition_alone(scrub: Run, write: Write) -> None:
    done = scrub("check", "--only", "held", write("c.ndjson", CLEAN))
    assert done.returncode == 2
    assert "rework" in done.stderr


def test_claims_that_are_held_for_what_was_not_looked_at_say_so(scrub: Run, write: Write) -> None:
    done = scrub("check", write("c.ndjson", CLEAN, CLEAN | {"claim_id": "B"}), SCRUB_GAPS="rework")
    assert done.returncode == 1
    found = end(done.stdout)
    assert found[0].startswith("Held: 2 claims, ")
    assert found[1].endswith("A table that a rule asked was not looked at")
    assert found[-1] == "2 claims: 2 rework"
