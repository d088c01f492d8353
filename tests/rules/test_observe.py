"""Observe: verdicts stand on record and route nothing, for all claims, by payer and by rule."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import pytest

from rules.authoring.examples import example_claim
from rules.book.overridden import overridden
from rules.book.overridefile import DRAFTS, SETTINGS, joined, parts_of, read_overrides, with_drafts
from rules.claim import read_claim
from rules.engine.check import check
from rules.engine.routing import gap_route, routed
from rules.errors import OverridesInvalid
from rules.history import History
from rules.loader import LIBRARY, book_files, read_book
from rules.report import Observed, Report
from rules.terms import GAP_ROUTES, GapRoute
from tests.rules.test_overrides import (
    HEAD,
    LATE,
    MEDICARE,
    NPI,
    OTHER_NPI,
    TWO_UNITS,
    UHC,
    book,
    entry,
    judged,
    library,
    said,
)

KEYS = {"expires": "2027-06-30", "owner": "J. Miller", "reason": "a start"}


def unpinned(name: str = "looking", **keys: str) -> str:
    """An entry that rests on no rule's wording."""
    return f"  - name: {name}\n" + "".join(f"    {key}: {value}\n" for key, value in {**KEYS, **keys}.items())


OBSERVE = unpinned(mode="observe")
BAD_NPI = {"rendering_provider": {"npi": "1234567890"}}  # IDN002
WITHOUT_64445 = {"lines": [{"procedure": "20553", "modifiers": []}]}


def where(report: Report) -> tuple[str, str | None]:
    """Where a claim goes, and where it would have gone."""
    return report.disposition, report.observed.disposition if report.observed else None


def test_under_observe_a_faulty_claim_goes_to_billing_with_the_verdict_it_would_have_had() -> None:
    plain, report = judged(library(), MEDICARE, **TWO_UNITS), judged(book(OBSERVE), MEDICARE, **TWO_UNITS)
    assert where(plain) == ("rework", None)
    assert where(report) == ("billing", "rework")
    assert report.verdict == plain.verdict == "rework"
    assert [(f.code, f.severity, f.message) for f in report.findings] == [
        (f.code, f.severity, f.message) for f in plain.findings
    ]
    assert {f.observed for f in report.findings} == {"looking"}
    assert [one.name for one in report.overrides] == ["looking"]


def test_under_observe_a_clean_claim_says_that_it_would_have_gone_to_billing_as_well() -> None:
    assert where(judged(book(OBSERVE), MEDICARE)) == ("billing", "billing")
    assert where(judged(library(), MEDICARE)) == ("billing", None)


def test_under_observe_a_claim_of_which_the_book_says_nothing_goes_to_billing_and_is_not_called_checked() -> None:
    report = judged(book(OBSERVE), MEDICARE, **WITHOUT_64445)
    assert where(report) == ("billing", "unchecked")
    assert report.coverage == "none"
    assert report.reason == judged(library(), MEDICARE, **WITHOUT_64445).reason


def test_observe_never_sends_an_older_version_of_a_claim_to_billing() -> None:
    claim = read_claim({**_claim(), "received_date": "2026-10-20"})
    late = History("consulted", (), "1729432980000-0")
    assert where(check(claim, book(OBSERVE), history=late)) == ("rework", None)


def _claim() -> dict[str, Any]:
    return dict(example_claim("practitioner", {}, MEDICARE))


def test_observe_is_by_payer_and_the_nearest_entry_wins() -> None:
    found = book(
        OBSERVE, unpinned("not-medicare", mode="enforce", payers="[medicare]"),
        unpinned("one-clinic", mode="observe", payers="[medicare]", providers=f'["{OTHER_NPI}"]'),
    )  # fmt: skip
    assert where(judged(found, UHC, lines=[{"units": 2}]))[1] is not None
    assert where(judged(found, MEDICARE, billing_provider={"npi": NPI}, **TWO_UNITS)) == ("rework", None)
    other = judged(found, MEDICARE, billing_provider={"npi": OTHER_NPI}, **TWO_UNITS)
    assert where(other) == ("billing", "rework")
    assert [one.name for one in other.overrides] == ["one-clinic"]
    unknown = {"id": "99999", "filing_indicator": "CI", "responsibility": "P"}
    assert judged(found, unknown).observed == Observed("billing")


