"""Replays: a claim judged again by the book that judged it, and what differs between the two reports, field by field.

The earlier claims that a rule on history saw are kept nowhere: they were the ledger of that moment. Findings of such
rules are therefore taken from the report as they are, and named; everything else is judged again. Findings that are
shown with another one are compared each by itself, and with which one they are shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from rules.book.book import Book
from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.history import NO_MEMBER_ID, NOT_CONSULTED, History
from rules.report import place_of
from worker.errors import TextsMissing
from worker.intake.plain import undated
from worker.pipeline.namedtexts import filled, is_shortened, shortened

_LATER = re.compile(r"\(inbox entry ([0-9]+-[0-9a-z:-]+)\)")
_ABSENT = "absent"
_LISTS = ("findings", "shadow", "overridden")
LATER_KEYS = frozenset({"observed", "waived", "repaired", "lines", "gaps", "cause", "fault", "because"})
"""Keys of a report and of its findings that releases after 0.1.1 added: an older report is compared without them."""
_BESIDE = frozenset({"expected", "suggestions", "tried"})
"""What `scrub check --format json` writes beside a report."""
_OF_THE_PROGRAM = ("message", "fix")
"""Of a finding where a fact is missing: which fact that is, in words that no book has and releases choose anew."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReportDifference:
    """One field that is not as it was."""

    path: str
    then: Any
    """`absent` where it was not there."""
    now: Any


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of judging a claim again."""

    claim_id: str
    digest: str
    differences: tuple[ReportDifference, ...]
    taken: tuple[str, ...] = ()
    """Codes of the findings on history, which were taken from the report."""
    gone: tuple[str, ...] = ()
    """What could not be compared, since it was not kept."""

    @property
    def identical(self) -> bool:
        return not self.differences


def replay(report: Json, claim: Claim, book: Book, received: date | None) -> Replay:
    """Judges the claim by the book, which must be the report's; `report` is decoded JSON, `received` the day that
    was used where the claim has no received date."""
    now = _judged(report, claim, book, received)
    then = {key: value for key, value in filled(report, shortened(now)[1]).items() if key not in _BESIDE}
    of_history = {rule.file for rule in book.rules if rule.needs_history}
    now |= {name: _each(now[name], of_history) for name in _LISTS}
    if not LATER_KEYS & then.keys():
        then, now = _without_words(then), _without_words(without(now))
    taken: list[Json] = []
    for name in ("waived", "repaired"):
        if name not in then:
            now.pop(name, None)
    told = _each(report["findings"], of_history)
    for name in _LISTS:
        kept, apart = _apart(_each(then.get(name, []), of_history), of_history)
        then[name], now[name] = kept, _apart(now[name], of_history)[0]
        taken += apart
    _route(now, [one for one in taken if one in told], report)
    _let_go(now, [*now["findings"], *(one for one in taken if one in told)], report)
    codes = tuple(dict.fromkeys(one["code"] for one in taken))
    return Replay(str(report["claim_id"]), book.digest, tuple(_differences(_keyed(then), _keyed(now), "")), codes)


def whole_by_book(event: Json, book: Book) -> Json:
    """An outlet entry as a consumer kept it, with the texts that its report gives by name: those that come of judging
    its claim again. `book`: the report's.

    Raises:
        TextsMissing: the book gives none of that name.
        ClaimInvalid, ValueError: claim or day in the entry is none.
    """
    report, claim = event["data"]["report"], read_claim(event["data"]["claim"])
    if not is_shortened(report):
        return event
    day = event.get("receiveddate")
    received = date.fromisoformat(day) if isinstance(day, str) else None
    known = shortened(_judged(report, undated(claim) if received else claim, book, received))[1]
    report = filled(report, known)
    if left := [said for said in (report["editions"], *report["gaps"]) if isinstance(said, str)]:
        raise TextsMissing(decision=event.get("id"), name=left[0], key=f"what book {book.digest[:12]} gives")
    return {**event, "data": {**event["data"], "report": report}}


def _judged(report: Json, claim: Claim, book: Book, received: date | None) -> dict[str, Any]:
    """The report of today, decoded."""
    found = check(claim, book, received=received, history=_history(report))
    decoded: dict[str, Any] = orjson.loads(orjson.dumps(found, default=str))
    return decoded


def _route(now: dict[str, Any], taken: list[Json], report: Json) -> None:
    """Where the findings on history, which were not judged again, have the claim go."""
    blocking = [one for one in taken if one["severity"] == "block" and one["outcome"] != "bypassed"]
    if any(one.get("observed") is None for one in blocking) and now["disposition"] == "billing":
        now["disposition"] = "rework"
    if blocking and report.get("observed"):
        now["observed"] = {"disposition": "rework"}


def _let_go(now: dict[str, Any], findings: list[Json], report: Json) -> None:
    """A person's waiver is taken from the report; the claim goes where it names all that blocks."""
    repaired = report.get("repaired")
    if repaired:
        now["repaired"] = repaired
        if repaired["refused"]:
            now["disposition"], now["observed"] = "rework", None
    waived = report.get("waived")
    if not waived:
        return
    now["waived"] = waived
    blocking = (one for one in findings if one["severity"] == "block" and one["outcome"] != "bypassed")
    names = (
        place_of(one["code"], one["line"]) + "?" * (one["outcome"] == "undetermined")
        for one in blocking
        if one.get("observed") is None
    )
    if waived["refused"]:
        now["disposition"], now["observed"] = "rework", None
    elif now["disposition"] == "rework" and all(name in waived["findings"] for name in names):
        now["disposition"] = "unchecked" if now["coverage"] == "none" else "billing"


