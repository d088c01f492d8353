"""The alerts: each on a log that fires it and on one that does not, evaluated from the tree of Grafana's own parser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.alerts import figures, rules
from ops.alerts.rules import alerts, document
from tests.ops.logql.evaluate import Log, evaluate
from tests.ops.logql.syntax import NODE, parse
from tests.report.generated import templates
from worker.cli import app
from worker.monitoring.line import reconciliation_line
from worker.monitoring.reconciliation import Consumer, Hold, Incoming, Mark, Outlet, Reconciliation
from worker.store.outletspecs import OUTLETS

needs_node = pytest.mark.skipif(not NODE, reason="no node and npm on PATH, which Grafana's LogQL grammar needs")
OPS = Path(rules.__file__).parent.parent
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Line = dict[str, Any]


def at(ago: timedelta) -> str:
    return (NOW - ago).isoformat(timespec="microseconds").replace("+00:00", "Z")


def tender(
    ago: timedelta = timedelta(),
    *,
    missing: int = 0,
    oldest: float | None = None,
    past: tuple[str, ...] = (),
    still: float = 0,
    held: float = 0,
    unread: int = 0,
    deleted: int = 0,
    full: bool = False,
) -> Line:
    """What a worker's tender logs, by its own function; `still`, `held`: seconds without a decision, and of a hold."""
    hold = Hold(-held, "Redis is full") if held else None
    reads = {"billing": (Consumer("billing", 0, None, unread),)}
    outlets = tuple(Outlet(name, 0, 0, reads.get(name, ())) for name in OUTLETS)
    found = Reconciliation(
        moment=0, accepted=5 + missing, repeated=0, requeued=0, forwarded=0, received=0, dropped=0, waiting=5, in_flight=0,
        oldest_waiting=oldest, oldest_in_flight=None, outlets=outlets, consumers=(), workers=(), hold=hold, rate=None,
        marks=(Mark(-still, missing), Mark(0, missing)), full=full,
        incoming=(Incoming("", 5, 5, 0), Incoming("ehr", 9, 0, 0, 9 - deleted)),
    )  # fmt: skip
    return {
        "@timestamp": at(ago),
        "log.level": "info",
        "message": "the books",
        **reconciliation_line(found, "2026.11", list(past)),
    }


def every_ten_seconds(**changes: Any) -> list[Line]:
    return [tender(timedelta(seconds=10 * n), **changes) for n in range(60)]


def decisions(number: int, payer: str | None, clean: float, first: timedelta, last: timedelta) -> list[Line]:
    """Real lines, evenly from one time ago to another; the clean ones are spread evenly among them."""
    found = []
    for n in range(number):
        billing = int((n + 1) * clean + 1e-9) > int(n * clean + 1e-9)
        moment = first - (first - last) * (n / number)
        found.append({"@timestamp": at(moment), **templates()[payer, billing][0], "audit.chain": "a"})
    return found


def quarantined(number: int, first: timedelta) -> list[Line]:
    (unreadable,) = (line for line in templates()[None, False] if line["claim.disposition"] == "quarantine")
    spread = decisions(number, None, 0, first, timedelta(minutes=1))
    return [{**unreadable, "@timestamp": line["@timestamp"], "audit.chain": "a"} for line in spread]


def opened(ago: timedelta = timedelta(minutes=1), lost: str = "") -> Line:
    """The first line of an audit file."""
    why = {"audit.lost": lost, "audit.previous_chain": "a", "audit.previous_seq": 7} if lost else {}
    return {"@timestamp": at(ago), "event.action": "audit.opened", **why, "audit.chain": "b", "audit.seq": 1}


def behind(ago: timedelta) -> Line:
    """The line of a process whose commits Redis has forgotten."""
    return {"@timestamp": at(ago), "log.level": "error", "event.action": "audit.behind", "message": "..."}


def taken_back(given: list[Line]) -> list[Line]:
    return [{**line, "event.action": "claim.superseded", "error.code": "not_mine"} for line in given]


WEEK, DAY, HOUR = timedelta(days=7), timedelta(days=1), timedelta(hours=1)


def payer_history(before: float, today: float, number: int = 60, payer: str = "aetna") -> list[Line]:
    week = decisions(7 * 60, payer, before, WEEK + DAY - HOUR, DAY + HOUR)
    return week + decisions(number, payer, today, DAY - HOUR, timedelta(minutes=1))


