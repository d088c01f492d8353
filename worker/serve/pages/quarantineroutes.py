"""Taking a message out of quarantine in the browser: back on the queue, or away for good, with a reason."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response

from worker.errors import NotInQuarantine, NotRequeueable
from worker.pipeline import quarantine as entries
from worker.pipeline.outlets import OutletEntry
from worker.serve.pages import quarantine
from worker.serve.pages.frame import Said
from worker.serve.pages.here import Here, PageRoute, Posting, Reading
from worker.store.registry import producers_of

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Verb = Literal["requeue", "drop"]
MOST_REASON = 200
_TITLES: dict[Verb, str] = {"requeue": "Put this message back on the queue", "drop": "Drop this message"}
_DONE: dict[Verb, str] = {"requeue": "Put back on the queue: it is judged anew.", "drop": "Dropped."}
_GONE = Said("late", "Nothing was done", "Somebody else took that message out of quarantine before.")


@router.get("/quarantine/{id}/{verb}")
def form(here: Reading, id: str, verb: Verb) -> Response:
    """What it is, and what happens."""
    here.may("admin")
    entry = _find(here, id)
    return here.to("/quarantine", _GONE) if entry is None else _form(here, entry, verb)


@router.post("/quarantine/{id}/{verb}")
def take(here: Posting, id: str, verb: Verb) -> Response:
    """Does it."""
    here.may("admin")
    entry, why = _find(here, id), here.form.get("reason", "").strip()
    if entry is None:
        return here.to("/quarantine", _GONE)
    if not 0 < len(why) <= MOST_REASON or not why.isprintable():
        return _form(here, entry, verb, why, f"Say why, in 1 to {MOST_REASON} signs on one line.", 422)
    try:
        done = here.serving.take_quarantined(here.caller, entry, verb, why)
    except NotRequeueable:
        said = (
            "It is no JSON object and would come straight back. Have it sent again under a new id, and drop this one."
        )
        return _form(here, entry, verb, why, said, 409)
    return here.to("/quarantine", Said("good", _DONE[verb]) if done else _GONE)


def _find(here: Here, id: str) -> OutletEntry | None:
    """The entry, of a facility that the reader may see; None: it is there no more, or never was."""
    redis, keys = here.serving.store.redis, here.serving.store.keys
    try:
        found = entries.find(redis, keys, id)
    except NotInQuarantine:
        return None
    facilities = {name: one.facility for name, one in producers_of(redis, keys).items()}
    return next(iter(quarantine.seen_by([found], facilities, here.caller.facilities)), None)


def _form(here: Here, entry: OutletEntry, verb: Verb, reason: str = "", fault: str = "", status: int = 200) -> Response:
    return here.page(
        "quarantined.html", title=_TITLES[verb], under="quarantine", status=status, one=quarantine.quarantined(
            entry, here.words
        ), verb=verb, reason=reason, fault=fault, most=MOST_REASON,
    )  # fmt: skip
