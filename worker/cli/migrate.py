"""`scrub migrate`: the keys in Redis in the layout of this release."""

from __future__ import annotations

from worker.cli.common.stores import opened
from worker.cli.common.terminal import say


def migrate() -> None:
    """Brings the keys in Redis into the layout of this release.

    Until then they are as the release before wrote them, so that workers of both may run side by side. It refuses while
    an older worker is alive. Workers of this release and senders may go on meanwhile, and no claim is lost or decided
    twice. It cannot be undone: older releases refuse to start from then on; to go back, restore a backup that was made
    before. If it breaks off, run it again.

    Exit codes: 0, or 2 where it cannot be or Redis cannot be used. It wants the user `admin`.

    Example: `scrub migrate`
    """
    from worker.config.settings import load_settings
    from worker.pipeline.migration import migrate as migrated
    from worker.store import reachability
    from worker.store.fitness import check_server
    from worker.store.layout import NEWEST

    settings = load_settings()
    with opened(settings, check=False) as store:
        check_server(store.redis, reachability.claims(settings))
        before = migrated(store.redis)
    if before.layout == NEWEST:
        say(f"The keys are of layout {NEWEST} already.")
        return
    say(
        f"The keys are of layout {NEWEST} now, and were of layout {before.layout}.",
        "Register those who send claims with `scrub producer add`; until then they share the inbox, as before.",
    )
