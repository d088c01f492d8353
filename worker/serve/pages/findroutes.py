"""Finding a claim by its number, which is posted and never in an address."""

from __future__ import annotations

from fastapi import APIRouter, Response

from worker.audit import chains, claimlines
from worker.desk import lists
from worker.pipeline import whereabouts
from worker.serve.pages import store
from worker.serve.pages.found import everywhere, found_rows
from worker.serve.pages.frame import Said
from worker.serve.pages.here import Here, PageRoute, Posting, Reading
from worker.store.keyring import load_rings

router = APIRouter(route_class=PageRoute, include_in_schema=False)
LONGEST = 64
MOST = 50


@router.get("/find")
def empty(here: Reading) -> Response:
    """Asks for a number."""
    return _page(here, "")


@router.post("/find")
def find(here: Posting) -> Response:
    """Opens the one that has exactly this number; else shows those that begin so."""
    number = here.form.get("number", "").strip()[:LONGEST]
    if not number:
        return _page(here, "", Said("warn", "Write a claim number, or how it begins."))
    try:
        with here.serving.cases().session() as session:
            cases = lists.beginning(session, number, here.caller.facilities, MOST + 1)
    except store.DOWN:
        store.is_down(here)
        return _page(here, number)
    exact = [one for one in cases if one.claim_id == number]
    if len(exact) == 1:
        return here.to(store.where(exact[0].handle))
    here.serving.listed(here.caller, cases[:MOST])
    rows = found_rows(cases[:MOST], here.words, here.payers())
    return here.page(
        "find.html", title="Find a claim", under="find", number=number, rows=rows, more=len(cases) > MOST,
        elsewhere=None, whole=here.caller.facilities is None,
    )  # fmt: skip


@router.post("/find/everywhere")
def find_everywhere(here: Posting) -> Response:
    """Also claims that were never held: what waits, what the outlets still have, and what the audit log knows."""
    number = here.form.get("number", "").strip()[:LONGEST]
    if here.caller.facilities is not None or not number:
        return here.to("/find")
    serving, settings = here.serving, here.pages.settings
    redis, keys = serving.store.redis, serving.store.keys
    heads = chains.known(redis, keys)
    lines = claimlines.claim_lines(settings.audit_path, number, load_rings(settings.secret_path).audit, heads)
    waits, out = whereabouts.waiting(serving.store, number), whereabouts.in_outlets(serving.store, number)
    serving.looked_up(here.caller, number)
    found = everywhere(number, waits, out, claimlines.standing(lines), here.words)
    return here.page(
        "find.html", title="Find a claim", under="find", number=number, rows=(), more=False, elsewhere=found, whole=True
    )  # fmt: skip


def _page(here: Here, number: str, said: Said | None = None) -> Response:
    return here.page(
        "find.html", title="Find a claim", under="find", said=said, number=number, rows=(), more=False, elsewhere=None,
        whole=here.caller.facilities is None,
    )  # fmt: skip
