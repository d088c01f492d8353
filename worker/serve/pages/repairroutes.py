"""Repairs of form in the browser: what would be written otherwise, and that it is. One claim, as it was seen."""

from __future__ import annotations

from fastapi import APIRouter, Response

from worker.errors import ActNotPossible, CaseChanged, NotRepairable
from worker.serve.pages import acts, caseroutes, store
from worker.serve.pages.claimpage import sentence
from worker.serve.pages.frame import Said
from worker.serve.pages.here import Here, PageRoute, Posting, Reading
from worker.serve.pages.memory import Opened
from worker.serve.pages.words import without_commands

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/cases/{handle}/repair")
def form(here: Reading, handle: str) -> Response:
    """What would be written otherwise."""
    here.may("work")
    opened = store.opened(here, handle)
    if here.down:
        return caseroutes.page(here, opened, 503)
    here.serving.viewed(here.caller, opened.case)
    return _form(here, opened)


def _form(here: Here, opened: Opened, said: Said | None = None, status: int = 200) -> Response:
    """Or why nothing is."""
    token, would, refused = caseroutes.list_of(here), None, ""
    try:
        would = here.serving.repairable(here.caller, opened.case)
    except NotRepairable as error:
        refused = sentence(without_commands(str(error.values["reason"])))
    return here.page(
        "repair.html", title=f"Repair {opened.case.claim_id}", under="held", status=status, said=said, would=would,
        refused=refused, claim=opened.case, facts=caseroutes.facts(here, opened),
        back=store.where(opened.case.handle, token), list=token,
    )  # fmt: skip


@router.post("/cases/{handle}/repair")
def repair(here: Posting, handle: str) -> Response:
    """Does it, and goes on to the next claim."""
    here.may("work")
    opened = store.opened(here, handle)
    if here.down:
        return caseroutes.page(here, opened, 503)
    try:
        after = here.serving.repair(
            here.caller, opened.case, "", seen=caseroutes.seen(here), content=here.form.get("content", "")
        )
    except (CaseChanged, NotRepairable, ActNotPossible):
        opened = store.opened(here, handle)
        here.serving.viewed(here.caller, opened.case)
        return _form(here, opened, Said("late", caseroutes.CHANGED, _NOTHING), 409)
    return here.to(caseroutes.next_of(here, handle, "repair"), Said("good", acts.done("repair", after, here.words)))


_NOTHING = "Nothing was written. Below is what can be repaired now."