def test_a_rule_that_is_observed_holds_no_claim_and_every_other_one_does() -> None:
    found = book(unpinned(mode="observe", rule="IDN002", payers="[medicare]"))
    report = judged(found, MEDICARE, **BAD_NPI)
    assert where(report) == ("billing", "rework")
    assert said(report, "IDN002") == [("block", "looking")]
    assert where(judged(found, MEDICARE, **TWO_UNITS, **BAD_NPI)) == ("rework", "rework")
    assert where(judged(found, UHC, **BAD_NPI)) == ("rework", None)
    assert where(judged(found, MEDICARE)) == ("billing", None)
    assert where(judged(found, MEDICARE, **WITHOUT_64445)) == ("unchecked", None)


def test_a_hospital_that_observes_may_let_single_rules_route() -> None:
    found = book(OBSERVE, unpinned("units", mode="enforce", rule="UNT001"))
    report = judged(found, MEDICARE, **TWO_UNITS)
    assert where(report) == ("rework", "rework")
    assert {f.code: f.observed for f in report.findings if f.severity == "block"}["UNT001"] is None
    assert where(judged(found, MEDICARE, **BAD_NPI)) == ("billing", "rework")


def test_a_rule_is_observed_on_its_dates_of_service_alone() -> None:
    found = book(unpinned(mode="observe", rule="IDN002", effective="{from: 2026-03-01, to: 2026-03-31}"))

    def on(day: str) -> str:
        return judged(found, MEDICARE, received_date="2026-05-01", lines=[{"service_date": day}], **BAD_NPI).disposition

    for _ in range(3):  # also when the claims' shape is known
        days = ("2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01")
        assert [on(day) for day in days] == ["rework", "billing", "billing", "rework"]


def test_a_contracts_filing_limit_is_observed_by_the_code_of_the_books_own() -> None:
    limit = entry(filing_limit="40", severity="block", payers="[uhc]")
    assert where(judged(book(limit), UHC, **LATE)) == ("rework", None)
    report = judged(book(limit, unpinned(mode="observe", rule="TIM001")), UHC, **LATE)
    assert where(report) == ("billing", "rework")
    assert {one.name for one in report.overrides} == {"ours", "looking"}


def test_after_its_last_day_rules_route_again() -> None:
    ended = unpinned(mode="observe", expires="2026-11-22")
    assert where(judged(book(ended), MEDICARE, **TWO_UNITS)) == ("rework", None)
    assert where(judged(book(ended, today=date(2026, 11, 22)), MEDICARE, **TWO_UNITS)) == ("billing", "rework")


def test_observe_is_part_of_the_digest_and_other_overrides_keep_theirs() -> None:
    assert len({library().digest, book(OBSERVE).digest, book(unpinned(mode="enforce")).digest}) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OBSERVE + unpinned("again", mode="enforce"), "is for the same rule and claims as 'looking'"),
        (unpinned(mode="obsreve"), "expected '"),
        (unpinned(mode="observe", severity="warn"), "has no effect with `mode`"),
        (unpinned(mode="observe", payers="[medicaire]"), "did you mean 'medicare'?"),
        (unpinned(mode="observe", effective="{from: 2026-03-01}"), "whole claims"),
        (unpinned(gaps="hold"), "expected '"),
        (unpinned(gaps="rework") + unpinned("again", gaps="billing"), "is for the same rule and claims as 'looking'"),
        (unpinned(gaps="rework", providers=f'["{NPI}"]'), "gaps go by payer alone"),
        (unpinned(gaps="rework", mode="observe"), "needs exactly one of"),
        (unpinned(draft="IDN002"), "expected one rule file; of IDN002 there are"),
        (unpinned(draft="form/common/IDN002-malformed"), "`written_for` is required"),
        (unpinned(draft="form/common/IDN002-malfromed"), "did you mean"),
    ],
)  # fmt: skip
def test_faults_name_what_is_wrong(text: str, expected: str) -> None:
    with pytest.raises(OverridesInvalid) as caught:
        read_overrides("o.yaml", HEAD + text, library())
    assert expected in str(caught.value.problems[0])


