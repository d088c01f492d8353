"""`scrub rules pack|sign|verify|switch|rollback`: a book as one file, and which book the workers judge by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.books import BookFolder
from worker.cli.common.stores import opened
from worker.cli.common.terminal import complain, paint, plain, say, writer

if TYPE_CHECKING:
    from rules.book.book import Book
    from worker.books.bookswitcher import OverridesText, SwitchResult
    from worker.config.settings import Settings
    from worker.store.connections import Store

Packed = Annotated[Path, typer.Argument(metavar="FILE", help="A packed book, as `scrub rules pack` writes it.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit log. At most 200 signs.")]


def pack(
    book: BookFolder = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Where to; `-`: standard output. Default: VERSION-DIGEST.book"
        ),
    ] = None,
) -> None:
    """Packs the book into one file: rules, payers, tables and sources, and the tables that were imported here.

    The same book gives the same bytes on every machine. The file is a zip archive. What it is good for: SCRUB_BOOK
    may name it, --book may, and `scrub rules switch` puts it in force.

    Exit codes: 0 it is written, 2 the book does not load, or the file cannot be written.

    Examples:

    * `scrub rules pack`
    * `scrub rules pack --book ./my-book -o november.book`
    """
    from rules.book.pack import SUFFIX, packed
    from rules.loader import read_book, whole_book
    from worker.books import archive
    from worker.config.settings import load_settings

    settings = load_settings()
    files = whole_book(book or settings.book, settings.tables_path)
    found = read_book(files.library, files.imported, rows=settings.tables_path)
    content = packed(files)
    if out == Path("-"):
        with writer() as stream:
            stream.write(content)
        return
    file = archive.write(out or Path(f"{found.version}-{found.digest[:12]}{SUFFIX}"), content)
    size = f"{len(files.library)} files" + (f" and {len(files.imported)} imported tables" if files.imported else "")
    say(f"{plain(str(file))}: book {found.label}, {size}, {len(content):,} bytes")
    if beside := {name for table in found.tables.values() for name in table.row_files}:
        say(
            f"The rows of {len(beside)} whole tables are not in it, only their digests: import the same official files "
            "(`scrub tables list`) on every machine that is to judge by it."
        )
    say(paint(f"digest {found.digest}", "dim"))


def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A packed book, or a file of overrides.")],
    key: Annotated[Path, typer.Option(metavar="PEM", help="Ed25519 private key, without a passphrase.")],
    add: Annotated[bool, typer.Option("--add", help="Beside the signatures of others that are in FILE.sig.")] = False,
) -> None:
    """Signs a packed book or a file of overrides: writes FILE.sig beside it.

    Workers with SCRUB_BOOK_KEY take no book, and no overrides that are put in force, without it; where
    SCRUB_BOOK_SIGNATURES wants several, each who signs adds one. The keys are made
    once: `openssl genpkey -algorithm ed25519 -out private.pem` stays with who writes rules, and
    `openssl pkey -in private.pem -pubout -out public.pem` goes to the workers.

    Exit codes: 0 it is signed, 2 the book does not load, or the key cannot be used.

    Example: `scrub rules sign november.book --key private.pem`
    """
    from rules.book.overridefile import read_overrides
    from rules.book.pack import unpacked
    from rules.loader import read_book
    from worker.books import archive, signature
    from worker.books.overrides import digest_of_text
    from worker.config.settings import load_settings

    content = _read(file)
    if file.suffix in (".yaml", ".yml"):
        settings = load_settings()
        text = content.decode("utf-8", "replace")
        read_overrides(plain(str(file)), text, _book(settings))
        what = f"overrides, digest {digest_of_text(text)[:12]}, are"
    else:
        files = unpacked(plain(str(file)), content)
        found = read_book(files.library, files.imported, rows=load_settings().tables_path)
        what = f"book {found.label} is"
    ours = signature.sign(content, key)
    whole = signature.joined(signature.signature_of(file), ours) if add else ours
    beside = archive.write(signature.beside(file), whole)
    say(f"{plain(str(beside))}: {what} signed")


def verify(
    file: Packed,
    key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Ed25519 public keys; default: those of SCRUB_BOOK_KEY.")
    ] = None,
) -> None:
    """Checks a packed book: that it loads, and that FILE.sig is its signature by one of the keys.

    Exit codes: 0 it loads and is signed, 1 it is not signed by these keys or does not load, 2 it cannot be read.

    Example: `scrub rules verify november.book --key public.pem`
    """
    from rules.book.pack import unpacked
    from rules.errors import BookInvalid
    from rules.loader import read_book
    from worker.books import signature
    from worker.config.settings import Trusted, load_settings
    from worker.errors import BookNotSigned

    settings = load_settings()
    keys = Trusted(key, settings.book_signatures) if key else settings.trusted
    if keys is None:
        raise typer.BadParameter("expected the public keys, here or in SCRUB_BOOK_KEY", param_hint="--key")
    content, name = _read(file), plain(str(file))
    files = unpacked(name, content)
    try:
        signature.verify(content, signature.signature_of(file), keys, name)
        found = read_book(files.library, files.imported, rows=load_settings().tables_path)
    except (BookNotSigned, BookInvalid) as error:
        complain(str(error))
        raise typer.Exit(1) from None
    say(f"{name}: {paint('signed', 'green')}; book {found.label}, digest {found.digest}")


def switch(
    file: Packed,
    *,
    overrides: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Overrides to put in force with it, or `none`; default: they stay."),
    ] = None,
    allow_older: Annotated[
        bool, typer.Option("--allow-older", help="Also a signed book of an earlier version than the one in force.")
    ] = False,
    why: Why,
) -> None:
    """Puts a packed book in force: all workers of this Redis judge by it from their next batch on, without a restart.

    A book that does not load, or has not the signatures that SCRUB_BOOK_KEY and SCRUB_BOOK_SIGNATURES require, is
    refused, and the one before stays; with SCRUB_BOOK_KEY one of an earlier version too, unless it is asked for. What
    the workers judged by before is kept, with its overrides, for `scrub rules rollback`, whatever becomes of the
    folders on their disks. Who did it, and why, is in the audit log; `scrub status` shows what is in force and who
    judges by it.

    Exit codes: 0 it is in force, 2 it was refused, or Redis cannot be used.

    Example: `scrub rules switch november.book --reason "UHC policy 2026T0599 of 1 November"`
    """
    from worker import bootstrap
    from worker.books import signature
    from worker.config.settings import load_settings

    why = reason(why)
    settings = load_settings()
    content, sealed = _read(file), signature.signature_of(file)
    if settings.trusted:
        signature.verify(content, sealed, settings.trusted, plain(str(file)))
    text = given_text(overrides, settings) if overrides else None
    with opened(settings) as store:
        switcher = bootstrap.book_switcher(store)
        try:
            older = allow_older or settings.trusted is None
            done = switcher.switch(
                content, sealed, plain(str(file)), why, text, drafts_for(store, content), allow_older=older,
                again=allow_older and settings.trusted is not None,
            )  # fmt: skip
        finally:
            switcher.audit.close()
        notify_and_report(store, done, "This book is in force already; nothing was changed.")


def rollback(
    *,
    to: Annotated[
        str,
        typer.Option(
            metavar="DIGEST",
            help="Which book, by the start of its digest (DIGEST/OVERRIDES where it was in force with several); "
            "default: the one before the one in force.",
        ),
    ] = "",
    why: Why,
) -> None:
    """Puts in force again what was before: book and overrides, by their digests, also after workers were restarted.

    After the first switch that is what the workers judged by before it. Where they judged by different ones, `--to`
    says which; any earlier one that Redis still holds is named with it too.

    Exit codes: 0 it is in force, 2 there is nothing to roll back, or Redis cannot be used.

    Examples:

    * `scrub rules rollback --reason "MOD004 of November stops clean claims"`
    * `scrub rules rollback --to 27a5db08 --reason "the book of October"`
    """
    from worker import bootstrap
    from worker.books import drafts
    from worker.config.settings import load_settings

    why = reason(why)
    settings = load_settings()
    with opened(settings) as store:
        switcher = bootstrap.book_switcher(store)
        try:
            done = switcher.roll_back(why, settings.trusted, to)
            drafts.agree_with(store, done.basis)
        finally:
            switcher.audit.close()
        notify_and_report(store, done, "")


def drafts_for(store: Store, content: bytes) -> str:
    """The drafts of a packed book: of the one that ships, those that wait on this installation."""
    from rules.book.book import digest_of
    from rules.book.pack import unpacked
    from worker.books import drafts

    library, waiting = drafts.standing(store)
    return waiting.text if digest_of(unpacked("the book", content).library) == library else ""


def given_text(file: Path, settings: Settings) -> OverridesText:
    """Overrides to put in force: those of a file (`none`: of none), with what stands behind it on this machine.

    Raises:
        OverridesInvalid: it cannot be read. BookNotSigned, KeyUnusable
        OverridesUnsigned: what stands behind it is in no signed file.
    """
    from rules.book.overridefile import joined
    from worker.books import signature
    from worker.books.bookswitcher import OverridesText
    from worker.books.overrides import added, read_text
    from worker.errors import OverridesUnsigned

    name, more = plain(str(file)), added(settings)
    if str(file) == "none":
        content, sealed = None, b""
    else:
        content, sealed = read_text(file), signature.signature_of(file)
    if settings.trusted:
        if any(more):
            raise OverridesUnsigned(file=name)
        if content is not None:
            signature.verify(content.encode(), sealed, settings.trusted, name)
    return OverridesText(joined(content, *more), b"" if any(more) else sealed, name)


def notify_and_report(store: Store, done: SwitchResult | None, unchanged: str) -> None:
    """Notifies a worker, so that it takes it up or refuses it now, not with the next claim; reports what was done."""
    from worker.process import celeryapp

    if done is None:
        say(unchanged)
        return
    celeryapp.notifier(store).notify()
    say(f"In force: {done.basis}.")
    before = " or ".join(str(one) for one in done.before)
    if not done.judged:
        say(f"Before: {before}. No worker runs; those that start judge by what is in force.")
    else:
        for basis, names in done.judged.items():
            say(f"Before, workers judged by {basis}: {', '.join(map(plain, sorted(set(names))))}.")
        say("Workers take it up before their next batch; `scrub status` shows who did.")
    if done.basis.overrides is None:
        say("Overrides are those of each worker's own file.")
    if not done.restorable:
        say("What they judged by before could not be read from them: `scrub rules rollback` will ask what it was.")
    elif len(done.before) > 1:
        say("They were not alike. All are kept; a rollback needs one of these digests:")
        say(*(f"  scrub rules rollback --to {one.name} --reason TEXT" for one in done.before))


def _book(settings: Settings) -> Book:
    from worker.cli.common.books import read_book

    return read_book(settings.book, settings.tables_path)


def reason(text: str) -> str:
    """The sentence of --reason, checked."""
    text = text.strip()
    if not text or len(text) > 200 or not text.isprintable():
        raise typer.BadParameter("expected a sentence of 1 to 200 printable characters", param_hint="--reason")
    return text


def _read(file: Path) -> bytes:
    from worker.cli.common.sources import reason_of

    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{plain(str(file))}: {reason_of(error)}") from None
