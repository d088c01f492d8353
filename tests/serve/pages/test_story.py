"""One day of a billing office, as its people have it: an 837 comes in, three claims are held, and a remittance ends them.

Everything is real: the folder that is watched, the worker, the service behind a proxy, two people at browsers, the audit
log. SCRUBTEST_SHOTS=DIR keeps pictures of the pages.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SCRUB
from tests.exits.splitting import cut
from tests.filing.filed import assert_each_claim_once, going, kinds, of
from tests.integration.helpers import Worker, until
from tests.serve.conftest import Serve, Service
from tests.serve.pages.conftest import PROXY
from tests.serve.pages.watched import MANAGER, UNCLOSED, Watched
from tests.worker.remitted import clp, era, svc

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), UNCLOSED]
CLEAN = [f"C-{number}" for number in range(1, 38)]
MENDED, ASSIGNED, WAIVED = "H-38", "H-39", "H-40"
HELD = (MENDED, ASSIGNED, WAIVED)
REASON = "The payer agreed by phone to take it as it is, reference 4711."
NOTE = "The clinic bills this one on paper; wait for the remittance."


class Office:
    """The folders, and what runs beside the service."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service, self.drop, self.out = service, folder / "in", folder / "out"
        self.drop.mkdir()
        self.out.mkdir()
        assert service.scrub("producer", "add", "ehr", "--exit", "file").returncode == 0
        self.worker = Worker(service.home / "state").wait_ready(60)
        self.log = folder / "filing.log"
        with self.log.open("wb") as log:
            self.filing = subprocess.Popen(
                [*SCRUB, "submit", "--watch", str(self.drop), "--out", str(self.out), "--settle", "0"],
                env={**service.environment, "SCRUB_PRODUCER": "ehr"}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def end(self) -> None:
        self.filing.send_signal(signal.SIGTERM)
        self.filing.wait(30)
        self.worker.stop(40)

    def come_in(self) -> bytes:
        """The day's 40 claims; answers the 837."""
        raw = of(*CLEAN, MENDED, ASSIGNED, WAIVED)
        (self.drop / "day.837").write_bytes(raw)
        until((self.out / "day.manifest.json").exists, 120, self.log.read_text)
        return raw

    def waived_went(self) -> bytes:
        """What the second file of the day has."""
        until((self.out / "day.2.manifest.json").exists, 60, self.log.read_text)
        return (self.out / "day.2.837").read_bytes()

    def host_corrects(self) -> bytes:
        """The hospital's billing system sends a new version, with one unit; answers that 837."""
        raw = of(MENDED, control=102).replace(b"UN*0", b"UN*1")
        (self.drop / "again.837").write_bytes(raw)
        until((self.out / "again.manifest.json").exists, 60, self.log.read_text)
        return raw

    def payer_answers(self) -> dict[str, Any]:
        """All that was sent is paid, but for the waived one: the payer lacks its units."""
        paid, denied = svc("450", "450", "1"), svc("450", "0", "1", "CO*16*450")
        claims = [clp(name, "1", "450", "450", f"I{name}", *paid) for name in (*CLEAN, MENDED, ASSIGNED)]
        claims.append(clp(WAIVED, "4", "450", "0", "IW", *denied))
        day = datetime.now().astimezone() + timedelta(days=1)  # a remittance is no answer to what was decided later
        (self.service.home / "answer.835").write_bytes(era(*claims, trace="CHK1", day=f"{day:%Y%m%d}"))
        done = self.service.scrub("outcomes", "import", "--close", "answer.835", "--format", "json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)["cases"]
        return found


@pytest.fixture
def office(serve: Serve, tmp_path: Path) -> Iterator[Office]:
    found = Office(serve(**PROXY), tmp_path)
    yield found
    found.end()


class Desk(Watched):
    """A person's browser."""

    def __init__(self, browser: Any, url: str, name: str) -> None:
        super().__init__(browser, url, extra_http_headers={"X-Forwarded-User": name, "X-Forwarded-Groups": MANAGER})
        self.page.set_default_timeout(60_000)

    def listed(self, path: str = "/held") -> set[str]:
        self.go(path)
        return {one.inner_text() for one in self.page.query_selector_all("tr.row a.id")}

    def open(self, claim: str) -> None:
        self.go("/held")
        self.page.click(f"tr.row a.id:text-is('{claim}')")
        self.page.wait_for_selector(f"h1:has-text('{claim}')")

    def act(self, name: str, **fields: str) -> str:
        """By the button of a claim's page; answers what is said then."""
        self.page.click(f"main a:has-text('{name}')")
        for field, text in fields.items():
            self.page.fill(f"#{field}", text)
        self.page.click("button.go")
        return str(self.page.inner_text(".say"))

    def picture(self, name: str) -> None:
        """In both schemes, on a phone and on paper, where pictures are wanted."""
        if not (folder := os.environ.get("SCRUBTEST_SHOTS")):
            return
        for scheme, width in (("light", 1440), ("dark", 1440), ("light", 390)):
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=scheme)
            self.page.screenshot(path=f"{folder}/{name}-{scheme}-{width}.png", full_page=True)
        self.page.set_viewport_size({"width": 1440, "height": 900})
        self.page.emulate_media(color_scheme="light")
        self.page.emulate_media(media="print")
        self.page.screenshot(path=f"{folder}/{name}-print.png", full_page=True)
        self.page.emulate_media(media="screen")


def test_a_day_from_the_dropped_837_to_the_remittance(office: Office, browser: Any) -> None:
    service = office.service
    dana, marcus = (Desk(browser, service.url, name) for name in ("dana", "marcus"))

    raw = office.come_in()
    manifest = assert_each_claim_once(raw, office.out, "day")
    assert Counter(kinds(manifest).values()) == {"clean": 37, "held": 3}
    assert going(office.out) == Counter(cut(raw)[:37]), "the clean 837 is out, with the bytes that came in"
    until(lambda: dana.listed() == set(HELD), 60, dana.listed)
    dana.picture("1-held")

    dana.open(MENDED)
    assert "unit" in dana.page.inner_text("main")
    dana.picture("2-claim")
    again = office.host_corrects()
    assert going(office.out) == Counter(cut(raw)[:37]) + Counter(cut(again))
    until(lambda: dana.listed() == {ASSIGNED, WAIVED}, 60)

    dana.open(WAIVED)
    dana.page.click("main a:has-text('Waive 1 finding')")
    dana.picture("3-waive")
    dana.page.fill("#text", REASON)
    dana.page.fill("#owner", "dana")
    dana.page.click("button.go")
    assert f"{WAIVED} is waived" in dana.page.inner_text(".say")
    assert cut(office.waived_went()) == [cut(raw)[-1]]
    assert going(office.out) == Counter(cut(raw)[:37]) + Counter(cut(again))

    dana.open(ASSIGNED)
    assert "marcus" in dana.act("Assign", owner="marcus", text=NOTE)
    dana.picture("4-assigned")
    assert dana.listed("/work") == set()
    dana.picture("5-nothing-left")
    assert marcus.listed("/work") == {ASSIGNED}
    marcus.open(ASSIGNED)
    assert NOTE in marcus.page.inner_text("main")

    answered = office.payer_answers()
    assert answered == {"claims": 40, "paid": 2, "denied_foreseen": 1, "no_case": 37}
    assert marcus.listed("/work") == dana.listed() == set()
    marcus.picture("6-all-done")
    dana.go("/figures")
    dana.picture("7-figures")
    figures = " ".join(dana.page.inner_text("main").split())
    for said in ("Held today 3", "Closed today 3", "42 left or are held by file", "Denied, as was foreseen"):
        assert said in figures, figures
    assert dana.clean, dana.said
    assert marcus.clean, marcus.said

    for one in (dana, marcus):
        one.context.close()
    all_of_it_is_audited(service)


def all_of_it_is_audited(service: Service) -> None:
    lines = service.audited(
        "claim.scrubbed", "claim.waived", "case.assigned", "case.closed", "case.viewed", "case.listed", "case.noted"
    )
    acts = {(one["event.action"], one.get("user.name", ""), one.get("claim.claim_id", "")) for one in lines}
    assert acts >= {
        ("claim.waived", "dana", WAIVED), ("case.assigned", "dana", ASSIGNED), ("case.viewed", "marcus", ASSIGNED),
        ("case.viewed", "dana", MENDED),
    }  # fmt: skip
    assert {one[2] for one in acts if one[0] == "case.closed"} == set(HELD)
    decided = Counter(one["claim.claim_id"] for one in lines if one["event.action"] == "claim.scrubbed")
    assert decided == {**dict.fromkeys((*CLEAN, ASSIGNED), 1), MENDED: 2, WAIVED: 2}
    files = sorted((service.home / "state" / "audit").glob("*.jsonl"))
    done = service.scrub("audit", "verify", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    everything = b"".join(file.read_bytes() for file in files)
    for text in (REASON, NOTE, "DOVE"):
        assert text.encode() not in everything
    for claim in HELD:
        told = service.scrub("claim", claim, "--offline")
        assert (told.returncode, b"Nothing: its case was closed" in told.stdout) == (0, True), told.stdout
