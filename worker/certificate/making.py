"""Where a certificate is had from: the claim's entry in the outlet, or as its consumer kept it, and its audit line.

The entry has the salt, the report in full and the id of the decision. Of the lines with that id the one counts whose
commitment the claim and the salt give: a decision that was logged twice has two, and one of them was committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rules.book.book import Book
from rules.errors import ClaimInvalid
from rules.report import place_of
from worker.audit import check
from worker.audit.lines import DECIDES
from worker.audit.log import file_name, service_version
from worker.certificate.content import (
    Certificate,
    CertifiedWaiver,
    ChainPlace,
    Commitment,
    Json,
    Verdict,
    book_of,
    signer,
    verdict_of,
    waivers_of,
)
from worker.errors import CertificateRefused, EntriesUnreadable, TextsMissing
from worker.intake.events import canonical
from worker.pipeline import outlets
from worker.pipeline.commitment import commitment
from worker.pipeline.namedtexts import is_shortened
from worker.pipeline.outlets import SCRUBBED
from worker.rejudging.replay import whole_by_book
from worker.store.connections import Store
from worker.store.keyring import Ring

_TAKEN_BACK = "claim.superseded"
_ANEW = "judge the claim anew (`scrub submit`), and have a certificate of that"
_KEPT = "give the entry that its consumer kept with --entry"


class AuditPlace(NamedTuple):
    """A line of an audit file."""

    file: Path
    number: int
    line: Json


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the outlet billing, as far as a certificate needs it."""

    event: Json

    @property
    def decision(self) -> str:
        return str(self.event["id"])

    @property
    def claim(self) -> Json:
        found: Json = self.event["data"]["claim"]
        return found

    @property
    def report(self) -> Json:
        found: Json = self.event["data"]["report"]
        return found

    @property
    def committed(self) -> str | None:
        """The commitment to the claim; None: the entry has no salt."""
        salt = self.event["data"].get("salt")
        if not isinstance(salt, str):
            return None
        try:
            return commitment(bytes.fromhex(salt), canonical(self.claim))
        except ValueError:
            return ""

    def is_of(self, name: str) -> bool:
        """Whether this is its claim number or decision id."""
        return name in (self.decision, self.claim.get("claim_id"))


