"""`scrub rework purge`, `preserve`, `rebuild`, and what `scrub claim` and `scrub doctor` say of cases, as people see it."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from .conftest import CLEAN, FAULTY, Run
from .test_rework import Decide, consumer, decide, listed  # noqa: F401 - fixtures

pytestmark = pytest.mark.usefixtures("store")


def aged(home: Path, days: int = 40) -> None:
    """As if all that is in the store had happened so many days sooner."""
    moment = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    with sqlite3.connect(home / "state/desk/cases.db") as database:
        database.execute("UPDATE cases SET moment = ?", (moment,))
        database.execute("UPDATE acts SET moment = ?", (moment,))
    database.close()


def diagnoses(scrub: Run, **env: str) -> list[dict[str, Any]]:
    done = scrub("doctor", "--format", "json", **env)
    assert done.returncode == 1, "no worker is alive"
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [one for one in found if one["about"] == "case store"]


def test_old_cases_are_purged_after_a_look_and_the_claim_says_so(scrub: Run, decide: Decide, home: Path) -> None:  # noqa: F811
    decide(FAULTY | {"claim_id": "PCN-1"}, FAULTY | {"claim_id": "PCN-2"}, FAULTY | {"claim_id": "PCN-3"})
    for number in ("PCN-1", "PCN-2"):
        assert scrub("rework", "close", number, "--as", "paid", "--note", "CANARY").returncode == 0
    assert "preserved" in scrub("rework", "preserve", "PCN-2", "--note", "counsel").stdout
    aged(home)
    neither = scrub("rework", "purge")
    assert neither.returncode == 2
    assert "expected it here or in SCRUB_CASE_RETENTION" in neither.stderr
    told = scrub("rework", "purge", SCRUB_CASE_RETENTION="30")
    assert told.returncode == 0
    assert "1 case would go" in told.stdout
    assert "1 as old stay, since they are preserved" in told.stdout
    assert len(listed(scrub, "--state", "all")) == 3
    (poor,) = [one for one in diagnoses(scrub, SCRUB_CASE_RETENTION="30") if one["level"] == "poor"]
    assert "1 cases are kept for longer" in poor["sentence"]
    done = scrub("rework", "purge", "--days", "30", "--reason", "policy 12")
    assert "1 case purged, each on the audit log." in done.stdout
    assert {one["claim_id"] for one in listed(scrub, "--state", "all")} == {"PCN-2", "PCN-3"}
    said = scrub("claim", "PCN-1")
    assert said.returncode == 0
    assert "its case was purged: claim, notes and reasons are gone from the case store" in said.stdout
    assert "policy 12" in said.stdout
    assert "CANARY" not in said.stdout
    gone = scrub("rework", "show", "PCN-1")
    assert gone.returncode == 2
    assert "of one that was purged `scrub claim` shows what the audit log has" in gone.stderr.replace("\n", " ")


@pytest.mark.parametrize("days", ["29", "0", "-1", "x"])
def test_nothing_younger_than_thirty_days_is_purged_by_a_slip(scrub: Run, days: str) -> None:
    assert scrub("rework", "purge", "--days", days, "--reason", "why").returncode == 2


def test_a_claim_shows_its_case_and_what_people_did(scrub: Run, decide: Decide) -> None:  # noqa: F811
    decide(FAULTY | {"claim_id": "PCN-1"})
    assert "case " not in scrub("claim", "PCN-1").stdout, "no store is made to look"
    scrub("rework", "assign", "PCN-1", "dana", "--note", "CANARY")
    (case,) = listed(scrub)
    said = scrub("claim", "PCN-1").stdout
    assert f"case {case['handle']}: open; owner dana; last day to file 20" in said
    assert "assigned to dana; " in said
    assert f"`scrub rework show {case['handle']}` has its case." in " ".join(said.split())
    assert "CANARY" not in said
    found = json.loads(scrub("claim", "PCN-1", "--format", "json").stdout)
    assert [one["owner"] for one in found["cases"]] == ["dana"]
    offline = scrub("claim", "PCN-1", "--offline").stdout
    assert case["handle"] not in offline
    assert "assigned to dana; " in offline
    decide(CLEAN | {"claim_id": "PCN-1"})
    assert "not brought up to the last decision yet" in " ".join(scrub("claim", "PCN-1").stdout.split())


def test_a_store_that_is_lost_is_said_to_be_new_and_is_made_again(scrub: Run, decide: Decide, home: Path) -> None:  # noqa: F811
    assert [one["level"] for one in diagnoses(scrub)] == ["well"]
    decide(FAULTY | {"claim_id": "PCN-1"}, FAULTY | {"claim_id": "PCN-2"})
    scrub("rework", "assign", "PCN-1", "dana")
    scrub("rework", "close", "PCN-2", "--as", "paid", "--note", "CANARY")
    before = {one["claim_id"]: one for one in listed(scrub, "--state", "all")}
    assert {one["level"] for one in diagnoses(scrub)} == {"well"}

    elsewhere = f"sqlite:///{home}/state/dexk/cases.db"
    (ill,) = diagnoses(scrub, SCRUB_CASE_STORE=elsewhere)
    assert (ill["level"], "2 acts of people on cases" in ill["sentence"]) == ("ill", True)
    assert not (home / "state/dexk").exists(), "to look makes none"
    told = scrub("rework", "list", SCRUB_CASE_STORE=elsewhere)
    assert "is a new one, and the audit log here has 2 acts of people on cases" in " ".join(told.stderr.split())
    assert told.returncode == 1
    again = scrub("rework", "list", SCRUB_CASE_STORE=elsewhere)
    assert (again.returncode, "is a new one" in again.stderr) == (1, False)
    assert any("2 acts of the audit log" in one["sentence"] for one in diagnoses(scrub, SCRUB_CASE_STORE=elsewhere))

    for file in (home / "state/desk").glob("cases.db*"):
        file.unlink()
    look = scrub("rework", "rebuild", "--check")
    assert (look.returncode, "2 acts were not in the store; the text of 1 is gone." in look.stdout) == (1, True)
    done = scrub("rework", "rebuild")
    assert done.returncode == 0
    after = {one["claim_id"]: one for one in listed(scrub, "--state", "all")}
    for number, case in before.items():
        assert {**after[number], "version": 0} == {**case, "version": 0}
    shown = scrub("rework", "show", "PCN-2").stdout
    assert "CANARY" not in shown
    assert "what was written is gone" in shown
    assert {one["level"] for one in diagnoses(scrub)} == {"well"}
    assert scrub("rework", "rebuild", "--check").returncode == 0
    nowhere = scrub("rework", "rebuild", "--audit", "nowhere")
    assert (nowhere.returncode, "expected a folder" in nowhere.stderr) == (2, True)


def test_the_doctor_says_what_waits_in_it_and_who_may_read_it(scrub: Run, decide: Decide, home: Path) -> None:  # noqa: F811
    decide(FAULTY | {"claim_id": "PCN-1"})
    assert len(listed(scrub)) == 1
    file = home / "state/desk/cases.db"
    file.chmod(0o644)
    with sqlite3.connect(file) as database:
        database.execute(
            "INSERT INTO acts (id, handle, state, kind, moment, account, owner, decision_id, text)"
            " SELECT 'x', handle, 'pending', 'note', '2020-01-01T00:00:00Z', 'dana', '', '', '' FROM cases"
        )
    database.close()
    found = {one["sentence"].split(".")[0]: one["level"] for one in diagnoses(scrub)}
    assert found[f"Others may read {file}, which has claims and notes".split(".", maxsplit=1)[0]] == "ill"
    assert any("1 acts were begun and broke off" in name and level == "poor" for name, level in found.items())
    with sqlite3.connect(file) as database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    database.close()
    assert any("Its tables are at 0001" in one["sentence"] for one in diagnoses(scrub))
    file.write_bytes(b"no database" * 500)
    (ill,) = diagnoses(scrub)
    assert (ill["level"], "cannot be used" in ill["sentence"]) == ("ill", True)
