"""A report as the outlet and the audit line show it, worked out once for all reports that say the same."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from rules.recent import Recent
from rules.report import Report
from worker.auditline import report_fields

_HEAD = b'{"claim_id":'


class Rendered(NamedTuple):
    """A report without its claim."""

    body: bytes
    """The report as JSON, after its claim id."""
    line: bytes
    """What an audit line says of it, as JSON without its braces."""

    def of(self, claim_id: str) -> bytes:
        """The report on this claim, as JSON."""
        return _HEAD + orjson.dumps(claim_id) + self.body


def rendered(report: Report, known: Recent[Rendered]) -> Rendered:
    """The report without its claim; `known`: what was rendered before, by its body."""
    shared = report.shared
    found: Rendered | None = shared.get(report.history) if shared is not None else None
    if found is None:
        body = orjson.dumps(report)[len(_HEAD) + len(orjson.dumps(report.claim_id)) :]
        found = known.get(body)
        if found is None:
            found = known[body] = Rendered(body, orjson.dumps(report_fields(report))[1:-1])
        if shared is not None:
            shared[report.history] = found
    return found
