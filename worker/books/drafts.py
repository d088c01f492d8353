"""What an upgrade brings as drafts: rules, new or stricter in this release, that would hold what passed before.

An installation that ran another book meets them in shadow until a person switches them on; a new one has none. The
first worker of a release compares its own book with what was judged by last, and writes the drafts as entries of the
overrides into `meta`, where all of this Redis agree on them: `drafts:<library>:<revision>`, each revision written once.
Each worker keeps a copy in its state folder, behind the file and the settings of its machine, so that `scrub check`
without Redis judges alike. Releases before this one look at neither.

Only the book that ships is compared: what a hospital's own book says is its author's doing. With SCRUB_BOOK_KEY nothing
is made, since what comes out of Redis unsigned must not silence a rule: `scrub rules drafts make` writes what to sign.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import cast

import orjson
from redis import Redis

from rules.authoring.stricter import Stricter, stricter
from rules.book.book import Book, digest_of
from rules.book.override import Override
from rules.book.overridefile import DRAFTS, PIN, former_rule, parts_of, read_overrides
from rules.book.overrides import pin_of
from rules.book.pack import SUFFIX, Files
from rules.book.rule import Rule
from rules.errors import ScrubError, first_problem
from rules.loader import book_files
from rules.terms import FORM
from worker.audit.lines import AuditLine, who
from worker.audit.log import AuditLog, service_version
from worker.books.bookcontent import BookContents
from worker.books.current import overrides_layer, own
from worker.books.overrides import NONE, drafts_on_disk, today
from worker.books.switch import Basis, held_overrides, in_force, opened
from worker.config.settings import Settings
from worker.errors import SwitchedMeanwhile
from worker.logs.operational import log
from worker.store.connections import Store
from worker.store.keys import Keys
from worker.store.private import write_private

DAYS = 90
"""For which drafts wait unseen; then they warn, and hold nothing still."""
NAME = "the drafts of the upgrade"
WIDER = "form-on-every-claim"
"""Name of the entry by which form is only observed on claims that the rules of no procedure judge."""
_ENTRY = re.compile(r"^(?=  - name: )", re.MULTILINE)
_DRAFT = re.compile(r"^ +draft: (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Agreed:
    """The drafts that all of a Redis have agreed on for one library."""

    revision: int
    text: str
    """Entries of overrides; empty: none."""


def settle(store: Store) -> None:
    """At a worker's start: agrees on the drafts of its release, and keeps them in the state folder.

    Raises:
        FolderUnusable, redis.exceptions.RedisError
    """
    settings = store.settings
    try:
        mine = own(settings)
    except ScrubError:
        return  # it judges by what is in force, or does not start
    if settings.book_key or mine.library != digest_of(book_files()):
        return
    found = agreed(store.redis, store.keys, mine.library)
    if found is None:
        for_library, text = drafts_on_disk(settings)
        if for_library != mine.library:
            text = _made(store, mine.book)
        _write(store, mine.library, Agreed(1, text))
        found = agreed(store.redis, store.keys, mine.library) or Agreed(1, text)
        if found.text:
            log(__name__).warning(
                "rules that are new or stricter in this release are drafts until a person switches them on: "
                "`scrub rules drafts list`"
            )
    keep(settings, mine.library, found.text)


def follow(store: Store) -> None:
    """In each beat: keeps what a person accepted on another machine, so that commands here judge alike.

    Raises:
        FolderUnusable, redis.exceptions.RedisError
    """
    library, found = standing(store)
    if found.revision:
        keep(store.settings, library, found.text)


def keep(settings: Settings, library: str, text: str) -> None:
    """Writes the copy of the state folder, where it is another.

    Raises:
        FolderUnusable
    """
    if drafts_on_disk(settings) != (library, text):
        write_private(settings.drafts_path, f"# for book {library}\n{text}".encode())


def agreed(redis: Redis, keys: Keys, library: str) -> Agreed | None:
    """What was agreed on for a library; None: nothing yet.

    Raises:
        redis.exceptions.RedisError
    """
    said = cast(dict[bytes, bytes], redis.hgetall(keys.first.meta))
    start = f"drafts:{library}:".encode()
    found = [(int(name.removeprefix(start)), text) for name, text in said.items() if name.startswith(start)]
    return Agreed(max(found)[0], max(found)[1].decode()) if found else None


def standing(store: Store) -> tuple[str, Agreed]:
    """The library of this machine's own book, and the drafts of it: those agreed on, else those of the state folder.

    Raises:
        redis.exceptions.RedisError
    """
    settings = store.settings
    try:
        library, on_disk = own(settings).library, drafts_on_disk(settings)
    except ScrubError:
        return "", Agreed(0, "")  # it cannot be used, and somebody is mending what is in force
    if settings.book_key:
        return library, Agreed(0, "")
    local = Agreed(0, on_disk[1] if on_disk[0] == library else "")
    return library, agreed(store.redis, store.keys, library) or local


def agree(store: Store, library: str, before: Agreed, text: str) -> None:
    """Puts other drafts in the place of those that were seen.

    Raises:
        SwitchedMeanwhile: somebody else did. FolderUnusable, redis.exceptions.RedisError
    """
    if not _write(store, library, Agreed(before.revision + 1, text)):
        raise SwitchedMeanwhile
    keep(store.settings, library, text)


def agree_with(store: Store, basis: Basis) -> None:
    """After a rollback: the drafts of this release are again those that are in force, if it is its book that is.

    Raises:
        SwitchedMeanwhile, OverridesNotThere, FolderUnusable, redis.exceptions.RedisError
    """
    library, found = standing(store)
    settings = store.settings
    if not library or settings.book_key or basis.overrides is None or basis.book.digest != own(settings).book.digest:
        return
    _, *parts = parts_of(
        "" if basis.overrides == NONE else held_overrides(store.redis, store.keys, basis.overrides, None)
    )
    text = next((part for mark, part in parts if mark == DRAFTS), "")
    if text != found.text:
        agree(store, library, found, text)


def note(store: Store, audit: AuditLog, names: Sequence[str], why: str) -> None:
    """Writes down who let these drafts hold claims, and why.

    Raises:
        AuditUnwritable, redis.exceptions.RedisError
    """
    line: AuditLine = {
        "log.level": "warning", "event.action": "drafts.accepted", "event.outcome": "success", "event.reason": why,
        "user.name": who(), "override.name": list(names),
    }  # fmt: skip
    head = audit.write([line])
    store.redis.hset(store.keys.first.chains, head.chain, f"{head.seq} {head.stored}")


def names_in(text: str) -> list[str]:
    """The names of the entries of drafts."""
    return list(_blocks(text))


def _write(store: Store, library: str, what: Agreed) -> bool:
    return bool(store.redis.hsetnx(store.keys.first.meta, f"drafts:{library}:{what.revision}", what.text))


def _made(store: Store, book: Book) -> str:
    """The drafts for an installation that judged by another book; empty: there is none, or it holds no less."""
    last = _last(store, book.digest)
    if last is None:
        return ""
    then = agreed(store.redis, store.keys, digest_of(last.library))
    return made(last, book, today(), then.text if then else "")


def made(last: Files, book: Book, day: date, waiting: str = "") -> str:
    """The drafts of the shipped book, read, for who judged by another one; `waiting`: drafts of that one which nobody
    has switched on yet.
    """
    carried = _text(_carried(block, book) for block in _blocks(waiting).values())
    left = [entry for entry in read(carried, book) if entry.waits]
    pins, names = {entry.pin for entry in left}, {entry.name for entry in left}
    found = stricter(last.library, book_files(), book, _DRAFT.findall(waiting))
    fresh = [one for one in found if pin_of([one.rule]) not in pins]
    wider = [_wider(day)] if not _has_form(last.library) and WIDER not in names else []
    return _text([*_blocks(kept(carried, names)).values(), *wider, *_entries(fresh, book, day, set(names))])


def _has_form(library: Mapping[str, bytes]) -> bool:
    """Whether form is asked of every claim; in releases 0.1 it was of those that their procedure's rules judged."""
    return any(name.startswith(f"{FORM}/") for name in library)


