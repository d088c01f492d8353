"""Puts books and overrides in force, and takes them back: always by digest, never "what each worker has".

The first switch keeps what the workers judged by before it, with the overrides: a rollback returns to exactly that,
whatever is on the disks by then. Where they judged by different ones all of those are kept, and a rollback must name
one. What they judge by is what they report in Redis, not what this machine has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import orjson
from redis import Redis
from redis.exceptions import ResponseError

from rules.book.book import Book
from rules.book.overridefile import DRAFTS, read_overrides, with_drafts
from rules.book.pack import unpacked
from rules.errors import PackInvalid, ScrubError
from rules.loader import read_book
from worker.audit.lines import who
from worker.audit.log import AuditLog
from worker.books import archive, fleet
from worker.books.asked import age, proof
from worker.books.bookcontent import BookContents
from worker.books.overrides import NONE, OverridesLayer, digest_of_text
from worker.books.ownbook import OwnBook
from worker.books.switch import (
    MOST_PACKED,
    Basis,
    BookName,
    Switch,
    in_force,
    opened,
    opened_text,
    sealed_pack,
    sealed_text,
)
from worker.books.switchstack import StackEntry, audit_line, read_stack, stored_entry, stored_switch
from worker.config.settings import Trusted
from worker.errors import (
    BookNotThere,
    BookOlder,
    CommitRefused,
    NoSuchBasis,
    NothingToRollBack,
    OverridesNotThere,
    OverridesUnlike,
    SeveralBefore,
    SwitchedMeanwhile,
)
from worker.monitoring.reconciliation import reconcile
from worker.monitoring.workers import Worker
from worker.store.keyring import Ring
from worker.store.keys import Keys
from worker.store.scripts import script

_HELD = "10"
"""Packed books that Redis holds; a rollback beyond them needs the file again."""
_LEAST = 6
"""Digits of a digest that tell one from another."""


@dataclass(frozen=True, slots=True)
class OverridesText:
    """A file of overrides."""

    content: str | None
    """None: no overrides."""
    sealed: bytes = b""
    name: str = "overrides"


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """What a switch or a rollback did."""

    basis: Basis
    before: tuple[Basis, ...]
    """What the workers judged by; several, where they were not alike."""
    judged: Mapping[Basis, Sequence[str]]
    """The same with the names of the workers; empty: none is alive."""
    restorable: bool = True
    """Whether a rollback finds what was before."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to change in the stack."""

    pops: int
    pushes: tuple[StackEntry, ...]
    fields: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class BookSwitcher:
    """Puts books and overrides in force, for a person who says why. `redis` must not try again by itself."""

    redis: Redis
    keys: Keys
    audit: AuditLog
    own: Callable[[], OwnBook]
    """The book of this machine's settings."""
    layer: Callable[[], OverridesLayer]
    """The overrides of this machine's settings."""
    folder: Path
    """The book archive."""
    ring: Callable[[], Ring]
    """The audit keys in force."""

    @property
    def _contents(self) -> BookContents:
        return BookContents(self.redis, self.keys, self.own, self.layer, self.folder)

    def stack(self) -> tuple[StackEntry, ...]:
        """What was put in force, the newest first.

        Raises:
            redis.exceptions.RedisError
        """
        return read_stack(self.redis, self.keys)

    def switch(
        self, content: bytes, sealed: bytes, name: str, why: str, overrides: OverridesText | None = None,
        drafts: str = "", allow_older: bool = True, again: bool = False,
    ) -> SwitchResult | None:  # fmt: skip
        """Puts a packed book in force; None: it is already. Overrides stay as they are unless some are given, but that
        the drafts of this book stand behind them. `again`: also where it is in force, and workers refuse it as older.

        Raises:
            PackInvalid, BookInvalid: it does not load, and nothing was changed.
            BookOlder: its version is before one by which workers judge, and older ones are not allowed.
            OverridesInvalid: the overrides do not fit this book. OverridesUnlike: those of the workers differ.
            SwitchedMeanwhile, AuditUnwritable, CommitRefused, redis.exceptions.RedisError
        """
        if len(content) > MOST_PACKED:
            raise PackInvalid(file=name, reason=f"it has more than {MOST_PACKED} bytes")
        files = unpacked(name, content)
        book = read_book(files.library, files.imported, rows=archive.rows_folder(self.folder))
        stack = self.stack()
        judged, before = self._before(stack)
        newer = max(before, key=lambda one: age(one.book.version)).book
        if not allow_older and age(book.version) < age(newer.version):
            raise BookOlder(version=book.version, newer=newer)
        given, text = self._overrides(before, judged, overrides)
        if drafts and with_drafts(text.content, drafts) != text.content:
            text = overrides = OverridesText(with_drafts(text.content, drafts), b"", text.name)
            given = digest_of_text(text.content)
        _fits(given, text, book)
        basis = Basis(BookName(book.version, book.digest), given)
        if stack and stack[0].basis == basis:
            return self._put(basis, _Plan(0, (), {}), stack, before, judged, why) if again else None
        archive.add(self.folder, files)
        fields = {book.digest: sealed_pack(content, sealed), **self._text_field(overrides)}
        return self._install(basis, fields, stack, before, judged, why)

    def put_overrides(self, overrides: OverridesText, why: str) -> SwitchResult | None:
        """Puts overrides in force for the book by which the workers judge; None: they are already.

        Raises:
            OverridesInvalid: they do not fit that book. OverridesUnlike: the workers judge by different books.
            BookNotThere, SwitchedMeanwhile, AuditUnwritable, CommitRefused, redis.exceptions.RedisError
        """
        stack = self.stack()
        judged, before = self._before(stack)
        if len({one.book.digest for one in before}) > 1:
            raise OverridesUnlike(listing=self._listing(judged, before))
        basis = replace(before[0], overrides=digest_of_text(overrides.content))
        payload = self._contents.pack(basis.book.digest)
        files = opened(payload, basis.book.digest, None)
        rows = archive.rows_folder(self.folder)
        book = read_book(files.library, files.imported, rows=rows, examples=False)
        _fits(basis.overrides or NONE, overrides, book)
        if stack and stack[0].basis == basis:
            return None
        fields = {basis.book.digest: payload, **self._text_field(overrides)}
        return self._install(basis, fields, stack, before, judged, why)

    def put_drafts(self, drafts: str, why: str) -> SwitchResult | None:
        """Puts other drafts behind the overrides by which the workers judge; None: none of them judges by any.

        Raises:
            what `put_overrides` raises
        """
        stack = self.stack()
        judged, before = self._before(stack)
        if not (stack or judged):
            return None
        _, text = self._overrides(before, judged, None)
        if stack and DRAFTS not in (text.content or ""):
            return None
        return self.put_overrides(OverridesText(with_drafts(text.content, drafts)), why)

    def roll_back(self, why: str, trusted: Trusted | None, to: str = "") -> SwitchResult:
        """Puts in force again what was before; or what `to` names, by the start of its digest.

        Raises:
            NothingToRollBack, SeveralBefore, NoSuchBasis, BookNotThere, OverridesNotThere, BookNotSigned, PackInvalid,
            SwitchedMeanwhile, AuditUnwritable, CommitRefused, redis.exceptions.RedisError
        """
        stack = self.stack()
        judged, before = self._before(stack)
        entry, pops = self._named(to, stack) if to else self._below(stack)
        if entry.basis.overrides is None:  # version 0.1.0 left them to each worker
            theirs = {one.overrides for one in self._owns()}
            entry = replace(entry, basis=replace(entry.basis, overrides=theirs.pop() if len(theirs) == 1 else None))
        fields = self._fields(entry.basis, trusted)
        if pops is None:
            return self._install(entry.basis, fields, stack, before, judged, why)
        below = stack[pops : pops + 1]
        if entry.basis.overrides is None or below == (entry,):
            return self._put(entry.basis, _Plan(pops, (), fields), stack, before, judged, why)
        pops += bool(below) and below[0].basis.book == entry.basis.book
        return self._put(entry.basis, _Plan(pops, (entry,), fields), stack, before, judged, why)

    def _below(self, stack: Sequence[StackEntry]) -> tuple[StackEntry, int]:
        """What was before the newest entry, and how many are taken off to get there."""
        if not stack or (len(stack) == 1 and stack[0].first):
            raise NothingToRollBack
        if len(stack) > 1:
            return stack[1], 1
        known = self._ground() or self._owns()
        if len(known) != 1 or None in {one.overrides for one in known}:
            raise SeveralBefore(listing=self._listing(known, tuple(known)))
        return StackEntry(next(iter(known)), first=True), 1

    def _named(self, to: str, stack: Sequence[StackEntry]) -> tuple[StackEntry, int | None]:
        """The entry of this digest, and how many are taken off to get to it; None: it is no longer in the stack."""
        in_stack = {entry.basis: (entry, depth) for depth, entry in reversed(list(enumerate(stack))) if depth}
        now = {entry.basis for entry in stack[:1]}
        others = [
            one
            for one in (*self._ground(), *self._readable())
            if one.overrides and one not in in_stack and one not in now
        ]
        known: dict[Basis, tuple[StackEntry, int | None]] = {
            **in_stack,
            **{one: (StackEntry(one), None) for one in others},
        }
        book, _, overrides = to.lower().partition("/")
        found = [
            one
            for one in known
            if len(book) >= _LEAST and one.book.digest.startswith(book) and (one.overrides or "").startswith(overrides)
        ]
        if len(found) != 1:
            how = "several" if found else "nothing"
            raise NoSuchBasis(digest=to, found=how, listing="; ".join(f"{one} ({one.name})" for one in known) or "none")
        entry, depth = known[found[0]]
        if depth is None and len(stack) == 1 and not stack[0].first:
            return replace(entry, first=True), 1  # what was before the first switch
        return entry, depth

    def _before(self, stack: Sequence[StackEntry]) -> tuple[dict[Basis, list[str]], tuple[Basis, ...]]:
        """What the workers judge by, with their names; and what a switch keeps of it: several, where they differ."""
        now, found = in_force(self.redis, self.keys), reconcile(self.redis, self.keys)
        judged: dict[Basis, list[str]] = {}
        for worker in found.alive:
            for basis in fleet.bases(worker, now):
                judged.setdefault(self._completed(basis, worker), []).append(worker.name)
        if stack and stack[0].basis.overrides is not None:
            return judged, (stack[0].basis,)
        before = tuple(sorted(judged, key=lambda one: -len(judged[one]))) or (self._mine(),)
        if stack:
            before = tuple(dict.fromkeys(replace(one, book=stack[0].basis.book) for one in before))
        return judged, before

    def _completed(self, basis: Basis, worker: Worker) -> Basis:
        """A worker of version 0.1.0 reports one digest of book and overrides together; it is split where it is ours."""
        if basis.overrides is not None:
            return basis
        with suppress(ScrubError):
            book, layer = self.own().book, self.layer()
            for digest in (NONE, layer.digest):
                applied = book if digest == NONE else layer.apply(book)
                if applied.digest == worker.book_digest:
                    whole = basis.book.digest == worker.book_digest
                    return Basis(BookName(book.version, book.digest) if whole else basis.book, digest)
        return basis

    def _mine(self) -> Basis:
        book = self.own().book
        return Basis(BookName(book.version, book.digest), self.layer().digest)

    def _owns(self) -> dict[Basis, list[str]]:
        """What the workers judge by where nothing is in force; where none is alive, what they would on this machine."""
        found: dict[Basis, list[str]] = {}
        for worker in reconcile(self.redis, self.keys).alive:
            said = fleet.own_basis(worker) or Basis(BookName(worker.book_version, worker.book_digest), None)
            found.setdefault(self._completed(said, worker), []).append(worker.name)
        return found or {self._mine(): []}

    def _readable(self) -> dict[Basis, list[str]]:
        """The same; nothing where no worker is alive and the book of this machine cannot be used."""
        with suppress(ScrubError):
            return self._owns()
        return {}

    def _ground(self) -> dict[Basis, list[str]]:
        """What the workers judged by before the first switch, where they were not alike."""
        text = cast(bytes | None, self.redis.hget(self.keys.books, "ground"))
        return {
            Basis(BookName(one["version"], one["book"]), one["overrides"]): one["workers"]
            for one in (orjson.loads(text) if text else [])
        }

    def _overrides(
        self, before: tuple[Basis, ...], judged: Mapping[Basis, Sequence[str]], given: OverridesText | None
    ) -> tuple[str, OverridesText]:
        """Those that are to hold: the ones given, else the ones that do."""
        if given:
            return digest_of_text(given.content), given
        (digest, *others) = {one.overrides for one in before}
        if others or digest is None:
            raise OverridesUnlike(listing=self._listing(judged, before))
        if digest == NONE:
            return NONE, OverridesText(None)
        return digest, OverridesText(
            opened_text(self._contents.text(digest), digest, None), name=f"overrides {digest[:12]}"
        )

    def _install(
        self, basis: Basis, fields: Mapping[str, bytes], stack: Sequence[StackEntry], before: tuple[Basis, ...],
        judged: Mapping[Basis, Sequence[str]], why: str,
    ) -> SwitchResult:  # fmt: skip
        """Puts it on the stack, and under it what was before where that is not there yet."""
        pops, pushes, restorable = 0, [StackEntry(basis)], True
        more = dict(fields)
        if not stack or stack[0].basis.overrides is None:
            try:
                for one in before:
                    more |= self._fields(one, None)
                if len(before) == 1:
                    pops = len(stack[:1])
                    pushes.insert(0, StackEntry(before[0], first=not stack))
                elif not stack:
                    said = [stored_entry(StackEntry(one)) | {"workers": list(judged.get(one, ()))} for one in before]
                    more["ground"] = orjson.dumps(said)
            except (BookNotThere, OverridesNotThere):
                restorable = False
        return self._put(basis, _Plan(pops, tuple(pushes), more), stack, before, judged, why, restorable)

    def _put(
        self, basis: Basis, plan: _Plan, stack: Sequence[StackEntry], before: tuple[Basis, ...],
        judged: Mapping[Basis, Sequence[str]], why: str, restorable: bool = True,
    ) -> SwitchResult:  # fmt: skip
        done = Switch(time.time(), basis.book, before[0].book, who(), why)
        line = audit_line(done, basis, before[0])
        more = {
            "moment": done.moment, "overrides": basis.overrides, "before": before[0].overrides,
            "proof": proof(self.ring().active, done.moment, basis.book.digest),
        }  # fmt: skip
        head = self.audit.write([line])
        used = (self.keys.book, self.keys.books, self.keys.switches, self.keys.chains)
        pushed = [
            part for entry in plan.pushes for part in (entry.basis.book.digest, orjson.dumps(stored_entry(entry)))
        ]
        fields = {**plan.fields, "switched": orjson.dumps(more)}
        arguments = (
            stack[0].basis.book.digest if stack else "", str(len(stack)), orjson.dumps(stored_switch(done)), head.chain,
            str(head.seq), head.stored, _HELD, str(plan.pops), str(len(plan.pushes)), *pushed,
            *(part for pair in fields.items() for part in pair),
        )  # fmt: skip
        try:
            agreed = self.redis.eval(script("switch"), len(used), *used, *cast(Any, arguments))
        except ResponseError as error:
            if str(error).startswith("WRONGTYPE"):
                raise CommitRefused(count=0, reason=error) from None
            raise
        if not agreed:
            self.audit.write([{**line, "event.outcome": "failure", "error.code": "switched_meanwhile"}])
            raise SwitchedMeanwhile
        return SwitchResult(basis, before, judged, restorable)

    def _fields(self, basis: Basis, trusted: Trusted | None) -> dict[str, bytes]:
        """The book and the overrides, as Redis holds them. A worker takes its own without a signature."""
        digest, overrides = basis.book.digest, basis.overrides
        payload = self._contents.pack(digest)
        owns = self._readable() if trusted else {}
        opened(payload, digest, None if digest in {one.book.digest for one in owns} else trusted)
        fields = {digest: payload}
        if overrides not in (None, NONE):
            text = self._contents.text(overrides)
            opened_text(text, overrides, None if overrides in {one.overrides for one in owns} else trusted)
            fields[f"overrides:{overrides}"] = text
        return fields

    def _text_field(self, overrides: OverridesText | None) -> dict[str, bytes]:
        if overrides is None or overrides.content is None:
            return {}
        digest = digest_of_text(overrides.content)
        return {f"overrides:{digest}": sealed_text(overrides.content, overrides.sealed)}

    def _listing(self, judged: Mapping[Basis, Sequence[str]], before: Sequence[Basis]) -> str:
        return fleet.listing({one: list(judged.get(one, ())) for one in before})


def _fits(digest: str, text: OverridesText, book: Book) -> None:
    if digest != NONE and text.content is not None:
        read_overrides(text.name, text.content, book)
