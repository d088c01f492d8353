"""Messages that could not be read leave quarantine in the browser: with the right of an administrator, a page that says
what happens, a reason, and a line of the audit log.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.serve.conftest import Service

from .conftest import PROXY, Person, decide, found, held_claims, text_of

pytestmark = pytest.mark.slow
ADMIN = "scrub-read,scrub-work,scrub-admin"
BROKEN = (
    '{"specversion": "1.0", "id": "q1", "source": "/ehr", "type": "claim.submitted.v1", "data": {"claim_id": "CANARY"}}'
)


def test_a_message_is_put_back_or_dropped_by_who_may_with_a_reason_and_once(serve: Callable[..., Service]) -> None:
    service = serve(**PROXY)
    decide(service, *held_claims()[:1], raw=("<html>CANARY</html>", BROKEN))
    dana, root = Person(service), Person(service, "root", ADMIN)
    page = dana.get("/quarantine")
    assert "2 messages could not be judged" in text_of(page)
    assert "/requeue" not in page
    assert "takes the right scrub-admin" in text_of(page)
    page = root.get("/quarantine")
    first, second = sorted(set(re.findall(r"/quarantine/([\d-]+)/drop", page)))
    dana.get(f"/quarantine/{first}/drop", 403)
    dana.get("/quarantine")
    dana.get("/held")
    dana.post(f"/quarantine/{first}/drop", 403, reason="mine")
    assert service.audited("access.refused")[-1]["user.name"] == "dana"

    html = root.get(f"/quarantine/{first}/requeue")
    assert "CANARY" not in html
    root.post(f"/quarantine/{first}/requeue", 409, reason="again")
    assert "would come straight back" in text_of(root.page)
    for reason in ("", "x" * 201, "two\nlines"):
        root.post(f"/quarantine/{first}/drop", 422, reason=reason)
    assert not service.audited("quarantine.dropped", "quarantine.requeued")
    root.post(f"/quarantine/{first}/drop", reason="a test message")
    assert "Dropped." in text_of(root.page)
    assert "1 message could not be judged" in text_of(root.page)
    (line,) = service.audited("quarantine.dropped")
    assert (line["user.name"], line["event.reason"], line["quarantine.entry"]) == ("root", "a test message", first)

    root.get(f"/quarantine/{second}/requeue")
    root.post(f"/quarantine/{second}/requeue", reason="after the upgrade")
    assert "Put back on the queue" in text_of(root.page)
    (line,) = service.audited("quarantine.requeued")
    assert (line["user.name"], line["quarantine.entry"]) == ("root", second)
    root.get(f"/quarantine/{second}/drop")
    assert "Somebody else took that message out" in text_of(root.page)
    assert "Every message could be read" in text_of(root.page)
    decide(service)
    assert "1 message could not be judged" in text_of(root.get("/quarantine")), "judged anew, and no better"
    verified = service.scrub("audit", "verify")
    assert verified.returncode == 0, verified.stdout


def test_a_form_of_another_browser_does_nothing_and_other_facilities_have_none(serve: Callable[..., Service]) -> None:
    service = serve(**PROXY)
    done = service.scrub("producer", "add", "north", "--facility", "north-campus")
    assert done.returncode == 0, done.stderr
    decide(service, raw=("<html></html>",), producer="north")
    root = Person(service, "root", ADMIN)
    id = found(r"/quarantine/([\d-]+)/drop", root.get("/quarantine"))
    assert root.http.post(f"/quarantine/{id}/drop", data={"csrf": "0" * 32, "reason": "why"}).status_code == 403
    south = Person(service, "saul", f"{ADMIN},scrub-facility-south-campus")
    assert "Every message could be read" in text_of(south.get("/quarantine"))
    south.get(f"/quarantine/{id}/drop")
    assert "Somebody else took that message out" in text_of(south.page)
    south.get("/held")
    south.post(f"/quarantine/{id}/drop", reason="mine")
    assert not service.audited("quarantine.dropped")
    assert root.http.get("/quarantine/none/drop").status_code == 200
    assert root.http.get(f"/quarantine/{id}/burn").status_code in (404, 422)
