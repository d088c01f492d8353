"""The 999, implementation acknowledgment (005010X231A1): whether each group and set of an 837 could be read.

One 999 set answers one group. A set that cannot be read is R. One that is read and departs from the table of its form
is E, accepted with errors, each named: its claims are answered one by one in the 277CA, which holds those that a
receiver's 999 would reject, and R would send the sound ones back with them. Nothing of the values of the 837 is in it,
but control numbers and the claim's own number (CTX, business unit identifier): a value that cannot be read may be a
name that slipped into its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

from worker.intake.x12.ended import Ended, SegmentFault
from worker.intake.x12.written import plain, pour, send

GUIDE = "005010X231A1"
ACKNOWLEDGMENTS = frozenset({"997", "999"})
"""Sets that nobody answers: two systems would go on answering each other."""
_IN_MEMORY = 2**18
_MOST_CODES = 5
_UNNAMED = "ZZZ"
"""IK301 for what is no segment of the guide."""


class GroupAnswer:
    """The sets of one group, as they end; `close` writes the 999 set."""

    def __init__(self) -> None:
        self._loops: IO[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self._count = 0
        self._sets = self._accepted = self._with_errors = 0

    def add(self, ended: Ended, rejected: bool) -> None:
        """A set of the group is over."""
        if ended.at(1) in ACKNOWLEDGMENTS:
            return
        self._sets += 1
        self._accepted += not rejected
        self._with_errors += not rejected and bool(ended.segments or ended.codes)
        for segment in _loop(ended, rejected):
            self._count += 1
            send(self._loops, segment)

    def close(self, ended: Ended, out: IO[bytes], number: int) -> bool:
        """Writes the 999 of the group under this number; False: there is nothing to answer in it."""
        if ended.at(1) == "FA" or (ended.inside and not self._sets):
            self._loops.close()
            return False
        send(out, f"ST*999*{number:04d}*{GUIDE}")
        send(out, f"AK1*{plain(ended.at(1), 2) or 'HC'}*{_digits(ended.at(6))}*{plain(ended.at(8), 12)}")
        if ended.rejected:  # its sets are lost with it, whatever each of them was
            self._loops.close()
            self._count = 0
        else:
            pour(self._loops, out)
        said = ended.said if ended.said.isascii() and ended.said.isdigit() and len(ended.said) <= 6 else ended.inside
        accepted = 0 if ended.rejected else self._accepted
        codes = "*".join(ended.codes[:_MOST_CODES])
        send(out, f"AK9*{self._verdict(ended)}*{said}*{ended.inside}*{accepted}*{codes}")
        send(out, f"SE*{self._count + 4}*{number:04d}")
        return True

    def drop(self) -> None:
        """Writes nothing."""
        self._loops.close()

    def _verdict(self, ended: Ended) -> str:
        """AK901."""
        if ended.rejected or not self._accepted:
            return "R"
        if self._accepted < self._sets:
            return "P"
        return "E" if self._with_errors or ended.codes else "A"


def _loop(ended: Ended, rejected: bool) -> Iterator[str]:
    control = plain(ended.at(2), 9)
    yield f"AK2*{plain(ended.at(1), 3) or '837'}*{control.zfill(4)}*{plain(ended.at(3), 35)}"
    for fault in sorted(ended.segments, key=lambda fault: fault.place):
        yield from _segment(fault)
    codes = dict.fromkeys([*ended.codes, *(["5"] if ended.segments else [])])
    verdict = "R" if rejected else "E" if codes else "A"
    yield f"IK5*{verdict}*{'*'.join(_most(codes))}"


def _segment(fault: SegmentFault) -> Iterator[str]:
    # Four characters are what IK303 holds: 2010 for 2010AA, as the answers of others have it.
    yield f"IK3*{fault.segment or _UNNAMED}*{fault.place}*{fault.loop[:4]}*{fault.code}"
    if claim := plain(fault.claim, 35):
        yield f"CTX*CLM01:{claim}"
    if fault.element:
        yield f"IK4*{fault.element}*{fault.number}*{fault.element_code}"


def _most(codes: Iterable[str]) -> list[str]:
    return list(codes)[:_MOST_CODES]


def _digits(control: str) -> str:
    return control if control.isascii() and control.isdigit() and len(control) <= 9 else "0"