def without(now: dict[str, Any], names: frozenset[str] = LATER_KEYS) -> dict[str, Any]:
    """The report as a release wrote it that did not know these keys."""
    found = {name: value for name, value in now.items() if name not in names}
    found["coverage"] = "full" if now["coverage"] == "partial" else now["coverage"]  # by its gaps alone
    for one in _LISTS:
        found[one] = [{name: value for name, value in each.items() if name not in names} for each in now[one]]
    return found


def _without_words(report: Json) -> dict[str, Any]:
    """The report without what the program says of a missing fact."""
    found = dict(report)
    for name in _LISTS:
        found[name] = [
            {key: value for key, value in one.items() if one["outcome"] != "undetermined" or key not in _OF_THE_PROGRAM}
            for one in report.get(name, ())
        ]
    return found


def _history(report: Json) -> History:
    """As far as the report says."""
    if report["history"] == "consulted":
        later = _LATER.search(report.get("reason") or "")
        return History("consulted", (), later[1] if later else None)
    return NO_MEMBER_ID if report["history"] == "no_member_id" else NOT_CONSULTED


def _each(findings: list[Json], of_history: set[str]) -> list[Json]:
    """Each finding, also those that are shown with another one, which by itself names them by rule and line."""
    found: list[Json] = []
    for one in findings:
        shown = [inner for inner in one.get("because", ()) if inner["rule"] not in of_history]
        found.append({**one, "because": [_place(inner) for inner in shown]} if "because" in one else one)
        found += one.get("because", ())
    return found


def _place(finding: Json) -> str:
    return f"{finding['rule']} {'claim' if finding['line'] is None else finding['line']}"


def _apart(findings: list[Json], rules: set[str]) -> tuple[list[Json], list[Json]]:
    return (
        [finding for finding in findings if finding["rule"] not in rules],
        [finding for finding in findings if finding["rule"] in rules],
    )


def _keyed(report: Json) -> dict[str, Any]:
    """The report with its findings by rule, line and outcome, so that one that is new moves no other."""
    return {**report, **{name: _by_identity(report.get(name, [])) for name in _LISTS}}


def _by_identity(findings: list[Json]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for finding in findings:
        place = "claim" if finding["line"] is None else f"line {finding['line']}"
        found[f"[{finding['code']} {place}, {finding['rule']}: {finding['outcome']}]"] = finding
    return found


def _differences(then: Any, now: Any, path: str) -> Iterator[ReportDifference]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*then, *now)):
            if key in LATER_KEYS and key not in then:
                continue
            inner = f"{path}{key}" if key.startswith("[") or not path else f"{path}.{key}"
            yield from _differences(then.get(key, _ABSENT), now.get(key, _ABSENT), inner)
    elif then != now:
        yield ReportDifference(path, _short(then), _short(now))


def _short(value: Any) -> Any:
    """A whole finding that is there on one side alone is given by its message."""
    return value["message"] if isinstance(value, dict) and "message" in value else value
