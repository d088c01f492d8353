"""A claim of an 837 with values written otherwise, in its own bytes: from CLM to before the next CLM, HL or SE.

What stands outside of them, the member id and the billing provider's NPI, is of other claims as well, and stays.
Whether what comes out says what it is to say, only the reader can tell, who reads it again.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any

from worker.errors import SplitFailed
from worker.exits.levels import Levels, parts
from worker.exits.manifest import Repair
from worker.exits.outgoing import Part, Source
from worker.exits.split import Leaving

_LINE = r"/lines/(?P<line>\d+)"
_WITHIN = tuple(
    (re.compile(path), segments)
    for path, segments in (
        (r"/(reason_)?diagnoses/\d+|/admitting_diagnosis", ("HI",)),
        (r"/(rendering|attending|operating|referring|supervising)_provider/npi", ("NM1",)),
        (rf"{_LINE}/rendering_provider/npi", ("NM1",)),
        (rf"{_LINE}/procedure", ("SV1", "SV2")),
        (rf"{_LINE}/modifiers/\d+", ("SV1", "SV2")),
        (rf"{_LINE}/drug/ndc", ("LIN",)),
    )
)
"""Fields of a claim that stand within its bytes, and in which segments."""
_SERVICE = {b"SV1": 1, b"SV2": 2}
"""Element of the procedure with its modifiers."""


def stands_within(path: str) -> bool:
    """Whether a field of a claim, by its JSON pointer, stands in the bytes of its own."""
    return any(pattern.fullmatch(path) for pattern, _ in _WITHIN)


def changes_between(before: Any, after: Any, path: str = "") -> Iterator[Repair]:
    """Which texts of a claim are others, both as decoded JSON.

    Raises:
        SplitFailed: more than texts is.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        for name in before:
            yield from changes_between(before[name], after[name], f"{path}/{name}")
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple) and len(before) == len(after):
        for place, pair in enumerate(zip(before, after, strict=True)):
            yield from changes_between(*pair, f"{path}/{place}")
    elif isinstance(before, str) and isinstance(after, str):
        if before != after:
            yield Repair(path, before, after)
    elif before != after:
        raise SplitFailed(f"{path or 'the claim'} is not only written otherwise")


@dataclass(frozen=True, slots=True)
class Found:
    """A claim in the original."""

    part: Part
    component: bytes

    def leaving(self, repairs: Sequence[Repair] = ()) -> Leaving:
        """Where it is."""
        return Leaving(self.part.mark.start, self.part.end - self.part.mark.start, tuple(repairs))


def found_in(plain: IO[bytes], numbers: set[int]) -> dict[int, Found]:
    """The claims of these numbers, which have all their levels around them."""
    levels, count, found = Levels(), 0, dict[int, Found]()
    plain.seek(0)
    for part in parts(plain):
        levels.step(part)
        if part.mark.name == "CLM":
            count += 1
            if count in numbers and levels.around:
                component = levels.around.interchange.mark.at(16)[:1].encode("latin-1")
                found[count] = Found(part, component)
    return found


def repaired_copy(plain: IO[bytes], repairs: Sequence[tuple[Found, Sequence[Repair]]]) -> IO[bytes]:
    """The original with these claims repaired, in a file without a name."""
    copy, source, place = TemporaryFile(), Source(plain), 0  # noqa: SIM115
    for one, changes in sorted(repairs, key=lambda pair: pair[0].part.mark.start):
        start, end = one.part.mark.start, one.part.end
        for chunk in source.chunks(place, start):
            copy.write(chunk)
        copy.write(rewritten(source.read(start, end), one, changes))
        place = end
    plain.seek(place)
    shutil.copyfileobj(plain, copy)
    copy.seek(0)
    return copy


def rewritten(raw: bytes, found: Found, changes: Sequence[Repair]) -> bytes:
    """The bytes of a claim with these changes; what is not found stays."""
    mark, line, out = found.part.mark, -1, []
    for segment in raw.split(mark.terminator):
        elements = segment.split(mark.element)
        name = elements[0].strip()
        line += name == b"LX"
        for change in changes:
            place, segments = _stands(change.path)
            # A field of the claim stands before its first line.
            if name.decode("latin-1") in segments and line == place:
                _put(elements, name, found.component, change)
        out.append(mark.element.join(elements))
    return mark.terminator.join(out)


def _stands(path: str) -> tuple[int, tuple[str, ...]]:
    """The place of its line, -1 before the first; and the segments that it may be in."""
    for pattern, segments in _WITHIN:
        if match := pattern.fullmatch(path):
            return int(match.groupdict().get("line") or -1), segments
    return -1, ()


def _put(elements: list[bytes], name: bytes, component: bytes, change: Repair) -> None:
    was, becomes = change.was.encode(), change.becomes.encode()
    if name == b"HI":
        for place, element in enumerate(elements[1:], 1):
            elements[place] = _in_component(element, component, range(1, 2), was, becomes)
    elif name in _SERVICE and len(elements) > (place := _SERVICE[name]):
        within = range(1, 2) if change.path.endswith("/procedure") else range(2, 6)
        elements[place] = _in_component(elements[place], component, within, was, becomes)
    elif name == b"NM1" and len(elements) > 9 and elements[8].strip() == b"XX" and elements[9].strip() == was:
        elements[9] = becomes
    elif name == b"LIN" and len(elements) > 3 and elements[3].strip() == was:
        elements[3] = becomes


def _in_component(element: bytes, separator: bytes, within: range, was: bytes, becomes: bytes) -> bytes:
    found = element.split(separator)
    for place in within:
        if place < len(found) and found[place].strip() == was:
            found[place] = becomes
    return separator.join(found)
