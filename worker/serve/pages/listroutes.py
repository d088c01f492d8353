"""The work lists, and one act on several claims of them."""

from __future__ import annotations

from fastapi import APIRouter, Response
from redis.exceptions import RedisError

from rules.errors import ScrubError
from rules.printable import csv_of
from worker.desk import lists
from worker.desk.cases import Case
from worker.desk.tabled import COLUMNS, row_of
from worker.errors import ActNotPossible, CaseChanged
from worker.serve.pages import acts, store
from worker.serve.pages.bulk import BULK, MOST, Picked, Result, summed
from worker.serve.pages.frame import Said
from worker.serve.pages.here import Here, PageRoute, Posting, Reading
from worker.serve.pages.words import counted
from worker.serve.pages.worklist import Filters, work_list

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_MARK = b"\xef\xbb\xbf"
"""Without it spreadsheets read UTF-8 as something else."""


@router.get("/")
def home(here: Reading) -> Response:
    """The first page is one's own work."""
    return here.to("/work")


@router.get("/work")
def work(here: Reading) -> Response:
    """What the reader has to do."""
    return _list(here, mine=True)


@router.get("/held")
def held(here: Reading) -> Response:
    """All that is held, and more by its filters."""
    return _list(here, mine=False)


def _list(here: Here, *, mine: bool) -> Response:
    """The order is made once, and then stays for as long as its token is in the address."""
    query = here.request.query_params
    token, filters = query.get("list", ""), Filters.of(query, mine=mine)
    order = here.visit.lists.get(token)
    if order is None or order.filters != filters:
        more = {"said": query["said"]} if "said" in query else {}
        order = store.order_of(here, filters)
        return here.to(filters.address(list=here.visit.keep_list(order), **more))
    number = int(query["page"]) if query.get("page", "").isdecimal() and len(query["page"]) < 7 else 1
    found, choices = store.on_page(here, order.page(min(max(number, 1), max(1, -(-order.claims // 50)))))
    page = work_list(order, token, number, found, here.words, here.payers(), choices)
    return here.page("work.html", title=page.title, under="work" if mine else "held", list=page)


@router.get("/work.csv")
def work_csv(here: Reading) -> Response:
    """All of it, for a spreadsheet."""
    return _csv(here, mine=True)


@router.get("/held.csv")
def held_csv(here: Reading) -> Response:
    """All that is held, and more by its filters."""
    return _csv(here, mine=False)


def _csv(here: Here, *, mine: bool) -> Response:
    """The cases as they are now, with all pages. Of what was seen last there is none: it would be taken for all."""
    filters = Filters.of(here.request.query_params, mine=mine)
    found = store.every(here, filters)
    here.serving.listed(here.caller, found)
    text = csv_of(COLUMNS, (row_of(one, here.words.today) for one in found), "\r\n")
    name = f"{'my-work' if mine else 'claims'}-{here.words.today}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return here.with_cookie(Response(_MARK + text.encode(), headers=headers, media_type="text/csv; charset=utf-8"))


@router.post("/bulk")
def bulk(here: Posting) -> Response:
    """Asks what is to be done with the claims that are ticked; the same address does it once that is said."""
    here.may("work")
    kind, back = here.form.get("act", ""), _back(here)
    picked = [one for text in here.several("case")[:MOST] if (one := Picked.of(text))]
    if kind not in BULK or not picked:
        return here.to(back, Said("warn", "Nothing was done: tick the claims first."))
    entered = acts.Entered.of(kind, here.form)
    with here.serving.cases().session() as session:
        cases = lists.named(session, [one.handle for one in picked], here.caller.facilities)
        known = lists.choices(session, here.caller.facilities).owners
        foreign = here.caller.facilities and lists.named(session, {one.handle for one in picked} - cases.keys())
    here.serving.listed(here.caller, list(cases.values()))
    if foreign:  # told as one that is not there, as everywhere
        here.refused("a case of another facility")
    if "do" in here.form:
        asked = acts.read(entered, here.words.today)
        if not asked.faults:
            results = tuple(_one(here, cases.get(one.handle), one, entered, asked) for one in picked)
            return here.to(f"/bulk/{here.visit.keep_results(results)}?list={here.form.get('list', '')}")
        faults = asked.faults
    else:
        entered, faults = acts.fresh(kind, None, here.words.today, here.caller.account), ()
    return here.page(
        "bulk.html", title=f"{acts.TITLES[entered.kind]} {counted(len(cases), 'claim')}", under="held",
        status=422 if faults else 200, entered=entered, faults=faults, picked=[str(one) for one in picked],
        cases=list(cases.values()), sum=summed(list(cases.values())), back=back, waiting=acts.WAITING, owners=known,
        list=here.form.get("list", ""),
    )  # fmt: skip


def _one(here: Here, case: Case | None, one: Picked, entered: acts.Entered, asked: acts.Read) -> Result:
    if case is None:
        return Result(handle=one.handle, number="", done=False, said="It is not there.")
    try:
        after = here.serving.act(here.caller, case, entered.kind, asked.text, seen=one.version, **asked.about)
    except CaseChanged:
        said = "Not done: somebody changed it since you opened the list. Look at it first."
        return Result(handle=case.handle, number=case.claim_id, done=False, said=said)
    except ActNotPossible as error:
        return Result(handle=case.handle, number=case.claim_id, done=False, said=f"Not done: {error.values['reason']}.")
    except ScrubError:
        return Result(handle=case.handle, number=case.claim_id, done=False, said="Not done: it could not be saved.")
    except (RedisError, OSError):
        said = "Not ended: Redis, or the disk, does not answer. Look whether it was done before you do it again."
        return Result(handle=case.handle, number=case.claim_id, done=False, said=said)
    return Result(handle=case.handle, number=case.claim_id, done=True, said=acts.done(entered.kind, after, here.words))


@router.get("/bulk/{token}")
def results(here: Reading, token: str) -> Response:
    """What became of an act on several claims."""
    found = here.visit.results.get(token, ())
    done = sum(one.done for one in found)
    return here.page(
        "results.html", title=f"{done:,} of {counted(len(found), 'claim')} done", under="held", results=found,
        back=_back(here), list=here.request.query_params.get("list", ""),
    )  # fmt: skip


def _back(here: Here) -> str:
    """The list that somebody comes from, at the page that he saw."""
    token = here.form.get("list", "") or here.request.query_params.get("list", "")
    order = here.visit.lists.get(token)
    return order.filters.address(list=token) if order else "/held"
