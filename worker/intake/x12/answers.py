"""The answers to the sender of an X12 file: TA1, 999 and 277CA, each for what it is for.

    interchange  TA1, where its ISA or IEA has a fault, or ISA14 asks for one; in an interchange of its own, since
                 parsers trip over one between ISA and GS (imsweb/x12-parser#77)
    group        999: whether each of its transaction sets could be read
    claim        277CA, in the sets that were read

What is rejected has no answer further in: no 999 for an interchange that TA1 rejects, no 277CA for a set that the 999
rejects. The sender of the file is the receiver of the answer. Memory does not grow with the file.
"""

from __future__ import annotations

from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO

from rules.report import Report
from worker.intake.document import Document, Refusal
from worker.intake.x12 import acknowledgment, implementation
from worker.intake.x12.acknowledgment import StatusSet
from worker.intake.x12.ended import FATAL, Ended, is_date, is_number, is_time
from worker.intake.x12.implementation import GroupAnswer
from worker.intake.x12.written import OWN_ID, ControlNumbers, isa, must, pour, send

_IN_MEMORY = 2**20


class _Sets:
    """Sets of one kind on their way: into a group or an interchange of answers, or nowhere."""

    def __init__(self, count: int = 0) -> None:
        """`count`: the number of the set before the first."""
        self.out: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self.count = count

    def next(self) -> int:
        self.count += 1
        return self.count


class Answers:
    """Writes the answers to `out`, an interchange at a time.

    `ended` is to be told everything that ends (`read_x12`), and the claims are to come as they are read.
    """

    def __init__(self, out: IO[bytes], now: datetime, *, claims_alone: bool = False) -> None:
        """`claims_alone`: no TA1 and no 999, which were written before."""
        self.count = 0
        """Interchanges that were answered."""
        self._out = out
        self._now = now
        self._claims_alone = claims_alone
        self._set: StatusSet | None = None
        self._set_origin = ""
        self._read = 0
        self._group: GroupAnswer | None = None
        self._in_group: _Sets | None = None
        self._statuses: _Sets | None = None
        self._readable: _Sets | None = None

    def accept(self, document: Document, report: Report) -> None:
        """Adds the verdict on a claim that was read."""
        self._of(document).accept(document, report)
        self._read += 1

    def receive(self, document: Document) -> None:
        """Adds a claim that was read, and that is judged elsewhere."""
        self._of(document).receive(document)
        self._read += 1

    def refuse(self, refusal: Refusal) -> None:
        """Adds a claim that could not be read."""
        self._of(refusal).refuse(refusal)

    def ended(self, ended: Ended) -> None:
        """What is over is answered, or its answer is dropped."""
        match ended.level:
            case "ST":
                self._end_set(ended)
            case "GS":
                self._end_group(ended)
            case "ISA":
                self._end_interchange(ended)

    def close(self) -> None:
        """Drops what nothing has ended."""
        self._drop_set()
        if self._group is not None:
            self._group.drop()
        for sets in (self._in_group, self._readable, self._statuses):
            if sets is not None:
                sets.out.close()
        self._group = self._in_group = self._readable = self._statuses = None

    def _of(self, item: Document | Refusal) -> StatusSet:
        origin = item.origin.rpartition("/")[0]
        if self._set is None or origin != self._set_origin:
            self._drop_set()
            self._set, self._set_origin = StatusSet(self._now, item.trace or {}), origin
        return self._set

    def _drop_set(self) -> None:
        if self._set is not None:
            self._set.drop()
        self._set, self._read = None, 0

    def _end_set(self, ended: Ended) -> None:
        rejected = ended.rejected or (not self._read and bool(ended.segments))
        self._group = self._group or GroupAnswer()
        self._group.add(ended, rejected)
        if self._set is not None and not rejected and self._set_origin == ended.origin:
            self._in_group = self._in_group or _Sets(self._statuses.count if self._statuses else 0)
            self._set.close(self._in_group.out, self._in_group.next())
            self._set = None
        self._drop_set()

    def _end_group(self, ended: Ended) -> None:
        self._drop_set()
        group, self._group = self._group or GroupAnswer(), None
        statuses, self._in_group = self._in_group, None
        self._readable = self._readable or _Sets()
        if group.close(ended, self._readable.out, self._readable.count + 1):
            self._readable.next()
        if statuses is None:
            return
        if ended.rejected:
            statuses.out.close()
            return
        self._statuses = self._statuses or _Sets()
        pour(statuses.out, self._statuses.out)
        self._statuses.count = statuses.count

    def _end_interchange(self, ended: Ended) -> None:
        self._drop_set()
        if self._group is not None:
            self._group.drop()
        of_group, readable, statuses = self._in_group, self._readable, self._statuses
        self._group = self._in_group = self._readable = self._statuses = None
        if number := _number(ended):
            self._answer(ended, number, readable, statuses)
        for sets in (of_group, readable, statuses):
            if sets is not None:
                sets.out.close()

    def _answer(self, ended: Ended, number: str, readable: _Sets | None, statuses: _Sets | None) -> None:
        note = next((code for code in ended.codes if code in FATAL["ISA"]), next(iter(ended.codes), "000"))
        if not self._claims_alone and (note != "000" or (ended.at(14) == "1" and ended.inside)):
            self._begin(ended)
            # A date or time that is none cannot be said back: that of the answer stands for it.
            day = ended.at(9) if is_date(ended.at(9)) else f"{self._now:%y%m%d}"
            time = ended.at(10) if is_time(ended.at(10)) else f"{self._now:%H%M}"
            verdict = "R" if ended.rejected else "A" if note == "000" else "E"
            send(self._out, f"TA1*{number}*{day}*{time}*{verdict}*{note}")
            self._end(0)
        kinds = [
            (name, guide, sets)
            for name, guide, sets in (("FA", implementation.GUIDE, readable), ("HN", acknowledgment.GUIDE, statuses))
            if sets is not None and sets.count and not (self._claims_alone and name == "FA")
        ]
        if ended.rejected or not kinds:
            return
        self._begin(ended)
        sender = must(ended.parties.get("group_receiver"), 15, OWN_ID)
        receiver = must(ended.parties.get("group_sender"), 15, must(ended.parties.get("sender"), 15))
        for name, guide, sets in kinds:
            control = ControlNumbers.next(self._now)
            when = f"{self._now:%Y%m%d}*{self._now:%H%M}"
            send(self._out, f"GS*{name}*{sender}*{receiver}*{when}*{control}*X*{guide}")
            pour(sets.out, self._out)
            send(self._out, f"GE*{sets.count}*{control}")
        self._end(len(kinds))

    def _begin(self, ended: Ended) -> None:
        self.count += 1
        self._number = ControlNumbers.next(self._now)
        ours, theirs = (
            (must(ended.parties.get(f"{who}_qualifier"), 2, "ZZ"), must(ended.parties.get(who), 15, otherwise))
            for who, otherwise in (("receiver", OWN_ID), ("sender", "UNKNOWN"))
        )
        send(self._out, isa(self._now, ours, theirs, self._number, ended.parties))

    def _end(self, groups: int) -> None:
        send(self._out, f"IEA*{groups}*{self._number:09d}")


def _number(ended: Ended) -> str:
    """ISA13, which an answer must name; empty: it has none, and cannot be answered."""
    control = ended.at(13)
    if "022" in ended.codes and not is_number(control, 9):  # an element more or less before it
        control = next((element for element in reversed(ended.header) if is_number(element, 9)), "")
    return control.zfill(9) if control and is_number(control, len(control)) and len(control) <= 9 else ""
