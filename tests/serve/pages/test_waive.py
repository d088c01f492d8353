"""Waiving as it is served: said first what would go and whether it can, then done, one claim at a time.

What other products let go: an edit overridden for everybody and forgotten, and claims let through without a word on why
or by whom (openemr/openemr#7251, masslight/ottehr#8676).
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.serve.conftest import Service
from tests.serve.pages.conftest import PROXY, Person, decide, found, held_claims, text_of
from worker.config.settings import load_settings
from worker.store import opening

New = Callable[..., Person]
MANAGER = "scrub-read,scrub-work,scrub-waive"
TODAY = datetime.now(ZoneInfo(PROXY["SCRUB_TIMEZONE"])).date()
UNTIL = (TODAY + timedelta(days=3)).isoformat()
WHY = "CANARY agreed by phone, ref. 4711"
WOULD = r'href="/cases/\w+/waive[^"]*">([^<]+?) <kbd'
"""The link of a claim's page that names the act."""


@pytest.fixture
def dana(person: New) -> Person:
    return person("dana", MANAGER)


def claim_of(number: str) -> dict[str, Any]:
    return next(one for one in held_claims() if one["claim_id"] == number)


def version_of(page: str) -> int:
    return int(found(r'name="version" value="(\d+)"', page))


def test_what_would_go_is_named_and_then_goes_and_the_next_claim_comes(dana: Person, desk: Service) -> None:
    dana.get("/held")
    token, handle = found(r"list=([\w-]+)", dana.url), dana.open("DEMO-0037")
    assert found(WOULD, dana.get(f"/cases/{handle}?list={token}")) == "Waive 2 findings"
    page = dana.get(f"/cases/{handle}/waive?list={token}")
    said = text_of(page)
    assert "Waive 2 findings on DEMO-0037" in said
    assert re.findall(r'href="/rules/(\w+)#', page) == ["UNT001", "UNT002"]
    assert said.count("Line 1") == 2
    assert "Denial CO-" in said
    assert "Medicare NCCI Policy Manual" in said
    assert "(grade A: " in said
    assert re.findall(r"<button[^>]*>([^<]+)</button>", page.partition("<h1")[2]) == ["Waive 2 findings"]
    assert found(r'id="owner"[^>]* value="([^"]*)"', page) == "dana"
    assert found(r'id="until"[^>]* max="([^"]*)"', page) == (TODAY + timedelta(days=31)).isoformat()
    page = dana.act(handle, "waive", query=f"?list={token}", text=WHY, owner="priya", until=UNTIL)
    assert f"/cases/{handle}" not in dana.url
    assert f"list={token}" in dana.url
    assert "DEMO-0037 is waived" in text_of(page)
    (line,) = desk.audited("claim.waived")
    assert (line["user.name"], line["case.owner"], line["case.until"]) == ("dana", "priya", UNTIL)
    assert line["claim.waived"] == ["UNT001@1", "UNT002@1"]
    decide(desk)
    said = text_of(dana.get(f"/cases/{handle}"))
    assert "Waived" in said
    assert "dana waived what blocks it, this once" in said
    assert "Sent to billing" in said
    assert WHY in said
    assert "/waive" not in dana.page
    assert b"CANARY" not in b"".join(file.read_bytes() for file in (desk.home / "state/audit").iterdir())
    assert "CANARY" not in desk.text()


def test_where_it_cannot_be_waived_the_claim_says_why_and_no_form_opens(dana: Person, desk: Service) -> None:
    refused = dana.open("DEMO-0054")
    for page in (dana.page, dana.get(f"/cases/{refused}/waive")):
        assert "This claim cannot be waived: the payer's front end refuses it before anybody looks" in text_of(page)
        assert "/waive" not in page
    handle = dana.open("DEMO-0044")
    with opening.open_store(load_settings(state_dir=desk.home / "state")) as store:
        alive = f"{store.redis.time()[0] * 1000} {json.dumps({'host': 'h', 'pid': 1, 'processes': []})}"  # type: ignore[index]
        store.redis.hset(store.keys.workers, "old", alive)
        said = text_of(dana.get(f"/cases/{handle}"))
        store.redis.hdel(store.keys.workers, "old")
    assert "cannot be waived: 1 worker(s) of an older release run" in said
    assert "/waive" in dana.get(f"/cases/{handle}")


