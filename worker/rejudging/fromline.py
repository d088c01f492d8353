"""Replays of what only the audit log still has: a claim judged again by the book of its audit line, and compared with
what that line says: codes and lines, values that are no identifiers, where the claim went. Messages, fixes, sources and
dates were never on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from rules.book.book import Book
from rules.claim import Claim
from rules.engine.check import check
from rules.history import NO_MEMBER_ID, NOT_CONSULTED, History
from worker.audit.lines import DECIDES, claim_fields, report_fields
from worker.rejudging.replay import Replay, ReportDifference

Line = Mapping[str, Any]
GONE = "messages, fixes, sources and dates: no audit line has them; its codes, lines and values were compared"
_LISTS = ("rule.block", "rule.warn", "rule.note", "rule.found", "rule.evidence", "rule.shadow", "rule.shadow_block",
          "rule.undetermined", "rule.overridden")  # fmt: skip
"""Of which each entry begins with a code."""
_WAIVER = ("claim.waiver", "claim.waived", "claim.waived_decision", "claim.waiver_refused")
_LATER = ("rule.evidence", "claim.gaps", "rule.overridden", "override.name", "override.told")
"""That a line until 0.1.1, which names no audit key, may lack."""
_NOT_COMPARED = ("claim.patient_hash",)


def is_line(one: Any) -> bool:
    """Whether it is an audit line that decided a claim."""
    return isinstance(one, dict) and one.get("event.action") in DECIDES and "claim.decision_id" in one


def day_of(line: Line) -> date:
    """The day of receipt in UTC: of a waived claim that of the version which was decided first."""
    first = str(line.get("claim.revision", "")).rpartition(":")[2].partition("-")[0]
    if first.isdigit():
        return datetime.fromtimestamp(int(first) / 1000, UTC).date()
    waited = timedelta(milliseconds=line.get("queue.latency_ms", 0))
    return (datetime.fromisoformat(line["@timestamp"]) - waited).astimezone(UTC).date()


def replay_line(line: Line, claim: Claim, book: Book, received: date | None) -> Replay:
    """Judges the claim by the book, which must be the line's; `received` as in `worker.rejudging.replay`."""
    report = check(claim, book, received=received, history=_history(line))
    now = orjson.loads(orjson.dumps({**claim_fields(claim, None), **report_fields(report)}, default=str))
    then = {name: line[name] for name in line if name in now or name in (*_LISTS, *_LATER, *_WAIVER, "error.code")}
    of_history = {rule.code for rule in book.rules if rule.needs_history}
    taken = [code for code in dict.fromkeys(map(_code, then.get("rule.found", ()))) if code in of_history]
    _let_go(then, now, taken)
    for name in _LISTS:
        for side in (then, now):
            if name in side:
                side[name] = [one for one in side[name] if _code(one) not in of_history]
    if taken:  # what they are denied with has no code by it
        then["rule.denials"] = [one for one in then.get("rule.denials", ()) if one in now["rule.denials"]]
    passed = _NOT_COMPARED if "audit.key" in line else (*_NOT_COMPARED, *_LATER)
    differences = [
        ReportDifference(name, then.get(name, "absent"), now.get(name, "absent"))
        for name in dict.fromkeys((*then, *now))
        if name not in passed and (then.get(name) or None) != (now.get(name) or None)
    ]
    return Replay(claim.claim_id, book.digest, tuple(differences), tuple(taken), (GONE,))


def _history(line: Line) -> History:
    if line.get("claim.history") == "consulted":
        return History("consulted", (), "0-0" if line.get("error.code") == "superseded" else None)
    return NO_MEMBER_ID if line.get("claim.history") == "no_member_id" else NOT_CONSULTED


def _let_go(then: dict[str, Any], now: dict[str, Any], taken: list[str]) -> None:
    """Where findings on history, and a person's waiver, have the claim go: both are as the line has them."""
    blocking = [code for code in taken if code in then.get("rule.block", ())]
    if blocking and now["claim.disposition"] == "billing":
        now["claim.disposition"] = "rework"
    if blocking and "claim.observed" in then:
        now["claim.observed"] = then["claim.observed"]
        now["claim.disposition"] = then["claim.disposition"]
    now |= {name: then[name] for name in _WAIVER if name in then}
    if "claim.waived" in then and now["claim.disposition"] == "rework":
        names = {one.rstrip("?") for one in then["claim.waived"]}
        codes = {*now["rule.block"], *blocking}
        if codes <= {_code(one) for one in names}:
            now["claim.disposition"] = "unchecked" if now["claim.coverage"] == "none" else "billing"


def _code(entry: str) -> str:
    """Of `UNT001`, `UNT001@1?` or `UNT001@1 units=2`."""
    return entry.partition("@")[0]
