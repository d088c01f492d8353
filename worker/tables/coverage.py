"""The export of the Medicare Coverage Database: which diagnoses the articles of the contractors cover.

A zip of CSV files that refer to each other (current_article.zip or all_article.zip, with another zip in it). Of the
articles that list the procedure, the diagnoses are kept by state and part of Medicare: a diagnosis is covered where
any group of any article in force there lists it, so that a claim is held only where none does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

from rules.tables.edition import Edition, File, Period
from worker.tables.files import Fault, Member, Seen, day_of

Record = Mapping[str, str]
Version = tuple[str, str]
"""Number and version of an article."""
FILES: Mapping[str, tuple[str, ...]] = {
    "article.csv": ("article_id", "article_version", "article_eff_date", "article_end_date", "status"),
    "article_x_hcpc_code.csv": ("article_id", "article_version", "hcpc_code_id"),
    "article_x_icd10_covered.csv": ("article_id", "article_version", "icd10_code_id"),
    "article_x_contractor.csv": (
        "article_id", "article_version", "contractor_id", "contractor_type_id", "contractor_version",
    ),
    "contractor_jurisdiction.csv": (
        "contractor_id", "contractor_type_id", "contractor_version", "state_id", "term_date",
    ),
    "contractor_type_lookup.csv": ("contractor_type_id", "description"),
    "state_lookup.csv": ("state_id", "state_abbrev"),
}  # fmt: skip
"""The files of the export that are needed, and their columns."""
KINDS = {"A and B MAC": "AB", "A and B and HHH MAC": "AB", "MAC - Part A": "A", "MAC - Part B": "B"}
"""The kinds of contractor that judge claims of part A or B."""
ANY = "*"
LINE = "#"
"""The number of a record's last line, among its columns."""
_NO_CODE = "XX000"
_DAY = timedelta(days=1)
_STATUS = ("A", "R")
"""Active and retired; proposed articles are not in force."""


@dataclass(slots=True)
class Article:
    """One version of an article, while its parts are gathered."""

    number: str
    starts: date
    ends: date
    codes: set[str] = field(default_factory=set)
    areas: set[str] = field(default_factory=set)


class InFile(Exception):
    """A fault, and the file of the export that it is in."""

    def __init__(self, member: Member, fault: Fault) -> None:
        super().__init__(str(fault))
        self.member = member
        self.fault = fault


def covered_edition(members: Mapping[str, Member], procedure: str, files: Sequence[File], seen: Seen) -> Edition:
    """The covered diagnoses of all articles that list the procedure. `members`: by the names in `FILES`.

    Raises:
        Fault, InFile
    """

    def rows(name: str) -> Iterator[Record]:
        return _records(members[name], FILES[name], seen)

    listed = {_version(row) for row in rows("article_x_hcpc_code.csv") if row["hcpc_code_id"] == procedure}
    articles = _articles(members["article.csv"], seen, listed)
    for row in rows("article_x_icd10_covered.csv"):
        code = row["icd10_code_id"].replace(".", "").upper()
        if code and code != _NO_CODE and (article := articles.get(_version(row))):
            article.codes.add(code)
    kinds = {row["contractor_type_id"]: KINDS.get(row["description"], "") for row in rows("contractor_type_lookup.csv")}
    states = {row["state_id"]: row["state_abbrev"].upper() for row in rows("state_lookup.csv")}
    served: dict[tuple[str, ...], set[str]] = {}
    for row in rows("contractor_jurisdiction.csv"):
        if not row["term_date"] and len(states.get(row["state_id"], "")) == 2:
            served.setdefault(_contractor(row), set()).add(states[row["state_id"]])
    for row in rows("article_x_contractor.csv"):
        if article := articles.get(_version(row)):
            article.areas |= {
                f"{state} {part}"
                for state in served.get(_contractor(row), ())
                for part in kinds.get(row["contractor_type_id"], "")
            }
    useful = [article for article in articles.values() if article.codes and article.areas]
    if not useful:
        raise Fault(0, f"no article in force lists {procedure} with covered diagnoses and a contractor of part A or B")
    return _edition(useful, files)


