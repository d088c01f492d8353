"""What is on an audit line: `AuditLine` is the one list of its fields, and dashboards are generated from it.

Keys are flat with dots (`"event.action"`), not nested: one key is one grep, Elasticsearch expands the dots into
objects by itself, and Loki turns them into underscores either way. Of what identifies a person there is the
`claim_id`, which the hospital made, and a keyed hash; nothing else of the claim's patient and subscriber.

Actions: audit.opened (first line of a file; where the file before was lost under its process, it names that one and
why), audit.retired (a person took a chain off the list of those whose files must be there), claim.scrubbed,
claim.quarantined, claim.repeated (the same event again: no second result), claim.superseded (the line with this
decision id was not committed: another worker had the claim, or it is judged again), quarantine.requeued and
quarantine.dropped (a person took the entry out, and said why), history.imported and history.rejected (a person entered
into the ledger), history.restored (a person put ledgers and event memory back from a snapshot), book.switched (a person
put another book, or other overrides, in force), drafts.accepted (a person let rules hold claims that an upgrade brought
as drafts), secret.rotated (a person put another key in force), case.pended, case.assigned, case.noted, case.closed,
case.reopened, case.preserved and case.released (a person did that with the case of a held claim; its text stays in the
case store), case.purged (a person took a case that is done out of the case store, with all that it had of the claim),
cases.rebuilt (a person had cases made again from the audit log), claim.waived (a person let a held claim go in spite
of what blocks it; the line of the decision that follows names the waiver), claim.repaired (a person had values of a
held claim written otherwise; the decision that follows names the repair),
case.viewed (a person or a program looked at a case over HTTP), case.listed (or at a list of them), access.refused
(somebody was refused there).

How to count: a crash between log and commit leaves a decision in the log twice, with one decision id. A superseded line
repeats the line that it takes back, so that a decision stands where more lines decide it than take it back.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypedDict, get_args

from pydantic import Field

from rules.claim import Claim, Role
from rules.facts.registry import FACTS
from rules.payment.claims import LineExpected
from rules.payment.sums import UNKNOWN, ClaimExpected, claim_expected
from rules.report import Coverage, Denial, Evidence, Finding, Repaired, Report, Waived, place_of
from worker.store.outletspecs import DISPOSITIONS, listed

Action = Literal[
    "audit.opened", "audit.retired", "claim.scrubbed", "claim.quarantined", "claim.repeated", "claim.superseded",
    "quarantine.requeued", "quarantine.dropped", "history.imported", "history.rejected", "history.restored",
    "book.switched", "drafts.accepted", "secret.rotated", "case.pended", "case.assigned", "case.noted", "case.closed",
    "case.reopened", "case.preserved", "case.released", "case.purged", "cases.rebuilt", "claim.waived",
    "claim.repaired", "claim.left", "file.written", "case.viewed", "case.listed", "access.refused",
]  # fmt: skip

_CODE = re.compile(r"[A-Z0-9]{1,2}|(?=[A-Z.]*[0-9])[A-Z0-9.]{3,8}")
"""One or two characters, or up to eight with a digit: a modifier, a place of service, a procedure, a diagnosis."""
DECIDES: tuple[Action, ...] = ("claim.scrubbed", "claim.quarantined")
"""Actions of the lines that decide a claim."""
Loss = Literal["removed", "replaced", "moved", "truncated", "appended"]
"""What happened to an audit file under the process that writes it; appended: somebody else wrote into it."""
FileState = Literal["sound", "torn", "tampered", "unknown", "wrong key"]
"""What the check of an audit file found; unknown: of a chain that Redis does not know; wrong key: under one that is not
here."""
Retired = Literal[FileState, "missing"]
"""In which state a chain was retired."""


def _about(text: str) -> Any:
    return Field(description=text)


AuditLine = TypedDict(
    "AuditLine",
    {
        "@timestamp": Annotated[str, _about("when the line was written, UTC, ISO 8601 with microseconds")],
        "log.level": Annotated[
            str, _about("info; warning: a quarantined claim, a person's act; error: a file was lost")
        ],
        "event.action": Annotated[Action, _about("what happened")],
        "event.outcome": Annotated[
            Literal["success", "failure", "unknown"], _about("failure: quarantined, or a file was lost")
        ],
        "event.duration": Annotated[int, _about("time spent on this claim, nanoseconds")],
        "event.reason": Annotated[str, _about("why a person did it, in that person's words")],
        "trace.id": Annotated[str, _about("trace id of the event's traceparent, else the decision id")],
        "service.name": Annotated[str, _about("claim-scrubber")],
        "service.version": Annotated[str, _about("version of this package")],
        "host.name": Annotated[str, _about("name of the host")],
        "user.name": Annotated[str, _about("account of the person who did it")],
        "process.pid": Annotated[int, _about("process that judged")],
        "claim.claim_id": Annotated[str | None, _about("CLM01; null: could not be read")],
        "claim.decision_id": Annotated[str, _about("id of the decision, the same in the outlet; count by it")],
        "claim.first_decision_id": Annotated[str, _about("of a repeated event: the decision that stands")],
        "claim.event": Annotated[
            str, _about("hash of the event's source and id under audit.key; until 0.1.0 without a key")
        ],
        "claim.patient_hash": Annotated[
            str, _about("hash of payer id and member id under the patient key in force; absent: no member id")
        ],
        "claim.commitment": Annotated[
            str,
            _about(
                "of a claim of billing: HMAC over it under the salt that is in the outlet's entry; see certificates"
            ),
        ],
        "claim.form": Annotated[str, _about("professional or institutional")],
        "claim.frequency_code": Annotated[str, _about("CLM05-3")],
        "claim.bills_as": Annotated[str, _about(listed(get_args(Role)))],
        "claim.payer": Annotated[str | None, _about("key of the payer's rule set; null: not in the registry")],
        "claim.payer_id": Annotated[str, _about("NM109 of the payer")],
        "claim.plan": Annotated[str | None, _about("plan key of the payer file")],
        "claim.disposition": Annotated[str, _about(listed(DISPOSITIONS))],
        "claim.exit": Annotated[
            Literal["file", "kept", "sent"],
            _about("file: it leaves by file; of one that left without a verdict: kept, or sent to the payer"),
        ],
        "claim.observed": Annotated[
            str,
            _about("of a claim that is only observed: where its verdict would have sent it"),
        ],
        "claim.coverage": Annotated[str, _about(listed(get_args(Coverage)))],
        "claim.gaps": Annotated[
            list[str], _about("kinds of what no rule could look at, each once; absent: none, or a line until 0.1.1")
        ],
        "claim.wanted": Annotated[
            list[str],
            _about("official files to import for that, with the edition of the claim's date: ICD-10-CM FY 2027"),
        ],
        "claim.history": Annotated[str, _about("consulted, or no_member_id: duplicates and frequency not judged")],
        "claim.charge_cents": Annotated[int | None, _about("CLM02 in US cents")],
        "claim.expected_cents": Annotated[
            int,
            _about(
                "of a held claim: the least that its lines of the book's procedures are expected to bring, US cents"
            ),
        ],
        "claim.expected_high_cents": Annotated[
            int, _about("and the most; both absent: nothing could be said of any of them")
        ],
        "claim.expected_kind": Annotated[
            str,
            _about(
                "amount, range, part: of some of those lines alone, packaged: nothing of its own; absent: unknown, or a"
                " line of an earlier release"
            ),
        ],
        "claim.lines": Annotated[int, _about("service lines")],
        "claim.judged": Annotated[list[int], _about("numbers of the lines that carry the book's procedure")],
        "claim.requeued": Annotated[bool, _about("put on the queue again from quarantine")],
        "claim.waiver": Annotated[str, _about("digest of a person's waiver of a decision, by which this one was made")],
        "claim.waived": Annotated[
            list[str], _about("findings that a waiver lets go, as CODE@LINE; with ? where they were undetermined")
        ],
        "claim.waived_decision": Annotated[str, _about("the decision that was waived")],
        "claim.waiver_refused": Annotated[str, _about("why the waiver did not hold, so that the claim is held still")],
        "claim.repair": Annotated[str, _about("digest of a person's repair of form, by which this claim is as it is")],
        "claim.repaired": Annotated[
            list[str], _about("what a repair wrote otherwise, as JSON pointers on the claim, without its values")
        ],
        "claim.repaired_decision": Annotated[str, _about("the decision on the claim as it was before the repair")],
        "claim.repair_refused": Annotated[str, _about("why a repaired claim is held, whatever the book says of it")],
        "claim.revision": Annotated[
            str,
            _about("of a waived or repaired claim: which version of it it is, that of the entry decided first"),
        ],
        "claim.problems": Annotated[list[str], _about("of a quarantined claim: paths and sentences, no values")],
        "rule.run": Annotated[int, _about("rules that were judged")],
        "rule.block": Annotated[list[str], _about("codes of severity block that failed or were undetermined")],
        "rule.warn": Annotated[list[str], _about("the same of severity warn")],
        "rule.note": Annotated[list[str], _about("the same of severity note")],
        "rule.found": Annotated[
            list[str], _about("every finding as CODE@LINE, or CODE@ for the claim; with ? where it was undetermined")
        ],
        "rule.evidence": Annotated[
            list[str],
            _about(
                "what blocks and warnings were found by, as CODE@LINE fact=value; no dates, nothing of other claims;"
                " ...: it has not the form of a code; absent: none, or a line until 0.1.1"
            ),
        ],
        "rule.overridden": Annotated[
            list[str], _about("codes that an override of the hospital touched on this claim, found or put out of force")
        ],
        "override.name": Annotated[list[str], _about("those overrides, by name; of accepted drafts: these")],
        "override.told": Annotated[list[str], _about("the same in words: effect, reason, owner, last day, state")],
        "rule.shadow": Annotated[
            list[str], _about("codes of drafts that failed or were undetermined; they never route")
        ],
        "rule.shadow_block": Annotated[
            list[str], _about("those of rule.shadow that would have sent the claim to rework, were they active")
        ],
        "rule.undetermined": Annotated[
            list[str], _about("those of rule.block that were undetermined: a fact is missing")
        ],
        "rule.denials": Annotated[
            list[str], _about("what the payer would have answered to the rules that failed and block")
        ],
        "error.code": Annotated[
            str, _about("why the claim is in quarantine, unchecked, or superseded by a later version")
        ],
        "book.version": Annotated[str, _about("version of the rule book")],
        "book.digest": Annotated[str, _about("SHA-256 over the rule book")],
        "book.previous_version": Annotated[str, _about("version of the book that was in force before a switch")],
        "book.previous_digest": Annotated[str, _about("SHA-256 over that book")],
        "override.digest": Annotated[str, _about("SHA-256 of the overrides that a person put in force, or none")],
        "override.previous_digest": Annotated[str, _about("SHA-256 of those that held before, or none")],
        "file.sha256": Annotated[str, _about("of the file whose claims left: over its bytes, as in its manifest")],
        "file.claims": Annotated[list[str], _about("how many of its claims are in each class, as `clean 12`")],
        "batch.id": Annotated[str, _about("one id for the claims that were judged together")],
        "batch.size": Annotated[int, _about("how many they were")],
        "queue.entry": Annotated[
            str, _about("entry as it came in: [<partition>:][<stream>:]<id>, the inbox without a stream")
        ],
        "queue.forwarded_from": Annotated[str, _about("inbox entry as which it first came in, on another partition")],
        "queue.producer": Annotated[str, _about("registered producer that sent it; absent: it came on the inbox")],
        "access.cases": Annotated[int, _about("cases that were on a list over HTTP, or were made again")],
        "access.route": Annotated[str, _about("what was refused over HTTP: method and route, not the path asked for")],
        "access.reason": Annotated[str, _about("why it was refused")],
        "access.address": Annotated[str, _about("address of who was refused")],
        "case.handle": Annotated[str, _about("case of a held claim on which a person acted")],
        "case.facility": Annotated[str, _about("of which facility it is; absent: the installation's one")],
        "case.act": Annotated[str, _about("id of the act, as the case store has it")],
        "case.text": Annotated[
            str, _about("of the act's text, which stays in the case store: KEY:HMAC under an audit key")
        ],
        "case.until": Annotated[str, _about("day until which the case was pended; last day of a waiver, ISO 8601")],
        "case.owner": Annotated[str, _about("whom it was assigned to, empty: nobody; who answers for a waiver")],
        "case.reason": Annotated[str, _about("why it was closed: without_billing, billed_elsewhere, paid or denied")],
        "quarantine.entry": Annotated[str, _about("quarantine entry id that a person requeued or dropped")],
        "queue.attempt": Annotated[int, _about("of a claim taken over from a lost worker: which lone attempt this is")],
        "queue.latency_ms": Annotated[int, _about("from the inbox taking it in to this line, milliseconds")],
        "history.claims": Annotated[
            int,
            _about("claims that an import brings to the ledger, known ones too; or that were decided since a snapshot"),
        ],
        "audit.chain": Annotated[str, _about("name of the chain, one a file")],
        "audit.key": Annotated[
            str, _about("id of the audit key under which the line is chained; absent until 0.1.1: the secret")
        ],
        "audit.seq": Annotated[int, _about("number of the line in its chain, from 1")],
        "audit.lost": Annotated[Loss, _about("of a new file: what happened to the one before, while it was written")],
        "audit.previous_chain": Annotated[str, _about("of a new file: chain of the one before it, lost or ended")],
        "audit.previous_seq": Annotated[int, _about("number of the last line that was written to it")],
        "audit.previous_mac": Annotated[str, _about("mac of that line")],
        "audit.retired_chain": Annotated[str, _about("chain that a person retired: its file may be anywhere now")],
        "audit.retired_seq": Annotated[int, _about("number of its last line that was committed")],
        "audit.retired_mac": Annotated[str, _about("mac of that line, or its seal as Redis had it")],
        "audit.retired_state": Annotated[Retired, _about("in which state its file was then")],
        "secret.ring": Annotated[str, _about("ring of which a person put another key in force: audit or patient")],
        "secret.key": Annotated[str, _about("id of that key")],
        "secret.previous_key": Annotated[str, _about("id of the key that was in force before")],
        "audit.mac": Annotated[str, _about("HMAC over the line before and this one; always last on the line")],
    },
    total=False,
)


def now() -> str:
    """The time as ISO 8601 in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def who() -> str:
    """The account of the operating system, not of the environment, which anybody may set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's made-up user
        return f"uid {os.getuid()}"


def claim_fields(claim: Claim, patient: str | None) -> AuditLine:
    """What a line says of a readable claim; `patient`: keyed hash of payer id and member id."""
    line: AuditLine = {
        "claim.claim_id": claim.claim_id,
        "claim.form": claim.form,
        "claim.frequency_code": claim.frequency_code,
        "claim.payer_id": claim.payer.id,
        "claim.charge_cents": None if claim.total_charge is None else int(claim.total_charge * 100),
        "claim.lines": len(claim.lines),
    }
    if patient:
        line["claim.patient_hash"] = patient
    return line


def payment_fields(expected: tuple[LineExpected, ...]) -> AuditLine:
    """What a line says of a held claim's expected payment."""
    found = claim_expected((one.expected.kind, one.expected.low, one.expected.high) for one in expected)
    if found.low_cents is None or found.high_cents is None:
        return {}
    return {
        "claim.expected_cents": found.low_cents, "claim.expected_high_cents": found.high_cents,
        "claim.expected_kind": found.kind,
    }  # fmt: skip


