"""The book with the hospital's overrides on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

from rules.book.book import Book
from rules.book.override import Override
from rules.book.overrides import Overrides
from rules.payers import Owner, plain_id
from rules.report import OverrideState


def overridden(book: Book, entries: Iterable[Override], today: date) -> Book:
    """The book with the overrides that hold on this day, under a digest of its own."""
    standing = tuple(replace(entry, state=state_of(entry, today)) for entry in entries)
    if not standing:
        return book
    ids = {plain_id(one): entry for entry in standing if entry.kind == "payer_ids" for one in entry.ids}
    registry = replace(
        book.registry,
        ids={**book.registry.ids, **_owned(ids)},
        prefixes=_owned({one: entry for entry in standing if entry.kind == "member_prefixes" for one in entry.ids}),
    )
    providers = frozenset(npi for entry in standing for npi in entry.providers)
    digest = hashlib.sha256("\n".join([book.digest, *map(_canonical, standing)]).encode()).hexdigest()
    return replace(book, digest=digest, registry=registry, overrides=Overrides(standing, providers, ids))


def _owned(ids: Mapping[str, Override]) -> dict[str, Owner]:
    """By payer id or prefix of a member id, whose it is. What the hospital says goes before the book: one id means
    different payers at different clearinghouses."""
    return {
        one: Owner(payer, plan or None)
        for one, entry in ids.items()
        if entry.state != "expired"
        for payer, _, plan in [entry.payers[0].partition("/")]
    }


def _canonical(entry: Override) -> str:
    """As 0.1.0 and 0.1.1 had it: what they kept under a digest is found, and a fleet of both agrees on the digest."""
    values = {name: getattr(entry, name) for name in entry.__slots__}
    values["pin"] = values.pop("former_pins")[0]
    values["meanwhile"] = entry.meanwhile.digest if entry.meanwhile else None
    for later in ("mode", "route", "meanwhile", "locations"):
        if not values[later]:
            del values[later]
    return repr({name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()})


def state_of(entry: Override, today: date) -> OverrideState:
    """Expired after its last day; outdated where what it touches was changed since: it holds, and wants a look."""
    return "expired" if today > entry.expires else "outdated" if entry.outdated else "in_force"