def _articles(member: Member, seen: Seen, listed: set[Version]) -> dict[Version, Article]:
    found: dict[Version, Article] = {}
    for row in _records(member, FILES["article.csv"], seen):
        if _version(row) not in listed or row["status"][:1].upper() not in _STATUS:
            continue
        number, retired = f"A{row['article_id']}", row["status"][:1].upper() == "R"
        starts, ends = day_of(row["article_eff_date"]), day_of(row["article_end_date"])
        if starts is None or (ends is None and (retired or row["article_end_date"])):
            raise InFile(
                member, Fault(int(row[LINE]), f"article {number} has no date from which, or to which, it holds")
            )
        article = Article(number, starts, ends or date.max)
        if any(a.number == number and a.starts <= article.ends and starts <= a.ends for a in found.values()):
            sentence = f"another version of article {number} holds at the same time: the periods overlap"
            raise InFile(member, Fault(int(row[LINE]), sentence))
        found[_version(row)] = article
    return found


def _edition(articles: Sequence[Article], files: Sequence[File]) -> Edition:
    rows: list[tuple[str, ...]] = []
    speaks: dict[str, Period] = {}
    for area in sorted({area for article in articles for area in article.areas}):
        own = [article for article in articles if area in article.areas]
        speaks[area] = Period.model_validate({"from": min(article.starts for article in own)})
        for start, end, held in _spans(own):
            dates = (start.isoformat(), "" if end == date.max else end.isoformat())
            rows.append((area, ANY, _numbers(held), *dates))
            codes = sorted(set().union(*(article.codes for article in held)))
            rows += [(area, code, _numbers(a for a in held if code in a.codes), *dates) for code in codes]
    newest = max(article.starts for article in articles)
    return Edition(
        table="covered_diagnoses",
        title="Medicare Coverage Database, articles with covered diagnoses",
        release=f"{_numbers(articles)}, newest of {newest.isoformat()}",
        url="https://www.cms.gov/medicare-coverage-database/downloads/downloads.aspx",
        files=tuple(files),
        speaks=speaks,
        rows=tuple(rows),
    )


def _spans(articles: Sequence[Article]) -> Iterator[tuple[date, date, list[Article]]]:
    """Periods over which the same articles hold."""
    edges = sorted({a.starts for a in articles} | {a.ends + _DAY for a in articles if a.ends != date.max} | {date.max})
    for start, after in pairwise(edges):
        held = [article for article in articles if article.starts <= start <= article.ends]
        if held:
            yield start, after if after == date.max else after - _DAY, held


def _numbers(articles: Iterable[Article]) -> str:
    return " ".join(sorted({article.number for article in articles}))


def _version(row: Record) -> Version:
    return row["article_id"], row["article_version"]


def _contractor(row: Record) -> tuple[str, ...]:
    return row["contractor_id"], row["contractor_type_id"], row["contractor_version"]


def _records(member: Member, wanted: Sequence[str], seen: Seen) -> Iterator[Record]:
    """The wanted columns of a file of the export, found by the names in its header."""
    try:
        with closing(member.records(seen)) as records:
            _, header = next(records, (0, []))
            names = [name.strip().lower().removeprefix("\ufeff").removeprefix("ï»¿") for name in header]
            if missing := [name for name in wanted if name not in names]:
                raise Fault(1, f"expected a header with {', '.join(missing)}")
            places = {name: names.index(name) for name in wanted}
            for number, record in records:
                if not any(record):
                    continue
                if len(record) != len(names):
                    raise Fault(number, f"expected {len(names)} fields, found {len(record)}")
                yield {LINE: str(number), **{name: record[place].strip() for name, place in places.items()}}
    except Fault as fault:
        raise InFile(member, fault) from None
