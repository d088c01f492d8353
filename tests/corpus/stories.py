"""The corpus: claims that a payer pays (good/) and claims that it does not (denied/), as billers meet them.

Each file holds stories, each a small difference from the base claim of its role (rules/examples.py), laid over
the difference that its file states once for all its stories. A file's `payer` and `bills_as` hold for the
stories that do not state their own.

    good      no block and no warn finding may appear; `notes`: the codes that are shown as notes, no others
    denied    `code` must appear once with `severity` (block where it is not said), and no other block; `with`: the codes
              that the same mistake blocks as well. The claim's void must be left alone by every rule but those of
              VOID. `once`: where the 64445 line stands twice, the code is still said once; `repair`: the finding
              has a patch that removes it and adds no block
    tables    rows of an imported edition, as in an example of a rule file
    fill      the last line is repeated until the claim has so many lines
    each      the story is told for each of these values, in place of `<each>`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rules.book import Book
from rules.check import check
from rules.claim import Claim, read_claim
from rules.examples import example_claim, merged
from rules.patch import patched
from rules.report import Finding, Report, Severity
from rules.rulefile import read_document
from rules.trial import payer_part, with_rows

FOLDER = Path(__file__).parent
VOID = frozenset({"CLM001", "CLM008", "CLM009", "CLM011", "IDN001", "IDN003", "IDN004"})
"""The rules that run on a void: it repeats a faulty original on purpose."""
_KEYS = {
    "name",
    "claim",
    "payer",
    "bills_as",
    "notes",
    "code",
    "severity",
    "with",
    "once",
    "repair",
    "each",
    "fill",
    "tables",
}


@dataclass(frozen=True, slots=True)
class Story:
    """One claim and what must be said of it."""

    file: str
    name: str
    payer: str
    bills_as: str
    data: dict[str, Any]
    claim: Claim
    code: str
    """Empty: a good claim."""
    severity: Severity
    beside: frozenset[str]
    notes: frozenset[str]
    once: Claim | None
    """The claim with its 64445 line twice."""
    void: Claim | None
    repair: bool
    tables: Mapping[str, tuple[str, ...]]

    def fault(self, book: Book) -> str | None:
        """What in the book's reports contradicts the story, or None."""
        book = with_rows(book, self.tables)
        report = check(self.claim, book)
        if not self.code:
            return self._unpaid(report)
        return (
            self._unseen(report)
            or self._repeated(book)
            or self._held_void(book)
            or (self._unrepaired(report, book) if self.repair else None)
        )

    def _unpaid(self, report: Report) -> str | None:
        blocks, warns, notes = _codes(report)
        if report.disposition != "billing":
            return f"{report.disposition}: {report.reason or sorted(blocks)}"
        if warns:
            return f"a claim that is paid, but warn {sorted(warns)}"
        return None if notes == self.notes else f"notes {sorted(notes)} instead of {sorted(self.notes)}"

    def _unseen(self, report: Report) -> str | None:
        blocks, warns, notes = _codes(report)
        if self.code not in {"block": blocks, "warn": warns, "note": notes}[self.severity]:
            return f"no {self.severity} {self.code}; block {sorted(blocks)}, warn {sorted(warns)}, note {sorted(notes)}"
        if (times := self._times(report)) > 1:
            return f"{self.code} is said {times} times"
        wanted = self.beside | ({self.code} if self.severity == "block" else set())
        return None if blocks == wanted else f"block {sorted(blocks)} instead of {sorted(wanted)}"

    def _repeated(self, book: Book) -> str | None:
        if self.once is None:
            return None
        times = self._times(check(self.once, book))
        return None if times == 1 else f"with the line twice, {self.code} is said {times} times"

    def _held_void(self, book: Book) -> str | None:
        if self.void is None:
            return None
        held = {finding.code for finding in check(self.void, book).findings} - VOID
        return f"its void is not left alone: {sorted(held)}" if held else None

    def _unrepaired(self, report: Report, book: Book) -> str | None:
        patches = [operation for finding in self._own(report) for operation in finding.patch]
        if not patches:
            return f"{self.code} has no patch"
        after = check(read_claim(patched(self.data, patches)), book)
        added = _codes(after)[0] - _codes(report)[0]
        return (
            f"after the patch: {self.code} {len(self._own(after))} times, and block {sorted(added)}"
            if self._own(after) or added
            else None
        )

    def _times(self, report: Report) -> int:
        """How often the rule of the code that speaks most does so."""
        return max(Counter(finding.rule for finding in self._own(report)).values(), default=0)

    def _own(self, report: Report) -> list[Finding]:
        return [
            finding for finding in report.findings if (finding.code, finding.severity) == (self.code, self.severity)
        ]


