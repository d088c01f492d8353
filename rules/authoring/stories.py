"""A corpus: claims that a payer pays (good/) and claims that it does not (denied/), as billers meet them.

Each YAML file holds stories, each a small difference from the base claim of its role (rules/authoring/examples.py),
applied over the difference that its file states once for all its stories. A file's `payer` and `bills_as` hold for the
stories that do not state their own.

    good      no block and no warn finding may appear; `notes`: the codes that are shown as notes, no others
    denied    `code` must appear once with `severity` (block where it is not said), and no other block;
              `with`: the codes that the same mistake blocks as well. The claim's void must be left alone by every
              rule but those that the book has for voids too (`on_void`). `once`: where the procedure's line stands
              twice, the code is still said once;
              `repair`: the finding has a patch that removes it and adds no block
    tables    rows of an imported edition, as in an example of a rule file
    history   what was billed before, as in an example; without it no ledger is consulted
    fill      the last line is repeated until the claim has so many lines
    each      one story for each of these values, in place of `<each>`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from rules.authoring.examples import example_claim, merged
from rules.authoring.trial import no_rows, payer_part, with_rows
from rules.book.book import Book
from rules.book.rulefile import BilledShape, Node, Text, YamlDocument, YamlModel, read_document, validated
from rules.claim import Claim, Role, read_claim
from rules.engine.check import check
from rules.engine.patch import patched
from rules.errors import ClaimInvalid, CorpusInvalid, RuleProblem
from rules.history import NOT_CONSULTED, History
from rules.report import Finding, Report
from rules.terms import Severity


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
    """The claim with the procedure's line twice."""
    void: Claim | None
    on_void: frozenset[str]
    """Codes of the rules that run on a void too, which repeats a faulty original on purpose."""
    repair: bool
    tables: Mapping[str, tuple[str, ...]]
    history: History

    def fault(self, book: Book) -> str | None:
        """What in the book's reports contradicts the story, or None."""
        book = with_rows(book, self.tables)
        report = self._report(self.claim, book)
        if not self.code:
            return self._unpaid(report)
        return (
            self._unseen(report)
            or self._repeated(book)
            or self._held_void(book)
            or (self._unrepaired(report, book) if self.repair else None)
        )

    def _report(self, claim: Claim, book: Book) -> Report:
        return check(claim, book, history=self.history)

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
        times = self._times(self._report(self.once, book))
        return None if times == 1 else f"with the line twice, {self.code} is said {times} times"

    def _held_void(self, book: Book) -> str | None:
        if self.void is None:
            return None
        held = {finding.code for finding in self._report(self.void, book).every} - self.on_void
        return f"its void is not left alone: {sorted(held)}" if held else None

    def _unrepaired(self, report: Report, book: Book) -> str | None:
        patches = [operation for finding in self._own(report) for operation in finding.patch]
        if not patches:
            return f"{self.code} has no patch"
        after = self._report(read_claim(patched(self.data, patches)), book)
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
        return [finding for finding in report.every if (finding.code, finding.severity) == (self.code, self.severity)]


def _codes(report: Report) -> tuple[set[str], set[str], set[str]]:
    return set(report.codes("block")), set(report.codes("warn")), set(report.codes("note"))


class StoryShape(YamlModel):
    """One story as it is written; see above."""

    name: Text
    claim: Node = None
    payer: Text | None = None
    bills_as: Role | None = None
    notes: tuple[Text, ...] = ()
    code: Text | None = None
    severity: Severity = "block"
    with_: Annotated[tuple[Text, ...], Field(alias="with")] = ()
    once: Literal["true", "false"] = "false"
    repair: Literal["true", "false"] = "false"
    tables: dict[Text, tuple[Text, ...]] = Field(default_factory=dict)
    history: tuple[BilledShape, ...] = ()
    each: tuple[Text, ...] = ("",)
    fill: Annotated[int, BeforeValidator(int)] = 0


class FileShape(YamlModel):
    """A file of stories."""

    payer: Text = "all"
    bills_as: Role = "practitioner"
    claim: Node = None
    stories: Annotated[tuple[StoryShape, ...], Field(min_length=1)]


def read_stories(book: Book, files: Mapping[str, str]) -> tuple[Story, ...]:
    """Every story of a corpus, in the order of its files, by name: `good/aetna.yaml`, `denied/late.yaml`.

    Raises:
        CorpusInvalid: with every problem of every file.
    """
    stories: list[Story] = []
    problems: list[RuleProblem] = []
    for name in sorted(files):
        document = read_document(name, files[name])
        found = None if document.problems else validated(document, FileShape, document.data)
        stories += _stories(book, document, found) if found else ()
        problems += document.problems
    if problems:
        raise CorpusInvalid(problems)
    return tuple(stories)


def _stories(book: Book, document: YamlDocument, found: FileShape) -> Iterator[Story]:
    good = document.file.startswith("good/")
    on_void = frozenset(rule.code for rule in book.rules if rule.on_void)
    for index, entry in enumerate(found.stories):
        if (entry.code is None) is not good:
            document.complain(("stories", index), "a denied claim has a `code`, a good one none")
            continue
        if fault := no_rows(entry.tables):
            document.complain(("stories", index, "tables", fault[0]), fault[1])
            continue
        for value in entry.each:
            try:
                yield _story(book, document.file, found, entry, value, on_void)
            except ClaimInvalid as error:
                document.complain(("stories", index, "claim"), f"is no claim: {error.problems[0]}")
            except (AttributeError, TypeError):
                document.complain(("stories", index, "claim"), "expected a mapping laid out like a claim")


def _story(book: Book, file: str, head: FileShape, entry: StoryShape, each: str, on_void: frozenset[str]) -> Story:
    payer, role = entry.payer or head.payer, entry.bills_as or head.bills_as
    difference = _put(merged(head.claim or {}, entry.claim or {}), each)
    if lines := difference.get("lines"):
        difference["lines"] = [*lines, *lines[-1:] * (entry.fill - len(lines))]
    data = example_claim(role, difference, payer_part(book, payer))
    code = entry.code or ""
    return Story(
        file=file,
        name=f"{entry.name} {each}".strip(),
        payer=payer,
        bills_as=role,
        data=data,
        claim=read_claim(data),
        code=code,
        severity=entry.severity,
        beside=frozenset(entry.with_),
        notes=frozenset(entry.notes),
        once=read_claim(_doubled(data)) if entry.once == "true" else None,
        void=read_claim(_voided(data)) if code and code not in on_void else None,
        on_void=on_void,
        repair=entry.repair == "true",
        tables=entry.tables,
        history=History("consulted", tuple(one.billed(book.procedure) for one in entry.history))
        if entry.history
        else NOT_CONSULTED,
    )


def _put(value: Any, each: str) -> Any:
    if isinstance(value, dict):
        return {key: _put(part, each) for key, part in value.items()}
    if isinstance(value, list):
        return [_put(part, each) for part in value]
    return value.replace("<each>", each) if isinstance(value, str) else value


def _doubled(data: dict[str, Any]) -> dict[str, Any]:
    """With its first line, the one of the procedure, a second time."""
    line = data["lines"][0]
    number = 1 + max(line["number"] for line in data["lines"])
    return data | {"lines": [*data["lines"], line | {"number": number}]}


def _voided(data: dict[str, Any]) -> dict[str, Any]:
    bill = data.get("type_of_bill")
    return (
        data
        | {"frequency_code": "8", "original_reference_number": "22612300456702TXA"}
        | ({"type_of_bill": f"{bill[:3]}8"} if bill else {})
    )
