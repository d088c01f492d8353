"""Dashboards, alerts and log formats on the logs of real workers: every field that they name is there."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ops import logformats
from ops.alerts.rules import alerts
from ops.dashboards.boards import expressions
from ops.logql import FIELDS, STREAM
from rules.book.overrides import pin_of
from rules.loader import LIBRARY
from tests.book import BOOK
from tests.ops.logql.evaluate import Log, evaluate
from tests.ops.logql.syntax import NODE, Node, concrete, parse
from worker.demo.events import all_events
from worker.pipeline.inbox import ensure_groups
from worker.store.connections import Store
from worker.store.keys import FIELD, GROUP, INNER
from worker.store.registry import streams_of

from .helpers import Worker, claim, event, settled, until

pytestmark = pytest.mark.skipif(not NODE, reason="no node and npm on PATH, which Grafana's LogQL grammar needs")
Start = Callable[..., Worker]
BY_LABEL = {field.label: name for name, field in FIELDS.items()}


def lines(home: Path) -> list[dict[str, Any]]:
    """What a log collector would take up: audit files, and the JSON lines of the workers' own logs."""
    files = [*(home / "audit").glob("*.jsonl"), *home.glob("worker-*.log")]
    raw = (line for file in files for line in file.read_text().splitlines() if line.startswith("{"))
    return [json.loads(line) for line in raw]


def log_of(given: list[dict[str, Any]]) -> Log:
    times = (datetime.fromisoformat(line["@timestamp"].replace("Z", "+00:00")).timestamp() for line in given)
    dumped = (json.dumps(line, separators=(",", ":")) for line in given)
    return Log.of(zip(times, dumped, strict=True), service_name="claim-scrubber")


def named(tree: Node) -> set[str]:
    """The fields of log lines that an expression names, in whatever stage."""
    made = {node.children[0].text for node in tree.all("LabelExtractionExpression", "LabelFormatMatcher")}
    labels = {node.children[0].text for node in tree.all("Matcher", "NumberFilter")}
    for node in tree.all("Labels", "UnwrapExpr"):
        labels |= {identifier.text for identifier in node.all("Identifier")}
    labels |= {label for node in tree.all("LabelFormatMatcher") for label in re.findall(r"\.(\w+) ", node.text)}
    paths = {
        path for node in tree.all("LabelExtractionExpression") for path in re.findall(r'\\"([^"\\]+)\\"', node.text)
    }
    return {BY_LABEL[label] for label in labels - made - {"service_name", "__error__"}} | paths


DRAFT, OVERRIDDEN = "procedures/64445/medicare/UNT001-one-unit", "procedures/64445/uhc/MOD006-side-required"
"""Rules that find something among the demonstration's claims."""
OVERRIDE = """
overrides:
  - {{name: ours, rule: {rule}, severity: warn, reason: a test, owner: me, expires: 2099-12-31, written_for: "{pin}"}}
  - {{name: watched, mode: observe, payers: [cigna], reason: a test, owner: me, expires: 2099-12-31}}
"""


def own_decisions(home: Path) -> dict[str, str]:
    """Settings of a book with a draft, and of an override."""
    shutil.copytree(LIBRARY, home / "book")
    draft = home / f"book/{DRAFT}.yaml"
    draft.write_text(draft.read_text().replace("status: active", "status: draft"))
    pin = pin_of(rule for rule in BOOK.rules if rule.file == OVERRIDDEN)
    (home / "overrides.yaml").write_text(OVERRIDE.format(rule=OVERRIDDEN, pin=pin[:12]))
    return {"SCRUB_BOOK": str(home / "book"), "SCRUB_OVERRIDES": str(home / "overrides.yaml")}