def payment_in(line: Mapping[str, Any]) -> ClaimExpected:
    """And back. A line of an earlier release does not say of which lines of the claim it is: unknown."""
    if "claim.expected_kind" not in line:
        return UNKNOWN
    return ClaimExpected(line["claim.expected_kind"], line["claim.expected_cents"], line["claim.expected_high_cents"])


def report_fields(report: Report) -> AuditLine:
    """What a line says of a verdict."""
    line: AuditLine = {
        "claim.disposition": report.disposition,
        "claim.coverage": report.coverage,
        "claim.history": report.history,
        "claim.payer": report.payer,
        "claim.plan": report.plan,
        "claim.bills_as": report.bills_as,
        "rule.run": report.rules_run,
        "rule.block": report.codes("block"),
        "rule.warn": report.codes("warn"),
        "rule.note": report.codes("note"),
        "rule.found": [
            place_of(found.code, found.line) + "?" * (found.outcome == "undetermined")
            for found in report.every
            if found.outcome != "bypassed"
        ],
        "rule.shadow": report.shadow_codes(),
        "rule.shadow_block": report.shadow_codes("block"),
    }
    if report.overrides:
        touched = (f.code for f in (*report.every, *report.overridden) if f.override)
        line["rule.overridden"] = list(dict.fromkeys(touched))
        line["override.name"] = [one.name for one in report.overrides]
        line["override.told"] = [str(one) for one in report.overrides]
    line |= _of_blocks(report)
    if evidence := [
        f"{place_of(found.code, found.line)} {said}" for found in report.every for said in _evidence(found)
    ]:
        line["rule.evidence"] = evidence
    if report.gaps:
        line["claim.gaps"] = list(dict.fromkeys(gap.kind for gap in report.gaps))
    if report.observed:
        line["claim.observed"] = report.observed.disposition
    if report.waived:
        line |= _of_waiver(report.waived)
    if report.repaired:
        line |= _of_repair(report.repaired)
    if report.reason:
        line["error.code"] = "unchecked" if report.coverage == "none" else "superseded"
    return line


