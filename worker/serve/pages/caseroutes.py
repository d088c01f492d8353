"""The page of a claim, and the acts on it, each on a page of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import APIRouter, Response
from pydantic import TypeAdapter, ValidationError

from rules.claim import read_claim
from rules.engine.suggesting import suggestions_of
from rules.engine.trying import try_changes
from rules.errors import ChangesContradict, ScrubError, SuggestionUnknown
from rules.report import Report
from worker.audit import chains, claimlines
from worker.desk.cases import ActKind
from worker.desk.casestore import Content, content_shown
from worker.desk.pricing import asked
from worker.errors import ActNotPossible, CaseChanged
from worker.pipeline.expected import ToldLine
from worker.serve.pages import acts, store
from worker.serve.pages.claimpage import ClaimPage, claim_page
from worker.serve.pages.frame import CLOSED, Said
from worker.serve.pages.here import Here, PageRoute, Posting, Reading
from worker.serve.pages.history import audited, did
from worker.serve.pages.memory import Opened
from worker.serve.pages.trying import TryPage, Ways, try_page, ways_of
from worker.serve.pages.worklist import GROUPS
from worker.store.keyring import load_rings
from worker.store.registry import producers_of
from worker.tables.contracts import ours_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_REPORT: TypeAdapter[Report] = TypeAdapter(Report)


@router.get("/cases/{handle}")
def case(here: Reading, handle: str) -> Response:
    """The page of a claim; that it was looked at is on the audit log first."""
    opened = store.opened(here, handle)
    here.serving.viewed(here.caller, opened.case)
    return page(here, opened)


def list_of(here: Here) -> str:
    """The list from which a page or a form was opened; empty: from none."""
    return here.form.get("list", "") or here.request.query_params.get("list", "")


def page(here: Here, opened: Opened, status: int = 200, said: Said | None = None, **more: Any) -> Response:
    """The page of a claim."""
    token = list_of(here)
    order = here.visit.lists.get(token)
    place = store.place_of(here, token, opened.case.handle)
    model, waiver = _model(here, opened), store.waiver(here, opened.case)
    return here.page(
        "claim.html", title=f"Claim {model.number}", under="work" if order and order.filters.mine else "held",
        status=status, said=said, claim=model, place=place, list=token if place else "",
        back=order.filters.address(list=token, page=place.page) if order and place else "/held",
        back_title=("My work" if order.filters.mine else "All held") if order and place else "All held",
        conflict=more.get("conflict"), waiver=waiver,
    )  # fmt: skip


def _model(here: Here, opened: Opened) -> ClaimPage:
    content = content_shown(opened.case, opened.decisions)
    report = _report(content.report) if content else None
    lines = _audit_lines(here, opened) if report is None else []
    priced, ways = _worked_out(here, content, report) if content and report else ([], {})
    return claim_page(
        opened.case, opened.decisions, opened.acts, report, priced, here.words, here.payers(), lines, ways,
    )  # fmt: skip


def _report(data: Any) -> Report | None:
    try:
        return _REPORT.validate_python(data)
    except ValidationError:  # another release wrote what this one cannot read
        return None


def _worked_out(here: Here, content: Content, report: Report) -> tuple[list[ToldLine], Ways]:
    """What its lines are expected to bring, as it was decided (by the book in force, where an earlier release did), and
    what is suggested for it, by that book."""
    book = here.serving.book
    try:
        claim = read_claim(content.claim)
        priced = content.expected
        if priced is None:
            priced = asked(content.claim, book, ours_of(here.pages.settings, book.registry))
    except ScrubError:
        return [], {}
    return priced, ways_of(claim, suggestions_of(claim, report, book, received=here.words.today))


@router.get("/cases/{handle}/try")
def try_it(here: Reading, handle: str) -> Response:
    """Judges the claim with what is suggested, the likeliest of each finding or what is ticked. Sends nothing."""
    opened = store.opened(here, handle)
    here.serving.viewed(here.caller, opened.case)
    token = here.request.query_params.get("list", "")
    tried = _tried(here, opened, here.request.query_params.getlist("fix")[:50])
    return here.page(
        "try.html", title=f"Try it: claim {opened.case.claim_id}", under="held", claim=opened.case, tried=tried,
        facts=facts(here, opened), back=store.where(handle, token), list=token, repairs="work" in here.caller.scopes,
    )  # fmt: skip


def _tried(here: Here, opened: Opened, keys: list[str]) -> TryPage | None:
    """None: nothing is suggested, or its content is gone."""
    content = content_shown(opened.case, opened.decisions)
    report = _report(content.report) if content else None
    if content is None or report is None:
        return None
    book, today = here.serving.book, here.words.today
    try:
        claim = read_claim(content.claim)
        suggestions = suggestions_of(claim, report, book, received=today)
        if not suggestions:
            return None
        return try_page(claim, suggestions, try_changes(claim, report, book, keys, received=today), "")
    except (ChangesContradict, SuggestionUnknown) as error:
        return try_page(claim, suggestions, None, str(error))
    except ScrubError:
        return None


def _audit_lines(here: Here, opened: Opened) -> list[claimlines.ClaimLine]:
    """The decisions on it that stand; another facility may have a claim of the same number."""
    settings, store = here.pages.settings, here.serving.store
    heads = chains.known(store.redis, store.keys)
    ring = load_rings(settings.secret_path).audit
    lines = claimlines.standing(claimlines.claim_lines(settings.audit_path, opened.case.claim_id, ring, heads))
    facilities = {name: one.facility for name, one in producers_of(store.redis, store.keys).items()}
    mine = {one.decision_id for one in opened.decisions}
    return [
        one
        for one in lines
        if one.decision_id in mine or facilities.get(one.line.get("queue.producer", ""), "") == opened.case.scope
    ]


@router.get("/cases/{handle}/audit")
def audit(here: Reading, handle: str) -> Response:
    """Every decision on the claim as the audit log has it, each line verified."""
    opened = store.opened(here, handle)
    here.serving.viewed(here.caller, opened.case)
    found = tuple(audited(one, here.words) for one in reversed(_audit_lines(here, opened)))
    token = here.request.query_params.get("list", "")
    title = f"Audit log of claim {opened.case.claim_id}"
    return here.page(
        "audit.html", title=title, under="held", claim=opened.case, lines=found, back=store.where(handle, token)
    )  # fmt: skip


@router.get("/cases/{handle}/{kind}")
def form(here: Reading, handle: str, kind: str) -> Response:
    """The form of an act; with what was written before a session ended."""
    here.may("work")
    act = _kind(kind)
    opened = store.opened(here, handle)
    if here.down:
        return page(here, opened, 503)
    entered = acts.fresh(act, opened.case, here.words.today, here.caller.account)
    kept = here.visit.kept.pop(here.request.url.path, "")
    said = None
    if kept:
        entered = acts.Entered.of(act, {"text": kept, "owner": entered.owner, "until": entered.until})
        said = acts.KEPT
    return _form(here, opened, entered, (), said=said)


def _form(
    here: Here, opened: Opened, entered: acts.Entered, faults: tuple[acts.Fault, ...], said: Said | None = None
) -> Response:
    here.serving.viewed(here.caller, opened.case)
    token = list_of(here)
    known = store.owners(here) if entered.kind == "assign" else ()
    found = acts.act_form(opened.case, entered, faults, here.words, known)
    return here.page(
        "act.html", title=found.title, under="held", status=422 if faults else 200, said=said, form=found,
        claim=opened.case, reasons=[(name, CLOSED[name]) for name in acts.REASONS], waiting=acts.WAITING,
        facts=facts(here, opened), back=store.where(opened.case.handle, token), list=token,
    )  # fmt: skip


def facts(here: Here, opened: Opened) -> str:
    """Of a claim in a line, over a form."""
    from worker.desk.tabled import expected_text
    from worker.serve.pages.words import money
    from worker.serve.pages.worklist import payer_name

    one, words = opened.case, here.words
    expected = expected_text(one.expected, money)
    last = f"Last day to file {words.full_day(one.last_day.day)}." if one.last_day else GROUPS["unknown"] + "."
    service = f", service {words.full_day(one.service_from)}" if one.service_from else ""
    return f"{payer_name(one, here.payers())}{service}, {money(one.charge_cents)} charged, expected: {expected}. {last}"


@router.post("/cases/{handle}/{kind}")
def act(here: Posting, handle: str, kind: str) -> Response:
    """Does it, and goes on to the next claim."""
    here.may("work")
    which = _kind(kind)
    entered = acts.Entered.of(which, here.form)
    opened = store.opened(here, handle)
    if here.down:
        return conflict(here, opened, entered, 503)
    asked = acts.read(entered, here.words.today)
    if asked.faults:
        return _form(here, opened, entered, asked.faults)
    try:
        after = here.serving.act(here.caller, opened.case, which, asked.text, seen=seen(here), **asked.about)
    except CaseChanged:
        return conflict(here, store.opened(here, handle), entered, 409)
    except ActNotPossible as error:
        place = {"pend": "until", "close": "reason"}.get(which, "text")
        fault = acts.Fault(place, f"Not saved: {error.values['reason']}.")
        return _form(here, store.opened(here, handle), entered, (fault,))
    said = Said("good", acts.done(which, after, here.words))
    return here.to(next_of(here, handle, which), said)


def next_of(here: Here, handle: str, kind: ActKind) -> str:
    """The next claim of the list; after a note, and without a list, this one; after the last one, the list."""
    token = here.form.get("list", "")
    place = store.place_of(here, token, handle)
    if kind in ("note", "reopen") or place is None:
        return store.where(handle, token if place else "")
    if place.after:
        return store.where(place.after, token)
    return here.visit.lists[token].filters.address(list=token, page=place.page)


def seen(here: Here) -> int:
    """The version of the case on which a form was made."""
    version = here.form.get("version", "")
    return int(version) if version.isdecimal() and len(version) < 10 else -1


class Newest(NamedTuple):
    """What happened last to a case."""

    said: str = ""
    """Who did what, and when."""
    text: str = ""


def newest(here: Here, opened: Opened) -> Newest:
    """What somebody did, or what was decided, whichever came last."""
    moment, what, text = max(
        ((one.act.moment, f"{one.act.account} {did(one.act, here.words)}", one.text) for one in opened.acts
         if one.state == "done"),
        default=("", "", ""),
    )  # fmt: skip
    decided = max((one.moment for one in opened.decisions), default="")
    if decided > moment:
        moment, what, text = decided, "A new version of the claim was decided", ""
    return Newest(f"{what}, {here.words.moment(moment)}" if moment else "", text)


CHANGED = "Not saved: this claim changed while you had it open"


def conflict(here: Here, opened: Opened, entered: acts.Entered, status: int) -> Response:
    """Nothing was written: who did what meanwhile, and what was entered here, to be saved again or dropped."""
    found, title = newest(here, opened), CHANGED
    if status == 503:
        title, found = "Not saved: the database of cases cannot be reached", Newest()
    here.serving.viewed(here.caller, opened.case)
    return page(here, opened, status, conflict=unsaved(entered, title, found, status == 409))


def unsaved(entered: acts.Entered, title: str, found: Newest, again: bool) -> dict[str, Any]:
    """What the page of a claim says of an act that was not done. `again`: it can be done to the claim as it is now."""
    return {"title": title, "who": found.said, "wrote": found.text, "entered": entered, "kind": entered.kind,
            "verb": acts.TITLES[entered.kind], "again": again}  # fmt: skip


def _kind(kind: str) -> ActKind:
    from starlette.exceptions import HTTPException

    if kind not in acts.KINDS:
        raise HTTPException(404, "There is no such page.")
    return kind
