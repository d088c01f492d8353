"""Which common rules a registered payer goes without: what `scrub rules lint` asks of the payers of a book.

To register a payer makes the rules for other payers its own only where it is in one of their groups. A payer that was
forgotten would be judged by fewer rules than one that nobody knows. It is no fault of a book that is in force: an
earlier release's book, with a payer of the hospital's own, goes on judging.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rules.book.book import Book
from rules.book.conditions import did_you_mean
from rules.book.rule import Rule
from rules.book.rulefile import YamlDocument, read_document
from rules.errors import RuleProblem
from rules.terms import COMMON


def payer_problems(book: Book, files: Mapping[str, bytes]) -> list[RuleProblem]:
    """Payers without a common rule that they are not excepted from by name, and groups that no rule is for.

    `files`: the content of the book's files, by path.
    """
    problems: list[RuleProblem] = []
    for payer in book.registry.payers:
        name = f"payers/{payer}.yaml"
        document = read_document(name, files[name].decode("utf-8"))
        _check_groups(document, payer, book)
        if missing := list(_missing(payer, book)):
            document.complain(("payer",), _sentence(payer, missing))
        problems += document.problems
    return problems


def _check_groups(document: YamlDocument, payer: str, book: Book) -> None:
    named = dict.fromkeys(group for rule in book.rules for group in rule.groups)
    for index, group in enumerate(book.registry.payers[payer].groups or ()):
        if group not in named:
            hint = did_you_mean(group, tuple(named))
            document.complain(("groups", index), f"no rule is for a group {group!r}{hint}")


def _missing(payer: str, book: Book) -> Iterator[Rule]:
    """Rules for several payers of whose codes none is for this payer, and from which it is not excepted by name.

    A draft routes no claim: it is had in place of an active rule by a payer alone that has active rules of its own,
    where somebody took one back for a while.
    """
    live = [rule for rule in book.rules if rule.status != "retired"]
    had = {(rule.code, rule.status) for rule in live if rule.serves(payer, None)}
    had |= {(code, "draft") for code, _ in had}
    if payer in book.ruled:
        had |= {(code, "active") for code, _ in had}
    excepted = {rule.code for rule in live if payer in rule.excepted}
    for rule in live:
        if rule.owner == COMMON and rule.code not in excepted and (rule.code, rule.status) not in had:
            yield rule


def _sentence(payer: str, missing: list[Rule]) -> str:
    codes = ", ".join(dict.fromkeys(rule.code for rule in missing))
    groups = ", ".join(dict.fromkeys(group for rule in missing for group in rule.groups))
    way = f"add `groups: [{groups}]` to this file" if groups else "add it to their `payers`"
    return (
        f"no rule of {codes} is for {payer}: {way}, write rules of its own, or name it with a reason in the "
        "`except_payers` of the rules in common/"
    )
