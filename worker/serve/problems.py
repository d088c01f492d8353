"""Errors as answers: `application/problem+json` (RFC 9457), without a traceback and without a value of a claim.

`pages` may show people a page instead: it sets `app.state.error_page`, which gets request and problem and answers a
response, or None where it leaves the problem as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from rules.errors import ScrubError
from worker import errors
from worker.logs.operational import log, safe_exception

MEDIA = "application/problem+json"
_STATUS: dict[type[ScrubError], int] = {
    errors.NotSignedIn: 401,
    errors.NotAllowed: 403,
    errors.CaseUnknown: 404,
    errors.CaseAmbiguous: 409,
    errors.CaseChanged: 409,
    errors.ActNotPossible: 409,
    errors.NotWaivable: 409,
    errors.NotRepairable: 409,
    errors.TypeNotTaken: 415,
    errors.TypeOther: 415,
    errors.NotAcceptable: 406,
    errors.NoAnswerFor: 406,
    errors.BodyTooLarge: 413,
    errors.TooManyClaims: 413,
    errors.NothingReadable: 422,
    errors.TooManyFailures: 429,
    errors.EventTooLarge: 413,
    errors.ProducerGone: 403,
    errors.VersionMissing: 428,
    errors.VersionsDiffer: 400,
    errors.PlaceUnknown: 400,
    errors.ServiceBusy: 503,
    errors.InboxFull: 503,
    errors.ProducerUnknown: 503,
    errors.CaseStoreUnusable: 503,
    errors.CaseStoreTooNew: 503,
    errors.AuditUnwritable: 503,
    errors.TokensUnusable: 503,
}
"""What a client is to think of it; any other is ours: 500."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for a program and for a person."""

    status: int
    name: str
    """Of its kind, as `case-changed`."""
    detail: str
    more: dict[str, Any] = field(default_factory=dict)
    """Further members."""
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        body = {
            "type": f"urn:claim-scrubber:problem:{self.name}" if self.name else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }
        return Response(orjson.dumps(body, default=str), self.status, self.headers, MEDIA)


def install(app: FastAPI) -> None:
    """Makes a problem of whatever is raised."""
    for kind in (ScrubError, RedisError, OSError):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _of_defect)


def problem_of(error: ScrubError) -> Problem:
    """An error of ours as a problem."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    kind = errors.CaseUnknown if isinstance(error, errors.CaseElsewhere) else type(error)
    name = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.__name__).strip("-")
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if wait := getattr(error, "retry_after", None):
        headers["Retry-After"] = str(wait)
    return Problem(status, name, str(error), dict(getattr(error, "members", {})), headers)


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, errors.NotAllowed | errors.CaseElsewhere):
        try:
            await run_in_threadpool(_audit, request, error)
        except (ScrubError, RedisError, OSError) as worse:
            return await _answer(request, worse)
    if isinstance(error, ScrubError):
        return shown(request, problem_of(error))
    log(__name__).error("not available", **safe_exception(error))
    sentence = (
        "Redis, or the disk, does not answer. Try again; of an act on a case, look whether it was done before you do "
        "it again: one that was begun is ended as soon as that is possible."
    )
    return shown(request, Problem(503, "unavailable", sentence, headers={"Retry-After": "5"}))


def _audit(request: Request, error: ScrubError) -> None:
    caller = getattr(request.state, "caller", None)
    elsewhere = isinstance(error, errors.CaseElsewhere)
    reason = "a case of another facility" if elsewhere else f"wants the right {error.values.get('scope')}"
    request.app.state.serving.gate.refuse(request, caller.account if caller else "", reason)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return shown(request, Problem(error.status_code, "", str(error.detail), headers=dict(error.headers or {})))


async def _of_validation(request: Request, error: Exception) -> Response:
    """Places and kinds of what is wrong; what was sent is not said again."""
    assert isinstance(error, RequestValidationError)
    found = [{"pointer": "/".join(map(str, one["loc"])), "detail": one["msg"]} for one in error.errors()]
    return shown(request, Problem(422, "invalid", "The request is not as expected.", {"errors": found}))


async def _of_defect(request: Request, error: Exception) -> Response:
    log(__name__).error("a request failed", **safe_exception(error))
    return shown(request, Problem(500, "", "The service itself failed, which says nothing of the claims."))


def shown(request: Request, problem: Problem) -> Response:
    """For people a page, where the pages have one."""
    page = getattr(request.app.state, "error_page", None)
    found: Response | None = page(request, problem) if page else None
    return found or problem.response()
