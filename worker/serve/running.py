"""Runs the application on uvicorn: one process, its log with ours, no word of what was asked for in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress

import uvicorn

from worker.logs import operational
from worker.process.listening import listen
from worker.process.signals import Stopped
from worker.serve.app import make_app
from worker.serve.lines import Line
from worker.serve.serving import Serving
from worker.store.connections import Store

GRACE = 20
"""Seconds that a request in hand has to end."""


def run(store: Store, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serves until a signal ends it; `say` is told where.

    Raises:
        PortUnusable, and what `Serving` raises
    """
    settings = store.settings
    operational.configure(settings.log_level)
    with listen(host, port) as listening, closing(Serving(store)) as serving:
        shown = f"[{host}]" if ":" in host else host
        where = f"http://{shown}:{listening.getsockname()[1]}"
        say(f"claim-scrubber listens on {where}. Ctrl-C: it finishes what is in hand.")
        app = make_app(settings, serving, lambda code: say(f"To sign in to the desk, once: {code}"))
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, lifespan="on",
            proxy_headers=False, http=Line, ws="none", timeout_graceful_shutdown=GRACE,
        )  # fmt: skip
        with suppress(Stopped, KeyboardInterrupt):  # uvicorn raises the signal again once all is done
            uvicorn.Server(config).run([listening])
