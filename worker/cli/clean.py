"""What stands behind a clean claim: payer by payer, what is checked on which ground, and what is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from rules.authoring.words import SUBJECTS, subject_of
from rules.book.missing import MissingText
from rules.book.rule import Rule
from rules.loader import Untried
from rules.payers import PayerShape
from rules.terms import SEVERITIES, Severity

Missing = Mapping[str, tuple[MissingText, ...]]
_SAYS: Mapping[Severity, str] = {
    "block": "stops the claim",
    "warn": "is shown as a warning",
    "note": "is noted",
}
_HEAD = """\
# What stands behind a clean claim

Generated from the rule files by `scrub rules docs --page clean`; do not edit. Book {version}, for {procedures}.

A claim is clean when no rule objects. What that is worth depends on the rules there are, and on the texts that they
rest on. This page says it for each payer: what is checked, how good the ground is, and what nobody could find. Clean is
no promise of payment: a contract may say otherwise, and only the record shows whether the service was needed.

The letter after a rule is its ground. **A**: the payer's or Medicare's own text, read. **B**: somebody else who repeats
it. **C**: weak, or common practice. **S**: the claim contradicts itself. Only A and S stop a claim. Each rule is a link
to what it says."""


def page(untried: Untried, missing: Missing) -> str:
    """The page as Markdown; the same book gives the same page."""
    book = untried.book
    procedures = ", ".join(f"{key} ({one.name})" for key, one in sorted(book.procedures.items()))
    view = _View(untried, missing)
    lines = [_HEAD.format(version=book.version, procedures=procedures), ""]
    lines += ["## In short", "", *view.summary(), ""]
    lines += ["## Every payer", "", *view.for_all(), ""]
    for key, payer in book.registry.payers.items():
        lines += [f"## {payer.name}", "", *view.of_payer(key, payer), ""]
    lines += ["## Medicare Advantage", "", *view.of_advantage(), ""]
    return "\n".join(lines).rstrip() + "\n"


@dataclass(frozen=True, slots=True)
class _View:
    """The book as the page shows it."""

    untried: Untried
    missing: Missing

    def summary(self) -> Iterator[str]:
        yield "| payer | rules that stop a claim | that warn | that note | documents last read | texts not found |"
        yield "|---|---|---|---|---|---|"
        for key, payer in self.untried.book.registry.payers.items():
            rules = self._named(key)
            counts = " | ".join(str(sum(_newest(rule) == one for rule in rules)) for one in SEVERITIES)
            lacking = sum(len(texts) for name, texts in self.missing.items() if name.split("/")[0] == key)
            read = self._reading(rules)
            link = payer.name.lower().replace(" ", "-")
            yield f"| [{payer.name}](#{link}) | {counts} | {f'{read[0]} on' if read else 'never'} | {lacking} |"
        yield ""
        yield (
            "Counted are rules that name the payer, a group that it is in, or one of its plans. Those for every payer"
            " come on top."
        )

    def for_all(self) -> Iterator[str]:
        yield "Asked of every claim, whoever pays:"
        yield ""
        yield from _table(rule for rule in self._active() if "all" in rule.payers)
        yield ""
        yield (
            "A payer that is in no file of the book has these rules alone, and its report says so: `common_only` in"
            " `coverage`."
        )

    def of_payer(self, key: str, payer: PayerShape) -> Iterator[str]:
        book = self.untried.book
        yield f"Judged for dates of service from {book.covers_from_of(key)} on. {self._read(self._named(key))}"
        yield ""
        yield from _table(rule for rule in self._active() if key in rule.payers)
        yield ""
        yield from self._lacking(key)
        silent = []
        for plan, entry in payer.plans.items():
            name = f"{key}/{plan}"
            own = [rule for rule in self._active() if name in rule.payers]
            if not own and name not in self.missing:
                silent.append(entry.name)
                continue
            yield from ("", f"### {entry.name}", "")
            yield from _table(own) if own else ["No rule of its own: what is above, and no more."]
            yield ""
            yield from self._lacking(name)
        if silent:
            yield ""
            yield f"No rule of their own, and nothing was looked for: {', '.join(silent)}."

    def of_advantage(self) -> Iterator[str]:
        taken = self.untried.book.registry.advantage()
        if not taken:
            yield "No rule of Medicare is taken over."
            return
        codes = ", ".join(_link(code) for code in taken.codes)
        yield (
            f"A plan of another payer is judged by that payer's rules, and by these of Medicare: {codes}. What these"
            f" find {_SAYS[taken.at_most]} at most, since no plan's own text was read."
        )

    def _active(self) -> list[Rule]:
        return [rule for rule in self.untried.book.rules if rule.status == "active"]

    def _named(self, key: str) -> list[Rule]:
        """Rules that name the payer or one of its plans."""
        return [rule for rule in self._active() if key in {name.split("/")[0] for name in rule.payers}]

    def _reading(self, rules: Iterable[Rule]) -> tuple[date, date | None, int] | None:
        """The oldest day on which a document was read, the next on which one is due, and how many there are."""
        sources, documents = self.untried.book.sources, self.untried.documents
        cited = {v["citation"]["source"] for rule in rules for v in documents[rule.file].data["versions"]}
        read = [day for key in cited if (day := sources[key].retrieved)]
        due = [day for key in cited if (day := sources[key].review_by)]
        return (min(read), min(due, default=None), len(read)) if read else None

    def _read(self, rules: list[Rule]) -> str:
        found = self._reading(rules)
        if found is None:
            return "Its rules rest on no document that somebody read."
        first, due, count = found
        again = f" The first wants another look by {due}." if due else ""
        return f"Its rules rest on {count} documents, which were last looked at on {first} or later.{again}"

    def _lacking(self, name: str) -> Iterator[str]:
        texts = self.missing.get(name, ())
        if texts:
            yield "Not checked, since no text was found:"
            yield ""
        for one in texts:
            looked = f"looked for on {one.looked}" if one.looked else "nobody has looked yet"
            yield f"- {SUBJECTS.get(one.about, one.about)}: {one.what}. {looked.capitalize()}: {one.where}."


def _table(rules: Iterable[Rule]) -> Iterator[str]:
    """The rules by subject and by what becomes of the claim, as their newest versions have it."""
    found: dict[str, dict[Severity, dict[str, None]]] = {}
    for rule in sorted(rules, key=lambda rule: (rule.code, rule.file)):
        version = rule.versions[-1]
        if version.gap:
            continue  # it says that something could not be looked at, and finds nothing
        until = "" if version.end == date.max else f" (to {version.end})"
        row = found.setdefault(subject_of(rule.code), {})
        row.setdefault(version.severity, {})[f"{_link(rule.code)} {version.citation.grade}{until}"] = None
    if not found:
        yield "None."
        return
    yield f"| what is looked at | {' | '.join(_SAYS[one] for one in SEVERITIES)} |"
    yield "|---|---|---|---|"
    for subject, row in sorted(found.items()):
        yield f"| {subject} | {' | '.join(', '.join(row.get(one, ())) for one in SEVERITIES)} |"


def _newest(rule: Rule) -> Severity | None:
    """The severity of its newest version; None: it finds nothing but what could not be looked at."""
    version = rule.versions[-1]
    return None if version.gap else version.severity


def _link(code: str) -> str:
    return f"[{code}](CATALOGUE.md#{code.lower()})"
