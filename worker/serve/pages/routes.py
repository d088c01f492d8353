"""Puts the pages into the application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from worker.config.settings import Settings
from worker.serve.pages import (
    caseroutes,
    findroutes,
    listroutes,
    otherroutes,
    quarantineroutes,
    repairroutes,
    signroutes,
    waiveroutes,
)
from worker.serve.pages.frame import Frame, Said
from worker.serve.pages.here import Forged, Pages, SignInFirst, field_of, foreign, here
from worker.serve.pages.rendering import STATIC, content, html
from worker.serve.pages.signin import Codes
from worker.serve.pages.signroutes import from_elsewhere, sign_in_page
from worker.serve.problems import Problem

_SAYS = {
    403: "You may not see or do this",
    404: "There is no such page",
    409: "Not saved: it changed while you had it open",
    503: "Not available now",
}
_FOREVER = "private, max-age=31536000, immutable"
_OURS = (
    "/work",
    "/held",
    "/cases",
    "/bulk",
    "/find",
    "/figures",
    "/quarantine",
    "/rules",
    "/keys",
    "/outage",
    "/sign-",
)


def mount(app: FastAPI, settings: Settings, tell: Callable[[str], None] = lambda _: None) -> None:
    """Adds the pages. `tell`: gets each code by which somebody may sign in."""
    pages = Pages(settings, Codes(tell))
    if not settings.serve_proxies:
        pages.codes.begin()
    app.state.pages = pages
    app.state.error_page = error_page
    app.add_exception_handler(SignInFirst, _to_sign_in)
    app.add_exception_handler(Forged, _forged)
    app.add_api_route("/static/{name}", _static, methods=["GET"], include_in_schema=False)
    for module in (
        signroutes, listroutes, findroutes, otherroutes, quarantineroutes, waiveroutes, repairroutes, caseroutes,
    ):  # fmt: skip
        app.include_router(module.router)


def _static(name: str) -> Response:
    if name not in STATIC:
        raise HTTPException(404, "There is no such file.")
    return Response(content(name), media_type=STATIC[name], headers={"Cache-Control": _FOREVER})


async def _to_sign_in(request: Request, _: Exception) -> Response:
    """Where a session has ended, what was written goes on to the next one."""
    if foreign(request):
        return from_elsewhere(request) if request.method == "GET" else _page(request, 403, "It came from another site.")
    path = request.url.path
    if request.method == "GET":
        return RedirectResponse(f"/sign-in?then={path}" if path.isascii() else "/sign-in", 303)
    form = getattr(request.state, "form", None)
    text = field_of(form, "text") if form else ""
    return sign_in_page(request, path, text=text[:8_000], status=401)


async def _forged(request: Request, _: Exception) -> Response:
    form = getattr(request.state, "form", None)
    text = field_of(form, "text") if form and not foreign(request) else ""
    said = (
        "It was not made for this browser, or the service was started again since. Load the page anew, and do it again."
    )
    return _page(request, 403, said, title="Not saved: this form does not count any more", text=text)


def error_page(request: Request, problem: Problem) -> Response | None:
    """A problem for people; None: it is for a program."""
    accepts = request.headers.get("accept", "")
    if "text/html" not in accepts or request.headers.get("authorization", "")[:7].lower() == "bearer ":
        return None
    if not request.url.path.startswith(_OURS) and request.url.path != "/":
        return None
    form = getattr(request.state, "form", None) if problem.status >= 500 and not foreign(request) else None
    return _page(request, problem.status, _detail(problem), text=field_of(form, "text") if form else "")


def _detail(problem: Problem) -> str:
    """Without what to type, and without a claim number."""
    if problem.name == "case-unknown":
        return "There is no such claim, or it is of a facility that you do not see."
    if problem.name == "case-store-unusable":
        return (
            "The database of cases cannot be reached, and this page was not seen before. Claims are checked as ever, "
            "and clean ones go to billing. Try again in a while."
        )
    return problem.detail


def _page(request: Request, status: int, detail: str, *, title: str = "", text: str = "") -> Response:
    shown = title or _SAYS.get(status, "That did not work")
    frame: dict[str, Any] = {}
    try:
        found = here(request)
        frame = {"account": found.caller.account, "csrf": found.pages.visits.token(found.cookie),
                 "may": frozenset(found.caller.scopes), "zone": found.words.zone, "keys": found.visit.keys,
                 "book": found.serving.book.version}  # fmt: skip
    except SignInFirst:
        found = None
    said = Said("late" if status != 404 else "warn", shown, detail)
    page = HTMLResponse(
        html("error.html", frame=Frame(title=shown, said=said, **frame), text=text, away=status >= 500), status
    )
    return found.with_cookie(page) if found and not foreign(request) else page
