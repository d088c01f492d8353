"""`scrub rules prove`: what no example shows of a book, such as gaps, twins, and blocks that no claim can meet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.books import BookFolder, book_folder, reached, read_untried
from worker.cli.common.terminal import Format, complain, say, say_json
from worker.cli.trial import CORPUS, corpus_stories

if TYPE_CHECKING:
    from rules.authoring.proof.prove import Proof
    from rules.book.book import Book
    from rules.errors import RuleProblem


def proven(
    corpus: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folder with good/ and denied/ claims; default: tests/corpus, if it is here."),
    ] = None,
    book: BookFolder = None,
    format: Annotated[Format, typer.Option(help="text for people; json: one object a line.")] = "text",
) -> None:
    """Proves of the book what no single example shows:

    * no days without a version between two versions of a rule, for any payer, plan and billing role;

    * no rule finds what another finds already, whatever their wording;

    * every block is met by a claim of each of its payers and billing roles, and no condition contradicts itself;

    * every patch takes its finding away, makes no other rule fail, and contradicts no other patch of the claim;

    * nothing that is suggested makes another rule block, and of two findings on one claim both can be mended.

    What is meant is declared in the rule file: `after_gap` beside `from`, `overlaps` beside `status`. How much of its
    conditions a rule's examples reach is counted, and no fault; `scrub rules test CODE` names what is missing.

    Exit codes: 0 all is proven, 1 there are faults, 2 the book or a corpus cannot be read.

    Examples:

    * `scrub rules prove --book ./my-book`

    * `scrub rules prove --corpus ./our-claims --format json`
    """
    from rules.authoring.proof.prove import prove
    from rules.loader import LIBRARY

    untried = read_untried(book)
    folders = corpus or ([CORPUS] if CORPUS.is_dir() else [])
    stories = [story for folder in folders for story in corpus_stories(untried.book, folder)]
    proof = prove(untried.book, untried.documents, stories)
    root = book_folder(book) or LIBRARY
    if format == "json":
        say_json(*({"kind": "fault"} | _placed(root, one) for one in proof.problems), *_coverage(proof))
    else:
        say(*(f"{reached(root / one.file)}{str(one).removeprefix(one.file)}" for one in proof.problems))
        _summary(untried.book, proof)
    if proof.problems:
        complain(f"{len(proof.problems)} fault{'s' if len(proof.problems) > 1 else ''}")
    raise typer.Exit(1 if proof.problems else 0)


def _placed(root: Path, problem: RuleProblem) -> dict[str, object]:
    return {
        "file": reached(root / problem.file), "line": problem.line, "column": problem.column, "path": problem.path,
        "sentence": problem.sentence,
    }  # fmt: skip


def _coverage(proof: Proof) -> list[dict[str, object]]:
    return [
        {"kind": "coverage", "file": f"{file}.yaml", "reached": one.reached, "wanted": one.wanted,
         "missing": [wanted.sentence for wanted in one.missing]}
        for file, one in proof.coverage.items()
    ]  # fmt: skip


def _summary(book: Book, proof: Proof) -> None:
    versions = sum(len(rule.versions) for rule in book.rules)
    found = [(one.reached, one.wanted) for one in proof.coverage.values()]
    partly = sum(some < every for some, every in found)
    say(
        f"{len(book.rules)} rules, {versions} versions: {proof.pairs} pairs compared, {proof.blocks} blocks met by a"
        f" claim of each payer and billing role, {proof.patches} patches and {proof.suggestions}"
        f" suggestions done to {proof.claims} claims.",
        f"Examples reach {sum(some for some, _ in found)} of {sum(every for _, every in found)} outcomes and answers of"
        f" tests; {partly} rules have some that no example shows: scrub rules test CODE.",
    )
