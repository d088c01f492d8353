"""Cutting a stream of bytes into the segments of X12 interchanges, in constant memory.

The separators come from each ISA alone: the element separator is its fourth byte, the component separator is ISA16,
the segment terminator follows ISA16. Nothing is inferred from the body. Elements of the ISA are counted, not
measured, so that an ISA with a field of the wrong width is read all the same. Line breaks are no part of X12 text
unless one is the terminator; a byte order mark, blank lines and blanks between segments are passed over. Text is
UTF-8, else Windows-1252 (Latin-1 with quotation marks), segment by segment.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from typing import IO

BLOCK = 2**16
LONGEST_SEGMENT = 2**16
"""Bytes of one segment; the longest of the 837 guides has some two thousand."""
_LONGEST_ISA = 256
ISA = re.compile(rb"ISA([^A-Za-z0-9\s])[0-9]{2}\1.{0,20}?\1[0-9]{2}\1", re.DOTALL)
_BLANK = b" \t\r\n\v\f\0\x1a"
_MARK = b"\xef\xbb\xbf"


class Broken:
    """In place of a segment: something that is none. The sentence holds nothing of it.

    header: elements of an ISA that does not say its separators, which is of no use but to answer it. code: TA105.
    """

    def __init__(self, sentence: str, header: list[str] | None = None, code: str = "") -> None:
        self.sentence, self.header, self.code = sentence, header, code


TOO_LONG = Broken(f"a segment has more than {LONGEST_SEGMENT} bytes")
CUT_OFF = Broken("another interchange begins inside a segment")
NO_SEPARATORS = (
    "the ISA segment of this X12 file does not say which separators are used (expected 16 elements, then ISA16 and "
    "the segment terminator, different ASCII characters, no letters or digits); nothing up to the next ISA is read"
)
NO_COMPONENT = (
    "the ISA segment of this X12 file has no ISA16, the component separator (expected 16 elements, the last of them "
    "one character such as ':', then the segment terminator); nothing up to the next ISA is read"
)
NOT_AN_ISA = Broken(
    "expected an ISA segment, with which X12 begins; what stands before the next ISA is not read: delete it, or "
    "send the whole interchange"
)
UNFINISHED = Broken("the file ends inside a segment")


Separators = tuple[str, str, str]
"""Of elements and components, and what ends a segment."""


class Segments:
    """The segments of the stream, in order; iterate once. `element` and `component` are the separators in force."""

    def __init__(self, stream: IO[bytes], ahead: bytes = b"", separators: Separators | None = None) -> None:
        """`ahead`: what was read of the stream before. `separators`: those in force where this is no beginning but a
        place after a terminator; None: an ISA is to come."""
        self._stream = stream
        self._data = ahead
        self._taken = len(ahead)
        self._ended = False
        self.element, self.component, terminator = separators or ("*", ":", "")
        self._terminator = terminator.encode("latin-1")
        self.damage: Exception | None = None
        """Why a compressed stream ends where it ends, if it is cut off or damaged."""
        self.raw = b""
        """The bytes of the batch that was given last, with terminators, line breaks and what is blank."""
        self.place = 0
        """Where they begin in what was read."""

    def __iter__(self) -> Iterator[list[str] | Broken]:
        """Batches of segments; an ISA is a batch of its own, after which the separators are the new ones."""
        while not self._ended or self._data:
            if not self._terminator:
                found = self._header()
                if found is not None:
                    yield found
                continue
            yield from self._body()

    def _fill(self, least: int) -> None:
        """Reads until there are `least` bytes, or all there are."""
        while not self._ended and len(self._data) < least:
            try:
                block = self._stream.read(BLOCK)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                block, self.damage = b"", error
            self._ended = not block
            self._taken += len(block)
            self._data += block

    def _header(self) -> list[str] | Broken | None:
        """The ISA at the front of the data, which sets the separators; what is before the next ISA is passed over."""
        while len(self._data) < _LONGEST_ISA and not self._ended:
            self._fill(_LONGEST_ISA)
            self._data = self._data.removeprefix(_MARK).lstrip(_BLANK)
        self._data = self._data.removeprefix(_MARK).lstrip(_BLANK)
        if not self._data:
            return None
        if not self._data.startswith(b"ISA"):
            self._to_next_isa(0)
            return NOT_AN_ISA
        head = self._data[:_LONGEST_ISA]
        parts = head.split(head[3:4], 16) if len(head) > 3 else []
        after = parts[16][1:] if len(parts) == 17 else b""
        blanks = len(after) - len(after.lstrip(b" \t"))
        separators = head[3:4] + parts[16][:1] + after[blanks : blanks + 1] if after else b""
        if _lacks_component(head, parts, separators):
            self._to_next_isa(3)
            short = not parts[15][:1].isalnum()  # ISA15 is a letter: it is an element before it that is missing
            return Broken(NO_COMPONENT, _unsaid(parts)[0], "022" if short else "027")
        if len(set(separators)) < 3 or not separators.isascii() or any(c in separators for c in b" \0"):
            separators = b""
        if not separators or re.search(rb"[A-Za-z0-9]", separators):
            self._to_next_isa(3)
            return Broken(NO_SEPARATORS, *_unsaid(parts))
        self.element, self.component = chr(separators[0]), chr(separators[1])
        self._terminator = separators[2:]
        length = len(head) - len(after)
        self._give(head[: length + blanks + 1], 0)
        self._data = self._data[length + blanks + 1 :]
        return [head[:length].decode("latin-1").replace("\r", "").replace("\n", "")]

    @property
    def terminator(self) -> str:
        """The segment terminator in force."""
        return self._terminator.decode("latin-1")

    @property
    def separators(self) -> Separators:
        """Those in force."""
        return self.element, self.component, self.terminator

    def _to_next_isa(self, start: int) -> None:
        self._data = self._data[start:]
        while not (found := ISA.search(self._data)) and not self._ended:
            self._data = self._data[-_LONGEST_ISA:]
            self._fill(len(self._data) + 1)
        self._data = self._data[found.start() :] if found else b""

    def _body(self) -> Iterator[list[str] | Broken]:
        """The segments up to the next ISA or the end of the file."""
        skipping = False
        while True:
            # A block for each of a thousand small interchanges would pile up.
            if (found := ISA.search(self._data)) is None:
                self._fill(len(self._data) + 1)
                found = ISA.search(self._data)
            data, terminator = self._data, self._terminator
            bound = found.start() if found else len(data)
            if not found and not self._ended:
                # An ISA that is not all there yet must not be cut up by the separators of the one before.
                near = data.rfind(b"ISA", max(0, len(data) - _LONGEST_ISA))
                bound = near if near >= 0 else bound
            cut = data.rfind(terminator, 0, bound) + 1
            if cut:
                start = data.index(terminator) + 1 if skipping else 0
                skipping = False
                for first, last, long in _apart(data, start, cut, terminator):
                    self._give(data[first:last], first)
                    yield TOO_LONG if long else _texts(data[first : last - 1], terminator)
            rest = data[cut:bound]
            if found:
                self._data, self._terminator = data[bound:], b""
                if rest.strip(_BLANK + _MARK) and not skipping:
                    yield CUT_OFF if len(rest) <= LONGEST_SEGMENT else TOO_LONG
                return
            self._data = data[cut:]
            if self._ended:
                yield from self._tail(rest, skipping)
                return
            if len(self._data) > LONGEST_SEGMENT:
                self._data = self._data[-_LONGEST_ISA:]
                if not skipping:
                    yield TOO_LONG
                skipping = True

    def _give(self, raw: bytes, start: int) -> None:
        """`raw`, from this place in the data at hand, is what is given next."""
        self.raw, self.place = raw, self._taken - len(self._data) + start

    def _tail(self, rest: bytes, skipping: bool) -> Iterator[list[str] | Broken]:
        """What follows the last terminator: blank, an IEA whose terminator was left out, or a segment cut short."""
        self._give(rest, len(self._data) - len(rest))
        self._data = b""
        if len(rest) > LONGEST_SEGMENT:
            if not skipping:
                yield TOO_LONG
            return
        rest = rest.strip(_BLANK)
        if rest.startswith(b"IEA" + self.element.encode()):
            yield _texts(rest, self._terminator)
        elif rest and not skipping:
            yield UNFINISHED


def _unsaid(parts: list[bytes]) -> tuple[list[str], str]:
    """What can be known of an ISA that does not say its separators, and which of them is at fault (TA105)."""
    header = [part.decode("ascii", "replace") for part in parts[:16]]
    if len(parts) < 17 or len(parts[15]) != 1:
        return header, "022"  # an element more or less than sixteen
    component = parts[16][:1]
    none = not component or component.isalnum() or not component.isascii() or component in b" \0\r\n"
    return header, "027" if none else "004"


def _lacks_component(head: bytes, parts: list[bytes], separators: bytes) -> bool:
    """Whether the terminator stands where the component separator belongs: the next segment follows it at once, or ends
    as the ISA does, with the character that would be its last element."""
    if len(parts) < 17:
        return False
    if re.match(rb"[^A-Za-z0-9]?[\s]*GS\Z", parts[15].removeprefix(parts[15][:1])) or re.match(
        rb"[^A-Za-z0-9\s]\s*GS%b" % re.escape(separators[:1]), parts[16]
    ):
        # Of line breaks alone it is not known yet whether they are the terminator.
        return separators[2:] not in (b"\r", b"\n") or _ends_in(head, separators)
    return separators[1:2] == b" "


def _ends_in(head: bytes, separators: bytes) -> bool:
    first = head.split(separators[2:], 2)[1:2]
    return bool(first) and first[0].rstrip().endswith(separators[1:2])


def _texts(data: bytes, terminator: bytes) -> list[str]:
    """Each segment as text; `data` ends before a terminator."""
    data = data.translate(None, b"\r\n".replace(terminator, b""))
    try:
        texts = data.decode().split(terminator.decode())
    except UnicodeDecodeError:
        texts = [_text(piece) for piece in data.split(terminator)]
    # Blank and indented segments are rare: the whole block is asked for them at once. Others of the block stay as they
    # are, so that where blocks end changes nothing.
    if _indented(data, terminator):
        return [text.strip() if text[:1] in " \t" else text for text in texts if text.strip()]
    return texts


def _apart(data: bytes, start: int, end: int, terminator: bytes) -> Iterator[tuple[int, int, bool]]:
    """Rows of whole segments, and each that is too long for itself (True), wherever the blocks of the stream end."""
    first = place = start
    while end - place > LONGEST_SEGMENT + 1:
        last = data.rfind(terminator, place, place + LONGEST_SEGMENT + 1) + 1
        if last:
            place = last
            continue
        if place > first:
            yield first, place, False
        first = data.index(terminator, place) + 1
        yield place, first, True
        place = first
    if end > first:
        yield first, end, False


def _indented(data: bytes, terminator: bytes) -> bool:
    """Whether a segment may be blank or begin with a blank; `data`: without line breaks that are no terminator."""
    bounded = b"%b%b%b" % (terminator, data, terminator)
    return any(terminator + blank in bounded for blank in (terminator, b" ", b"\t"))


def places_of(raw: bytes, terminator: bytes) -> list[tuple[int, int]]:
    """Where each segment of a batch begins in its bytes, and how many they are with the terminator, if it is there."""
    parts = raw.split(terminator)
    if raw.endswith(terminator):
        parts.pop()
    unbroken = [part.translate(None, b"\r\n".replace(terminator, b"")) for part in parts]
    indented = _indented(terminator.join(unbroken), terminator)
    found, place = [], 0
    for part, text in zip(parts, unbroken, strict=True):
        size = len(part)
        if not indented or _text(text).strip():
            blank = size - len(part.lstrip())
            found.append((place + blank, size - blank + (place + size < len(raw))))
        place += size + 1
    return found


def _text(piece: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return piece.decode(encoding)
        except UnicodeDecodeError:
            pass
    return piece.decode("latin-1")