FIRES: dict[str, list[list[Line]]] = {
    "BooksDoNotBalance": [[*every_ten_seconds(), tender(missing=1)], [*every_ten_seconds(), tender(missing=-3)]],
    "NoWorker": [[], [tender(timedelta(minutes=3))], quarantined(5, HOUR)],
    "NothingDecided": [[*every_ten_seconds(), tender(still=31)], every_ten_seconds(still=3_600)],
    "WorkersWait": [[*every_ten_seconds(), tender(held=301)], every_ten_seconds(held=301, unread=7)],
    "ProducerDeletesClaims": [[*every_ten_seconds(), tender(deleted=1)]],
    "ProducersWait": [every_ten_seconds(full=True)],
    "OldestClaimTooOld": [every_ten_seconds(oldest=301)],
    "AuditFileLost": [[opened(timedelta(minutes=2), lost="removed")], [opened(), opened(lost="truncated")]],
    "RedisBehind": [[*every_ten_seconds(), behind(timedelta(minutes=9))]],
    "QuarantineGrows": [quarantined(11, HOUR - timedelta(minutes=2))],
    "CleanClaimRateDrops": [payer_history(0.95, 0.6), payer_history(0.9, 0.0), payer_history(0.95, 0.5) + payer_history(0.9, 0.9, payer="uhc")],
    "SourcePastReview": [every_ten_seconds(past=("cms-ncci-pm-2026",))],
}  # fmt: skip
DOES_NOT: dict[str, list[list[Line]]] = {
    "BooksDoNotBalance": [[], every_ten_seconds(), [tender(timedelta(minutes=3), missing=1), *every_ten_seconds()[:11]]],
    "NoWorker": [every_ten_seconds()],
    "NothingDecided": [
        [], every_ten_seconds(still=29), every_ten_seconds(oldest=3_600), every_ten_seconds(still=3_600, held=3_600),
        [*every_ten_seconds()[:7], tender(timedelta(seconds=90), still=60)],
    ],
    "WorkersWait": [[], every_ten_seconds(held=299), every_ten_seconds(still=3_600)],
    "ProducerDeletesClaims": [[], every_ten_seconds(), every_ten_seconds(full=True)],
    "ProducersWait": [[], every_ten_seconds(), [*every_ten_seconds(full=True)[:20], *every_ten_seconds()[20:]]],
    "OldestClaimTooOld": [[], every_ten_seconds(oldest=299), [*every_ten_seconds(oldest=400), tender(oldest=2)]],
    "AuditFileLost": [[], [opened(), opened(timedelta(minutes=2))], [opened(timedelta(minutes=11), lost="moved")]],
    "RedisBehind": [[], every_ten_seconds(), [behind(timedelta(minutes=11))]],
    "QuarantineGrows": [
        [], quarantined(10, HOUR - timedelta(minutes=2)), quarantined(20, 3 * HOUR),
        quarantined(12, HOUR - timedelta(minutes=2)) + taken_back(quarantined(3, HOUR - timedelta(minutes=2))),
    ],
    "CleanClaimRateDrops": [
        [], payer_history(0.95, 0.9), payer_history(0.5, 0.45), payer_history(0.95, 0.5, number=49),
        decisions(60, "aetna", 0.2, DAY - HOUR, timedelta(minutes=1)),
    ],
    "SourcePastReview": [[], every_ten_seconds()],
}  # fmt: skip
Answer = Callable[[str, list[Line]], dict[str, str] | None]


@pytest.fixture(scope="module")
def fired() -> Answer:
    trees = dict(zip((alert.name for alert in alerts()), parse([alert.expression for alert in alerts()]), strict=True))

    def answer(name: str, given: list[Line]) -> dict[str, str] | None:
        times = (datetime.fromisoformat(line["@timestamp"].replace("Z", "+00:00")).timestamp() for line in given)
        pairs = zip(times, (json.dumps(line, separators=(",", ":")) for line in given), strict=True)
        found = evaluate(trees[name], Log.of(pairs, service_name="claim-scrubber"), NOW.timestamp())
        assert len(found) <= 1
        return dict(next(iter(found))) if found else None

    return answer


@needs_node
@pytest.mark.parametrize(("name", "case"), [(name, n) for name, cases in FIRES.items() for n in range(len(cases))])
def test_it_fires_when_it_should(fired: Answer, name: str, case: int) -> None:
    labels = fired(name, FIRES[name][case])
    assert labels is not None
    if name == "CleanClaimRateDrops":
        assert labels == {"claim_payer": "aetna"}, "and says of which payer"
    if name == "WorkersWait":
        assert {key: value for key, value in labels.items() if value} == ({"queue_held_by": "billing"} if case else {})


@needs_node
@pytest.mark.parametrize(("name", "case"), [(name, n) for name, cases in DOES_NOT.items() for n in range(len(cases))])
def test_it_is_silent_when_it_should(fired: Answer, name: str, case: int) -> None:
    assert fired(name, DOES_NOT[name][case]) is None


def test_every_alert_is_tried_both_ways_and_has_an_entry_in_the_runbook() -> None:
    names = {alert.name for alert in alerts()}
    assert names == FIRES.keys() == DOES_NOT.keys()
    text = (OPS / "runbook.md").read_text()
    _, _, section = text.partition("\n## Alerts\n")
    entries = set(re.findall(r"^### (\w+)$", section.split("\n## ")[0], re.MULTILINE))
    assert entries == names | {alert.name for alert in figures.alerts()}
    assert all("**What it means.**" in part for part in re.split(r"^### ", section, flags=re.MULTILINE)[1:])


def test_the_runbook_names_commands_and_settings_that_there_are() -> None:
    text = (OPS / "runbook.md").read_text()
    groups = {
        group.name: {c.name or c.callback.__name__ for c in group.typer_instance.registered_commands if c.callback}
        for group in app.registered_groups
        if group.typer_instance
    }
    commands = {command.name for command in app.registered_commands} | groups.keys()
    named = re.findall(r"`scrub ([a-z]+)(?: ([a-z]+))?", text)
    assert named
    for command, sub in named:
        assert command in commands, command
        assert not sub or command not in groups or sub in groups[command], (command, sub)
    settings = {
        f"SCRUB_{name.upper()}"
        for name in __import__("worker.config.settings", fromlist=["Settings"]).Settings.model_fields
    }
    told = set(re.findall(r"SCRUB_[A-Z_]*[A-Z]", text))
    assert told
    assert told <= settings


def test_the_file_is_what_the_code_says_and_has_the_form_that_the_ruler_reads() -> None:
    text = (OPS / "alerts" / "claim-scrubber.yaml").read_text()
    assert text == document()
    (group,) = yaml.safe_load(text)["groups"]
    assert set(group) == {"name", "interval", "rules"}
    for rule in group["rules"]:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