def test_gaps_go_by_plan_before_payer_before_all_and_to_billing_where_nothing_is_said() -> None:
    assert library().overrides.gap_routes.of("medicare") == "billing"
    routes = book(
        unpinned("all", gaps="unchecked"), unpinned("med", gaps="rework", payers="[medicare]"),
        unpinned("over", gaps="rework", payers="[uhc]", expires="2026-01-01"),
        unpinned("ibx", gaps="billing", payers="[bcbs/ibx]"),
    ).overrides.gap_routes  # fmt: skip
    assert [routes.of("medicare"), routes.of("uhc"), routes.of(None)] == ["rework", "unchecked", "unchecked"]
    assert [routes.of("bcbs", "ibx"), routes.of("bcbs", "anthem"), routes.of("bcbs")] == ["billing"] + ["unchecked"] * 2
    found = routes.entry("medicare")
    assert found is not None
    assert found.named().effect == "gaps to rework"


class Gap(NamedTuple):
    kind: str
    rule: str


def test_a_gap_routes_where_a_blocking_rule_asked_a_table_that_is_past_or_an_extract() -> None:
    routes = book(unpinned(gaps="rework", payers="[medicare]")).overrides.gap_routes

    def leads(payer: str, *gaps: Gap) -> str:
        return gap_route(gaps, {"BND002"}, routes, payer, None)

    assert leads("medicare") == "billing"
    assert leads("medicare", Gap("table_extract", "BND002")) == "rework"
    assert leads("medicare", Gap("edition_past", "BND002")) == "rework"
    assert leads("medicare", Gap("edition_past", "BND009"), Gap("line_not_judged", "BND002")) == "billing"
    assert leads("uhc", Gap("table_extract", "BND002")) == "billing"


def test_a_route_of_gaps_is_silenced_by_observe_and_yields_to_a_rule_that_holds() -> None:
    def route(gaps: GapRoute, **more: bool) -> tuple[str, str | None]:
        found = routed((), unchecked=False, gaps=gaps, observing=more.get("observing", False))
        return found.disposition, found.observed.disposition if found.observed else None

    assert [route(gaps) for gaps in GAP_ROUTES] == [(gaps, None) for gaps in GAP_ROUTES]
    assert [route(gaps, observing=True) for gaps in GAP_ROUTES] == [("billing", gaps) for gaps in GAP_ROUTES]
    blocking = judged(library(), MEDICARE, **BAD_NPI).findings
    assert routed(blocking, unchecked=False, gaps="unchecked", observing=False).disposition == "rework"
    assert routed((), unchecked=True, gaps="rework", observing=False).disposition == "rework"


def test_parts_behind_the_hospitals_file_are_read_with_it_and_their_faults_name_them() -> None:
    own = HEAD + entry("ours", severity="warn", **{"rule": "UNT001", "payers": "[medicare]"})
    text = joined(own, HEAD + OBSERVE)
    assert text is not None
    assert [one.name for one in read_overrides("o.yaml", text, library())] == ["ours", "looking"]
    alone = joined(None, HEAD + OBSERVE)
    assert alone is not None
    assert [one.name for one in read_overrides("o.yaml", alone, library())] == ["looking"]
    assert joined(None) is None
    wrong = joined(own.replace("severity", "severty"), HEAD + unpinned(mode="observe", payers="[medicaire]"))
    assert wrong is not None
    with pytest.raises(OverridesInvalid) as caught:
        read_overrides("o.yaml", wrong, library())
    first, second = sorted(map(str, caught.value.problems))[-1], sorted(map(str, caught.value.problems))[0]
    assert first.startswith("o.yaml:"), "the hospital's lines are where they were"
    assert second.startswith("SCRUB_MODE and SCRUB_GAPS:")
    twice = joined(HEAD + OBSERVE, HEAD + unpinned("scrub-mode", mode="observe"))
    assert twice is not None
    with pytest.raises(OverridesInvalid, match="SCRUB_MODE and SCRUB_GAPS.*same rule and claims as 'looking'"):
        read_overrides("o.yaml", twice, library())


