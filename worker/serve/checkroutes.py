"""`POST /check`: claims judged on the spot. Nothing is kept, and nothing goes to billing."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from worker.errors import NoAnswerFor, NothingReadable, TooManyClaims
from worker.serve.bodies import body_of
from worker.serve.identity import Asking
from worker.serve.judging import MOST, Asked
from worker.serve.media import ANSWERS, TAKEN, answer_kind, kind_of

router = APIRouter()
_BODY = {"required": True, "content": {media: {"schema": {"type": "string"}} for media in TAKEN}}
_ANSWERS: dict[str, Any] = {media: {"schema": {"type": "string"}} for media in ANSWERS.values()}
_ANSWERS["application/json"] = {
    "schema": {
        "type": "object",
        "required": ["reports", "refused"],
        "properties": {
            "reports": {"type": "array", "items": {"$ref": "report.json"}},
            "refused": {"type": "array", "items": {"type": "object"}},
        },
    }
}


@router.post(
    "/check",
    summary="Judge claims, at most 200",
    openapi_extra={"requestBody": _BODY},
    responses={200: {"description": "What was found", "content": _ANSWERS}},
    response_class=Response,
)
async def check(
    request: Request,
    asking: Asking,
    received: Annotated[date | None, Query(description="Received date, in place of the claims' own default")] = None,
    answers: Annotated[
        Literal["277ca", "all"], Query(description="X12 alone: the 277CA, or TA1 and 999 as well")
    ] = "277ca",
) -> Response:
    """As `scrub check` with the same book, overrides, tables, mode and received date: JSON, X12 837 or FHIR R4 in, by
    Content-Type; reports, a 277CA or FHIR ClaimResponses out, by Accept. By the book that is in force.
    """
    asking.may("check")
    serving = request.app.state.serving
    wanted = answer_kind(request.headers.get("accept", ""))
    body = await body_of(request, serving.settings.serve_max_body)
    if kind_of(request.headers.get("content-type", ""), body) != "x12" and wanted == "x12":
        raise NoAnswerFor
    asked = Asked(body, wanted, serving.now(), received, answers == "all")
    found = await serving.judges.judge(asked)
    if found.too_many:
        raise TooManyClaims(limit=MOST)
    if not found.media:
        raise NothingReadable(found.unread)
    return Response(found.body, headers={"X-Scrub-Book": found.by}, media_type=found.media)
