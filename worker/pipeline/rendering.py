"""Fourth stage: a decision becomes an entry of an outlet, and a line of the audit log."""

from __future__ import annotations

import time
from typing import NamedTuple

import orjson

from rules.engine.gaps import editions_wanted
from rules.errors import Problem
from rules.payment.claims import LineExpected, expected_of
from worker.audit import lines
from worker.audit.lines import AuditLine
from worker.pipeline import outlets
from worker.pipeline.commit import Item
from worker.pipeline.commitment import commitment, new_salt
from worker.pipeline.context import Batch
from worker.pipeline.deciding import Decision
from worker.pipeline.expected import told_lines
from worker.pipeline.reading import Reading
from worker.pipeline.reporttexts import texts_of
from worker.store.outletspecs import FILES
from worker.store.secret import event_mark

_MOST_PROBLEMS = 20


class Rendered(NamedTuple):
    """A decision that is ready to be logged and committed."""

    reading: Reading
    item: Item
    text: bytes
    """Its audit line as JSON."""

    @property
    def line(self) -> AuditLine:
        found: AuditLine = orjson.loads(self.text)
        return found


def render(decision: Decision, batch: Batch, started: int) -> Rendered:
    """`started`: when work on this claim began, by `time.perf_counter_ns`."""
    if decision.report:
        return _scrubbed(decision, batch, started)
    if decision.route == "quarantine":
        return _quarantined(decision, batch, started)
    return _repeated(decision, batch, started)


def _scrubbed(decision: Decision, batch: Batch, started: int) -> Rendered:
    context, reading, report = batch.context, decision.reading, decision.report
    assert report is not None
    assert reading.submission is not None
    event, claim, content, _ = reading.submission
    texts = texts_of(report, context.texts)
    name, revision = context.keys.named(reading.entry.name), reading.entry.revision
    short = not reading.entry.of_layout_1
    expected: tuple[LineExpected, ...] = ()
    if report.verdict == "rework":
        selection = context.book.registry.select(claim.payer)
        expected = expected_of(claim, selection, context.book.tables, context.book.codes, context.ours)
    salt = new_salt() if report.disposition == "billing" else b""
    payload = outlets.scrubbed(
        decision.id,
        name,
        reading.origin or (event.source, event.id),
        event.traceparent,
        content,
        texts.of(report.claim_id, short=short),
        batch.moment,
        decision.received,
        reading.entry.sender.name,
        told_lines(expected),
        salt,
        "" if revision == reading.entry.id else revision,
    )
    line = lines.claim_fields(claim, reading.patient)
    line["claim.judged"] = [one.number for one in claim.lines if one.procedure in context.book.codes]
    line |= lines.payment_fields(expected)
    if decision.route == FILES:
        line["claim.exit"] = "file"
    if salt:
        line["claim.commitment"] = commitment(salt, content)
    if report.waived or report.repaired:
        line["claim.revision"] = revision
    if wanted := editions_wanted(report, claim):  # not of the report alone, which claims of other dates share
        line["claim.wanted"] = wanted
    rendered = _rendered(decision, batch, payload, "claim.scrubbed", line, started, texts.line)
    return rendered._replace(item=rendered.item._replace(texts=texts.named)) if short else rendered


def _quarantined(decision: Decision, batch: Batch, started: int) -> Rendered:
    reading, problems = decision.reading, decision.problems
    assert decision.reason is not None
    name = batch.context.keys.named(reading.entry.name)
    payload = outlets.quarantined(
        decision.id, name, reading.entry, decision.reason, problems, reading.origin, batch.moment
    )
    line = _claim_of(reading)
    line["claim.disposition"] = "quarantine"
    line["error.code"] = decision.reason
    line["claim.problems"] = [str(Problem(one.safe_path, one.sentence)) for one in problems[:_MOST_PROBLEMS]]
    return _rendered(decision, batch, payload, "claim.quarantined", line, started)


def _repeated(decision: Decision, batch: Batch, started: int) -> Rendered:
    reading = decision.reading
    line: AuditLine = {"claim.first_decision_id": decision.first}
    if reading.submission:
        line |= _claim_of(reading)
    return _rendered(decision, batch, b"", "claim.repeated", line, started)


def _claim_of(reading: Reading) -> AuditLine:
    if reading.submission:
        return lines.claim_fields(reading.submission.claim, reading.patient)
    return {"claim.claim_id": reading.refusal.known.get("claim_id") if reading.refusal else None}


def _rendered(
    decision: Decision,
    batch: Batch,
    payload: bytes,
    action: lines.Action,
    facts: AuditLine,
    started: int,
    said: bytes = b"",
) -> Rendered:
    """`facts`: what the line says of the claim; `said`: of its report, as JSON without its braces."""
    reading, context = decision.reading, batch.context
    held, entry = decision.route == "quarantine", reading.entry
    line: AuditLine = {
        "log.level": "warning" if held else "info",
        "event.action": action,
        "event.outcome": "failure" if held else "success",
        "event.duration": time.perf_counter_ns() - started,
        "trace.id": reading.trace_id or decision.id,
        "claim.decision_id": decision.id,
        **facts,
        "queue.entry": context.keys.named(entry.name),
        "queue.latency_ms": max(0, time.time_ns() // 1_000_000 - entry.milliseconds),
    }
    if reading.identity:
        line["claim.event"] = event_mark(context.rings.audit.active.secret, reading.identity)
    if reading.requeued:
        line["claim.requeued"] = True
    if entry.sender.registered:
        line["queue.producer"] = entry.sender.name
    if forwarded := entry.forwarded_from:
        line["queue.forwarded_from"] = forwarded
    if entry.attempt:
        line["queue.attempt"] = entry.attempt
    parts = (orjson.dumps(line)[:-1], batch.line, said) if said else (orjson.dumps(line)[:-1], batch.line)
    event, ledger, front = decision.event, decision.ledger, decision.front
    item = Item(
        entry.name, decision.route, payload, event.key, event.expects, event.writes, ledger.key, ledger.version,
        ledger.writes, ledger.until, front.key, front.expects, front.writes, front.ms,
    )  # fmt: skip
    return Rendered(reading, item, b",".join(parts) + b"}")


def superseded(rendered: Rendered, status: str) -> AuditLine:
    """The line that takes back the line of a decision that was not committed: a copy, so that sums can subtract it."""
    return {
        **rendered.line,
        "log.level": "info",
        "event.action": "claim.superseded",
        "event.outcome": "unknown",
        "error.code": status,
    }