def _codes(report: Report) -> tuple[set[str], set[str], set[str]]:
    return set(report.codes("block")), set(report.codes("warn")), set(report.codes("note"))


def read_stories(book: Book) -> tuple[Story, ...]:
    """Every story of the corpus, in the order of the files."""
    return tuple(story for path in sorted(FOLDER.glob("*/*.yaml")) for story in _of_file(book, path))


def _of_file(book: Book, path: Path) -> Iterator[Story]:
    name = path.relative_to(FOLDER).as_posix()
    document = read_document(name, path.read_text(encoding="utf-8"))
    assert not document.problems, document.problems
    head, good = document.data, path.parent.name == "good"
    for entry in head["stories"]:
        assert entry.keys() <= _KEYS, f"{name}: {entry['name']}: {entry.keys() - _KEYS}"
        assert ("code" in entry) is not good, f"{name}: {entry['name']}: a denied claim has a code, a good one none"
        told = {"claim": head.get("claim"), "payer": head.get("payer"), "bills_as": head.get("bills_as")}
        for value in entry.get("each", [""]):
            yield _story(book, name, told, {**entry, "name": f"{entry['name']} {value}".strip()}, value)


def _story(book: Book, file: str, head: dict[str, Any], entry: dict[str, Any], each: str) -> Story:
    payer, role = entry.get("payer", head["payer"]), entry.get("bills_as", head["bills_as"])
    difference = _put(merged(head["claim"] or {}, entry.get("claim") or {}), each)
    if lines := difference.get("lines"):
        difference["lines"] = [*lines, *lines[-1:] * (int(entry.get("fill", 0)) - len(lines))]
    data = example_claim(role, difference, payer_part(book, payer))
    code = entry.get("code", "")
    try:
        return Story(
            file=file,
            name=entry["name"],
            payer=payer,
            bills_as=role,
            data=data,
            claim=read_claim(data),
            code=code,
            severity=entry.get("severity", "block"),
            beside=frozenset(entry.get("with", ())),
            notes=frozenset(entry.get("notes", ())),
            once=read_claim(_doubled(data)) if entry.get("once") == "true" else None,
            void=read_claim(_voided(data)) if code and code not in VOID else None,
            repair=entry.get("repair") == "true",
            tables={name: tuple(rows) for name, rows in entry.get("tables", {}).items()},
        )
    except Exception as error:
        raise AssertionError(f"{file}: {entry['name']}: {error}") from error


def _put(value: Any, each: str) -> Any:
    if isinstance(value, dict):
        return {key: _put(part, each) for key, part in value.items()}
    if isinstance(value, list):
        return [_put(part, each) for part in value]
    return value.replace("<each>", each) if isinstance(value, str) else value


def _doubled(data: dict[str, Any]) -> dict[str, Any]:
    line = next(line for line in data["lines"] if line["procedure"] == "64445")
    number = 1 + max(line["number"] for line in data["lines"])
    return data | {"lines": [*data["lines"], line | {"number": number}]}


def _voided(data: dict[str, Any]) -> dict[str, Any]:
    bill = data.get("type_of_bill")
    return (
        data
        | {"frequency_code": "8", "original_reference_number": "PCCN1"}
        | ({"type_of_bill": f"{bill[:3]}8"} if bill else {})
    )
