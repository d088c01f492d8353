"""Every command with a standard stream that is closed or full: an error of the project's own, and no traceback.

Public reports of the kind: click#2415 and streamlink#6197 (`sys.stdout` is None), crudini#84 (`>&-`).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from worker.cli import app
from worker.monitoring.reconciliation import reconcile
from worker.store.connections import Store

from .conftest import CLEAN, SCRUB, environment

ROOT = Path(__file__).parents[2]
OLD = ROOT / "tests/fixtures/898ad03"
LIBRARY = str(ROOT / "rules/library")
SAY = {
    "check": ["check", "c.json"],
    "submit": ["submit", "c.json"],
    "status": ["status"],
    "doctor": ["doctor"],
    "partitions": ["partitions"],
    "settings": ["settings"],
    "benchmark": ["benchmark", "--date", "2026-07-13", "--site", "office", "--state", "TX"],
    "tail": ["tail", "billing"],
    "history import": ["history", "import", "c.json"],
    "quarantine list": ["quarantine", "list"],
    "quarantine show": ["quarantine", "show", "1-1"],
    "rules list": ["rules", "list"],
    "rules show": ["rules", "show", "UNT001"],
    "rules explain": ["rules", "explain", "c.json", "UNT001"],
    "rules facts": ["rules", "facts"],
    "rules lint": ["rules", "lint"],
    "rules test": ["rules", "test", "UNT001"],
    "rules diff": ["rules", "diff", LIBRARY, LIBRARY],
    "rules drafts list": ["rules", "drafts", "list"],
    "rules impact": ["rules", "impact", "--book", LIBRARY, "c.json"],
    "rules docs": ["rules", "docs", "-o", "catalogue.md"],
    "rules overrides": ["rules", "overrides", "overrides.yaml"],
    "rules pack": ["rules", "pack", "-o", "x.book"],
    "tables list": ["tables", "list"],
    "audit verify": ["audit", "verify", str(OLD / "audit.jsonl")],
    "report": ["report", str(OLD / "audit.jsonl"), "-o", "r.html"],
    "worker": ["worker", "--check"],
    "rework list": ["rework", "list"],
    "rework purge": ["rework", "purge", "--days", "30"],
    "rework rebuild": ["rework", "rebuild"],
    "token list": ["token", "list"],
    "support bundle": ["support", "bundle", "-o", "bundle.tar.gz"],
}
"""What to run of each command."""
MORE = [
    ["--help"],
    ["check", "--help"],
    ["--version"],
    ["check", "--format", "json", "c.json"],
    ["submit", "--dry-run", "c.json"],
    ["status", "--json"],
    ["status", "--healthcheck"],
    ["doctor", "--format", "json"],
    ["doctor", "--format", "prometheus"],
    ["status", "--format", "prometheus"],
    ["rules", "list", "--format", "json"],
    ["rules", "pack", "-o", "-"],
    ["tables", "list", "--format", "json"],
    ["rework", "list", "--format", "csv"],
    ["benchmark", "--date", "2026-07-13", "--site", "asc", "--format", "json"],
]
ELSEWHERE = {
    "demo": "starts servers of its own, and says what these say",
    "bench": "measures for minutes",
    "quarantine requeue": "says one line, as `quarantine list` does",
    "quarantine drop": "as requeue",
    "history reject": "as import",
    "audit lost": "says lines as `audit verify` does",
    "secret list": "says lines as `tables list` does",
    "secret rotate": "changes the keys of the others",
    "producer add": "says one line, and registers a sender",
    "producer list": "says lines as `partitions` does",
    "producer remove": "says one line, and wants a sender",
    "snapshot": "says one line, as `rules pack` does",
    "restore": "wants a snapshot, and says lines as `history import` does",
    "migrate": "says one line, and changes the keys for good",
    "audit retire": "says one line, as `audit verify` does",
    "probe": "says one line, as `status --healthcheck` does",
    "tables import": "wants the official files",
    "tables undo": "as import",
    "rules new": "asks questions",
    "rules sign": "wants a key",
    "rules prove": "takes its time, and says lines as `rules lint` does",
    "rules drafts accept": "as rollback",
    "rules drafts make": "writes a file, and says one line",
    "rules verify": "wants a key",
    "rules switch": "as rollback",
    "rules rollback": "has nothing to roll back",
    "claim": "wants a claim that was decided, and says lines as `tail` does",
    "rework waive": "wants a held claim",
    "rework repair": "wants a held claim",
    "serve": "runs until it is stopped; what it says is tried in tests/serve",
    "token add": "says a token, and one line",
    "token revoke": "says one line, and wants a token",
    "webhook dead": "wants an address that is told of decisions, and says lines as `tail` does",
    "rework show": "wants a held claim, and says lines as `claim` does",
    "rework try": "wants a held claim, and says lines as `check --try` does",
    **dict.fromkeys(
        (
            "rework pend",
            "rework assign",
            "rework note",
            "rework close",
            "rework reopen",
            "rework preserve",
            "rework release",
        ),
        "wants a held claim",
    ),
    "certificate issue": "wants a claim that went to billing, and a key",
    "certificate verify": "wants a certificate, and says lines as `audit verify` does",
    "replay": "wants a report of an earlier day",
    "outcomes import": "wants remittances",
    "backtest": "as outcomes import",
}


def names(group: typer.main.TyperGroup, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from names(command, f"{before}{name} ")
        else:
            yield before + name


@pytest.fixture
def place(home: Path, store: Store) -> Path:
    """A folder with what the commands want to read, and a server that stays up."""
    (home / "c.json").write_text(json.dumps(CLEAN))
    (home / "overrides.yaml").write_text("overrides: []\n")
    (home / "state/secret").unlink(missing_ok=True)
    (home / "state/secret").write_bytes((OLD / "secret").read_bytes())
    (home / "state/secret").chmod(0o600)
    event = {"id": "d", "eventid": "e", "time": "2026-01-01T00:00:00Z"}
    data = {"reason": "not_json", "sentence": "s", "problems": [], "inbox_entry": "1-1"}
    store.redis.xadd(store.keys.outlet("quarantine"), {"event": json.dumps({**event, "data": data})}, id="1-1")
    return home


def run(place: Path, arguments: list[str], redirected: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *SCRUB, *arguments], capture_output=True, timeout=120,
        stdin=subprocess.DEVNULL, cwd=place, env=environment(place), check=False,
    )  # fmt: skip


def test_the_commands_of_this_file_are_all_that_there_are() -> None:
    found = set(names(typer.main.get_command(app)))  # type: ignore[arg-type]
    assert found == SAY.keys() | ELSEWHERE.keys()


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("redirected", "why"), [(">&-", "it is closed"), (">/dev/full", "No space left on device")])
def test_a_standard_output_that_cannot_be_written_is_one_sentence_and_exit_code_2(
    place: Path, redirected: str, why: str
) -> None:
    for arguments in [*SAY.values(), *MORE]:
        done = run(place, arguments, redirected)
        err = done.stderr.decode()
        assert (done.returncode, f"cannot write the output: {why}\n" in err) == (2, True), (arguments, err)
        assert "Traceback" not in err
        assert "Exception ignored" not in err


def test_claims_are_sent_though_nothing_can_be_said_of_it_and_none_of_it_goes_to_redis(
    place: Path, store: Store
) -> None:
    # The first file or socket that is opened would get the closed number, and what is printed would go there.
    done = run(place, ["submit", "c.json"], ">&- <&-")
    assert done.returncode == 2
    assert reconcile(store.redis, store.keys).accepted == 1
    (entry,) = store.redis.xrange(store.keys.inbox)
    assert json.loads(entry[1][b"event"])["data"]["claim_id"] == CLEAN["claim_id"]


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["as-in-a-shell", "as-in-a-container"])
def test_without_standard_error_a_command_says_what_it_has_to_by_its_exit_code(
    unbuffered: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)  # empty: Python keeps what it could not write, and tries again
    for redirected in ("2>&-", "2>/dev/full", "<&- 2>&-"):
        assert run(place, ["check", "c.json"], redirected).returncode == 0, redirected
    for arguments, redirected in (
        (["check", "gone"], "2>/dev/full"),
        (["tail", "nowhere"], "2>&-"),
        (["no"], "<&- 2>&-"),
    ):
        assert run(place, arguments, redirected).returncode == 2, arguments


def test_without_standard_input_what_wants_it_says_so(place: Path) -> None:
    done = run(place, ["check", "-"], "<&-")
    assert (done.returncode, done.stderr) == (2, b"stdin: standard input is closed\n")
    assert run(place, ["check", "c.json"], "<&-").returncode == 0


def test_nothing_is_left_to_write_to_at_all(place: Path) -> None:
    assert run(place, ["check", "c.json"], "<&- >&- 2>&-").returncode == 2