def test_the_part_with_drafts_is_changed_and_the_others_stay() -> None:
    for own in (None, "", HEAD + OBSERVE):
        for settings in ("", "one"):
            text = joined(own, settings, "two")
            assert with_drafts(text, "two") == text
            assert with_drafts(text, "") == joined(own if own or not settings else None, settings) or own == ""
            assert with_drafts(with_drafts(text, ""), "two") in (text, joined(None, settings, "two"))
    assert with_drafts(None, "") is None
    assert parts_of(f"a{SETTINGS}b{DRAFTS}c") == ("a", (SETTINGS, "b"), (DRAFTS, "c"))


def draft(expires: str = "2027-06-30", **keys: str) -> str:
    return entry("new-idn002", reason="new in 0.2.0", draft="form/common/IDN002-malformed", expires=expires, **keys)


def test_a_draft_of_an_upgrade_is_judged_in_shadow() -> None:
    report = judged(book(draft()), MEDICARE, **BAD_NPI)
    assert where(report) == ("billing", None)
    assert not said(report, "IDN002")
    assert report.shadow_codes("block") == ["IDN002"]


def test_a_draft_that_nobody_looked_at_by_its_last_day_warns_and_holds_nothing() -> None:
    report = judged(book(draft("2026-11-22")), MEDICARE, **BAD_NPI)
    assert said(report, "IDN002") == [("warn", "new-idn002")]
    assert where(report) == ("billing", None)


def test_a_draft_is_of_the_rule_as_it_is_pinned_and_of_no_other() -> None:
    found = book(draft(pin="0" * 12))
    assert where(judged(found, MEDICARE, **BAD_NPI)) == ("rework", None)
    assert [one.state for one in found.overrides.entries] == ["in_force"], "and nobody is asked to look at it"


def test_while_a_stricter_rule_is_a_draft_its_former_wording_holds_claims() -> None:
    former = (LIBRARY / "form/common/IDN002-malformed.yaml").read_text("utf-8")
    of_2026 = former.replace("{from: 2023-01-01}", "{from: 2026-06-01}").replace("Not a valid NPI", "Formerly")
    of_2026 = of_2026.replace("bills_as: [practitioner, hospital_outpatient, asc]", "bills_as: [practitioner]")
    text = "".join(f"      {line}\n" for line in of_2026.splitlines())
    found = book(draft() + f"    meanwhile: |\n{text}")

    def on(day: str) -> Report:
        return judged(found, MEDICARE, received_date="2026-07-05", lines=[{"service_date": day}], **BAD_NPI)

    for _ in range(2):  # also when the claims' shape is known
        assert where(on("2026-05-31")) == ("billing", None), "it was not there yet"
        report = on("2026-06-01")
        assert where(report) == ("rework", None)
        assert [f.message[:8] for f in report.findings] == ["Formerly"]
        assert report.shadow_codes("block") == ["IDN002"]
    hospital = check(
        read_claim(example_claim("hospital_outpatient", {"attending_provider": {"npi": "1234567890"}}, MEDICARE)), found
    )
    assert (hospital.disposition, hospital.shadow_codes()) == ("billing", ["IDN002"])
    assert found.digest != book(draft()).digest


def test_a_former_wording_that_cannot_be_read_is_a_fault() -> None:
    with pytest.raises(OverridesInvalid, match="meanwhile: payers: is required"):
        book(draft() + "    meanwhile: 'code: IDN002'\n")
    with pytest.raises(OverridesInvalid, match="has an effect with `draft` alone"):
        book(unpinned(mode="observe", rule="IDN002", meanwhile="x"))


