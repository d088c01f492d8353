"""One request of a page: who asks, in which browser, when; and how it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.routing import Match
from starlette.types import Scope

from worker.config.settings import Settings
from worker.desk.cases import Case
from worker.serve.bodies import SmallBody
from worker.serve.gate import from_proxy
from worker.serve.identity import Caller
from worker.serve.pages import signin
from worker.serve.pages.frame import Frame, Said
from worker.serve.pages.memory import Memory
from worker.serve.pages.rendering import html
from worker.serve.pages.visits import COOKIE, SECURE_COOKIE, Visit, Visits, new_name
from worker.serve.pages.words import Words
from worker.serve.scopes import Scope as Right
from worker.serve.serving import Serving

MOST_FIELDS = 500
_HTTPS = "https"


class PageRoute(SmallBody):
    """Of people alone: a program, which shows a token or wants no HTML, is answered by the routes for programs."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        headers = dict(scope.get("headers", ()))
        token = headers.get(b"authorization", b"")[:7].lower() == b"bearer "
        shared = scope.get("path", "").startswith("/cases") and b"text/html" not in headers.get(b"accept", b"")
        return (Match.NONE, {}) if token or shared else super().matches(scope)


class SignInFirst(Exception):
    """Nobody is signed in in this browser."""


class Forged(Exception):
    """A form that this desk did not make for this browser."""


@dataclass(slots=True)
class Pages:
    """What the pages of one process have in common; found as `request.app.state.pages`."""

    settings: Settings
    codes: signin.Codes
    visits: Visits = field(default_factory=Visits)
    memory: Memory = field(default_factory=Memory)


@dataclass(slots=True)
class Here:
    """One request."""

    request: Request
    pages: Pages
    serving: Serving
    cookie: str
    """Name of the visit, or of none yet."""
    visit: Visit
    words: Words
    fresh: bool = False
    """The cookie is new, and goes with the answer."""
    down: Said | None = None
    """Why the case store cannot be used now."""
    form: Mapping[str, str] = field(default_factory=dict)
    """What was posted."""
    several: Callable[[str], list[str]] = field(default=lambda _: [])
    """All values of a field of it."""

    @property
    def caller(self) -> Caller:
        return self.visit.caller

    @property
    def works(self) -> bool:
        return "work" in self.caller.scopes and not self.down

    def may(self, scope: Right) -> None:
        """Passes, or refuses.

        Raises:
            NotAllowed
        """
        self.caller.may(scope)

    def refused(self, reason: str) -> None:
        self.serving.gate.refuse(self.request, self.caller.account, reason)

    def payers(self) -> dict[str, str]:
        """Names of the book's payers by their keys."""
        return {key: one.name for key, one in self.serving.book.registry.payers.items()}

    def page(
        self, template: str, *, title: str, under: str = "", status: int = 200, said: Said | None = None, **model: Any
    ) -> Response:
        """A page with what is around it."""
        token = self.request.query_params.get("said", "")
        frame = Frame(
            title=title, page=under, account=self.caller.account, csrf=self.pages.visits.token(self.cookie),
            works=self.works, may=frozenset(self.caller.scopes), keys=self.visit.keys,
            said=said or self.visit.said.get(token), read_only=self.down, zone=self.words.zone,
            book=self.serving.book.version,
            printed=f"{self.words.full_day(self.words.today)}, {self.words.clock(self.words.now)} {self.words.zone}",
        )  # fmt: skip
        return self.with_cookie(HTMLResponse(html(template, frame=frame, **model), status))

    def to(self, path: str, said: Said | None = None) -> Response:
        """To another page, which says first what was done."""
        if said:
            path += f"{'&' if '?' in path else '?'}said={self.visit.keep_said(said)}"
        return self.with_cookie(RedirectResponse(path, 303))

    def with_cookie(self, response: Response) -> Response:
        """Where the visit is a new one."""
        if self.fresh:
            set_cookie(self.request, response, self.cookie)
        return response

    def sees(self, case: Case) -> bool:
        return self.caller.sees(case)


def secure(request: Request) -> bool:
    """Whether the browser speaks https, by a proxy's word too."""
    if from_proxy(request, request.app.state.pages.settings):
        return request.headers.get("x-forwarded-proto", request.url.scheme) == _HTTPS
    return request.url.scheme == _HTTPS


def cookie_of(request: Request) -> str:
    """The name of a visit, as the browser shows it; empty: it shows none."""
    return request.cookies.get(SECURE_COOKIE if secure(request) else COOKIE, "")[:128]


def set_cookie(request: Request, response: Response, name: str) -> None:
    """No script reads it, no other site's page sends it, and it ends with the browser."""
    safe = secure(request)
    key = SECURE_COOKIE if safe else COOKIE
    response.set_cookie(key, name, path="/", secure=safe, httponly=True, samesite="strict")


def foreign(request: Request) -> bool:
    """Whether a page of another site made the browser ask."""
    site = request.headers.get("sec-fetch-site")
    if site:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    # Browsers say `null` under our referrer policy, and nothing of the site where there is no https.
    return origin not in (None, "null") and urlsplit(origin or "").netloc != request.headers.get("host", "")


def here(request: Request) -> Here:
    """Of somebody who is signed in.

    Raises:
        SignInFirst
    """
    pages: Pages = request.app.state.pages
    serving: Serving = request.app.state.serving
    cookie, words, fresh = cookie_of(request), Words(serving.now()), False
    visit = pages.visits.find(cookie) if cookie else None
    way = signin.way(request, pages.settings)
    if way == "proxy":
        said = signin.by_proxy(request, pages.settings)
        if said is None:
            raise SignInFirst
        if visit is None or visit.caller != said:
            (cookie, visit), fresh = pages.visits.begin(said, cookie), True
    elif way == "none":
        visit = None
    if visit is None:
        raise SignInFirst
    request.state.caller = visit.caller  # what is refused from here on is on the audit log with it
    return Here(request, pages, serving, cookie, visit, words, fresh)


def reads(request: Request) -> Here:
    """Of somebody who may see cases.

    Raises:
        SignInFirst, NotAllowed
    """
    found = here(request)
    found.may("read")
    return found


async def posted(request: Request) -> Here:
    """A form of somebody who may see cases, as this desk gave it to him.

    Raises:
        SignInFirst, Forged, NotAllowed
    """
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    request.state.form = form
    return await run_in_threadpool(_posted, request, form)


def _posted(request: Request, form: FormData) -> Here:
    if foreign(request):
        raise Forged
    found = reads(request)
    # Of the cookie that came: behind a proxy the visit may be a new one, since the one before has ended.
    if found.pages.visits.forged(cookie_of(request), field_of(form, "csrf")):
        found.refused("a form that was not made for this browser")
        raise Forged
    found.form = {name: field_of(form, name) for name in form}
    found.several = lambda name: [one for one in form.getlist(name) if isinstance(one, str)]
    return found


def field_of(form: FormData, name: str) -> str:
    """The text of a field; empty: it has none."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def anonymous(request: Request) -> tuple[str, bool]:
    """Cookie for the form of the sign-in, and whether it is a new one."""
    cookie = cookie_of(request)
    return (cookie, False) if cookie else (new_name(), True)


Reading = Annotated[Here, Depends(reads)]
Posting = Annotated[Here, Depends(posted)]
