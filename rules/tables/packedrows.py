"""The rows of a whole official table, packed: millions of them, sorted, in one file that all processes map.

A file is a header of 64 bytes (magic, form, bytes of a value, number of rows, SHA-256 of what follows) and three
columns, one after the other, little-endian: the keys as 64-bit numbers in order, the first and last day as two 16-bit
numbers, and the values. A code is a number of base 36, so five characters take 26 bits and a pair of codes 52. Days
count from 1970-01-01; the greatest is without end. A look-up is a binary search over the mapped keys: a process holds
none of them, and the pages that it reads are those of every other process.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Literal

SUFFIX = ".rows"
CODE_BITS = 26
DAY_BITS = 16
ENDLESS = (1 << DAY_BITS) - 1
"""The last day of a row that has none."""
_CODE_LENGTH = 5
_MAGIC, _FORM = b"scrbrows", 1
_HEADER = struct.Struct("<8sHHIQ32s8x")
_EPOCH = date(1970, 1, 1)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SPAN_BYTES = 4


class Unreadable(ValueError):
    """Why a file holds no packed rows, or not those that are wanted."""


@lru_cache(maxsize=65_536)
def number_of(code: str) -> int:
    """A code of five digits and capital letters as a number; ValueError for anything else."""
    if not _is_code(code):
        raise ValueError(code)
    return int(code, 36)


def _is_code(code: str) -> bool:
    return len(code) == _CODE_LENGTH and code.isascii() and code.isalnum() and code == code.upper()


def code_of(number: int) -> str:
    """The code of a number."""
    found = ""
    for _ in range(_CODE_LENGTH):
        number, digit = divmod(number, 36)
        found = _DIGITS[digit] + found
    return found


def day_number(day: date | None) -> int:
    """A day as a number; None: without end. A day outside of what can be written is the nearest that can."""
    return ENDLESS if day is None else min(max((day - _EPOCH).days, 0), ENDLESS - 1)


def day_of_number(number: int) -> date:
    """The day of a number."""
    return date.max if number == ENDLESS else _EPOCH + timedelta(days=number)


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of one table are packed. Keys are codes alone; the part of the table is no part of the key."""

    codes: int
    """How many codes a key has."""
    typecode: Literal["B", "I", "Q"]
    """Of the values, as `array` names it."""
    number: Callable[[Sequence[str]], int]
    """The values of a row as a number."""
    values: Callable[[int], tuple[str, ...]]
    """And back."""
    never: frozenset[int] = frozenset()
    """Values of rows that never held: they are kept, and no look-up finds them."""

    def key(self, codes: Sequence[str]) -> int:
        """The key as a number; ValueError where a code is none."""
        number = 0
        for code in codes:
            number = number << CODE_BITS | number_of(code)
        return number

    def key_codes(self, key: int) -> tuple[str, ...]:
        """The codes of a key."""
        mask = (1 << CODE_BITS) - 1
        return tuple(code_of(key >> CODE_BITS * place & mask) for place in reversed(range(self.codes)))


_ADJUDICATIONS = 4
_LETTERS = 26


def _place_number(state: str, contractor: str, locality: str, several: str) -> int:
    """State, contractor, locality and a flag of a ZIP code as a number; ValueError where one is none."""
    first, second = (ord(letter) - ord("A") for letter in state)
    if not (0 <= first < _LETTERS and 0 <= second < _LETTERS and contractor.isdigit() and locality.isdigit()):
        raise ValueError(state)
    found = (first * _LETTERS + second) * 10**5 + int(contractor)
    return (found * 100 + int(locality)) * 2 + int(several)


def _place_of(number: int) -> tuple[str, str, str, str]:
    rest, several = divmod(number, 2)
    rest, locality = divmod(rest, 100)
    state, contractor = divmod(rest, 10**5)
    letters = "".join(chr(ord("A") + one) for one in divmod(state, _LETTERS))
    return letters, f"{contractor:05}", f"{locality:02}", str(several)