def test_what_leaves_by_file_is_not_waived(dana: Person, desk: Service) -> None:
    done = desk.scrub("producer", "add", "filed", "--exit", "file")
    assert done.returncode == 0, done.stderr
    decide(desk, claim_of("DEMO-0051") | {"claim_id": "FILED-1"}, producer="filed")
    until, page = time.monotonic() + 30, ""
    while "/cases/" not in dana.url:
        assert time.monotonic() < until, text_of(page)
        time.sleep(0.2)
        dana.get("/find")
        page = dana.post("/find", number="FILED-1")
    assert "cannot be waived: its source leaves by file" in text_of(page)
    assert "/waive" not in page


def test_the_right_to_waive_is_one_of_its_own(person: New, desk: Service) -> None:
    marcus, wendy = person("marcus"), person("wendy", "scrub-read,scrub-waive")
    handle = marcus.open("DEMO-0043")
    assert "/pend" in marcus.page
    assert "/waive" not in marcus.page
    assert "cannot be waived" not in text_of(marcus.page)
    marcus.get(f"/cases/{handle}/waive", 403)
    marcus.post(f"/cases/{handle}/waive", 403, version="1", text=WHY, owner="marcus", until=UNTIL)
    line = desk.audited("access.refused")[-1]
    assert (line["user.name"], line["access.reason"]) == ("marcus", "wants the right waive")
    wendy.open("DEMO-0043")
    assert found(WOULD, wendy.page) == "Waive 1 finding"
    assert "/pend" not in wendy.page
    assert "is waived" in text_of(wendy.act(handle, "waive", text=WHY, owner="wendy", until=UNTIL))
    north = person("nora", MANAGER + ",scrub-facility-north")
    assert "There is no such claim" in text_of(north.get(f"/cases/{handle}/waive", 404))


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"text": " \r\n "}, "text", "Say why this claim goes as it is."),
        ({"text": "x" * 4_001}, "text", "at most 4,000 are kept"),
        ({"text": "turned\u202e around"}, "text", "signs that cannot be shown"),
        ({"owner": " "}, "owner", "Say who answers for it"),
        ({"owner": "a\nb"}, "owner", "Say who answers for it"),
        ({"until": "soon"}, "until", "Give a last day from"),
        ({"until": (TODAY - timedelta(days=1)).isoformat()}, "until", "Give a last day from"),
        ({"until": (TODAY + timedelta(days=32)).isoformat()}, "until", "Give a last day from"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_the_rest_is_kept(
    dana: Person, fields: dict[str, str], field: str, said: str
) -> None:
    handle = dana.open("DEMO-0047")
    page = dana.act(handle, "waive", 422, **{"text": WHY, "owner": "priya", "until": UNTIL, **fields})
    assert f'<a href="#{field}">' in page
    assert said in found(rf'id="{field}-err">([^<]+)<', page)
    assert found(rf'id="{field}"[^>]* aria-describedby="([^"]+)"', page) == f"{field}-hint {field}-err"
    kept = {"text": f">{WHY}</textarea>", "owner": 'value="priya"', "until": f'value="{UNTIL}"'}
    assert [name for name, text in kept.items() if text not in page] in ([], [field])
    assert "Open" in text_of(dana.get(f"/cases/{handle}"))


def test_what_changed_since_is_shown_anew_with_the_text_and_nothing_goes(
    dana: Person, person: New, desk: Service
) -> None:
    claim, handle = claim_of("DEMO-0040"), dana.open("DEMO-0040")
    page = dana.get(f"/cases/{handle}/waive")
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("<h1")[2]))
    marcus = person("marcus")
    marcus.open("DEMO-0040")
    marcus.act(handle, "assign", owner="marcus", text="Calling the clinic.")
    about = {"text": "Because <it> is so.", "owner": "priya", "until": UNTIL}
    page = dana.post(f"/cases/{handle}/waive", 409, **hidden, **about)
    assert "Not saved: this claim changed while you had it open" in text_of(page)
    assert re.search(r"marcus took it, [A-Z][a-z]{2} \d+, \d+:\d\d [AP]M\. Below is what would go now", text_of(page))
    assert "Because &lt;it&gt; is so.</textarea>" in page
    assert (found(r'id="owner"[^>]* value="([^"]*)"', page), version_of(page)) == ("priya", int(hidden["version"]) + 2)
    lines = [{**line, "charge": "77.00"} for line in claim["lines"]]
    decide(desk, claim | {"lines": lines, "total_charge": f"{77 * len(lines)}.00"})
    again = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("<h1")[2]))
    page = dana.post(f"/cases/{handle}/waive", 409, **again, **about)
    assert "A new version of the claim was decided" in text_of(page)
    assert found(r'name="content" value="(\w+)"', page) != again["content"]
    assert desk.audited("claim.waived") == [one for one in desk.audited("claim.waived") if one["case.handle"] != handle]
    stale = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("<h1")[2]))
    dana.post(f"/cases/{handle}/waive", 409, **stale | {"content": again["content"]}, **about)
    dana.post(f"/cases/{handle}/waive", 409, **stale | {"findings": "BND001@1"}, **about)
    assert "is waived" in text_of(dana.post(f"/cases/{handle}/waive", **stale, **about))


