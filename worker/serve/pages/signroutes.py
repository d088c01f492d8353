"""Signing in and out."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from worker.serve.pages import signin
from worker.serve.pages.frame import Frame, Said
from worker.serve.pages.here import PageRoute, Pages, Posting, anonymous, cookie_of, foreign, set_cookie
from worker.serve.pages.rendering import html
from worker.serve.pages.visits import COOKIE, SECURE_COOKIE, new_name

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_PATHS = re.compile(
    r"/(work|held|find|figures|quarantine|keys|rules(/[A-Z0-9]{1,16})?|cases/[a-z0-9]{1,16}(/[a-z]{1,8})?)"
)
"""To which a sign-in may lead: pages of ours, without anything behind them."""


@router.get("/sign-in")
def sign_in(request: Request, then: str = "") -> Response:
    """Asks for the code. `then`: the page that it leads to."""
    return sign_in_page(request, then)


@router.post("/sign-in")
def signed_in(
    request: Request,
    code: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
    then: Annotated[str, Form()] = "",
) -> Response:
    """Lets in who has the code, under a cookie of a new name."""
    pages: Pages = request.app.state.pages
    cookie = cookie_of(request)
    if foreign(request) or pages.visits.forged(cookie, csrf):
        return sign_in_page(
            request, then, fault="This page was open for too long. Write the code once more.", status=403
        )
    if signin.way(request, pages.settings) != "code":
        return sign_in_page(request, then, status=403)
    if not pages.codes.take(code[:64]):
        request.app.state.serving.gate.refuse(request, "", "a sign-in code that does not count")
        fault = "" if pages.codes.wait() else "This is not the code that counts now. Each counts once."
        return sign_in_page(request, then, fault=fault, status=403)
    pages.visits.end(cookie)
    name, _ = pages.visits.begin(signin.by_code(), cookie)
    response = RedirectResponse(led_to(then), 303)
    set_cookie(request, response, name)
    return response


@router.post("/sign-out")
def sign_out(here: Posting) -> Response:
    """Ends the visit here, and not only in the browser."""
    here.pages.visits.end(cookie_of(here.request))
    response = RedirectResponse("/sign-in", 303)
    for name in (COOKIE, SECURE_COOKIE):
        response.delete_cookie(name, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="strict")
    return response


def led_to(path: str) -> str:
    """Where a sign-in leads to that was asked to lead there."""
    return path if _PATHS.fullmatch(path) else "/work"


def sign_in_page(request: Request, then: str = "", *, fault: str = "", status: int = 200, text: str = "") -> Response:
    """The form, or why nobody can sign in from where this one is. `text`: what was posted when a session had ended."""
    pages: Pages = request.app.state.pages
    way = signin.way(request, pages.settings)
    if way == "none":
        status = 403
    cookie, fresh = anonymous(request)
    if way == "none" or led_to(then) != then:  # nobody could take it up, or it is no page of ours
        text = ""
    if text:
        cookie, fresh = (cookie_of(request) or new_name()), True
        pages.visits.keep_text(cookie, then, text)
    frame = Frame(title="Sign in", csrf=pages.visits.token(cookie), said=None)
    page = html(
        "sign-in.html", frame=frame, way=way, fault=fault, wait=pages.codes.wait(), then=led_to(then) if then else "",
        kept=bool(text), header=pages.settings.serve_person_header,
    )  # fmt: skip
    response = HTMLResponse(page, status)
    if fresh:
        set_cookie(request, response, cookie)
    return response


def from_elsewhere(request: Request) -> Response:
    """For who follows a link of another site: his browser sends the cookie once he is here."""
    path = request.url.path if _PATHS.fullmatch(request.url.path) else "/work"
    frame = Frame(title="One moment", said=Said("good", "This link came from another place"))
    return HTMLResponse(html("moment.html", frame=frame, path=path))
