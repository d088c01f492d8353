"""A verdict as a FHIR R4 ClaimResponse: what was found is `error` where it holds the claim, else `processNote`.

Nobody is adjudicated, so there is no amount. Claim, patient and insurer are named by their identifiers: what a sender
calls its own resources is not kept when a claim is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rules.claim import Claim
from rules.printable import printable
from rules.report import Finding, Report
from worker.intake.document import Refusal
from worker.store.outletspecs import SPECS

RULE = "urn:claim-scrubber:rule"


def claim_response(claim: Claim, report: Report, now: datetime) -> dict[str, Any]:
    """The answer to one claim."""
    blocks = [one for one in report.every if _holds(one)]
    notes = [one for one in report.every if one.outcome != "bypassed" and not _holds(one)]
    member = claim.subscriber.member_id if claim.subscriber else None
    found: dict[str, Any] = {
        "resourceType": "ClaimResponse",
        "status": "active",
        "type": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": claim.form}]
        },
        "use": "claim",
        "patient": _named("Patient", member),
        "created": now.isoformat(timespec="seconds"),
        "insurer": _named("Organization", claim.payer.id),
        "request": _named("Claim", claim.claim_id),
        "outcome": SPECS[report.disposition].outcome,
        "disposition": report.disposition + (f": {report.reason}" if report.reason else ""),
    }  # fmt: skip
    if blocks:
        found["error"] = [_error(one, claim) for one in blocks]
    sentences = [f"{one.code}: {one.message} {one.fix}".strip() for one in notes]
    sentences += [f"Not looked at: {gap.sentence}" for gap in report.gaps]
    if sentences:
        found["processNote"] = [
            {"number": number, "type": "display", "text": printable(text)} for number, text in enumerate(sentences, 1)
        ]
    return found


def operation_outcome(refusal: Refusal) -> dict[str, Any]:
    """Of what could not be read."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {"severity": "error", "code": "invalid", "diagnostics": printable(f"{refusal.position}: {one}")}
            for one in refusal.problems
        ],
    }


def bundle(resources: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Several answers as one."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


def _holds(one: Finding) -> bool:
    return one.severity == "block" and one.outcome != "bypassed" and one.observed is None


def _named(kind: str, value: str | None) -> dict[str, Any]:
    if not value:
        return {"type": kind, "display": "not given"}
    return {"type": kind, "identifier": {"value": value}}


def _error(one: Finding, claim: Claim) -> dict[str, Any]:
    coding = {"system": RULE, "code": one.code, "version": one.version, "display": one.fault or one.title}
    found: dict[str, Any] = {"code": {"coding": [coding], "text": printable(f"{one.message} {one.fix}".strip())}}
    if one.line is not None and any(line.number == one.line for line in claim.lines):
        found["itemSequence"] = one.line
    return found
