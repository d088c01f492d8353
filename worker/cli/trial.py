"""`scrub rules test`: the rules' own examples, and corpora of claims that were paid or denied."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.books import BookFolder, read_untried, rules_named
from worker.cli.common.choices import codes as complete
from worker.cli.common.terminal import complain, paint, say

if TYPE_CHECKING:
    from rules.authoring.stories import Story
    from rules.book.book import Book
    from rules.book.rule import Rule
    from rules.loader import Untried

CORPUS = Path("tests/corpus")


def tried(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE]...", autocompletion=complete, help="Such as UNT001 or UNT001-one-unit; default: all."
        ),
    ] = None,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Folder with good/ and denied/ claims; default: tests/corpus, if it is here."),
    ] = None,
    book: BookFolder = None,
) -> None:
    """Runs the examples of the rules, and every claim of the corpora against the whole book.

    With codes, their examples are listed one by one, and what of the rule's conditions no example shows; the corpora
    run whole, since a rule may break what others say.

    Exit codes: 0 all is as expected, 1 something is not, 2 the book or a corpus cannot be read.

    Examples:

    * `scrub rules test`

    * `scrub rules test UNT001 MOD004-two-lines`

    * `scrub rules test --corpus ./our-claims`
    """
    began = time.perf_counter()
    untried = read_untried(book)
    chosen = {rule.file: rule for code in codes or () for rule in rules_named(code, untried.book)}
    run, faults = 0, 0
    for rule in chosen.values() or untried.book.rules:
        count, failed = _examples(untried, rule, listed=bool(chosen))
        run, faults = run + count, faults + failed
    ran = [f"{run} examples"]
    for folder in corpus or ([CORPUS] if CORPUS.is_dir() else []):
        count, failed = _corpus(untried.book, folder)
        faults += failed
        ran.append(f"{count} claims of {folder}")
    seconds = time.perf_counter() - began
    say(f"{', '.join(ran)}: {f'{faults} not' if faults else 'all'} as expected, in {seconds:.1f} s.")
    raise typer.Exit(1 if faults else 0)


def _examples(untried: Untried, rule: Rule, *, listed: bool) -> tuple[int, int]:
    """How many examples of the rule ran, and how many were not as expected."""
    from rules.authoring.trial import trials_of

    document = untried.documents[rule.file]
    run, faults = 0, 0
    if listed:
        say(f"{paint(rule.code, 'bold')}  {rule.title}  {paint(rule.file, 'dim')}")
    for trial in trials_of(untried.book, rule, document):
        run += 1
        if trial.fault:
            faults += 1
            line, column = document.marks.get(trial.place, (1, 1))
            say(f"  {paint('wrong', 'red')}  {rule.file}.yaml:{line}:{column}: {trial.fault}")
        elif listed:
            say(f"  {paint('right', 'green')}  {trial.example.name}: {trial.example.expect}")
    for problem in document.problems:
        faults += 1
        say(f"  {paint('wrong', 'red')}  {problem}")
    if listed and rule.status != "retired":
        _coverage(untried, rule)
    return run, faults


def _coverage(untried: Untried, rule: Rule) -> None:
    """How much of what the rule asks its examples show, and what no example does."""
    from rules.authoring.proof.coverage import coverage_of

    coverage = coverage_of(untried.book, rule, untried.documents[rule.file])
    say(f"  {coverage.reached} of {coverage.wanted} outcomes and answers of its tests are shown by an example")
    say(*(f"  {paint('missing', 'yellow')}  {one.sentence}" for one in coverage.missing))


def _corpus(book: Book, folder: Path) -> tuple[int, int]:
    """How many claims of the corpus ran, and of how many the book says something else."""
    stories = corpus_stories(book, folder)
    faults = 0
    for story in stories:
        if fault := story.fault(book):
            faults += 1
            say(f"  {paint('wrong', 'red')}  {folder}/{story.file}: {story.name!r}: {fault}")
    return len(stories), faults


def corpus_stories(book: Book, folder: Path) -> tuple[Story, ...]:
    """The claims of a corpus.

    Raises:
        CorpusInvalid
        typer.Exit: a file cannot be read.
    """
    from rules.authoring.stories import read_stories

    files = dict(_files(folder))
    if not files:
        raise typer.BadParameter(f"{folder} has no good/*.yaml and no denied/*.yaml")
    return read_stories(book, files)


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*/*.yaml")):
        if path.parent.name in ("good", "denied"):
            try:
                yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                complain(f"{path}: cannot be read: {error}")
                raise typer.Exit(2) from None
