"""`scrub serve`: the HTTP service in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.common.stores import opened
from worker.cli.common.terminal import complain


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where it listens; default: SCRUB_SERVE_HOST, or 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Default: SCRUB_SERVE_PORT, or 8080; 0: a free one.")
    ] = None,
) -> None:
    """Serves checks, claims, cases and the desk over HTTP until it is stopped. Needs the extra `serve`.

    Ctrl-C or SIGTERM: what is in hand is finished, then it ends. It listens on this machine alone unless it is told
    otherwise, and speaks no TLS: put a proxy that does before it.

    Examples:

    * `scrub serve`
    * `scrub serve --port 8081`
    """
    from worker.config.settings import load_settings

    settings = load_settings()
    try:
        from worker.serve.running import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "worker":
            raise
        from worker.errors import ExtraMissing

        raise ExtraMissing(what="`scrub serve`", extra="serve") from None
    with opened(settings) as store:
        run(store, host or settings.serve_host, settings.serve_port if port is None else port, complain)
