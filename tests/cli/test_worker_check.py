"""`scrub worker --check`: whether a worker could start here, and nothing is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run


def test_where_all_is_well_it_says_so(scrub: Run) -> None:
    done = scrub("worker", "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("A worker can start: Redis at ")


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SCRUB_REDIS_URL": "redis://127.0.0.1:1"}, "refuses the connection"),
        ({"SCRUB_BOOK": "/nowhere"}, "There is no rule book in /nowhere"),
        ({"SCRUB_SECRET_FILE": "/etc/hostname"}, "cannot be used: others may read it"),
        (
            {"SCRUB_REDIS_URL": "redis://worker@127.0.0.1:1", "SCRUB_REDIS_PASSWORD_FILE": "/nowhere/password"},
            "The password file /nowhere/password cannot be used: No such file or directory",
        ),
        ({"SCRUB_REDIS_PASSWORD_FILE": "/nowhere/password"}, "expected SCRUB_REDIS_URL as well"),
    ],
)
def test_what_is_wrong_is_reported_in_a_sentence(scrub: Run, environment: dict[str, str], sentence: str) -> None:
    done = scrub("worker", "--check", **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr


def test_celery_tells_a_missing_password_file_too(scrub: Run, home: Path) -> None:
    done = scrub("worker", SCRUB_REDIS_URL="redis://w@127.0.0.1:1", SCRUB_REDIS_PASSWORD_FILE=str(home / "none"))
    assert done.returncode != 0
    assert f"The password file {home / 'none'} cannot be used" in done.stderr


def test_a_worker_does_not_start_with_a_faulty_table_of_contracts_and_the_doctor_names_it(
    scrub: Run, home: Path
) -> None:
    (home / "c.csv").write_text("payer,code\n")
    bad = {"SCRUB_CONTRACTS": str(home / "c.csv")}
    for command in (("worker",), ("worker", "--check")):
        done = scrub(*command, **bad)
        assert done.returncode != 0
        assert f"{home}/c.csv:1:1: expected the header payer,line_of_business,code,site" in done.stderr
    found = scrub("doctor", **bad)
    assert found.returncode == 1
    assert f"{home}/c.csv:1:1: expected the header" in found.stdout.replace("\n", " ")
