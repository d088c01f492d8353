"""`scrub check --split DIR` as a user runs it.

What users ask of scrubbers that take an 837: the clean claims as an 837 again (LibreHealthIO/lh-ehr#1023), and no number
that was used before (openemr/openemr#6900).
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.exits.splitting import cut, read_back
from tests.exits.test_split import of

from .conftest import CLEAN, SCRUB, Run, environment

FAULT = b"SV1*HC:64445:RT*450*UN*2***1"


def march(home: Path, name: str = "march.837") -> Path:
    """A clean claim, one of two units, and one that cannot be read."""
    raw = of((["A-1"], []), (["A-2"], []), (["A-3"], []))
    _, second, third = cut(raw)
    raw = raw.replace(second, second.replace(b"SV1*HC:64445:RT*450*UN*1***1", FAULT))
    raw = raw.replace(third, third.replace(b"*450***11", b"*4A0***11", 1))
    (home / name).write_bytes(raw)
    return home / name


def test_an_837_becomes_trial_files_and_a_line_says_where(scrub: Run, home: Path) -> None:
    done = scrub("check", "--received", "2026-10-20", "--split", "out", march(home))
    assert done.returncode == 2, "a claim could not be read"
    assert sorted(path.name for path in (home / "out").iterdir()) == [
        "march.trial.answer.x12", "march.trial.clean.837", "march.trial.held.837", "march.trial.manifest.json",
        "march.trial.reports.ndjson",
    ]  # fmt: skip
    assert done.stdout.splitlines()[-2] == (
        "march.837: 1 clean, 1 held, 1 refused -> out/march.trial.manifest.json (trial, and why)"
    )
    assert [one.claim.claim_id for one in read_back((home / "out/march.trial.clean.837").read_bytes())] == ["A-1"]
    assert FAULT in (home / "out/march.trial.held.837").read_bytes()
    manifest = json.loads((home / "out/march.trial.manifest.json").read_bytes())
    rows = {row["claim_id"]: row for row in manifest["claims"]}
    assert [(name, row["kind"], row["codes"]) for name, row in rows.items()] == [
        ("A-1", "clean", []), ("A-2", "held", ["UNT001", "UNT002"]), ("A-3", "refused", []),
    ]  # fmt: skip
    assert "CLM02" in rows["A-3"]["why"]


def test_the_reports_are_those_of_format_json_and_the_answer_that_of_format_x12(scrub: Run, home: Path) -> None:
    file = march(home)
    split = scrub("check", "--received", "2026-10-20", "--split", "out", "--format", "json", file)
    plain = scrub("check", "--received", "2026-10-20", "--format", "json", file)
    answer = scrub("check", "--received", "2026-10-20", "--format", "x12", file)
    assert {split.returncode, plain.returncode, answer.returncode} == {2}
    assert split.stdout == plain.stdout
    shown = [json.loads(line) for line in plain.stdout.splitlines()]
    written = [json.loads(line) for line in (home / "out/march.trial.reports.ndjson").read_text().splitlines()]
    assert written == [{name: one[name] for name in one if name not in ("expected", "suggestions")} for one in shown]
    assert "march.trial.manifest.json (trial, and why)" in split.stderr

    def without_numbers(text: str) -> list[str]:
        """Times and control numbers are of the moment, and the usage is that of a trial."""
        kept = (line for line in text.splitlines() if not line.startswith(("ISA", "GS", "GE", "IEA", "BHT")))
        return [line.rpartition("*")[0] if line.startswith("DTP") else line for line in kept]

    assert without_numbers((home / "out/march.trial.answer.x12").read_text()) == without_numbers(answer.stdout)


def test_a_second_run_writes_over_nothing_and_checks_all_the_same(scrub: Run, home: Path) -> None:
    file = march(home)
    assert scrub("check", "--split", "out", file).returncode == 2
    before = {path.name: path.read_bytes() for path in (home / "out").iterdir()}
    done = scrub("check", "--split", "out", file)
    assert done.returncode == 2
    assert (
        "march.837 is not split: march.trial.clean.837 is in out already, and is not written over; move it away"
        in done.stderr
    )
    assert done.stdout.splitlines()[-2] == "1 file not split"
    assert "A-2  Medicare" in done.stdout
    assert {path.name: path.read_bytes() for path in (home / "out").iterdir()} == before


def test_several_files_each_have_their_own_and_standard_input_is_one(scrub: Run, home: Path) -> None:
    (home / "april.837").write_bytes(of((["B-1"], [])))
    done = scrub("check", "--split", "out", march(home), "april.837", "-", stdin=of((["C-1"], [])))
    assert done.returncode == 2
    names = {path.name.partition(".")[0] for path in (home / "out").iterdir()}
    assert names == {"march", "april", "stdin"}


def test_files_of_one_name_are_not_mixed(scrub: Run, home: Path) -> None:
    for folder, name in (("a", "A-1"), ("b", "B-1")):
        (home / folder).mkdir()
        (home / folder / "march.837").write_bytes(of(([name], [])))
    done = scrub("check", "--split", "out", "a/march.837", "b/march.837")
    assert done.returncode == 2
    assert "is in out already" in done.stderr
    assert [one.claim.claim_id for one in read_back((home / "out/march.trial.clean.837").read_bytes())] == ["A-1"]


def test_claims_of_other_formats_are_checked_and_not_split(scrub: Run, home: Path) -> None:
    (home / "c.json").write_text(json.dumps(CLEAN))
    done = scrub("check", "--split", "out", "c.json")
    assert done.returncode == 2
    assert "c.json: this is no X12 file, and only an 837 is split; nothing of it was written" in done.stderr
    assert "DEMO-0001  Medicare" in done.stdout
    assert not list((home / "out").iterdir())


def test_a_file_that_is_not_there_does_not_keep_the_next_from_being_split(scrub: Run, home: Path) -> None:
    done = scrub("check", "--split", "out", "none.837", march(home))
    assert done.returncode == 2
    assert "none.837: there is no such file" in done.stderr
    assert (home / "out/march.trial.manifest.json").is_file()


def test_a_folder_that_is_a_file_is_refused(scrub: Run, home: Path) -> None:
    (home / "out").write_text("")
    done = scrub("check", "--split", "out", march(home))
    assert done.returncode == 2
    assert "out" in done.stderr


def test_of_a_cut_file_nothing_goes_on_and_the_line_says_so(scrub: Run, home: Path) -> None:
    raw = of((["A-1"], []), (["A-2"], []))
    (home / "cut.837").write_bytes(raw[: raw.index(b"CLM*A-2") + 80])
    done = scrub("check", "--split", "out", "cut.837")
    assert done.returncode == 2
    assert done.stdout.splitlines()[-2] == "cut.837: 2 refused -> out/cut.trial.manifest.json (trial, and why)"
    assert sorted(path.suffix for path in (home / "out").iterdir()) == [".json", ".ndjson", ".x12"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused(scrub: Run, home: Path) -> None:
    (home / "out").mkdir(mode=0o500)
    done = scrub("check", "--split", "out", march(home))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_full_disk_leaves_no_file_with_a_name(home: Path) -> None:
    """A limit on the size of files stands for the disk."""
    march(home).write_bytes(of(([f"A-{number}" for number in range(400)], [])))
    command = f"ulimit -f 40; exec {SCRUB[0]} check --split out march.837 > /dev/null"
    done = subprocess.run(
        ["bash", "-c", command], check=False, cwd=home, env=environment(home), capture_output=True, timeout=60
    )
    assert done.returncode == 2
    assert b"too large" in done.stderr
    assert not [path.name for path in (home / "out").glob("*") if not path.name.startswith(".")]
