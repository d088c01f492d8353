"""SCRUB_MODE=observe in the pipe: every readable claim goes to billing, and all that tells of it says where it would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.pipeline.outlets import tail
from worker.pipeline.producer import send
from worker.store.connections import Store

from .helpers import Worker, claim, event, settled
from .test_upgrade import scrub

BAD = {"rendering_provider": {"npi": "1234567890"}}


def events() -> list[bytes]:
    """A clean claim, one to be held, one without the procedure, one of a payer that is not observed, and no claim."""
    other = {"id": "04412", "name": "MEDICARE", "filing_indicator": "MB", "responsibility": "P"}
    without = claim(3)
    without["lines"][0] |= {"procedure": "20553", "modifiers": []}
    return [
        event(1), event(2, data=claim(2, **BAD)), event(3, data=without), event(4, data=claim(4, payer=other, **BAD)),
        event(5, data={"claim_id": "PCN-00005"}), event(2, data=claim(6, **BAD)),
    ]  # fmt: skip


def found(store: Store, outlet: str) -> dict[str, dict[str, Any]]:
    return {entry.data["claim"]["claim_id"]: entry.data["report"] for entry in tail(store.redis, store.keys, outlet)}


def test_every_readable_claim_of_an_observed_payer_goes_to_billing_and_nothing_else_changes(
    store: Store, home: Path, start_worker: Callable[..., Worker]
) -> None:
    env = {"SCRUB_MODE": "observe,medicare:enforce"}
    start_worker(env=env).wait_ready(60)
    send(store.redis, store.keys, events(), source="test", settings=store.settings)
    settled(store, 6)
    billing = found(store, "billing")
    assert {name: report["observed"] for name, report in billing.items()} == {
        "PCN-00001": {"disposition": "billing"},
        "PCN-00002": {"disposition": "rework"},
        "PCN-00003": {"disposition": "unchecked"},
    }
    assert list(found(store, "rework")) == ["PCN-00004"]
    held = [entry.data["reason"] for entry in tail(store.redis, store.keys, "quarantine")]
    assert sorted(held) == ["claim_invalid", "event_id_reused"]
    _told(home, env)
    _checked(home, env, billing)


def _told(home: Path, env: dict[str, str]) -> None:
    """Audit line, tail, and the page."""
    files = sorted((home / "audit").glob("*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    said = {one["claim.claim_id"]: one for one in lines if one["event.action"] == "claim.scrubbed"}
    assert {name: line.get("claim.observed") for name, line in said.items()} == {
        "PCN-00001": "billing", "PCN-00002": "rework", "PCN-00003": "unchecked", "PCN-00004": None,
    }  # fmt: skip
    assert said["PCN-00002"]["rule.block"] == ["IDN002"]
    assert said["PCN-00002"]["override.name"] == ["scrub-mode"]
    shown = scrub(home, "tail", "billing", **env).stdout
    assert "observed: would go to rework" in shown
    assert "only its form was checked" in shown
    done = scrub(home, "report", *files, "-o", "r.html", **env)
    assert done.returncode == 0, done.stderr
    page = (home / "r.html").read_text("utf-8")
    assert "Only observed" in page
    assert "1 claim of 3 observed" in page


def _checked(home: Path, env: dict[str, str], billing: dict[str, dict[str, Any]]) -> None:
    """The command gives the worker's reports, but for the history that it has not, and replays agree."""
    (home / "claims.ndjson").write_bytes(b"\n".join(events()[:3]))
    done = scrub(home, "check", "--format", "json", "claims.ndjson", **env)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        report = json.loads(line)
        theirs = billing[report["claim_id"]]
        for name in ("book", "disposition", "observed", "findings", "overrides", "reason"):
            assert report[name] == theirs[name], name
    entries = scrub(home, "tail", "--format", "json", "billing", **env).stdout
    (home / "entries.ndjson").write_text(entries)
    replayed = scrub(home, "replay", "entries.ndjson", **env)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr


def test_a_switch_puts_the_settings_of_the_machine_in_force_with_the_file(
    store: Store, home: Path, start_worker: Callable[..., Worker]
) -> None:
    worker = start_worker().wait_ready(60)
    send(store.redis, store.keys, [event(1, data=claim(1, **BAD))], source="test", settings=store.settings)
    settled(store, 1)
    done = scrub(home, "rules", "overrides", "none", "--switch", "--reason", "we look first", SCRUB_MODE="observe")
    assert done.returncode == 0, done.stderr
    send(store.redis, store.keys, [event(2, data=claim(2, **BAD))], source="test", settings=store.settings)
    settled(store, 2)
    assert found(store, "billing")["PCN-00002"]["observed"] == {"disposition": "rework"}
    done = scrub(home, "rules", "rollback", "--reason", "enough seen")
    assert done.returncode == 0, done.stderr
    send(store.redis, store.keys, [event(3, data=claim(3, **BAD))], source="test", settings=store.settings)
    settled(store, 3)
    assert set(found(store, "rework")) == {"PCN-00001", "PCN-00003"}
    assert worker.process.poll() is None


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [("obsreve", "SCRUB_MODE: expected observe or enforce"), ("observe:uhcc", "did you mean 'uhc'?")],
)
def test_a_mode_that_nobody_understands_is_refused(home: Path, mode: str, sentence: str) -> None:
    (home / "claim.json").write_text(json.dumps(claim()))
    done = scrub(home, "check", "claim.json", SCRUB_MODE=mode)
    assert done.returncode == 2
    assert sentence in done.stderr
