"""A report as the outlet and the audit line show it, worked out once for all reports that say the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from rules.engine.recent import Recent
from rules.report import Report
from worker.audit.lines import report_fields
from worker.pipeline import namedtexts

_HEAD = b'{"claim_id":'


class ReportTexts(NamedTuple):
    """A report without its claim."""

    body: bytes
    """The report as JSON, after its claim id."""
    short: bytes
    """The same with names in place of texts."""
    named: Mapping[str, bytes]
    """Those texts, by name."""
    line: bytes
    """What an audit line says of it, as JSON without its braces."""

    def of(self, claim_id: str, *, short: bool = False) -> bytes:
        """The report on this claim, as JSON; `short`: with names in place of texts."""
        return _HEAD + orjson.dumps(claim_id) + (self.short if short else self.body)


def texts_of(report: Report, known: Recent[ReportTexts]) -> ReportTexts:
    """The texts of a report; `known`: those that other reports share, by their bodies."""
    shared = report.shared
    if shared is None:
        return _texts(report, _body(report, report.claim_id))
    found: ReportTexts | None = shared.get(report.history)
    if found is None:
        body = _body(report, report.claim_id)
        found = known.get(body)
        if found is None:
            found = known[body] = _texts(report, body)
        shared[report.history] = found
    return found


def _body(report: Report | dict[str, object], claim_id: str) -> bytes:
    return orjson.dumps(report)[len(_HEAD) + len(orjson.dumps(claim_id)) :]


def _texts(report: Report, body: bytes) -> ReportTexts:
    said = {name: value for name, value in vars(report).items() if name[0] != "_"}
    short, named = namedtexts.shortened(said)
    return ReportTexts(body, _body(short, report.claim_id), named, orjson.dumps(report_fields(report))[1:-1])
