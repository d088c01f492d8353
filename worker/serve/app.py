"""Makes the application: opens what it needs, puts the routes together, and sets what every answer carries."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from importlib import import_module
from importlib.util import find_spec

from fastapi import Depends, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.config.settings import Settings
from worker.serve import healthroutes, problems
from worker.serve.gate import route_of
from worker.serve.openapi import ROUTERS
from worker.serve.parameters import known_alone
from worker.serve.serving import Serving
from worker.store.opening import open_store

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of every answer, unless a route sets another one: styles and script of a page are files of ours, and nothing else is
loaded, framed or kept."""


def make_app(
    settings: Settings, serving: Serving | None = None, tell: Callable[[str], None] = lambda _: None
) -> FastAPI:
    """The application. `serving`: what it has open, which who made it closes; None: it opens that when it starts and
    closes it when it ends (its lifespan). `tell`: gets each code by which a person may sign in on this machine.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as mine:
            app.state.serving = found = serving or mine.enter_context(open_serving(settings))
            await found.start()
            yield

    app = _App(
        title="claim-scrubber", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    problems.install(app)
    if find_spec("worker.serve.pages"):  # first: of an address that both have, a browser gets the page
        import_module("worker.serve.pages.routes").mount(app, settings, tell)
    for router in ROUTERS:
        probes = router is healthroutes.router  # load balancers and Prometheus add what they like
        app.include_router(router, dependencies=[] if probes else [Depends(known_alone)])
    return app


@contextmanager
def open_serving(settings: Settings) -> Iterator[Serving]:
    """What it has open, over a store of its own.

    Raises:
        what `open_store` and `Serving` raise
    """
    with open_store(settings) as store, closing(Serving(store)) as found:
        yield found


class _App(FastAPI):
    """The headers go round everything, also what answers where something fails."""

    def build_middleware_stack(self) -> ASGIApp:
        return _Headers(super().build_middleware_stack())


class _Headers:
    """Sets the headers of every answer, and notes how long it took."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        since = time.perf_counter()

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                if serving := getattr(scope["app"].state, "serving", None):
                    serving.times.took(route_of(scope), message["status"], since)
                given = {name for name, _ in message["headers"]}
                more = [one for one in self._headers if one[0] not in given]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        if scope["type"] == "http" and _is_two_lengths(scope):
            await _TWO_LENGTHS(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


_TWO_LENGTHS = problems.Problem(
    400, "", "It has two lengths: Content-Length and Transfer-Encoding.", headers={"Connection": "close"}
).response()


def _is_two_lengths(scope: Scope) -> bool:
    """Where a proxy goes by one and we by the other, a client puts a request of its own behind the proxy's check, with
    a person's name in it."""
    names = {name for name, _ in scope["headers"]}
    return b"content-length" in names and b"transfer-encoding" in names
