"""Figures, quarantine, rules, keys, and what to do when it is down."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

from fastapi import APIRouter, Response

from worker.desk import lists
from worker.desk.wanted import Wanted
from worker.monitoring.reconciliation import reconcile
from worker.pipeline import quarantine as quarantined_entries
from worker.serve.pages import quarantine, rulepage, store
from worker.serve.pages.figures import DAYS, Counted, figures_page
from worker.serve.pages.frame import Said
from worker.serve.pages.here import Here, PageRoute, Posting, Reading
from worker.store.registry import producers_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MOST_COUNTED = 10_000


@router.get("/figures")
def figures(here: Reading) -> Response:
    """Today in numbers."""
    try:
        found, faults = _counted(here)
    except store.DOWN:
        store.is_down(here)
        return here.page("down.html", title="Today's figures", under="figures", status=503)
    codes = {
        one.name: faults.get(one.name, "") or rulepage.fault_of(here.serving.book, one.name) for one in found.codes
    }
    return here.page(
        "figures.html",
        title="Today's figures",
        under="figures",
        f=figures_page(found, codes, here.payers(), here.words),
    )


def _counted(here: Here) -> tuple[Counted, dict[str, str]]:
    scopes, words = here.caller.facilities, here.words
    begin = words.now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    with here.serving.cases().session() as session:
        held = lists.listed(session, Wanted(scopes=scopes), words.today)
        pended = lists.listed(session, Wanted(state="pended", scopes=scopes), words.today)
        codes, payers = lists.by_code(session, scopes), lists.by_payer(session, scopes)
        decided, done = lists.held_and_done(session, scopes, begin)
        faults = lists.faults(session, scopes)
    redis, keys = here.serving.store.redis, here.serving.store.keys
    # Of all facilities: whoever sees some of them gets no number of the others.
    snapshot = reconcile(redis, keys) if scopes is None else None
    outlets = {one.name: one.count for one in snapshot.outlets} if snapshot else {}
    waiting = (
        next((one.length for one in snapshot.outlets if one.name == quarantined_entries.OUTLET), 0) if snapshot else 0
    )
    return Counted(
        held=held, pended=len(pended), codes=codes, payers=payers, decided=decided, done=done, outlets=outlets,
        quarantine=waiting,
    ), faults  # fmt: skip


@router.get("/quarantine")
def in_quarantine(here: Reading) -> Response:
    """What could not be read, the newest first."""
    redis, keys = here.serving.store.redis, here.serving.store.keys
    facilities = {name: one.facility for name, one in producers_of(redis, keys).items()}
    seen = quarantine.seen_by(quarantined_entries.entries(redis, keys), facilities, here.caller.facilities)
    entries = list(islice(seen, _MOST_COUNTED))
    newest = [quarantine.quarantined(one, here.words) for one in reversed(entries[-quarantine.MOST :])]
    return here.page(
        "quarantine.html", title="Quarantine", under="quarantine", entries=newest, count=len(entries),
        most=quarantine.MOST,
    )  # fmt: skip


@router.get("/rules")
def rules(here: Reading) -> Response:
    """Every rule of the book in force."""
    book = here.serving.book
    return here.page("rules.html", title="Rules", under="rules", entries=rulepage.index(book), book=book.version)


@router.get("/rules/{code}")
def rule(here: Reading, code: str) -> Response:
    """A rule; of a code that is not there, the nearest ones."""
    book = here.serving.book
    found = rulepage.rules_of(book, code)
    if not found:
        near = [(one, rulepage.fault_of(book, one)) for one in rulepage.near(book, code)]
        return here.page(
            "norule.html", title="No such rule", under="rules", status=404, code=code[:16], near=near, book=book.version
        )
    page = rulepage.rule_page(found, book, here.words)
    return here.page("rule.html", title=f"{page.code}: {page.fault or page.title}", under="rules", rule=page)


@router.get("/outage")
def outage(here: Reading) -> Response:
    """How billing goes on while it is down, to be printed before."""
    return here.page("outage.html", title="When it is down", under="outage")


@router.get("/keys")
def keys(here: Reading) -> Response:
    """What single letters do, and the switch for them."""
    return here.page("keys.html", title="Keyboard shortcuts", under="keys")


@router.post("/keys")
def set_keys(here: Posting) -> Response:
    """For this visit."""
    here.visit.keys = "keys" in here.form
    said = "Single letters act again." if here.visit.keys else "Single letters do nothing any more."
    return here.to("/keys", Said("good", said))
