"""The workers of one Redis side by side: what each judges by, and in what they differ.

A worker reports in its beat which book, tables, overrides and secret it has of its own; one of version 0.1.0 reports
less, and what is not reported is not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worker.books.overrides import NONE
from worker.books.switch import Basis, BookName, InForce
from worker.monitoring.reconciliation import Reconciliation
from worker.monitoring.workers import Worker

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class WorkerDifference:
    """Workers that are alive and not alike in something."""

    what: str
    """book, overrides, tables, secret or version."""
    workers: dict[str, tuple[str, ...]]
    """Their names by what each has, digests shortened."""

    def __str__(self) -> str:
        sides = "; ".join(f"{value} ({_some(names)})" for value, names in self.workers.items())
        return f"The workers differ in {self.what}: {sides}"


def own_basis(worker: Worker) -> Basis | None:
    """What a worker judges by where nothing is in force; None: it does not report that."""
    if not worker.own_digest:
        return None
    return Basis(BookName(worker.book_version, worker.own_digest), worker.overrides or None)


def bases(worker: Worker, now: InForce) -> dict[Basis, int]:
    """What the processes of a worker judge their next batch by, and how many of them by which.

    A process takes up what is in force before its next batch, unless it refused it, which it reports.
    """
    said = [one for name, one in now.judging.items() if worker.runs(name)]
    refused = [Basis(one.book, one.overrides) for one in said if one.refused]
    found = Counter(refused)
    if len(refused) < max(1, len(worker.processes)):
        found.update([_taken(worker, now, [Basis(one.book, one.overrides) for one in said if not one.refused])])
    return found


def _taken(worker: Worker, now: InForce, said: list[Basis]) -> Basis:
    own = own_basis(worker)
    if now.basis:
        overrides = now.overrides or (own.overrides if own else None)
        return Basis(now.basis.book, overrides)
    if own:
        return own
    return said[0] if said else Basis(BookName(worker.book_version, worker.book_digest), None)


def late(worker: Worker, now: InForce) -> int:
    """Processes that last judged by something else than what is in force, and take that up before their next batch."""
    wanted = now.basis
    if wanted is None:
        return 0
    return sum(
        (one.book.digest, one.overrides if now.overrides else None) != (wanted.book.digest, now.overrides)
        for name, one in now.judging.items()
        if worker.runs(name) and not one.refused
    )


def differences(found: Reconciliation, now: InForce) -> list[WorkerDifference]:
    """In what the workers that are alive are not alike."""
    alike = now.basis is None
    by_what: dict[str, dict[str, set[str]]] = {}
    for worker in found.alive:
        for what, values in _has(worker, now, alike).items():
            by_what.setdefault(what, {})[worker.name] = values
    result = []
    for what, by_worker in by_what.items():
        if len(set().union(*by_worker.values())) > 1:
            groups: dict[str, list[str]] = {}
            for name, values in sorted(by_worker.items()):
                groups.setdefault(" and ".join(sorted(values)), []).append(name)
            ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
            result.append(WorkerDifference(what, {value: tuple(names) for value, names in ordered}))
    return result


def _has(worker: Worker, now: InForce, own: bool) -> dict[str, set[str]]:
    """What a worker is compared by; what it does not report is left out."""
    judges = bases(worker, now)
    tabled = own and worker.own_digest and worker.library
    has = {
        # Tables are compared apart from the rest of a book, so that it is clear what to import.
        "book": {f"{worker.book_version}+{worker.library[:8]}"} if tabled else {str(one.book) for one in judges},
        "overrides": {short(one.overrides) for one in judges if one.overrides},
        "tables": {short(worker.tables)} if tabled else set(),
        "secret": {worker.secret[:8]} - {""},
        "version": {worker.version} - {""},
    }
    return {what: values for what, values in has.items() if values}


def unused_overrides_files(found: Reconciliation, now: InForce) -> Iterator[str]:
    """A sentence for each kind of overrides file on the workers' machines that is not what they judge with."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for worker in found.alive:
        for basis in bases(worker, now):
            on_disk, inside = worker.overrides_disk, basis.overrides
            if on_disk and inside and on_disk != inside and not (on_disk == NONE and now.overrides):
                groups.setdefault((on_disk, inside, worker.overrides_fault), []).append(worker.name)
    for (on_disk, inside, fault), names in sorted(groups.items()):
        has = "cannot be used" if fault else "is gone" if on_disk == NONE else f"holds {short(on_disk)}"
        why = f" ({fault})" if fault else ""
        yield f"The overrides file of {_some(names)} {has}{why}; they judge with {short(inside)}"


def unusable(found: Reconciliation) -> Iterator[str]:
    """A sentence for each worker whose own book or overrides cannot be used."""
    for worker in found.alive:
        if worker.own_fault:
            yield f"The own book or overrides of {worker.name} cannot be used, and it judges by what is in force: " + (
                worker.own_fault
            )


def short(digest: str | None) -> str:
    """The start of a digest; NONE as it is."""
    return digest if digest == NONE else (digest or "?")[:8]


def listing(by: dict[Basis, list[str]]) -> str:
    """What is judged by, with digests that `scrub rules rollback --to` takes, and by whom."""
    return "; ".join(f"{basis} ({basis.name}: {_some(names)})" for basis, names in by.items())


def _some(names: Iterable[str]) -> str:
    every = sorted(dict.fromkeys(names))
    more = len(every) - _SHOWN
    return ", ".join(every[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
