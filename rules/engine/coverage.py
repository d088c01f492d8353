"""What was looked at and what was not: how each line was judged, and the gaps that no rule could ask about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import NamedTuple

from rules.book.assignment import Assigned
from rules.book.book import Book
from rules.book.rule import Rule
from rules.carried import CARRIED
from rules.case import Case, date_of, ncci_setting
from rules.claim import Claim, Line
from rules.engine.active import Cases
from rules.engine.asked import Asked
from rules.facts.edits import TABLE_OF
from rules.facts.units import SERVICES, basis_of
from rules.payers import UNLISTED, Selection
from rules.report import Coverage, EditionId, Gap, LineLook, LookedAt
from rules.terms import EDITS, FORM
from rules.unread import PASSED_OVER, asked_of

NO_RULES = "PAY001"
"""Code of the rules on a payer or plan that the registry does not know."""


def editions_of(found: Iterable[Asked]) -> tuple[EditionId, ...]:
    """By table, title and release."""
    named = {one.edition for one in found}
    return tuple(sorted(named, key=lambda one: (one.table, one.title, one.edition or "")))


def past_editions(found: Iterable[Asked]) -> Iterator[Gap]:
    """The tables that were asked about a day after their last."""
    for rule, line, edition, last_day, past in found:
        if past:
            release = f", {edition.edition}" if edition.edition else ""
            yield Gap(
                "edition_past", rule, line, edition.table,
                f"{rule} asked {edition.title}{release}, which speaks for dates of service up to {last_day}. Import "
                "the edition of the claim's date.",
            )  # fmt: skip


Unasked = Callable[[Case, date], Iterable[Gap]]


class Looked(NamedTuple):
    """What is looked at of a claim, as far as no rule has to be asked."""

    lines: tuple[LineLook, ...]
    gaps: tuple[Gap, ...]
    reason: str | None
    """Why no rules of a procedure judge."""


def looked_at(
    claim: Claim, live: Cases, book: Book, gaps: Iterable[Gap], reason: str | None, unasked: Unasked
) -> Looked:
    """How the lines are looked at by the layers that judge, with the gaps of their rules. `unasked`: what the rules on
    all lines cannot ask on a day; it is said of a claim without a known procedure as well."""
    packages = [case for case in live if case.package]
    deep = {id(line) for case in packages for line in case.lines}
    lowest: LookedAt = "form" if FORM in book.layers else "nothing"
    edits = next((case for case in live if case.layer == EDITS), None)
    looks = tuple([LineLook(line.number, _look(line, deep, packages, edits, lowest)) for line in claim.lines])
    of_edits = edits_not_asked(edits, looks, unasked) if edits else ()
    return Looked(looks, tuple(of_edits) if reason else (*gaps, *lines_not_judged(looks), *of_edits), reason)


def _look(line: Line, deep: set[int], packages: list[Case], edits: Case | None, lowest: LookedAt) -> LookedAt:
    if id(line) in deep:
        return "deep"
    if any(case.package and case.package.has_companion(line.procedure) for case in packages):
        return "companion"
    return "edits" if edits and edits_cover(edits, line) else lowest


def edits_cover(case: Case, line: Line) -> bool:
    """Whether whole editions of code pairs and unit limits speak for the line."""
    day, setting = date_of(case.claim, line), ncci_setting(case)
    return bool(line.procedure and day) and all(
        day is not None and case.tables[name].whole(setting, day) for name in _OF_EDITS
    )


def tables_not_imported(assigned: Iterable[Assigned], case: Case, day: date) -> Iterator[Gap]:
    """What the rules on all lines cannot ask of claims of this kind on this day: tables of which no whole edition is
    imported."""
    setting = ncci_setting(case)
    for one in assigned:
        rule = one.rule
        version = rule.version_on(day) if rule.layer == EDITS and rule.status == "active" else None
        if version is None or one.published:
            continue
        for table, words in _OF_EDITS.items():
            asks = any(TABLE_OF.get(name) == table for name in version.read)
            if asks and not case.tables[table].whole(setting, day):
                yield Gap(
                    "table_not_imported", rule.code, None, table,
                    f"{rule.code} asks {words} of codes without rules of their own, and no whole edition of them was "
                    "imported for the date of service. Import the edition of that date.",
                )  # fmt: skip


_OF_EDITS = {"ncci_ptp": "NCCI pairs", "mue": "unit limits (MUE)"}
"""The tables of the rules on all lines, in words."""


def edits_not_asked(case: Case, looks: Iterable[LineLook], unasked: Unasked) -> Iterator[Gap]:
    """Those of these gaps that a line meets at which nothing but its form is looked."""
    by_day: dict[date, list[Line]] = {}
    for line, look in zip(case.lines, looks, strict=True):
        day = date_of(case.claim, line)
        if day and line.procedure and look.looked_at in ("form", "nothing"):
            by_day.setdefault(day, []).append(line)
    for day, lines in by_day.items():
        asks = {"ncci_ptp": _has_other(case, lines[0], day), "mue": any(map(_counts, lines))}
        yield from (gap for gap in unasked(case, day) if gap.table is None or asks.get(gap.table, True))


def _has_other(case: Case, line: Line, day: date) -> bool:
    """Whether another code of the day has no rules of its own either: two such make a pair."""
    return any(
        other.procedure not in (None, "", line.procedure)
        and other.procedure not in case.with_rules
        and date_of(case.claim, other) in (None, day)
        for other in case.lines
    )


def _counts(line: Line) -> bool:
    return line.units is not None and basis_of(line) == SERVICES


def lines_not_judged(looks: Iterable[LineLook]) -> Iterator[Gap]:
    """The lines that no rule of a procedure, and no complete table, looked at."""
    for look in looks:
        if look.looked_at in ("form", "nothing"):
            yield Gap(
                "line_not_judged", None, look.number, None,
                f"Line {look.number}: the book has no rules for its code; only its form was checked.",
            )  # fmt: skip


def gaps_of_kind(assigned: Iterable[Assigned], book: Book, case: Case, day: date | None) -> Iterator[Gap]:
    """What the rules of a procedure could not ask on claims of this kind on this day, whatever is on them."""
    selection, layer = case.selection, case.layer
    # A rule of the layer, or of the form, which is the payer's own for all procedures.
    own = [one.rule for one in assigned if one.rule.layer in (layer, FORM) and one.rule.status == "active"]
    yield from _payers_rules(own, book, selection, layer, day)
    if case.history.state != "consulted":
        for code in _asking_history(book, case, day):
            yield Gap("history_not_consulted", code, None, None, f"{code} did not run: {_HISTORY[case.history.state]}.")


_HISTORY = {
    "not_consulted": "what was billed before was not looked at, which only a worker does",
    "no_member_id": "the claim names no member id, so what was billed before cannot be looked at",
}


def _payers_rules(own: list[Rule], book: Book, selection: Selection, layer: str, day: date | None) -> Iterator[Gap]:
    if selection.payer is None:
        sentence = "The payer is in no payer file: rules for all payers ran, none of its own."
        yield Gap("payer_without_rules", NO_RULES, None, None, sentence)
        return
    in_force = [rule for rule in own if day is None or rule.version_on(day)]
    named = any(rule.layer == layer and "all" not in rule.payers for rule in in_force)
    if not named or not any(rule.owner == selection.payer for rule in in_force):
        name = book.registry.payers[selection.payer].name + (f", plan {selection.plan}" if selection.plan else "")
        sentence = f"The book has no rules of its own for {name} and procedure {layer} on this date of service."
        yield Gap("payer_without_rules", NO_RULES, None, None, sentence)
    if not selection.plan_known:
        sentence = "The plan that the claim names is in no payer file: rules of single plans did not run."
        yield Gap("plan_unknown", NO_RULES, None, None, sentence)
    if selection.home == UNLISTED and book.registry.home(selection):
        sentence = "By the prefix of the member id the member is of a plan that is in no payer file: its rules of "
        yield Gap("plan_unknown", NO_RULES, None, None, sentence + "coverage and filing did not run.")


def _asking_history(book: Book, case: Case, day: date | None) -> list[str]:
    chosen = case.selection
    found = [
        rule.code
        for rule in book.rules
        if rule.needs_history
        and rule.status == "active"
        and rule.layer in (case.layer, FORM)
        and case.role in rule.bills_as
        and book.asks(rule, chosen)
        and (day is None or rule.version_on(day))
    ]
    return sorted(dict.fromkeys(found))


def fields_not_read(places: Iterable[str], asking: Iterable[str]) -> Iterator[Gap]:
    """What was passed over while reading and the rules that apply would have asked; `asking`: their codes."""
    codes = frozenset(asking)
    for place in places:
        known = asked_of().get(place)
        for code in known.rules if known else ():
            if known and code in codes:
                sentence = f"{place}{PASSED_OVER}{known.why}. {code} judged without it."
                yield Gap("field_not_read", code, None, None, sentence)


def fields_left_out(assigned: Iterable[Assigned], carried: frozenset[str], day: date | None) -> Iterator[Gap]:
    """One gap of all groups of fields that the claim does not carry, with the active rules that would ask them;
    `assigned`: those that meet a claim which carries all."""
    active = [one.rule for one in assigned if one.rule.status == "active" and not one.published]
    asking = [rule for rule in active if rule.needs and (day is None or rule.version_on(day))]
    wanted = {name for rule in asking for name in rule.needs}
    labels = [group.label for name, group in CARRIED.items() if name in wanted - carried]
    if labels:
        codes = sorted({rule.code for rule in asking if not carried.issuperset(rule.needs)})
        brings = f"The claim brings nothing of these, which an 837 carries: {'; '.join(labels)}."
        yield Gap("field_not_read", codes[0], None, None, f"{brings} Not asked by {spanned(codes)}.")


def spanned(codes: list[str]) -> str:
    """Sorted codes in few words: `ADR001 to ADR004, COB002`."""
    runs: list[list[str]] = []
    for code in codes:
        if runs and code[:3] == runs[-1][-1][:3] and int(code[3:]) == int(runs[-1][-1][3:]) + 1:
            runs[-1].append(code)
        else:
            runs.append([code])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


def coverage_of(selection: Selection, book: Book, gaps: tuple[Gap, ...], reason: str | None) -> Coverage:
    """The word for it."""
    if reason:
        return "none"
    if selection.payer not in book.ruled:
        return "common_only"
    return "partial" if gaps else "full"


_KINDS = (
    "payer_without_rules", "plan_unknown", "line_not_judged", "table_not_imported", "table_extract", "edition_past",
    "rule_out_of_range", "history_not_consulted", "field_not_read",
)  # fmt: skip


def in_order(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """Each once: what weighs most first."""
    once = dict.fromkeys(gaps)
    return tuple(sorted(once, key=lambda gap: (_KINDS.index(gap.kind), gap.rule or "", gap.line or 0, gap.sentence)))
