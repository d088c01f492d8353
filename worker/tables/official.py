"""Official files, recognized by what is in them, as editions. All of them, or a refusal that names every fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Literal

from rules.tables.edition import Edition, File
from worker.errors import TableRefused
from worker.tables import addenda, coverage, fees, hcpcs, icd10, localities, ncci, pairs, zips
from worker.tables.files import Fault, Member, Seen, identity, members

Kind = Literal["pairs", "units", "fees", "localities", "AA", "BB", "B", "headers", "modifiers", "coverage", "zips"]
_SIGNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("pairs", re.compile(r"^Column 1\t|Column1/Column2 Edits")),
    ("units", re.compile(r"MUE Adjudication Indicator|Services MUE Values")),
    ("fees", re.compile(r"National Physician Fee Schedule Relative Value File[^\n]*,,")),
    ("localities", localities.TITLE),
    ("AA", re.compile(r"Addendum AA -")),
    ("BB", re.compile(r"Addendum BB -")),
    ("B", re.compile(r"Addendum B\. ?-")),
    ("zips", zips.SIGN),
    ("headers", re.compile(r"\A\d{5,6} [A-Z][0-9A-Z]{2,6} +[01] ")),
    ("modifiers", re.compile(r"\A(?: {3}[0-9A-Z]{2}|[A-Z]\d{4})\d{5}[37]")),
)
"""What the head of a file of each kind has in it; the files of the coverage export are known by their names."""
_NOT_TAKEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r'\A"20\d\d","\d{5}","\d\d","[0-9A-Z]{5}"'),
        "is the payment amount file of the physician fee schedule, which says neither its quarter nor by whose "
        "conversion factor it is; PPRRVU (the whole zip) and GPCI give the same amounts: give these",
    ),
    (
        re.compile(r"COUNTIES INCLUDED IN \d{4} LOCALITIES"),
        "lists counties by locality; the ZIP Code to Carrier Locality File says which locality a place is in: give "
        "that",
    ),
)
"""What the head of an official file has in it that no table is made of, and what to give in its place."""
_WORKBOOK = re.compile(r"\.xls[xmb]?$", re.IGNORECASE)
EXPECTED = (
    "NCCI pairs (all four files of a quarter), medically unlikely edits, the physician fee schedule's relative value "
    "file (CSV), its cost indices by locality (GPCI, CSV), the ZIP Code to Carrier Locality File (text), Addenda AA "
    "and BB of surgical centers and B of hospitals (text or CSV), the ICD-10-CM order file, the "
    "alpha-numeric HCPCS file (text), or the Medicare coverage export"
)


def editions_in(paths: Sequence[Path], procedure: str, seen: Seen) -> list[Edition]:
    """The editions in files as they are published, zips or what is in them.

    Raises:
        TableRefused: with every fault, as `file:line: sentence`.
    """
    problems: list[str] = []
    found: dict[Kind, list[Member]] = {}
    for path in paths:
        with _noting(problems):
            for kind, member in _recognized(path):
                found.setdefault(kind, []).append(member)
    if problems:  # one of them may be of a quarter whose other files were read: say nothing of missing ones
        found.pop("pairs", None)
    editions: list[Edition] = []
    for read in _readers(found, procedure, seen):
        with _noting(problems):
            editions.append(read())
    if problems:
        raise TableRefused(problems)
    return editions


def size_of(paths: Iterable[Path]) -> int:
    """How many bytes of the files will be read, for a progress bar; what cannot be read counts for nothing."""
    total = 0
    for path in paths:
        with _noting([]):
            total += sum(member.size for _, member in _recognized(path))
    return total


@contextmanager
def _noting(problems: list[str]) -> Iterator[None]:
    try:
        yield
    except TableRefused as refused:
        problems += refused.problems


def _refused(member: Member, fault: Fault) -> TableRefused:
    line = f":{fault.line}" if fault.line else ""
    where = str(member.file) if member.path == member.file.name else f"{member.file.parent / member.path}"
    return TableRefused([f"{where}{line}: {fault.sentence}"])


def _recognized(path: Path) -> list[tuple[Kind, Member]]:
    """The members of a file that are official tables; of a zip, the others are left aside."""
    inside = members(path)
    found = [(kind, member) for member in inside if (kind := _kind(member))]
    if found:
        return found
    if any(_WORKBOOK.search(member.name) for member in inside) or _is_workbook(inside):
        sentence = "is an Excel workbook; the zip that CMS publishes holds the same table as text or CSV: give that"
    else:
        sentence = _why_not(inside) or f"is no official table that is known; expected {EXPECTED}"
    raise TableRefused([f"{path}: {sentence}"])


def _why_not(inside: Sequence[Member]) -> str:
    """What to give in place of an official file that is known and not taken."""
    for member in inside:
        if not member.archive or member.name.lower().endswith((".txt", ".csv")):
            head = member.head()
            if found := next((why for sign, why in _NOT_TAKEN if sign.search(head)), ""):
                return found
    return ""


def _is_workbook(inside: Sequence[Member]) -> bool:
    return any(member.name == "[Content_Types].xml" for member in inside)


def _kind(member: Member) -> Kind | None:
    if member.name.lower() in coverage.FILES:
        return "coverage"
    if member.archive and not member.name.lower().endswith((".txt", ".csv")):
        return None
    try:
        head = member.head()
    except Fault as fault:
        raise _refused(member, fault) from None
    return next((kind for kind, sign in _SIGNS if any(map(sign.search, (head, *head.splitlines()[:20])))), None)


def _readers(found: dict[Kind, list[Member]], procedure: str, seen: Seen) -> Iterator[Callable[[], Edition]]:
    if quarters := found.get("pairs"):
        yield from _quarters(quarters, procedure, seen)
    for member in found.get("units", ()):
        yield partial(_units, member, procedure, seen)
    if fee_schedules := found.get("fees"):
        yield from _fees(fee_schedules, procedure, seen)
    for member in found.get("localities", ()):
        yield from _localities(member, seen)
    for member in found.get("zips", ()):
        yield partial(_zips, member, seen)
    for kind in addenda.NAMES:
        for member in found.get(kind, ()):
            yield from _addendum(kind, member, procedure, seen)
    for member in found.get("headers", ()):
        yield partial(_headers, member, seen)
    for member in found.get("modifiers", ()):
        yield from _hcpcs(member, seen)
    if export := found.get("coverage"):
        yield partial(_coverage, export, procedure, seen)


@contextmanager
def _placing(member: Member) -> Iterator[None]:
    """Gives a fault the name of the file that it is in."""
    try:
        yield
    except Fault as fault:
        raise _refused(member, fault) from None


def _units(member: Member, procedure: str, seen: Seen) -> Edition:
    with _placing(member), closing(member.records(seen)) as records:
        return ncci.units_edition(member.name, records, procedure, [identity(member.file)])


def _localities(member: Member, seen: Seen) -> Iterator[Callable[[], Edition]]:
    """Both editions of a file; what is wrong with it is the fault of one of them."""
    try:
        with _placing(member), closing(member.records(seen)) as records:
            editions = localities.locality_editions(records, [identity(member.file)])
    except TableRefused as refused:
        yield partial(_raise, refused)
    else:
        yield from (partial(_same, edition) for edition in editions)


def _zips(member: Member, seen: Seen) -> Edition:
    with _placing(member), closing(member.lines(seen, ended=False)) as lines:
        return zips.zip_edition(lines, [identity(member.file)])


def _addendum(kind: addenda.Name, member: Member, procedure: str, seen: Seen) -> Iterator[Callable[[], Edition]]:
    """The editions of an addendum; what is wrong with it is the fault of one of them."""
    try:
        with _placing(member), closing(member.lines(seen, ended=False)) as lines:
            read = addenda.read_addendum(kind, member.path, lines)
            editions = list(addenda.addendum_editions(read, procedure, [identity(member.file)]))
    except TableRefused as refused:
        yield partial(_raise, refused)
    else:
        yield from (partial(_same, edition) for edition in editions)


def _raise(refused: TableRefused) -> Edition:
    raise refused


def _same(edition: Edition) -> Edition:
    return edition


def _headers(member: Member, seen: Seen) -> Edition:
    with _placing(member), closing(member.lines(seen)) as lines:
        return icd10.header_edition(member.name, lines, [identity(member.file)])


def _hcpcs(member: Member, seen: Seen) -> Iterator[Callable[[], Edition]]:
    """Two editions of one reading: where the file has a fault, that is said once."""
    read: list[Edition] = []

    def modifiers() -> Edition:
        with _placing(member), closing(member.lines(seen)) as lines:
            read.extend(hcpcs.editions(member.name, lines, [identity(member.file)]))
        return read[0]

    yield modifiers
    if read:
        yield lambda: read[1]


def _quarters(members: Sequence[Member], procedure: str, seen: Seen) -> Iterator[Callable[[], Edition]]:
    """One edition for each table and quarter whose files were handed over."""
    grouped: dict[tuple[str, str], list[tuple[ncci.QuarterFile, Member]]] = {}
    unnamed: list[str] = []
    for member in members:
        try:
            part = ncci.part_of(member.name)
        except Fault as fault:
            unnamed += _refused(member, fault).problems
        else:
            grouped.setdefault((part.setting, part.version), []).append((part, member))
    if unnamed:
        raise TableRefused(unnamed)
    for several in grouped.values():
        yield partial(_quarter, several, procedure, seen)


def _quarter(several: Sequence[tuple[ncci.QuarterFile, Member]], procedure: str, seen: Seen) -> Edition:
    ordered = sorted(several, key=lambda entry: entry[0].number)
    first, _ = ordered[0]
    if missing := pairs.missing_parts([part for part, _ in ordered]):
        names = ", ".join(f"f{number}" for number in missing)
        raise _refused(ordered[0][1], Fault(0, f"is of four files of {first.release}; give {names} with it"))
    if len(ordered) != len(pairs.PARTS):
        raise _refused(ordered[-1][1], Fault(0, "one of the four files of the quarter was given twice"))
    rows = pairs.PairRows(first)
    for number, (_, member) in enumerate(ordered):
        with _placing(member), closing(member.lines(seen)) as lines:
            rows.read(number, lines)
    try:
        rows.sort()
    except pairs.Overlap as overlap:
        sentence = f"the period of {overlap} overlaps that of an earlier row"
        raise _refused(ordered[overlap.row.file][1], Fault(overlap.row.line, sentence)) from None
    with _placing(ordered[-1][1]):
        files = {member.file: None for _, member in ordered}
        return rows.edition(procedure, list(map(identity, files)))


def _fees(own: Sequence[Member], procedure: str, seen: Seen) -> Iterator[Callable[[], Edition]]:
    """The fee schedules of all files, by release. Since 2026 a release has two: the one with the lower conversion
    factor is for clinicians who do not take part in an advanced payment model, and only the factor is taken of the
    other."""
    releases: dict[tuple[date, str], list[tuple[fees.FeeFile, Member]]] = {}
    try:
        for member in own:
            with _placing(member), closing(member.records(seen)) as records:
                read = fees.read_fees(records, procedure, [identity(member.file)])
            releases.setdefault((read.starts, read.release), []).append((read, member))
        for several in releases.values():
            _refuse_lone_participants(several)
    except TableRefused as refused:
        yield partial(_raise, refused)
        return
    for several in releases.values():
        ordered = sorted((read for read, _ in several), key=lambda read: read.factor)
        yield partial(ordered[0].values_edition, procedure)
        yield partial(ordered[0].indicators_edition, procedure)
        if ordered[-1].factor != ordered[0].factor:
            yield ordered[-1].factor_edition


def _refuse_lone_participants(several: Sequence[tuple[fees.FeeFile, Member]]) -> None:
    """Taken for everybody's, its factor would make all amounts too high."""
    factors = {read.factor for read, _ in several}
    participants = [member for _, member in several if fees.is_of_participants(member.name)]
    if len(factors) == 1 and len(participants) == len(several):
        raise _refused(
            participants[0],
            Fault(
                0, "is for qualifying participants alone; give the file for all others (nonQPP) of the same zip with it"
            ),
        )


def _coverage(export: Sequence[Member], procedure: str, seen: Seen) -> Edition:
    by_name = {member.name.lower(): member for member in export}
    if missing := [name for name in coverage.FILES if name not in by_name]:
        raise _refused(
            export[0], Fault(0, f"is a part of the coverage export; {', '.join(missing)} must be given with it")
        )
    if len(by_name) != len(export):
        raise _refused(export[-1], Fault(0, "two coverage exports at once; import one after the other"))
    files: dict[Path, File] = {member.file: identity(member.file) for member in export}
    try:
        return coverage.covered_edition(by_name, procedure, list(files.values()), seen)
    except coverage.InFile as inside:
        raise _refused(inside.member, inside.fault) from None
    except Fault as fault:
        raise _refused(by_name["article.csv"], fault) from None