def entries_of(file: Path) -> Iterator[Entry]:
    """The entries of the outlet billing that a file holds.

    Raises:
        EntriesUnreadable
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise EntriesUnreadable(file=file, reason=error.strerror or "no permission") from None
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        try:
            found = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise EntriesUnreadable(file=file, reason=f"line {number} is not JSON") from None
        if not _is_entry(found):
            raise EntriesUnreadable(file=file, reason=f"line {number} is no such entry")
        yield Entry(found)


def _is_entry(found: Any) -> bool:
    data = found.get("data") if isinstance(found, dict) else None
    whole = isinstance(data, dict) and isinstance(data.get("claim"), dict) and isinstance(data.get("report"), dict)
    return whole and isinstance(found.get("id"), str) and found.get("type") == SCRUBBED


def entry_in_file(file: Path, name: str) -> Entry:
    """The entry of this claim in a file.

    Raises:
        EntriesUnreadable, CertificateRefused
    """
    found = _one([entry for entry in entries_of(file) if entry.is_of(name)])
    if found is None:
        raise CertificateRefused(reason=f"none of the entries of {file} is of it.")
    return found


def whole(entry: Entry, book: Callable[[str], Book]) -> Entry:
    """The entry with the texts that its report gives by name, as its book gives them. `book`: by its digest.

    Raises:
        CertificateRefused
        What `book` raises.
    """
    if not is_shortened(entry.report):
        return entry
    try:
        return Entry(whole_by_book(entry.event, book(str(entry.report["book"]["digest"]))))
    except (TextsMissing, ClaimInvalid, KeyError, TypeError, ValueError) as error:
        raise CertificateRefused(reason=f"its report cannot be read by its book ({entry.decision}): {error}") from None


def entry_in_outlet(store: Store, name: str, audit: Iterable[Path]) -> Entry:
    """The entry of this claim in the outlet billing.

    Raises:
        CertificateRefused: it is not there; the sentence says what is known of it.
        redis.exceptions.RedisError
    """
    every = (Entry(one.event) for one in outlets.tail(store.redis, store.keys, "billing") if "report" in one.data)
    found = _one([entry for entry in every if entry.is_of(name)])
    if found is None:
        raise _by_audit(name, audit)
    return found


def _one(found: list[Entry]) -> Entry | None:
    """Of entries that are there twice, as a decision may be, any."""
    by_decision = {(entry.decision, entry.event["data"].get("salt")): entry for entry in found}
    if len(by_decision) > 1:
        listed = ", ".join(f"{entry.decision} of {entry.event.get('time')}" for entry in by_decision.values())
        raise CertificateRefused(reason=f"it was decided several times; say which decision is meant: {listed}.")
    return next(iter(by_decision.values()), None)


def _by_audit(name: str, files: Iterable[Path]) -> CertificateRefused:
    """Of a claim that is in no entry, with what the audit files know of it."""
    decided = [place.line for place in lines_about(name, files) if place.line["event.action"] in DECIDES]
    if not decided:
        return CertificateRefused(
            reason="it is neither in the outlet billing nor in the audit files here. Look at its number; where another"
            " machine decided it, give that one's files with --audit."
        )
    last = decided[-1]
    where = last.get("claim.disposition")
    about = f"{last['@timestamp']}, decision {last['claim.decision_id']}"
    if where != "billing":
        reason = f"it went to {where} ({about}). Only what went to billing has one."
    elif "claim.commitment" not in last:
        reason = f"a release without certificates decided it ({about}); {_ANEW}."
    else:
        reason = f"the outlet billing no longer holds it ({about}); {_KEPT}, which has the salt."
    return CertificateRefused(reason=reason)


def lines_about(name: str, files: Iterable[Path]) -> Iterator[AuditPlace]:
    """The lines of audit files about a claim, by its number or decision id.

    Raises:
        OSError
    """
    texts = tuple(b'"%s":%s' % (key, orjson.dumps(name)) for key in (b"claim.claim_id", b"claim.decision_id"))
    for file in files:
        with file.open("rb") as lines:
            for number, raw in enumerate(lines, 1):
                if any(text in raw for text in texts) and (line := _line(raw)):
                    yield AuditPlace(file, number, line)


def _line(raw: bytes) -> Json | None:
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:  # torn
        return None
    return found if isinstance(found, dict) and "claim.decision_id" in found and "audit.mac" in found else None


def made(entry: Entry, files: Iterable[Path], ring: Ring, key: Ed25519PrivateKey) -> Certificate:
    """The certificate of an entry, whose line is in one of these audit files.

    Raises:
        CertificateRefused, OSError
    """
    committed = entry.committed
    if committed is None:
        raise CertificateRefused(reason=f"a release without certificates decided it ({entry.decision}); {_ANEW}.")
    place = _place(entry, committed, files)
    sound = check.verify(place.file, ring)
    if sound.lines < place.number:
        raise CertificateRefused(reason=f"its audit file is not sound: {sound}.")
    try:
        verdict, book, waivers = verdict_of(entry.report), book_of(entry.report), waivers_of(entry.report)
    except (KeyError, ValueError, TypeError):
        raise CertificateRefused(
            reason=f"the report in its entry is not one of this release ({entry.decision})."
        ) from None
    if wrong := unlike(place.line, entry.decision, committed, verdict, book.digest, waivers):
        raise CertificateRefused(
            reason=f"its entry ({entry.decision}) differs from its audit line in {', '.join(wrong)}: one was changed."
        )
    line = place.line
    return Certificate(
        issued=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        release=service_version(),
        decision=entry.decision,
        decided=line["@timestamp"],
        commitment=Commitment(value=committed),
        book=book,
        verdict=verdict,
        waivers=waivers,
        audit=ChainPlace(
            file=file_name(line["audit.chain"]), chain=line["audit.chain"], line=line["audit.seq"],
            mac=line["audit.mac"], key=line.get("audit.key", ""),
        ),
        signer=signer(key),
    )  # fmt: skip


def _place(entry: Entry, committed: str, files: Iterable[Path]) -> AuditPlace:
    """The line of an entry."""
    found = [place for place in lines_about(entry.decision, files) if place.line["claim.decision_id"] == entry.decision]
    ours = [place for place in found if place.line.get("claim.commitment") == committed]
    decided = [place for place in ours if place.line["event.action"] == "claim.scrubbed"]
    if any(place.line["event.action"] == _TAKEN_BACK for place in ours):
        raise CertificateRefused(reason=f"its decision {entry.decision} was taken back: it was never committed.")
    if decided:
        return decided[0]
    if found:
        raise CertificateRefused(
            reason=f"no audit line of decision {entry.decision} is of the claim and salt of its entry: one was changed,"
            " or the line is in the file of another machine (--audit)."
        )
    raise CertificateRefused(
        reason=f"no audit file here has the line of decision {entry.decision}; give the file of the machine that"
        " decided it, or the archived one, with --audit."
    )


def unlike(
    line: Json, decision: str, committed: str, verdict: Verdict, digest: str, waivers: Sequence[CertifiedWaiver]
) -> list[str]:
    """In what an audit line is not that of a decision."""
    codes = [
        place_of(one.code, one.line) + "?" * (one.outcome == "undetermined")
        for one in verdict.findings
        if one.outcome != "bypassed"
    ]
    wanted: dict[str, Any] = {
        "event.action": "claim.scrubbed", "claim.decision_id": decision, "claim.commitment": committed,
        "claim.disposition": "billing", "claim.coverage": verdict.coverage, "claim.history": verdict.history,
        "claim.payer": verdict.payer, "claim.plan": verdict.plan, "claim.bills_as": verdict.bills_as,
        "rule.run": verdict.rules_run, "book.digest": digest, "claim.observed": verdict.observed,
    }  # fmt: skip
    if waivers:
        wanted |= {"claim.waiver": waivers[0].digest, "claim.waived": list(waivers[0].findings)}
    else:
        wanted |= {"claim.waiver": None, "claim.waived": None}
    wrong = [name for name, value in wanted.items() if line.get(name) != value]
    if sorted(line.get("rule.found", [])) != sorted(codes):
        wrong.append("rule.found")
    if set(line.get("claim.gaps", [])) != {gap.kind for gap in verdict.gaps}:
        wrong.append("claim.gaps")
    if set(line.get("override.name", [])) != {one.name for one in verdict.overrides}:
        wrong.append("override.name")
    return wrong
