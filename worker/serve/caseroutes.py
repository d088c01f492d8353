"""Cases and acts for programs. A claim number is in bodies alone, never in a URL: those are in logs of every proxy."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from rules.engine.waiving import name_of
from worker.desk import lists
from worker.desk.cases import ActKind, Case, CloseReason, Sort, StateWanted
from worker.desk.casestore import Session, WrittenAct
from worker.desk.tabled import shown
from worker.desk.waiving import MOST_DAYS, MOST_OWNER
from worker.desk.wanted import DUE, Sums, Wanted, due_of, payers_named, place_in, place_of, token_of
from worker.errors import VersionMissing, VersionsDiffer
from worker.serve.bodies import SmallBody
from worker.serve.identity import Asking
from worker.serve.serving import Serving

router = APIRouter(route_class=SmallBody)
_MOST = 1_000
Handle = Annotated[str, Field(pattern=r"^[2-9a-z]{10}$")]
Limit = Annotated[int, Field(ge=1, le=_MOST, description="Cases of a page")]
After = Annotated[
    str | None, Field(max_length=512, description="Behind this place: `next` of the page before; it is no claim number")
]
IfMatch = Annotated[str | None, Header(description='Version that was seen, as `"3"`; or in the body')]


def _on_one_line(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("name", "expected a name on one line, of signs that can be shown")
    return text


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Act(_Body):
    """What is done, of a case as it was seen."""

    version: Annotated[int | None, Field(ge=1, description="That was seen; or If-Match")] = None
    text: Annotated[str, Field(max_length=4_000, description="Kept in the case store alone")] = ""


class Pend(Act):
    """Puts a case off."""

    until: date


class Assign(Act):
    """Says who works on it; empty: nobody."""

    owner: Annotated[str, Field(max_length=64), AfterValidator(_on_one_line)]


class Note(Act):
    """Writes a note."""

    text: Annotated[str, Field(min_length=1, max_length=4_000)]


class Close(Act):
    """Closes a case."""

    reason: Literal["without_billing", "billed_elsewhere", "paid", "denied"]


class Waive(Act):
    """Lets the claim of a case go as it is, once."""

    text: Annotated[str, Field(min_length=1, max_length=4_000, description="Why; kept in the case store alone")]
    owner: Annotated[str, Field(min_length=1, max_length=MOST_OWNER, description="Who answers for it")]
    until: Annotated[date, Field(description=f"Last day on which it holds, in {MOST_DAYS} days at most")]
    content: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="Digest of the claim that was seen")]
    findings: Annotated[list[str], Field(min_length=1, description="Every one that blocks it, by name, as it was seen")]


class Repair(Act):
    """Has the claim of a case judged again with what is only written otherwise."""

    content: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="Digest of the claim that was seen, repaired")]


class Search(_Body):
    """Which claims."""

    claim_ids: Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(min_length=1, max_length=200)]
    limit: Limit = _MOST
    after: After = None


@router.get("/cases", summary="List cases", response_class=Response)
def cases(
    request: Request,
    asking: Asking,
    state: StateWanted = "open",
    payer: Annotated[str | None, Query(max_length=128, description="Key or name, or its beginning")] = None,
    code: Annotated[str | None, Query(max_length=16, description="Held by this rule")] = None,
    owner: Annotated[str | None, Query(max_length=64, description="Assigned to; empty: nobody")] = None,
    due: Annotated[
        str | None,
        Query(pattern=DUE, description="Last day to file within so many days; or past, week, month, unknown"),
    ] = None,
    sort: Sort = "urgency",
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """Those of the token's facilities, a page at a time: `next`, given back as `after`, has those behind it, also where
    cases of the page before are done meanwhile. `total`, `charge_cents` and `expected` are of all that are asked for;
    what is expected is summed of cases of which it is known for every line."""
    asking.may("read")
    serving: Serving = request.app.state.serving
    day = serving.today()
    with serving.cases().session() as session:
        known = None if payer is None else lists.payers(session, asking.facilities)
        wanted = Wanted(
            state=state, payers=None if known is None else payers_named(payer or "", serving.book, known),
            code=code and code.upper(), owner=owner, due=due_of(due or ""), scopes=asking.facilities, sort=sort,
            limit=limit, after=after if after is None else place_in(after, sort),
        )  # fmt: skip
        found, following = _page(session, wanted, day)
        sums = lists.sums(session, wanted, day)
    serving.listed(asking, found)
    return _json({"cases": [shown(one, day) for one in found], "next": following, **_summed(sums)})


@router.get("/cases/{handle}", summary="A case with its decisions and acts", response_class=Response)
def case(request: Request, asking: Asking, handle: Handle) -> Response:
    """The claim as it was decided, every finding, what people did and wrote. That it was seen is in the audit log."""
    asking.may("read")
    serving: Serving = request.app.state.serving
    found = serving.case(asking, handle)
    with serving.cases().session() as session:
        decisions, acts = session.decisions_of(handle), session.acts_of(handle)
    serving.viewed(asking, found)
    more = {"decisions": [_decision(one) for one in decisions], "acts": [_written(one) for one in acts]}
    return _json(shown(found, serving.today()) | more, found.version)


@router.post("/cases/{handle}/pend", summary="Put a case off until a day", response_class=Response)
def pend(request: Request, asking: Asking, handle: Handle, said: Pend, if_match: IfMatch = None) -> Response:
    """At least two days before the last day to file."""
    return _act(request, asking, handle, "pend", said, if_match, until=said.until)


@router.post("/cases/{handle}/assign", summary="Say who works on a case", response_class=Response)
def assign(request: Request, asking: Asking, handle: Handle, said: Assign, if_match: IfMatch = None) -> Response:
    """Nobody, where the owner is empty."""
    return _act(request, asking, handle, "assign", said, if_match, owner=said.owner)


@router.post("/cases/{handle}/note", summary="Write a note on a case", response_class=Response)
def note(request: Request, asking: Asking, handle: Handle, said: Note, if_match: IfMatch = None) -> Response:
    """It stays in the case store; the audit log has a keyed digest of it."""
    return _act(request, asking, handle, "note", said, if_match)


@router.post("/cases/{handle}/close", summary="Close a case", response_class=Response)
def close(request: Request, asking: Asking, handle: Handle, said: Close, if_match: IfMatch = None) -> Response:
    """A later version of the claim that is held opens it again."""
    return _act(request, asking, handle, "close", said, if_match, reason=said.reason)


@router.post("/cases/{handle}/reopen", summary="Open a case again", response_class=Response)
def reopen(request: Request, asking: Asking, handle: Handle, said: Act, if_match: IfMatch = None) -> Response:
    """One that was closed or pended."""
    return _act(request, asking, handle, "reopen", said, if_match)


@router.get("/cases/{handle}/waive", summary="What a waiver would let go", response_class=Response)
def would_waive(request: Request, asking: Asking, handle: Handle) -> Response:
    """Every finding that blocks the claim, and the digest of its content, both to be given back; 409 says why it cannot
    be waived. That it was seen is in the audit log."""
    asking.may("read")
    asking.may("waive")
    serving: Serving = request.app.state.serving
    found = serving.case(asking, handle)
    serving.viewed(asking, found)
    would = serving.waivable(asking, found)
    findings = [
        {"name": name_of(one), "severity": one.severity, "message": one.message, "fix": one.fix,
         "citation": one.citation, "expected_denial": one.expected_denial}
        for one in would.findings
    ]  # fmt: skip
    more = {"content": would.content, "findings": findings}
    return _json({"handle": handle, "version": found.version, "decision_id": found.decision_id, **more}, found.version)


@router.post("/cases/{handle}/waive", summary="Let the claim of a case go as it is, once", response_class=Response)
def waive(request: Request, asking: Asking, handle: Handle, said: Waive, if_match: IfMatch = None) -> Response:
    """In spite of what blocks it, which is named. A worker decides: what the waiver does not name holds it still. The
    text stays in the case store; the audit log has a keyed digest of it."""
    asking.may("waive")
    serving: Serving = request.app.state.serving
    found = serving.case(asking, handle)
    after = serving.waive(
        asking, found, said.text.strip(), seen=_seen(said.version, if_match), content=said.content,
        findings=said.findings, owner=said.owner.strip(), until=said.until,
    )  # fmt: skip
    return _json(shown(after, serving.today()), after.version)


@router.get("/cases/{handle}/repair", summary="What a repair would write otherwise", response_class=Response)
def would_repair(request: Request, asking: Asking, handle: Handle) -> Response:
    """Each value that is only written otherwise, what is to be confirmed against the record, and the digest of the
    claim as it would be, to be given back; 409 says why nothing can be repaired. That it was seen is logged."""
    asking.may("read")
    asking.may("work")
    serving: Serving = request.app.state.serving
    found = serving.case(asking, handle)
    serving.viewed(asking, found)
    would = serving.repairable(asking, found)
    changes = [{"path": one.path, "label": one.label, "was": one.was, "becomes": one.becomes} for one in would.changes]
    more = {"content": would.content, "codes": would.codes, "changes": changes, "confirm": would.confirm}
    return _json({"handle": handle, "version": found.version, "decision_id": found.decision_id, **more}, found.version)


@router.post("/cases/{handle}/repair", summary="Have a claim judged again, repaired", response_class=Response)
def repair(request: Request, asking: Asking, handle: Handle, said: Repair, if_match: IfMatch = None) -> Response:
    """Who sends this has confirmed it against the record. A worker judges the claim as it is so, by the book and what
    was billed; what else is wrong holds it still."""
    asking.may("work")
    serving: Serving = request.app.state.serving
    found = serving.case(asking, handle)
    after = serving.repair(asking, found, said.text.strip(), seen=_seen(said.version, if_match), content=said.content)
    return _json(shown(after, serving.today()), after.version)


@router.post("/claims/search", summary="The cases of claim numbers", response_class=Response)
def search(request: Request, asking: Asking, said: Search) -> Response:
    """By POST, so that no number is in a URL, a page at a time as /cases has it, the one that was held first in front.
    `unknown` are those that were never held, as far as the token may see."""
    asking.may("read")
    serving: Serving = request.app.state.serving
    day = serving.today()
    wanted = Wanted(
        state="all", claim_ids=frozenset(said.claim_ids), scopes=asking.facilities, sort="age", limit=said.limit,
        after=said.after if said.after is None else place_in(said.after, "age"),
    )  # fmt: skip
    with serving.cases().session() as session:
        found, following = _page(session, wanted, day)
        known = lists.numbers(session, wanted, day)
        sums = lists.sums(session, wanted, day)
    serving.listed(asking, found)
    unknown = [one for one in dict.fromkeys(said.claim_ids) if one not in known]
    return _json({"cases": [shown(one, day) for one in found], "unknown": unknown, "next": following, **_summed(sums)})


def _page(session: Session, wanted: Wanted, day: date) -> tuple[list[Case], str | None]:
    """A page, and what a program gives back for the next; None: it is the last."""
    assert wanted.limit is not None
    found = lists.page(session, replace(wanted, limit=wanted.limit + 1), day)
    if len(found) <= wanted.limit:
        return found, None
    found = found[: wanted.limit]
    return found, token_of(place_of(found[-1], wanted.sort, day), wanted.sort)


def _summed(sums: Sums) -> dict[str, Any]:
    expected = {"cases": sums.priced, "charge_cents": sums.priced_cents, "low_cents": sums.low_cents,
                "high_cents": sums.high_cents}  # fmt: skip
    return {"total": sums.claims, "charge_cents": sums.cents, "expected": expected if sums.priced else None}


def _act(
    request: Request, asking: Asking, handle: str, kind: ActKind, said: Act, if_match: str | None, *,
    until: date | None = None, owner: str = "", reason: CloseReason | None = None,
) -> Response:  # fmt: skip
    asking.may("work")
    serving: Serving = request.app.state.serving
    found = serving.case(asking, handle)
    after = serving.act(
        asking, found, kind, said.text.strip(), seen=_seen(said.version, if_match), until=until, owner=owner.strip(),
        reason=reason,
    )  # fmt: skip
    return _json(shown(after, serving.today()), after.version)


def _seen(version: int | None, if_match: str | None) -> int:
    """The version that was seen, by the body or by the header.

    Raises:
        VersionMissing, VersionsDiffer
    """
    text = (if_match or "").strip().removeprefix("W/").strip('"')
    by_header = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    if if_match is not None and by_header is None:
        raise VersionMissing
    if version is not None and by_header is not None and version != by_header:
        raise VersionsDiffer
    found = version if version is not None else by_header
    if found is None:
        raise VersionMissing
    return found


def _written(one: WrittenAct) -> dict[str, Any]:
    return {"id": one.id, "handle": one.handle, "state": one.state, "text": one.text, "act": asdict(one.act)}


def _decision(one: Any) -> dict[str, Any]:
    content = one.content and one.content._asdict()
    return {**{name: getattr(one, name) for name in ("decision_id", "moment", "disposition", "superseded", "codes")},
            "content": content}  # fmt: skip


def _json(value: Any, version: int | None = None) -> Response:
    headers = {} if version is None else {"ETag": f'"{version}"'}
    return Response(orjson.dumps(value), headers=headers, media_type="application/json")
