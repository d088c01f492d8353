"""`scrub tables`: import, list, undo, as a user runs them, and what they do to a verdict."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tables.official import Row, coverage_zip, order_text, quarter, units_text

from .conftest import CLEAN, SCRUB, Run, environment

PAIRS: list[Row] = [("20553", "64445", "20170101", "*", "1"), ("0200T", "64445", "20170101", "*", "0"), ("64445", "20550", "20060101", "*", "1")]  # fmt: skip
CODES = [("M79", "0"), ("M796", "0"), ("M7960", "0"), ("M79604", "1"), ("U099", "1")]
Write = Callable[..., Path]


def claim(**changes: Any) -> dict[str, Any]:
    """A clean Medicare claim from New York, with changes."""
    payer = {"id": "13202", "filing_indicator": "MB", "responsibility": "P"}
    member = {"member_id": "1EG4TE5MK73", "group_number": None}
    billing = {**CLEAN["billing_provider"], "state": "NY"}
    return {**CLEAN, "payer": payer, "subscriber": member, "billing_provider": billing, **changes}


def checked(scrub: Run, file: Path) -> dict[str, Any]:
    done = scrub("check", "--format", "json", file)
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def blocks(report: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in report["findings"] if finding["severity"] == "block"]


def listed(scrub: Run) -> list[dict[str, Any]]:
    lines = scrub("tables", "list", "--format", "json").stdout.splitlines()
    return [entry for entry in map(json.loads, lines) if entry["imported"]]


def two_lines(code: str) -> dict[str, Any]:
    line = CLEAN["lines"][0]
    other = {**line, "number": 2, "procedure": code, "modifiers": ["RT"]}
    return claim(lines=[line, other], total_charge=str(2 * float(line["charge"])))


def test_pairs_are_imported_judge_and_are_undone(scrub: Run, home: Path, write: Write) -> None:
    file = write("c.json", two_lines("0200T"))
    before = checked(scrub, file)
    assert "BND002" not in blocks(before)
    done = scrub("tables", "import", *quarter(home, PAIRS))
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "practitioner services, 2026 Q3, v322r0; 7 rows kept, the whole table; dates of service from 2026-07-01"
        in done.stdout
    )
    assert "Where a book is in force" in done.stdout
    (entry,) = listed(scrub)
    assert [item["name"] for item in entry["files"]] == [f"ccipra-v322r0-f{part}.zip" for part in range(1, 5)]
    assert all(item["sha256"] in scrub("tables", "list").stdout for item in entry["files"])
    after = checked(scrub, file)
    assert "BND002" in blocks(after)
    assert {edition["edition"] for edition in after["editions"] if edition["table"] == "ncci_ptp"} == {
        "2026 Q3, v322r0"
    }
    assert after["book"]["digest"] != before["book"]["digest"]
    assert scrub("tables", "undo", entry["id"]).returncode == 0
    assert (listed(scrub), checked(scrub, file)) == ([], before)


@pytest.mark.slow
def test_the_same_import_again_gives_the_same_book(scrub: Run, home: Path, write: Write) -> None:
    file, parts = write("c.json", claim()), quarter(home, PAIRS)
    assert scrub("tables", "import", *parts).returncode == 0
    (entry,) = listed(scrub)
    report = checked(scrub, file)
    assert "there already" in scrub("tables", "import", *parts).stdout
    assert scrub("tables", "undo", entry["id"]).returncode == 0
    assert scrub("tables", "import", *reversed(parts)).returncode == 0
    assert checked(scrub, file) == report


def test_an_import_of_which_one_file_is_refused_changes_nothing(scrub: Run, home: Path) -> None:
    order = home / "icd10cm_order_2027.txt"
    order.write_bytes(order_text(CODES[:3]))
    done = scrub("tables", "import", order, *quarter(home, PAIRS))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "Nothing was imported:",
        f"{order}:3: ends at M7960, before the last chapter: the file is cut short",
    ]
    assert listed(scrub) == []
    assert not list((home / "state").rglob("*.json"))


def test_headers_of_an_order_file_are_no_complete_diagnoses(scrub: Run, home: Path, write: Write) -> None:
    order = home / "icd10cm_order_2027.txt"
    order.write_bytes(order_text(CODES))
    line = {**CLEAN["lines"][0], "service_date": "2026-10-01"}
    file = write("c.json", claim(diagnoses=["M79.60"], lines=[line]))
    assert "DXN002" not in blocks(checked(scrub, file))
    assert scrub("tables", "import", order).returncode == 0
    report = checked(scrub, file)
    assert "DXN002" in blocks(report)
    (cited,) = [finding["citation"] for finding in report["findings"] if finding["code"] == "DXN002"]
    assert cited["edition"] == "FY 2027"


def test_a_diagnosis_off_the_contractors_list_is_held_and_another_state_is_not(
    scrub: Run, home: Path, write: Write
) -> None:
    assert scrub("tables", "import", coverage_zip(home / "current_article.zip")).returncode == 0
    off, texas = claim(diagnoses=["M54.32"]), {**CLEAN["billing_provider"], "state": "TX"}
    report = checked(scrub, write("c.json", off))
    (finding,) = [entry for entry in report["findings"] if entry["code"] == "COV006"]
    assert (finding["severity"], "A57452" in finding["message"]) == ("block", True)
    assert "COV006" not in blocks(checked(scrub, write("d.json", claim(diagnoses=["M54.31"]))))
    assert "COV006" not in blocks(checked(scrub, write("e.json", {**off, "billing_provider": texas})))


def test_medically_unlikely_edits_of_drugs_are_taken_from_the_import(scrub: Run, home: Path, write: Write) -> None:
    (home / "MCR_MUE_PractitionerServices_Eff_07-01-2026.csv").write_bytes(
        units_text([("64445", "1", "3"), ("J1234", "3", "3"), ("J1235", "3", "1")])
    )
    assert scrub("tables", "import", home / "MCR_MUE_PractitionerServices_Eff_07-01-2026.csv").returncode == 0
    line = CLEAN["lines"][0]
    drugs = [
        {**line, "number": number, "procedure": code, "modifiers": [], "units": 2}
        for number, code in enumerate(("J1234", "J1234", "J1235", "J1235"), 2)
    ]
    report = checked(scrub, write("c.json", claim(lines=[line, *drugs], total_charge=str(5 * float(line["charge"])))))
    every = [one for finding in report["findings"] for one in (finding, *finding["because"])]
    (finding,) = [entry for entry in every if entry["code"] == "DRG005"]
    assert "J1234: 4 units, limit 3" in finding["message"]
    assert "J1235" not in finding["message"], "an edit of the line is held against each line"


def test_undo_of_an_unknown_edition_is_bad_usage(scrub: Run) -> None:
    done = scrub("tables", "undo", "mue")
    assert done.returncode == 2
    assert "There is no imported edition 'mue'" in done.stderr


@pytest.mark.slow
def test_a_broken_edition_stops_with_its_name_and_the_way_out(scrub: Run, home: Path, write: Write) -> None:
    assert scrub("tables", "import", *quarter(home, PAIRS)).returncode == 0
    (entry,) = listed(scrub)
    file = home / "state" / "tables" / f"{entry['id']}.json"
    file.write_bytes(file.read_bytes()[:100])
    for command in (
        ["check", write("c.json", claim())],
        ["tables", "list"],
        ["tables", "import", *quarter(home, PAIRS)],
    ):
        done = scrub(*command)
        assert done.returncode == 2
        assert f"imported/{entry['id']}.json:1:1: is no imported edition" in done.stderr
    assert scrub("tables", "undo", entry["id"]).returncode == 0
    assert scrub("check", write("c.json", claim())).returncode == 0


@pytest.mark.parametrize("command", ["tables", "tables import", "tables list", "tables undo"])
def test_every_command_explains_itself(scrub: Run, command: str) -> None:
    done = scrub(*command.split(), "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_a_terminal_shows_how_far_the_reading_is_and_a_pipe_does_not(scrub: Run, home: Path) -> None:
    many: list[Row] = [(f"{code:05}", "64450", "20170101", "*", "1") for code in range(20_000, 60_000)]
    files = quarter(home, [*PAIRS, *many])
    main, other = pty.openpty()
    with subprocess.Popen(
        [*SCRUB, "tables", "import", *map(str, files)], stdout=subprocess.PIPE, stderr=other,
        env={**environment(home), "TERM": "xterm"}, cwd=home,
    ) as process:  # fmt: skip
        os.close(other)
        shown = b""
        try:
            while chunk := os.read(main, 4096):
                shown += chunk
        except OSError:  # the other side was closed
            pass
        assert process.stdout is not None
        said = process.stdout.read()
    os.close(main)
    assert b"reading" in shown
    assert b"reading" not in said
    assert said.startswith(b"imported: ")
