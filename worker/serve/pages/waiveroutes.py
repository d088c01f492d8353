"""Waiving in the browser: what would go, and that it goes. One claim at a time, and never what was not seen."""

from __future__ import annotations

from typing import NamedTuple

from fastapi import APIRouter, Response

from worker.audit.lines import now
from worker.desk.waiving import Waivable
from worker.errors import ActNotPossible, CaseChanged, NotWaivable
from worker.serve.pages import acts, caseroutes, store, waivepage
from worker.serve.pages.claimpage import sentence
from worker.serve.pages.frame import Said
from worker.serve.pages.here import Here, PageRoute, Posting, Reading
from worker.serve.pages.memory import Opened
from worker.serve.pages.words import without_commands

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class _Entered(NamedTuple):
    """What stands in the form."""

    entered: acts.Entered
    faults: tuple[acts.Fault, ...] = ()
    said: Said | None = None
    status: int = 200


@router.get("/cases/{handle}/waive")
def form(here: Reading, handle: str) -> Response:
    """What would go; with what was written before a session ended."""
    here.may("waive")
    opened = store.opened(here, handle)
    if here.down:
        return caseroutes.page(here, opened, 503)
    here.serving.viewed(here.caller, opened.case)
    entered, said = acts.fresh("waive", opened.case, here.words.today, here.caller.account), None
    if kept := here.visit.kept.pop(here.request.url.path, ""):
        entered = acts.Entered.of("waive", {"text": kept, "owner": entered.owner, "until": entered.until})
        said = acts.KEPT
    try:
        would = here.serving.waivable(here.caller, opened.case)
    except NotWaivable:  # its page says why
        lost = caseroutes.unsaved(entered, acts.KEPT.title, caseroutes.Newest(), again=False)
        return caseroutes.page(here, opened, conflict=lost if kept else None)
    return _form(here, opened, would, _Entered(entered, said=said))


def _form(here: Here, opened: Opened, would: Waivable, about: _Entered) -> Response:
    page = waivepage.waive_page(
        opened.case, would.findings, would.content, about.entered, here.words, now(), store.owners(here), about.faults
    )
    token = caseroutes.list_of(here)
    return here.page(
        "waive.html", title=page.title, under="held", status=about.status, said=about.said, form=page,
        claim=opened.case, facts=caseroutes.facts(here, opened), back=store.where(opened.case.handle, token),
        list=token,
    )  # fmt: skip


@router.post("/cases/{handle}/waive")
def waive(here: Posting, handle: str) -> Response:
    """Does it, and goes on to the next claim."""
    here.may("waive")
    entered = acts.Entered.of("waive", here.form)
    opened = store.opened(here, handle)
    if here.down:
        return caseroutes.conflict(here, opened, entered, 503)
    asked = waivepage.read(entered, here.words, now())
    if asked.faults:
        return _anew(here, handle, _Entered(entered, asked.faults, status=422))
    try:
        after = here.serving.waive(
            here.caller, opened.case, asked.text, seen=caseroutes.seen(here), content=here.form.get("content", ""),
            findings=here.form.get("findings", "").split(), **asked.about,
        )  # fmt: skip
    except (CaseChanged, NotWaivable, ActNotPossible):
        return _anew(here, handle, _Entered(entered, status=409))
    return here.to(caseroutes.next_of(here, handle, "waive"), Said("good", acts.done("waive", after, here.words)))


def _anew(here: Here, handle: str, about: _Entered) -> Response:
    """The form with what would go now, which is to be looked at again; where nothing can go any more, the claim."""
    opened = store.opened(here, handle)
    if here.down:
        return caseroutes.conflict(here, opened, about.entered, 503)
    try:
        would = here.serving.waivable(here.caller, opened.case)
    except NotWaivable as error:
        return _lost(here, opened, about.entered, without_commands(str(error.values["reason"])))
    here.serving.viewed(here.caller, opened.case)
    if about.status == 409 or caseroutes.seen(here) != opened.case.version:
        who = caseroutes.newest(here, opened).said
        about = about._replace(said=Said("late", caseroutes.CHANGED, f"{who}. Below is what would go now. {_NOTHING}"))
    return _form(here, opened, would, about)


def _lost(here: Here, opened: Opened, entered: acts.Entered, reason: str) -> Response:
    """The claim, with what was written, where nothing can be let go any more."""
    changed = caseroutes.seen(here) != opened.case.version
    found = caseroutes.newest(here, opened) if changed else caseroutes.Newest()
    said = ". ".join(filter(None, (found.said, sentence(reason))))
    title = "Not saved: this claim cannot be waived any more"
    here.serving.viewed(here.caller, opened.case)
    shown = caseroutes.unsaved(entered, title, caseroutes.Newest(said, found.text), again=False)
    return caseroutes.page(here, opened, 409, conflict=shown)


_NOTHING = "Nothing of yours was written, and what you wrote is still there."