def test_what_a_hospital_said_itself_of_a_rule_goes_before_the_draft_unless_it_holds_claims() -> None:
    soft = entry("ours", severity="warn", rule="IDN002", payers="[medicare]")
    assert said(judged(book(soft, draft()), MEDICARE, **BAD_NPI), "IDN002") == [("warn", "ours")]
    off = entry("ours", severity="off", rule="IDN002", payers="[medicare]")
    assert {f.code for f in judged(book(off, draft()), MEDICARE, **BAD_NPI).overridden} == {"IDN002"}
    hard = entry("ours", severity="block", rule="IDN002", payers="[medicare]")
    assert where(judged(book(hard, draft()), MEDICARE, **BAD_NPI)) == ("billing", None)


def test_a_claim_of_which_a_blocking_rule_asked_a_past_edition_goes_where_the_hospital_says() -> None:
    files = dict(book_files())
    assert "cms-ncci-mue-2024q3:\n" in files["sources.yaml"].decode()
    past = read_book(files, examples=False)  # of the third quarter of 2024

    def of(*entries: str, payer: dict[str, Any] = MEDICARE) -> Report:
        found = overridden(past, read_overrides("o", HEAD + "".join(entries), past), date(2026, 11, 23))
        return judged(found, payer)

    plain = judged(past, MEDICARE)
    assert ("edition_past", "UNT002") in [(gap.kind, gap.rule) for gap in plain.gaps]
    assert where(plain) == ("billing", None)
    assert where(of(unpinned(gaps="rework", payers="[medicare]"))) == ("rework", None)
    held = of(unpinned(gaps="unchecked"))
    assert where(held) == ("unchecked", None)
    assert [one.effect for one in held.overrides] == ["gaps to unchecked"]
    assert where(of(unpinned(gaps="rework"), unpinned("seen", mode="observe"))) == ("billing", "rework")
    assert where(of(unpinned(gaps="rework", payers="[uhc]"))) == ("billing", None)
    asking = sorted({gap.rule for gap in plain.gaps if gap.kind == "edition_past" and gap.rule})
    warns = [entry(f"ours-{code.lower()}", severity="warn", rule=code) for code in asking]
    assert where(of(unpinned(gaps="rework"), *warns)) == ("billing", None), "no rule that asked would hold it"


LEFT = unpinned("form-on-every-claim", unchecked="observe")


def test_a_claim_that_no_procedures_rules_judge_stays_unchecked_where_form_is_only_observed_there() -> None:
    bad = {**WITHOUT_64445, **BAD_NPI}
    assert where(judged(book(), MEDICARE, **bad)) == ("rework", None)
    report = judged(book(LEFT), MEDICARE, **bad)
    assert where(report) == ("unchecked", "rework")
    assert [one.code for one in report.findings if one.severity == "block"] == ["IDN002"]
    assert [one.name for one in report.overrides] == ["form-on-every-claim"]


@pytest.mark.parametrize("changes", [BAD_NPI, {}])
def test_it_touches_no_claim_of_a_known_procedure(changes: dict[str, Any]) -> None:
    plain, report = judged(book(), MEDICARE, **changes), judged(book(LEFT), MEDICARE, **changes)
    assert (where(report), report.overrides) == (where(plain), ())


def test_it_is_of_the_payers_it_names_holds_on_after_its_last_day_and_yields_to_observe() -> None:
    bad = {**WITHOUT_64445, **BAD_NPI}
    of_uhc = unpinned("form-on-every-claim", unchecked="observe", payers="[uhc]")
    assert where(judged(book(of_uhc), MEDICARE, **bad)) == ("rework", None)
    assert where(judged(book(of_uhc), UHC, **bad)) == ("unchecked", "rework")
    past = LEFT.replace("2027-06-30", "2020-01-01")
    assert where(judged(book(past), MEDICARE, **bad)) == ("unchecked", "rework"), "a date alone holds no claim"
    assert where(judged(book(LEFT + OBSERVE), MEDICARE, **bad)) == ("billing", "rework")


def test_two_of_them_for_the_same_claims_are_refused() -> None:
    with pytest.raises(OverridesInvalid, match="same rule and claims"):
        book(LEFT + unpinned("another", unchecked="observe"))
    with pytest.raises(OverridesInvalid, match="whole claims"):
        book(unpinned("dated", unchecked="observe", effective="{from: 2026-01-01}"))