LAYOUTS: Mapping[str, Layout] = {
    "mue": Layout(
        1, "I",
        number=lambda values: int(values[0]) * _ADJUDICATIONS + int(values[1]),
        values=lambda number: (str(number // _ADJUDICATIONS), str(number % _ADJUDICATIONS)),
    ),
    "ncci_ptp": Layout(
        2, "B",
        number=lambda values: int(values[0]),
        values=lambda number: (str(number),),
        never=frozenset({9}),
    ),
    "zip_localities": Layout(2, "Q", number=lambda values: _place_number(*values), values=_place_of),
}  # fmt: skip
"""The tables that are imported whole. Indicator 9 says that a pair was deleted on the day on which it took effect."""


class PackedRows:
    """The rows of one part of a table, over a buffer: a mapped file, or what was packed just now."""

    __slots__ = ("_keys", "_spans", "_values", "buffer", "layout", "sha256")

    def __init__(self, table: str, buffer: memoryview) -> None:
        """Of a buffer that begins with the header.

        Raises:
            Unreadable
        """
        self.layout = LAYOUTS[table]
        size = array(self.layout.typecode).itemsize
        if sys.byteorder != "little":
            raise Unreadable("packed tables are for little-endian machines")
        if len(buffer) < _HEADER.size:
            raise Unreadable("it is cut short")
        magic, form, value_bytes, _, count, digest = _HEADER.unpack_from(buffer)
        if (magic, form, value_bytes) != (_MAGIC, _FORM, size):
            raise Unreadable("it holds no packed rows of this table")
        keys_end = _HEADER.size + 8 * count
        spans_end = keys_end + _SPAN_BYTES * count
        if len(buffer) != spans_end + size * count:
            raise Unreadable("it is cut short")
        self.buffer = buffer
        self.sha256: str = digest.hex()
        self._keys = buffer[_HEADER.size : keys_end].cast("Q")
        self._spans = buffer[keys_end:spans_end].cast("I")
        self._values = buffer[spans_end:].cast(self.layout.typecode)

    def __len__(self) -> int:
        return len(self._keys)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PackedRows) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def find(self, codes: Sequence[str], on: date) -> tuple[str, ...] | None:
        """The values of the row for this key on this date of service, or None; of several the one that began last."""
        place = self._place(codes)
        if place < 0:
            return None
        key, keys, day, found = self._keys[place], self._keys, on.toordinal() - _EPOCH_ORDINAL, None
        while place < len(keys) and keys[place] == key:
            start, end, value = self._row(place)
            if start <= day and (day <= end or end == ENDLESS) and self._held(start, end, value):
                found = value
            place += 1
        return None if found is None else self.layout.values(found)

    def among(self, codes: Iterable[str], on: date) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Of a table of pairs: keys and values of the rows of this date both of whose codes are among these. What a row
        costs is less than a look-up, and one code has some hundreds of rows."""
        numbers = {number_of(code): code for code in codes if _is_code(code)}
        day, mask = on.toordinal() - _EPOCH_ORDINAL, (1 << CODE_BITS) - 1
        for first, code in numbers.items():
            low = bisect_left(self._keys, first << CODE_BITS)
            high = bisect_left(self._keys, first + 1 << CODE_BITS, low)
            for place, key in enumerate(self._keys[low:high], low):
                if other := numbers.get(key & mask):
                    start, end, value = self._row(place)
                    if start <= day and (day <= end or end == ENDLESS) and self._held(start, end, value):
                        yield (code, other), self.layout.values(value)

    def has(self, codes: Sequence[str]) -> bool:
        """Whether there is a row for this key that held on some day."""
        place, keys = self._place(codes), self._keys
        key = keys[place] if place >= 0 else -1
        while 0 <= place < len(keys) and keys[place] == key:
            if self._held(*self._row(place)):
                return True
            place += 1
        return False

    def rows(self) -> Iterator[tuple[str, ...]]:
        """All rows, also those that never held: codes, values, first and last day as ISO dates, empty for none."""
        for place, key in enumerate(self._keys):
            start, end, value = self._row(place)
            first = day_of_number(start).isoformat() if start else ""
            last = "" if end == ENDLESS else day_of_number(end).isoformat()
            yield (*self.layout.key_codes(key), *self.layout.values(value), first, last)

    def change_days(self) -> list[date]:
        """The days, in order, on which a row that held begins or is over."""
        spans = {
            (span >> DAY_BITS, span & ENDLESS)
            for span, value in zip(self._spans, self._values, strict=True)
            if self._held(span >> DAY_BITS, span & ENDLESS, value)
        }
        days = {start for start, _ in spans} | {end + 1 for _, end in spans if end != ENDLESS}
        return [day_of_number(day) for day in sorted(days)]

    def sound(self) -> bool:
        """Whether its content is what its header says, which reads all of it."""
        return hashlib.sha256(self.buffer[_HEADER.size :]).hexdigest() == self.sha256

    def _place(self, codes: Sequence[str]) -> int:
        """Of the first row for this key; -1: there is none."""
        try:
            key = self.layout.key(codes)
        except ValueError:
            return -1
        place = bisect_left(self._keys, key)
        return place if place < len(self._keys) and self._keys[place] == key else -1

    def _row(self, place: int) -> tuple[int, int, int]:
        span = self._spans[place]
        return span >> DAY_BITS, span & ENDLESS, self._values[place]

    def _held(self, start: int, end: int, value: int) -> bool:
        """CMS deletes a pair that it takes back as of the day on which it took effect."""
        return (start != end or not start) and value not in self.layout.never


def packed_rows(table: str, keys: Iterable[int], spans: Iterable[int], values: Iterable[int]) -> PackedRows:
    """Rows in the order of their keys and days; a span is the first day, `DAY_BITS` up, and the last."""
    typecode = LAYOUTS[table].typecode
    columns = [array("Q", keys), array("I", spans), array(typecode, values)]
    body = b"".join(column.tobytes() for column in columns)
    digest = hashlib.sha256(body).digest()
    header = _HEADER.pack(_MAGIC, _FORM, columns[2].itemsize, 0, len(columns[0]), digest)
    return PackedRows(table, memoryview(header + body))


def mapped_rows(table: str, path: Path) -> PackedRows:
    """The rows in a file, which stays on the disk and is read where it is looked into.

    Raises:
        Unreadable, OSError
    """
    with path.open("rb") as stream:
        try:
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise Unreadable("it is empty") from None
    return PackedRows(table, memoryview(mapped))
