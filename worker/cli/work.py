"""`scrub worker`: the Celery worker in the foreground, with the options that it wants."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.common import standard
from worker.cli.common.stores import opened
from worker.cli.common.terminal import complain, say
from worker.process.command import command

if TYPE_CHECKING:
    from worker.config.settings import Settings


def worker(
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", "-c", min=1, max=512, help="Processes; default: one a core.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="See whether a worker could start here (settings, secret, book, Redis); end."),
    ] = False,
) -> None:
    """Checks the claims on the queue until it is stopped.

    Ctrl-C once, or SIGTERM: what is in hand is finished, then it ends. It becomes a Celery worker like any other:
    `celery -A worker.app worker` takes part just as well, and more of them on any machine share the work.

    Examples:

    * `scrub worker`
    * `scrub worker --check`
    * `SCRUB_REDIS_URL=redis://queue.example:6379/0 scrub worker -c 8`
    """
    from worker.audit import log as audit
    from worker.config.settings import load_settings
    from worker.logs import outputs

    settings = load_settings()
    audit.check_folder(settings.audit_path)
    if check:
        _check(settings)
        return
    number = concurrency or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0])
    redis = "embedded, in " + str(settings.server_path)
    if settings.redis_url:
        from worker.store import reachability

        redis = reachability.where(settings)
    outputs.install()
    complain(
        f"A claim-scrubber worker of {number} process{'es' if number > 1 else ''}. Ctrl-C once: it finishes what is in"
        f" hand, then ends.\n"
        f"  Redis      {redis}\n"
        f"  audit log  {settings.audit_path}\n"
        f"  outlets    scrub tail billing | rework | unchecked | quarantine\n"
        f"  balance    scrub status\n"
        f"  send       scrub submit FILE...\n"
        f"Its own log follows, one JSON object a line."
    )
    outputs.flush()
    standard.for_another_program()
    os.execv(sys.executable, command(number))  # noqa: S606 - there is no shell to want


def _check(settings: Settings) -> None:
    """What a worker looks at before its first claim."""
    from worker.books import current
    from worker.process import broker
    from worker.store import agreement, reachability
    from worker.store.fitness import check_primary

    broker.check(settings)
    with opened(settings) as store:
        check_primary(store.redis, reachability.claims(settings))
        agreement.agreed_rings(store)
        if fault := current.take_own(store):
            complain(f"Its own cannot be used; it would judge by what is in force: {fault}")
        found = current.book_of_today(settings)
        current.payment_terms(settings)
        redis = reachability.where(settings)
        say(f"A worker can start: Redis at {redis}, book {found.label} ({len(found.rules)} rules).")