def _wider(day: date) -> str:
    """The entry that leaves unchecked what was unchecked before, whatever form finds on it."""
    release = service_version()
    lines = [f"  - name: {WIDER}", "    unchecked: observe", f"    reason: wider in {release}"]
    lines += [f"    owner: the upgrade to {release}", f"    expires: {day + timedelta(days=DAYS)}"]
    return "\n".join(lines)


def _entries(found: Iterable[Stricter], book: Book, day: date, seen: set[str]) -> Iterator[str]:
    release = service_version()
    for one in found:
        slug = "-".join(["new", *one.rule.file.lower().replace("_", "-").split("/")[-2:]])
        name = next(n for n in (slug, *(f"{slug}-{number}" for number in range(2, 1_000))) if n not in seen)
        seen.add(name)
        lines = [f"  - name: {name}", f"    draft: {one.rule.file}", f"    written_for: {pin_of([one.rule])[:PIN]}"]
        if one.payers:
            lines.append(f"    payers: [{', '.join(one.payers)}]")
        if one.period:
            end = "" if one.period.end == date.max else f", to: {one.period.end}"
            lines.append(f"    effective: {{from: {one.period.start}{end}}}")
        lines += [f"    reason: {one.why} in {release}", f"    owner: the upgrade to {release}"]
        lines.append(f"    expires: {day + timedelta(days=DAYS)}")
        if one.before and former_rule(one.before, one.rule, book)[0]:
            lines += [
                "    meanwhile: |",
                *(f"      {line}" if line.strip() else "" for line in one.before.splitlines()),
            ]
        yield "\n".join(lines)


