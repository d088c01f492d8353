"""A repair of form as it is served: said first what would be written otherwise, then confirmed, one claim at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.serve.conftest import CLEAN, Service
from tests.serve.pages.conftest import Person, decide, desk, person, text_of

__all__ = ["desk", "person"]
New = Callable[..., Person]


def written(number: str, **more: Any) -> dict[str, Any]:
    member = {"WRITTEN-1": "1EG4TE5MK72", "WRITTEN-2": "2EG4TE5MK73"}[number]
    return CLEAN | {"claim_id": number, "diagnoses": ["m54.31"], "subscriber": {"member_id": member}} | more


def test_what_would_be_written_otherwise_is_named_confirmed_and_judged_again(person: New, desk: Service) -> None:
    decide(desk, written("WRITTEN-1"))
    dana = person("dana")
    handle = dana.open("WRITTEN-1")
    assert f"/cases/{handle}/repair" in dana.get(f"/cases/{handle}/try")
    said = text_of(dana.get(f"/cases/{handle}/repair"))
    for part in (
        "Repair WRITTEN-1",
        "m54.31 becomes M54.31",
        "It takes DXN001 away",
        "What you confirm against the record",
    ):
        assert part in said
    dana.act(handle, "repair", content="0" * 64, status=409)
    assert "Nothing was written" in text_of(dana.page)
    assert not desk.audited("claim.repaired")
    dana.act(handle, "repair")
    assert "WRITTEN-1 is repaired" in text_of(dana.page)
    (line,) = desk.audited("claim.repaired")
    assert (line["user.name"], line["claim.repaired"]) == ("dana", ["/diagnoses/0"])
    decide(desk)
    said = text_of(dana.get(f"/cases/{handle}"))
    assert "dana repaired what is only written otherwise" in said
    assert "Sent to billing" in said


def test_where_nothing_can_be_repaired_no_form_opens_and_who_may_only_look_repairs_nothing(
    person: New, desk: Service
) -> None:
    dana = person("dana")
    handle = dana.open("DEMO-0037")
    page = dana.get(f"/cases/{handle}/repair")
    assert "This claim cannot be repaired here: No rule that holds it knows" in text_of(page)
    assert not re.findall(r"<button[^>]*>Confirm", page)
    person("lee", "scrub-read").get(f"/cases/{handle}/repair", 403)
