"""`scrub secret`: which keys there are, and how another one comes in force."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common.stores import opened
from worker.cli.common.terminal import columns, complain, paint, plain, say

if TYPE_CHECKING:
    from worker.config.settings import Settings
    from worker.monitoring.workers import Worker
    from worker.store.keyring import Key, Ring, RingName, Rings

app = typer.Typer(help="The keys of audit chains and patient hashes.", no_args_is_help=True)


class _Ring(StrEnum):
    audit = "audit"
    patient = "patient"


@app.callback()
def _group() -> None:
    """The keys of audit chains (audit) and of patient hashes (patient). Both begin with the file `secret`."""


@app.command("rotate")
def rotate(
    ring: Annotated[_Ring, typer.Argument(help="audit: chains and what is compared. patient: hashes of patients.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log; 1 to 200 signs.")] = "",
) -> None:
    """Makes another key and puts it in force: all workers take it up before their next batch, and none is restarted.

    Run it with a worker's settings, on a machine with the secret. The key is written to `secret.audit` or
    `secret.patient` beside the secret, and comes in force once all workers that are alive have that file: where they
    share the folder, in a few seconds. Else it names those that lack it; copy the file there (mode 0600), and run it
    again. Keys of before stay in the file: old audit files and digests are verified by them, and a patient's history
    is found under them for SCRUB_HISTORY_MONTHS.

    Exit codes: 0 it is in force, 1 a worker does not have the key yet, 2 it was refused, or Redis cannot be used.

    Examples:

    * `scrub secret rotate audit --reason 'yearly'`
    * `scrub secret rotate patient --reason 'a copy of the secret was lost'`
    """
    from worker import bootstrap
    from worker.config.settings import load_settings
    from worker.store.keyring import ring_file

    why = reason.strip()
    if not why or len(why) > 200 or not why.isprintable():
        raise typer.BadParameter("expected a sentence of 1 to 200 printable signs", param_hint="--reason")
    settings = load_settings()
    name: RingName = "audit" if ring is _Ring.audit else "patient"
    waited: list[bool] = []

    def wait() -> None:
        if not waited:
            complain("Waiting for the workers to read it ...")
        waited.append(True)

    with opened(settings) as store:
        rotation = bootstrap.rotation(store)
        try:
            done = rotation.rotate(name, why, wait)
        finally:
            rotation.audit.close()
    file = plain(str(ring_file(settings.secret_path, name)))
    if done.lacking:
        say(f"{'Made' if done.made else 'Still waiting'}, and not in force: {name} key {done.key.id}, in {file}.")
        for worker in done.lacking:
            say(paint(f"  {plain(worker.name)} does not have it", "yellow"))
        say("Copy the file to their machines (mode 0600), beside their secret, and run this again.")
        raise typer.Exit(1)
    say(f"In force: {name} key {done.key.id}. Workers take it up before their next batch; none is restarted.")
    say(f"Keep a copy of {file} apart from this machine, as of the secret; machines without it are refused.")


@app.command("list")
def listing() -> None:
    """Lists the keys of both rings, by their ids: no key is shown, and none can be had from its id.

    Exit codes: 0, 1 a worker does not have a key that waits or is in force, 2 a file cannot be used.

    Example: `scrub secret list`
    """
    from rules.errors import ScrubError
    from worker.config.settings import load_settings
    from worker.store import agreement, keyring

    settings = load_settings()
    if not settings.secret_path.exists():
        say(f"There is no secret yet at {plain(str(settings.secret_path))}; the first worker makes one.")
        return
    workers: tuple[Worker, ...] | None = None
    try:
        with opened(settings) as store:
            from worker.monitoring.reconciliation import reconcile

            rings = keyring.load_rings(settings.secret_path, agreement.in_force(store.redis, store.keys))
            workers = reconcile(store.redis, store.keys).alive
    except ScrubError as error:
        complain(f"What is in force on Redis is not known; below is what the files say. {error}")
        rings = keyring.load_rings(settings.secret_path)
    lacking = 0
    for name in keyring.RINGS:
        say(paint(f"{name}, in {plain(rings.ring(name).file)}", "bold"))
        for row in columns(list(_rows(name, rings, settings))):
            say(row)
        for worker, key in _lacking(name, rings, workers or ()):
            say(paint(f"  {plain(worker.name)} does not have {key.id}", "yellow"))
            lacking += 1
    raise typer.Exit(1 if lacking else 0)


def _rows(name: RingName, rings: Rings, settings: Settings) -> Iterator[tuple[str, ...]]:
    ring = rings.ring(name)
    for place, key in enumerate(ring.keys):
        made = f"made {key.made:%Y-%m-%d}" if key.made else "the secret"
        yield f"  {key.id}", made, _state(name, ring, place, settings)


def _state(name: RingName, ring: Ring, place: int, settings: Settings) -> str:
    from worker.pipeline.patients import kept_until

    if place == ring.place:
        return paint("in force", "green")
    if place > ring.place:
        return paint(f"waits: `scrub secret rotate {name}` puts it in force", "yellow")
    if name == "audit":
        return "verifies old files"
    until = kept_until(ring.keys[place + 1], settings.history_months)
    home = "; decides the partition" if place == 0 else ""
    return f"history is looked for under it until {until}{home}"


def _lacking(name: RingName, rings: Rings, workers: tuple[Worker, ...]) -> Iterator[tuple[Worker, Key]]:
    from worker.pipeline.rotation import keys_of

    ring = rings.ring(name)
    for worker in workers:
        for key in (ring.active, *ring.waiting):
            if worker.audit_keys and key.id not in keys_of(worker, name):
                yield worker, key