def _blocks(text: str) -> dict[str, str]:
    """The entries as they are written, by name."""
    blocks = (block.rstrip("\n") for block in _ENTRY.split(text)[1:])
    return {block.partition(": ")[2].partition("\n")[0]: block for block in blocks}


def _carried(block: str, book: Book) -> str:
    """An entry of the release before; without the rule as it was, where that cannot be read any more."""
    try:
        read(_text([block]), book)
    except ScrubError:
        return block.partition("\n    meanwhile: |\n")[0]
    return block


def _last(store: Store, own_digest: str) -> Files | None:
    """What judged last: the book in force, else what a process reported last, else the newest of the archive."""
    settings = store.settings
    contents = BookContents(
        store.redis, store.keys, lambda: own(settings), lambda: overrides_layer(settings), settings.books_path
    )
    for digest in _digests(store, own_digest):
        if digest == own_digest:
            return None
        try:
            return opened(contents.pack(digest), digest, None)
        except ScrubError as error:
            log(__name__).warning(
                f"what was judged by last (book {digest[:12]}) cannot be read, so that rules of this release which are "
                "stricter than it hold claims at once; `scrub rules drafts make` compares with a copy",
                **{"error.message": first_problem(error)},
            )
            return None
    return None


def _digests(store: Store, own_digest: str) -> Iterator[str]:
    now = in_force(store.redis, store.keys)
    if now.digest:
        yield now.digest
    reports = cast(Mapping[bytes, bytes], store.redis.hgetall(store.keys.first.judging)).values()
    newest = max(reports, key=lambda said: int(said.partition(b" ")[0]), default=None)
    if newest is not None:
        yield str(orjson.loads(newest.partition(b" ")[2])["book"]["digest"])
    kept: list[Path] = sorted(_archived(store.settings), key=lambda path: -path.stat().st_mtime)
    yield from (path.name.removesuffix(SUFFIX) for path in kept if path.name != f"{own_digest}{SUFFIX}")


def _archived(settings: Settings) -> list[Path]:
    """The packed books of the archive."""
    return list(settings.books_path.glob(f"*{SUFFIX}")) if settings.books_path.is_dir() else []


def waiting(book: Book) -> list[tuple[Override, Rule | None]]:
    """The drafts of an upgrade on a book as it is judged by, with their rules; None: form where no procedure's rules
    judge."""
    found: list[tuple[Override, Rule | None]] = []
    for entry in filter(lambda one: one.waits, book.overrides.entries):
        found += [(entry, book.files[file]) for file in sorted(entry.files)] or [(entry, None)]
    return found


def read(text: str, book: Book) -> tuple[Override, ...]:
    """The entries of drafts.

    Raises:
        OverridesInvalid
    """
    return read_overrides(NAME, text, book) if text else ()


def kept(text: str, names: Collection[str]) -> str:
    """The entries of these names alone."""
    return _text(block for name, block in _blocks(text).items() if name in names)


def codes(entry: Override, book: Book) -> list[str]:
    """Codes of the rules that a draft touches; FORM for all of form, where no procedure's rules judge."""
    return sorted({book.files[file].code for file in entry.files}) or [FORM]


def _text(entries: Iterable[str]) -> str:
    lines = list(entries)
    return "\n".join(["overrides:", *lines, ""]) if lines else ""