def _of_waiver(waived: Waived) -> AuditLine:
    line: AuditLine = {"claim.waiver": waived.digest, "claim.waived_decision": waived.decision}
    if waived.refused:
        line["claim.waiver_refused"] = waived.refused
    else:
        line["claim.waived"] = list(waived.findings)
    return line


def _of_repair(repaired: Repaired) -> AuditLine:
    line: AuditLine = {"claim.repair": repaired.digest, "claim.repaired_decision": repaired.decision}
    if repaired.refused:
        line["claim.repair_refused"] = repaired.refused
    else:
        line["claim.repaired"] = list(repaired.changes)
    return line


def _evidence(found: Finding) -> Iterator[str]:
    """The facts that a block or a warning was found by, but dates and what other claims of the patient have."""
    if found.outcome == "bypassed" or found.severity == "note":
        return
    for name, value in found.evidence.items():
        fact = FACTS.get(name)
        if fact and fact.kind != "date" and not fact.history:
            yield f"{name}={_said(value, coded=fact.kind in ('code', 'codes'))}"


def _said(value: Evidence, *, coded: bool) -> str:
    """A field of codes may hold whatever a sender put there, also a name: what has no form of a code is left out."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    every = map(str, value if isinstance(value, tuple) else (value,))
    return ",".join("..." if coded and not _CODE.fullmatch(one) else one for one in every)


def _of_blocks(report: Report) -> AuditLine:
    blocks = [finding for finding in report.every if finding.severity == "block"]
    undetermined = dict.fromkeys(finding.code for finding in blocks if finding.outcome == "undetermined")
    failed = [finding.expected_denial for finding in blocks if finding.outcome == "fail"]
    denials = dict.fromkeys(denial_code(denial) for denial in failed if denial)
    return {"rule.undetermined": list(undetermined), "rule.denials": list(denials)}


def denial_code(denial: Denial) -> str:
    """`CO-151 N362` (group, CARC, RARC) for a denial; `277CA A7:255` (category, status) for a rejection."""
    if denial.kind == "rejection":
        return "277CA " + (":".join(code for code in (denial.category, denial.status) if code) or "rejection")
    codes = "-".join(code for code in (denial.group, denial.carc) if code) or "denial"
    return f"{codes} {denial.rarc}" if denial.rarc else codes
