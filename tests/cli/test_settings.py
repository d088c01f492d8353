"""`scrub settings` tells what is in force, from where, and no password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from worker.config.settings import Settings
from worker.config.told import hidden

from .conftest import Run


def test_each_setting_has_its_value_its_origin_and_a_sentence(scrub: Run, home: Path) -> None:
    done = scrub("settings", "--format", "json", SCRUB_BATCH="50")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["name"] for one in found] == [f"SCRUB_{name.upper()}" for name in Settings.model_fields]
    assert all(one["about"].endswith(".") for one in found)
    by_name = {one["name"]: one for one in found}
    assert (by_name["SCRUB_BATCH"]["value"], by_name["SCRUB_BATCH"]["from"]) == ("50", "environment")
    assert (by_name["SCRUB_RETENTION"]["value"], by_name["SCRUB_RETENTION"]["from"]) == ("7", "default")
    assert by_name["SCRUB_AUDIT_DIR"]["value"] == f"{by_name['SCRUB_STATE_DIR']['value']}/audit", "what is derived"


def test_only_what_the_environment_sets_or_what_is_asked_for(scrub: Run) -> None:
    done = scrub("settings", "--changed", "batch", "retention", SCRUB_BATCH="50", SCRUB_RETENTION="")
    assert done.stdout.splitlines() == [
        "SCRUB_BATCH = 50   set by the environment",
        "    Claims read and committed at once.",
    ]
    assert scrub("settings", "batch").stdout.startswith("SCRUB_BATCH = 200\n")
    assert "all have their defaults" in scrub("settings", "batch", "--changed").stdout


def test_a_name_that_no_setting_has_is_told_with_the_nearest(scrub: Run) -> None:
    done = scrub("settings", "retension")
    assert done.returncode == 2
    assert "There is no setting retension; did you mean SCRUB_RETENTION?" in done.stderr


def test_a_password_is_not_shown(scrub: Run) -> None:
    url = "redis://worker:hunter2@queue.example:6379/0"
    broker = "amqp://user:hun@ter2@broker.example:5672//"
    done = scrub("settings", SCRUB_REDIS_URL=url, SCRUB_BROKER_URL=broker,
                 SCRUB_CASE_STORE="postgresql+psycopg://scrub:hunter2@db.example/cases")  # fmt: skip
    assert "hunter2" not in done.stdout
    assert "ter2" not in done.stdout
    assert "redis://worker:***@queue.example:6379/0" in done.stdout


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:s3@h:1/0", "redis://:***@h:1/0"),
        ("redis://u:a/b@c@h/0", "redis://u:***@h/0"),
        ("redis+sentinel://u:s@a:1,b:2/m?sentinel_password=x&d=1", "redis+sentinel://u:***@a:1,b:2/m?sentinel_password=***&d=1"),
        ("unix:///run/redis.sock?password=s3&db=0", "unix:///run/redis.sock?password=***&db=0"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("/srv/a:b@c", "/srv/a:b@c"),
        ("amqp://a:x@h1;amqp://b:y@h2", "amqp://a:***@h2"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_passwords(url: str, shown: str) -> None:
    """Rather too little of it than one letter of a password."""
    assert hidden(url) == shown
