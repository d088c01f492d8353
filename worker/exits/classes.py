"""What becomes of each claim of a file, noted as the file is read, for the pass that splits it.

The notes wait in an unnamed temporary file, so that memory does not grow with the file. What the answer to the sender
rejects is known only when its level is over: the notes of its claims are read with that in mind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from tempfile import TemporaryFile
from typing import IO, Any, Literal, get_args

import orjson

from rules.report import Disposition, Report
from worker.intake.document import Document, Refusal
from worker.intake.events import canonical, digest_of
from worker.intake.x12.ended import Ended, Level
from worker.store.outletspecs import DISPOSED, SplitClass

Class = Literal["clean", "held", "unchecked", "undecided", "refused", "repeated"]
OutgoingClass = SplitClass
"""Classes whose claims go into a file; those of the others are in the original alone."""
CLASSES: tuple[Class, ...] = get_args(Class)
OUTGOING: tuple[OutgoingClass, ...] = get_args(OutgoingClass)
OF_DISPOSITION: Mapping[Disposition, Class] = {name: spec.split for name, spec in DISPOSED.items() if spec.split}
_LEVELS: Mapping[Level, str] = {"ISA": "interchange", "GS": "group", "ST": "transaction set"}
_ANSWERS: Mapping[Level, str] = {"ISA": "TA1", "GS": "999 AK9", "ST": "999 IK5"}


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a claim when the file was read."""

    number: int
    position: str
    origin: str
    kind: Class | Literal[""]
    """Empty: it stays where it was, in the files of before."""
    claim_id: str | None = None
    charge: str | None = None
    codes: tuple[str, ...] = ()
    """Of what holds it."""
    why: str | None = None
    """Of a claim that no verdict decides."""
    digest: str = ""
    """Over what was read of it; empty: it could not be read."""
    sent: bool = False
    """Whether the file that it goes into is to be sent."""
    first: int | None = None
    """Number of the claim that it repeats, where that is known before its bytes are looked at."""
    first_file: str | None = None
    """The file that had it first."""


class Classes:
    """The notes of one file, in its order."""

    def __init__(self) -> None:
        self._notes: IO[bytes] = TemporaryFile()  # noqa: SIM115
        self._rejected: dict[str, str] = {}
        self.interchanges = 0
        """That have ended."""
        self.faults: list[str] = []
        """Of the file and its envelope, as sentences."""

    def decide(self, document: Document, report: Report, *, sent: bool = False) -> None:
        """Notes the verdict on a claim."""
        codes = tuple(report.codes("block")) if report.disposition == "rework" else ()
        self._note(document, OF_DISPOSITION[report.disposition], codes=codes, sent=sent, why=_let_go(report))

    def leave(self, document: Document, why: str, *, sent: bool) -> None:
        """Notes a claim on which there is no verdict."""
        self._note(document, "undecided", why=why, sent=sent)

    def repeat(self, document: Document, why: str, first: int | None = None, first_file: str | None = None) -> None:
        """Notes a claim that came before, in this file or in another."""
        self._note(document, "repeated", why=why, first=first, first_file=first_file)

    def pass_over(self, item: Document | Refusal) -> None:
        """Notes a claim that is in no file of these, and in no row of their manifest."""
        if item.number:
            self._add(Note(item.number, item.position, item.origin, ""))

    def _note(self, document: Document, kind: Class, **more: Any) -> None:
        charge = document.claim.total_charge
        self._add(
            Note(
                document.number, document.position, document.origin, kind, document.claim.claim_id,
                str(charge) if charge is not None else None,
                digest=digest_of(document.value, canonical(document.value)), **more,
            )
        )  # fmt: skip

    def refuse(self, refusal: Refusal) -> None:
        """Notes a claim that could not be read, or a fault of what is around the claims."""
        if not refusal.number:
            self.faults += map(_said, refusal.problems)
            return
        trace = refusal.trace or {}
        charge = _amount(trace.get("total_charge"))
        why = "; ".join(map(_said, refusal.problems[:3]))
        claim_id = trace.get("claim_id")
        self._add(
            Note(refusal.number, refusal.position, refusal.origin, "refused", claim_id, charge, (), why),
        )

    def ended(self, ended: Ended) -> None:
        """Notes what is over."""
        self.interchanges += ended.level == "ISA"
        if ended.rejected:
            level, answer = _LEVELS[ended.level], _ANSWERS[ended.level]
            self._rejected[ended.origin] = (
                f"the {level} around this claim is rejected in the answer to the sender ({answer} "
                f"{', '.join(ended.codes)}), who sends it again: nothing of it goes on"
            )

    def notes(self) -> Iterator[Note]:
        """Every note, in the order of the file."""
        self._notes.seek(0)
        for line in self._notes:
            note = Note(*orjson.loads(line))
            if note.kind and self._rejected and (rejected := self._around(note.origin)):
                note = Note(
                    note.number, note.position, note.origin, "refused", note.claim_id, note.charge, (), rejected
                )
            yield note

    def close(self) -> None:
        """Lets go of the notes."""
        self._notes.close()

    def _around(self, origin: str) -> str:
        levels = origin.split("/")
        found = (self._rejected.get("/".join(levels[:depth])) for depth in (1, 2, 3))
        return next(filter(None, found), "")

    def _add(self, note: Note) -> None:
        row = [getattr(note, one.name) for one in fields(Note)]
        self._notes.write(orjson.dumps(row, default=str) + b"\n")


def _let_go(report: Report) -> str | None:
    if waived := report.waived:
        return f"waived: {', '.join(waived.findings)} of decision {waived.decision}"
    return f"repaired, of decision {report.repaired.decision}" if report.repaired else None


def _said(problem: Any) -> str:
    """A problem for the manifest, without a key that a file made up."""
    return f"{problem.safe_path}: {problem.sentence}" if problem.safe_path else problem.sentence


def _amount(text: Any) -> str | None:
    try:
        return str(Decimal(text)) if text is not None and len(text) <= 18 else None
    except ArithmeticError:
        return None