@pytest.fixture
def ran(store: Store, home: Path, start_worker: Start) -> list[dict[str, Any]]:
    """The logs of workers that had the demonstration's claims, one of them left behind by a worker that died."""
    keys, redis = store.keys, store.redis
    ensure_groups(redis, keys, streams_of(redis, keys))
    redis.xadd(keys.inbox, {FIELD: event(900)})
    ((_, ((left, _),)),) = redis.xreadgroup(GROUP, "dead", {keys.inbox: ">"}, count=1)  # type: ignore[misc, union-attr]
    redis.xclaim(keys.inbox, GROUP, "dead", 0, [left], idle=3_600_000)
    unknown = claim(901)
    unknown["lines"][0]["units"] = None
    events = [*all_events(), event(901, data=unknown)]
    redis.xadd(keys.stream(INNER), {FIELD: event(902), "requeue_of": "1-0"})
    for raw in events:
        redis.xadd(keys.inbox, {FIELD: raw})
    start_worker(env=own_decisions(home)).wait_ready()
    settled(store, len(events) + 2)
    until(lambda: any(line.get("event.action") == "queue.books" for line in lines(home)))
    return lines(home)


def test_every_field_that_a_dashboard_or_an_alert_names_is_on_the_lines_of_a_real_run(
    ran: list[dict[str, Any]],
) -> None:
    shown = {name: concrete(text, payer=".*") for name, text in expressions().items()}
    shown |= {alert.name: alert.expression for alert in alerts()}
    trees = dict(zip(shown, parse(list(shown.values())), strict=True))
    there = {name for line in ran for name, value in line.items() if value is not None}
    fields = {name: named(tree) for name, tree in trees.items()}
    assert len(set().union(*fields.values())) > 20
    # Nobody took an audit file away in this run: tests/integration/test_chains.py does.
    assert {name: missing for name, found in fields.items() if (missing := found - there)} == {
        "AuditFileLost": {"audit.lost"}
    }
    assert all(text.startswith(STREAM) or STREAM in text for text in shown.values())


def test_every_panel_of_a_real_run_shows_something_and_no_alert_fires(ran: list[dict[str, Any]]) -> None:
    log = log_of(ran)
    texts = {name: concrete(text, "1h", payer=".*") for name, text in expressions().items() if "Newest" not in name}
    trees = parse([*texts.values(), *(alert.expression for alert in alerts())])
    found = {name: evaluate(tree, log, log.times[-1]) for name, tree in zip(texts, trees, strict=False)}
    empty = {name.split(": ")[1] for name, vector in found.items() if not vector}
    # Nothing was taken back and nothing went wrong in this run.
    assert empty <= {"Taken over, sent again, taken back C", "Warnings and errors A"}
    for alert, tree in zip(alerts(), trees[len(texts) :], strict=True):
        fired = evaluate(tree, log, log.times[-1])
        assert bool(fired) == (alert.name == "SourcePastReview" and any(line.get("book.past_review") for line in ran))


def test_every_field_of_real_lines_is_in_the_index_template_and_the_lnav_format(ran: list[dict[str, Any]]) -> None:
    properties = logformats.index_template()["template"]["mappings"]["properties"]
    values = logformats.lnav_format()["claim_scrubber"]["value"]
    for line in ran:
        assert line.keys() <= properties.keys()
        assert line.keys() - {"@timestamp"} <= values.keys()


def test_books_that_do_not_balance_raise_the_alert_in_the_log_of_a_real_worker(
    store: Store, home: Path, start_worker: Start
) -> None:
    ensure_groups(store.redis, store.keys, streams_of(store.redis, store.keys))
    store.redis.hset(store.keys.counters, "billing", 3)
    start_worker().wait_ready()
    until(lambda: any(line.get("event.action") == "queue.books" for line in lines(home)))
    log = log_of(lines(home))
    fired = {}
    for alert, tree in zip(alerts(), parse([alert.expression for alert in alerts()]), strict=True):
        fired[alert.name] = bool(evaluate(tree, log, time.time()))
    assert fired["BooksDoNotBalance"]
    assert not fired["NoWorker"]
