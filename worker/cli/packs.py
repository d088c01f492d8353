"""`scrub rules pack|sign|verify|switch|rollback`: a book as one file, and which book the workers judge by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.check import BookFolder
from worker.cli.stores import opened
from worker.cli.terminal import complain, paint, plain, say, writer

if TYPE_CHECKING:
    from worker.switch import BookName, Switch
    from worker.wiring import Store

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
    from rules.loader import read_book, whole_book
    from rules.pack import SUFFIX, packed
    from worker import kept
    from worker.settings import load_settings

    settings = load_settings()
    files = whole_book(book or settings.book, settings.tables_path)
    found = read_book(files.library, files.imported)
    content = packed(files)
    if out == Path("-"):
        with writer() as stream:
            stream.write(content)
        return
    file = kept.write(out or Path(f"{found.version}-{found.digest[:12]}{SUFFIX}"), content)
    size = f"{len(files.library)} files" + (f" and {len(files.imported)} imported tables" if files.imported else "")
    say(f"{plain(str(file))}: book {found.version}, {size}, {len(content):,} bytes")
    say(paint(f"digest {found.digest}", "dim"))


def sign(
    file: Packed,
    key: Annotated[Path, typer.Option(metavar="PEM", help="Ed25519 private key, without a passphrase.")],
) -> None:
    """Signs a packed book: writes FILE.sig beside it. Workers with SCRUB_BOOK_KEY take no book without it.

    The keys are made once: `openssl genpkey -algorithm ed25519 -out private.pem` stays with who writes rules, and
    `openssl pkey -in private.pem -pubout -out public.pem` goes to the workers.

    Exit codes: 0 it is signed, 2 the book does not load, or the key cannot be used.

    Example: `scrub rules sign november.book --key private.pem`
    """
    from rules.loader import read_book
    from rules.pack import unpacked
    from worker import kept, signature

    content = _read(file)
    files = unpacked(plain(str(file)), content)
    found = read_book(files.library, files.imported)
    beside = kept.write(signature.beside(file), signature.sign(content, key))
    say(f"{plain(str(beside))}: book {found.version}, digest {found.digest[:12]}, is signed")


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
    from rules.errors import BookInvalid
    from rules.loader import read_book
    from rules.pack import unpacked
    from worker import signature
    from worker.errors import BookNotSigned
    from worker.settings import load_settings

    keys = key or load_settings().book_key
    if keys is None:
        raise typer.BadParameter("expected the public keys, here or in SCRUB_BOOK_KEY", param_hint="--key")
    content, name = _read(file), plain(str(file))
    files = unpacked(name, content)
    try:
        signature.verify(content, signature.signature_of(file), keys, name)
        found = read_book(files.library, files.imported)
    except (BookNotSigned, BookInvalid) as error:
        complain(str(error))
        raise typer.Exit(1) from None
    say(f"{name}: {paint('signed', 'green')}; book {found.version}, digest {found.digest}")


def switch(file: Packed, *, why: Why) -> None:
    """Puts a packed book in force: all workers of this Redis judge by it from their next batch on, without a restart.

    A book that does not load, or that SCRUB_BOOK_KEY asks a signature of and has none, is refused, and the one before
    stays. Who did it, and why, is in the audit log; `scrub status` shows which book is in force and who judges by it.

    Exit codes: 0 it is in force, 2 it was refused, or Redis cannot be used.

    Example: `scrub rules switch november.book --reason "UHC policy 2026T0599 of 1 November"`
    """
    from worker import signature, wiring
    from worker.settings import load_settings

    why = _reason(why)
    settings = load_settings()
    content, sealed = _read(file), signature.signature_of(file)
    if settings.book_key:
        signature.verify(content, sealed, settings.book_key, plain(str(file)))
    with opened(settings) as store:
        librarian = wiring.librarian(store)
        try:
            done = librarian.switch(content, sealed, plain(str(file)), why)
        finally:
            librarian.audit.close()
        if done is None:
            say("This book is in force already; nothing was changed.")
            return
        _ring(store)
    _told(done)


def rollback(*, why: Why) -> None:
    """Puts the book before the one in force in force again; after the first switch, that is each worker's own.

    Exit codes: 0 it is in force, 2 there is nothing to roll back, or Redis cannot be used.

    Example: `scrub rules rollback --reason "MOD004 of November stops clean claims"`
    """
    from worker import wiring
    from worker.settings import load_settings

    why = _reason(why)
    settings = load_settings()
    with opened(settings) as store:
        librarian = wiring.librarian(store)
        try:
            done = librarian.roll_back(why, settings.book_key)
        finally:
            librarian.audit.close()
        _ring(store)
    _told(done)


def _ring(store: Store) -> None:
    """So that a worker takes the book up now, and a refusal shows, and not with the next claim."""
    from worker import wiring

    wiring.bell(store).ring()


def _told(done: Switch) -> None:
    own = ", each worker's own" if done.own else ""
    say(f"In force: {_named(done.book)}{own}. Before: {_named(done.before)}.")
    say("Workers take it up before their next batch; `scrub status` shows who did.")


def _named(book: BookName) -> str:
    return f"book {book.version} ({book.digest[:12]})"


def _reason(text: str) -> str:
    text = text.strip()
    if not text or len(text) > 200 or not text.isprintable():
        raise typer.BadParameter("expected a sentence of 1 to 200 printable characters", param_hint="--reason")
    return text


def _read(file: Path) -> bytes:
    from worker.cli.sources import reason_of

    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{plain(str(file))}: {reason_of(error)}") from None