def test_who_comes_second_is_told_who_was_first_and_keeps_his_text(dana: Person, person: New) -> None:
    handle = dana.open("DEMO-0048")
    page = dana.get(f"/cases/{handle}/waive")
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("<h1")[2]))
    wendy = person("wendy", MANAGER)
    wendy.act(handle, "waive", text="mine", owner="wendy", until=UNTIL)
    page = dana.post(f"/cases/{handle}/waive", 409, **hidden, text="Mine too.", owner="dana", until=UNTIL)
    said = text_of(page)
    assert "Not saved: this claim cannot be waived any more" in said
    assert re.search(r"wendy waived what blocks it, this once, [A-Z][a-z]{2} \d+, \d+:\d\d [AP]M\. It is waived", said)
    assert "Mine too.</textarea>" in page
    assert "Do it to the claim" not in page


def test_no_other_site_waives_and_nobody_waives_several(dana: Person, desk: Service) -> None:
    handle = dana.open("DEMO-0049")
    page = dana.get(f"/cases/{handle}/waive")
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("<h1")[2]))
    fields = hidden | {"text": "forged", "owner": "dana", "until": UNTIL}
    for headers, more in (
        ({"Sec-Fetch-Site": "cross-site"}, {}), ({"Origin": "https://evil.example"}, {}), ({}, {"csrf": "0" * 64}),
    ):  # fmt: skip
        assert dana.http.post(f"/cases/{handle}/waive", data=fields | more, headers=headers).status_code == 403
    page = dana.post("/bulk", act="waive", do="1", case=[f"{handle}:{hidden['version']}"], list="", **about_of(fields))
    assert "tick the claims first" in text_of(page)
    assert not [one for one in desk.audited("claim.waived") if one["case.handle"] == handle]


def about_of(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("text", "owner", "until")}


def test_hostile_text_does_nothing(dana: Person) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    handle = dana.open("DEMO-0050")
    pages = [dana.act(handle, "waive", 422, text=hostile, owner=hostile[:60], until="x")]
    pages.append(dana.act(handle, "waive", text=hostile, owner=hostile[:60], until=UNTIL))
    pages.append(dana.get(f"/cases/{handle}"))
    for page in pages:
        bare = re.sub(r'<script src="/static/desk.js\?\w+" defer></script>', "", page)
        assert "<script" not in bare
        assert "<img" not in bare
    assert html.escape(hostile, quote=False)[:30] in pages[-1]


@pytest.mark.slow
def test_while_the_database_is_gone_nothing_is_waived_and_the_text_is_kept(serve: Callable[..., Service]) -> None:
    service = serve(**PROXY)
    decide(service, held_claims()[0])
    dana = Person(service, "dana", MANAGER)
    handle = dana.open(str(held_claims()[0]["claim_id"]))
    page = dana.get(f"/cases/{handle}/waive")
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("<h1")[2]))
    folder, aside = service.home / "state/desk", service.home / "aside"
    folder.rename(aside)
    folder.write_bytes(b"in the way")
    page = dana.post(f"/cases/{handle}/waive", 503, **hidden, text=WHY, owner="dana", until=UNTIL)
    assert "the database of cases cannot be reached" in text_of(page)
    assert f"{WHY}</textarea>" in page
    page = dana.get(f"/cases/{handle}")
    assert "Nothing can be saved now." in text_of(page)
    assert "/waive" not in page
    dana.get(f"/cases/{handle}/waive", 503)
    folder.unlink()
    aside.rename(folder)
    dana.get(f"/cases/{handle}")
    assert "is waived" in text_of(dana.act(handle, "waive", text=WHY, owner="dana", until=UNTIL))
    (line,) = service.audited("claim.waived")
    assert line["claim.waived"] == ["UNT001@1", "UNT002@1"]
