"""A report as the outlet and the audit line show it, worked out once for all reports that say the same."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from rules.engine.recent import Recent
from rules.report import Report
from worker.audit.lines import report_fields

_HEAD = b'{"claim_id":'


class ReportTexts(NamedTuple):
    """A report without its claim."""

    body: bytes
    """The report as JSON, after its claim id."""
    line: bytes
    """What an audit line says of it, as JSON without its braces."""

    def of(self, claim_id: str) -> bytes:
        """The report on this claim, as JSON."""
        return _HEAD + orjson.dumps(claim_id) + self.body


def texts_of(report: Report, known: Recent[ReportTexts]) -> ReportTexts:
    """The texts of a report; `known`: those that other reports share, by their bodies."""
    shared = report.shared
    if shared is None:
        return _texts(report, _body(report))
    found: ReportTexts | None = shared.get(report.history)
    if found is None:
        body = _body(report)
        found = known.get(body)
        if found is None:
            found = known[body] = _texts(report, body)
        shared[report.history] = found
    return found


def _body(report: Report) -> bytes:
    return orjson.dumps(report)[len(_HEAD) + len(orjson.dumps(report.claim_id)) :]


def _texts(report: Report, body: bytes) -> ReportTexts:
    return ReportTexts(body, orjson.dumps(report_fields(report))[1:-1])
