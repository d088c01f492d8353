"""The pages in Debian's Chromium: what axe finds, what the policy of the page forbids, keys, and a visit from its
sign-in to its end.

Letters that act wreck speech input (w3c/wcag21#69 and #260), and tables that become cards lose their headers
(gitlab-ui#1731): so there is a switch, and the cards keep the roles of a table.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.serve.conftest import Service
from tests.serve.pages.conftest import Person, decide, found, held_claims
from tests.serve.pages.watched import MANAGER, UNCLOSED, Watched, as_dana

pytestmark = [pytest.mark.slow, UNCLOSED]
WIDTHS = (1440, 768, 390)
SCHEMES = ("light", "dark")


NAMES = ("work", "held", "find", "figures", "quarantine", "rules", "keys", "outage", "rules/UNT001", "rules/UNT999")
ACTS = ("pend", "assign", "note", "close", "audit", "try")
OTHERS = (
    "drop",
    "requeue",
    "no match",
    "claim",
    "closed",
    "reopen",
    "refused",
    "gone",
    "waive",
    "can be waived",
    "undetermined",
)


@pytest.fixture(scope="module")
def addresses(desk: Service) -> dict[str, str]:
    """One for every kind of page, as a person finds them."""
    dana = Person(desk)
    dana.get("/held")
    token = found(r"list=([\w-]+)", dana.url)
    handle, closed = dana.open("DEMO-0076"), dana.open("DEMO-0045")
    held, unknown = dana.open("DEMO-0037"), dana.open("DEMO-0039")
    message = found(r"/quarantine/([\d-]+)/drop", Person(desk, "root", MANAGER).get("/quarantine"))
    dana.act(closed, "close", reason="paid", text="835 of today")
    pages = {name: f"/{name}" for name in NAMES}
    pages |= {kind: f"/cases/{handle}/{kind}?list={token}" for kind in ACTS}
    return pages | {
        "no match": "/held?code=ZZZ999", "claim": f"/cases/{handle}?list={token}", "closed": f"/cases/{closed}",
        "reopen": f"/cases/{closed}/reopen", "refused": f"/cases/{closed}/pend", "gone": "/cases/none",
        "waive": f"/cases/{held}/waive?list={token}", "can be waived": f"/cases/{held}",
        "undetermined": f"/cases/{unknown}/waive", "drop": f"/quarantine/{message}/drop",
        "requeue": f"/quarantine/{message}/requeue",
    }  # fmt: skip


def faults(page: Any, axe: Any, name: str) -> list[str]:
    """Of a page in both schemes and three widths: what axe finds, and where it is wider than the window."""
    listed = []
    for scheme in SCHEMES:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            place = f"{name} {scheme} {width}"
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                listed.append(f"{place}: {wide} wide")
            violations = axe.run(page).response["violations"]
            listed += [f"{place}: {one['id']} at {[node['target'] for node in one['nodes']][:3]}" for one in violations]
    return listed


@pytest.mark.parametrize("name", [*NAMES, *ACTS, *OTHERS])
def test_no_page_keeps_anybody_out_is_wider_than_the_window_or_asks_elsewhere(
    desk: Service, browser: Any, addresses: dict[str, str], name: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    dana = Watched(browser, desk.url, **as_dana())
    dana.go(addresses[name])
    assert faults(dana.page, Axe(), name) == []
    assert dana.clean, (dana.said, dana.foreign)
    dana.context.close()


def test_what_keeps_people_out_and_what_is_too_wide_would_be_found(desk: Service, browser: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    dana = Watched(browser, desk.url, **as_dana())
    dana.go("/keys")
    dana.page.evaluate("document.querySelector('main').innerHTML = '<button></button><p>' + 'x'.repeat(400)")
    assert len(faults(dana.page, Axe(), "an empty button, and a word of 400 letters")) >= 2 * len(WIDTHS)
    dana.context.close()


def test_pages_after_a_post_keep_nobody_out_either(desk: Service, browser: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe, listed = Axe(), []
    dana = Watched(browser, desk.url, **as_dana())
    page = dana.page
    dana.go("/find")
    page.fill("#number", "demo 00")
    page.click("main button")
    listed += faults(page, axe, "found")
    dana.go("/find")
    page.fill("#number", "DEMO-0001")
    page.click("main button")
    listed += faults(page, axe, "not found")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.click("text=Look on the queue")
    listed += faults(page, axe, "everywhere")
    page.set_viewport_size({"width": 1440, "height": 900})
    dana.go("/held?code=BND001")
    for box in page.query_selector_all("input[name=case]"):
        box.check()
    page.click("button:has-text('Pend')")
    listed += faults(page, axe, "bulk")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.fill("#until", "2027-01-04")
    page.click("button.go")
    listed += faults(page, axe, "results")
    marcus = Person(desk, "marcus")
    handle = marcus.open("DEMO-0053")
    dana.go(f"/cases/{handle}/note")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.fill("#text", "Note shows one side.")
    marcus.act(handle, "assign", owner="marcus", text="Calling the clinic.")
    page.click("button.go")
    assert "Not saved" in page.inner_text("main h2 >> nth=0")
    listed += faults(page, axe, "conflict")
    dana.go(f"/cases/{handle}/close")
    page.evaluate("document.querySelectorAll('[required]').forEach((one) => one.required = false)")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.click("button.go")
    listed += faults(page, axe, "faulty form")
    page.set_viewport_size({"width": 1440, "height": 900})
    waived = marcus.open("DEMO-0052")
    dana.go(f"/cases/{waived}/waive")
    page.evaluate("document.querySelectorAll('[required]').forEach((one) => one.required = false)")
    page.fill("#owner", "")
    page.click("button.go")
    listed += faults(page, axe, "faulty waiver")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.fill("#text", "The payer agreed by phone.")
    page.fill("#owner", "dana")
    marcus.act(waived, "assign", owner="marcus")
    page.click("button.go")
    assert page.input_value("#text") == "The payer agreed by phone."
    listed += faults(page, axe, "waiver of what changed")
    assert listed == []
    assert dana.clean, dana.said
    dana.context.close()


def test_a_visit_from_the_printed_code_to_the_next_claim_by_keys(serve: Callable[..., Service], browser: Any) -> None:
    service = serve(SCRUB_TIMEZONE="America/Chicago")
    decide(service, *held_claims()[:3])
    dana = Watched(browser, service.url)
    page = dana.page
    dana.go("/held")
    assert page.url == f"{service.url}/sign-in?then=/held"
    page.fill("#code", "WRONG-CODE")
    page.click("button.go")
    assert "not the code that counts" in page.inner_text("main")
    code = re.findall(r"once: (\S+)", service.text())[-1]
    page.fill("#code", code)
    page.click("button.go")
    page.wait_for_url("**/held?list=*")
    assert code not in page.url
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.inner_text("tr.cur a.id")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases/*")
    assert second in page.inner_text("h1")
    page.keyboard.press("n")
    page.wait_for_url("**/note?*")
    page.fill("#text", "pjuc seen by keys")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/cases/*said=*")
    assert "is saved" in page.inner_text(".say")
    page.keyboard.press("j")
    page.wait_for_function("!document.querySelector('.say')")
    assert "3 of 3" in page.inner_text(".walk")
    page.keyboard.press("u")
    page.wait_for_url("**/held?list=*")
    dana.go("/keys")
    page.uncheck("input[name=keys]")
    page.click("main button")
    dana.go("/held")
    page.keyboard.press("j")
    assert page.query_selector("tr.cur") is None
    page.keyboard.press("g")
    page.keyboard.press("f")
    time.sleep(0.3)
    assert "/held" in page.url
    assert dana.clean, (dana.said, dana.foreign)
    page.click("text=Sign out")
    dana.go("/held")
    assert "/sign-in" in page.url
    dana.context.close()


def test_what_was_written_when_a_session_had_ended_is_there_after_the_sign_in(
    serve: Callable[..., Service], browser: Any
) -> None:
    service = serve()
    decide(service, *held_claims()[:1])
    dana = Watched(browser, service.url)
    page = dana.page

    def sign_in() -> None:
        page.fill("#code", re.findall(r"once: (\S+)", service.text())[-1])
        page.click("button.go")

    dana.go("/held")
    sign_in()
    page.click("tr.row a.id")
    page.click("#more a:has-text('Add a note')")
    page.fill("#text", "An hour of thinking.")
    dana.context.clear_cookies()
    page.click("button.go")
    assert "Nothing was saved: your session had ended" in page.inner_text("main")
    sign_in()
    assert page.input_value("#text") == "An hour of thinking."
    page.click("button.go")
    assert "is saved" in page.inner_text(".say")
    page.click("#more a:has-text('Waive 2 findings')")
    page.fill("#text", "What the payer said.")
    dana.context.clear_cookies()
    page.click("button.go")
    sign_in()
    assert "Nothing was saved: your session had ended" in page.inner_text("main")
    assert page.input_value("#text") == "What the payer said."
    page.click("button.go")
    assert "is waived" in page.inner_text(".say")
    assert dana.clean, (dana.said, dana.foreign)
    dana.context.close()


def test_a_link_from_another_place_does_not_sign_anybody_out(serve: Callable[..., Service], browser: Any) -> None:
    """A cookie that other sites' links do not bring looks like none: a page that then set a new one would end the
    visit."""
    service = serve()
    dana = Watched(browser, service.url)
    page = dana.page
    dana.go("/work")
    page.fill("#code", re.findall(r"once: (\S+)", service.text())[-1])
    page.click("button.go")
    page.wait_for_url("**/work*")
    page.route(
        "https://mail.example/",
        lambda route: route.fulfill(body=f"<a href='{service.url}/figures'>go</a>", content_type="text/html"),
    )
    page.goto("https://mail.example/")
    page.click("a")
    page.wait_for_selector("h1:has-text('figures')")
    assert page.url == f"{service.url}/figures"
    dana.context.close()


def test_without_scripts_every_page_works_and_the_filters_show(desk: Service, browser: Any) -> None:
    dana = Watched(browser, desk.url, java_script_enabled=False, **as_dana())
    page = dana.page
    dana.go("/held")
    page.select_option("select[name=payer]", "cigna")
    page.click("form.filters button")
    assert "payer=cigna" in page.url
    assert len(page.query_selector_all("tr.row")) == 6
    page.click("tr.row a.id")
    page.click("#more a:has-text('Add a note')")
    page.fill("#text", "plain form")
    page.click("button.go")
    assert "plain form" in page.inner_text("main")
    dana.context.close()


def test_a_claim_is_waived_by_keys_and_its_button_and_not_by_a_letter_alone(desk: Service, browser: Any) -> None:
    handle = Person(desk).open("DEMO-0041")
    dana = Watched(browser, desk.url, **as_dana())
    page = dana.page
    dana.go(f"/cases/{handle}")
    page.keyboard.press("w")
    page.wait_for_url("**/waive")
    assert page.inner_text("main button.go") == "Waive 2 findings"
    assert desk.audited("claim.waived") == []
    page.click("button.go")  # the browser asks for a reason first
    assert page.url.endswith("/waive")
    assert page.evaluate("document.activeElement.id") == "text"
    page.fill("#text", "The payer agreed by phone.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**said=*")
    assert "DEMO-0041 is waived" in page.inner_text(".say")
    assert "Waived" in page.inner_text("h1")
    assert [one["claim.waived"] for one in desk.audited("claim.waived")] == [["MOD004@1", "UNT002@1"]]
    assert dana.clean, (dana.said, dana.foreign)
    dana.context.close()


def test_a_printed_page_has_its_warning_and_no_controls(desk: Service, browser: Any) -> None:
    dana = Watched(browser, desk.url, **as_dana())
    dana.go("/held")
    dana.page.emulate_media(media="print")
    assert dana.page.is_visible("text=Contains protected health information")
    for hidden in (".top nav", ".find", ".filters", "input[name=case]", ".foot"):
        assert not dana.page.is_visible(hidden), hidden
    assert len(dana.page.query_selector_all("tr.row")) >= 30
    assert dana.page.pdf(format="Letter").startswith(b"%PDF")
    dana.context.close()
