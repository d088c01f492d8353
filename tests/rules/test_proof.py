"""`scrub rules prove`: gaps, twins, blocks that nothing meets, repairs; each on a small book, then on the shipped one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.authoring.proof.conflicts import check_conflicts
from rules.authoring.proof.coverage import coverage_of
from rules.authoring.proof.periods import check_periods
from rules.authoring.proof.prove import prove
from rules.authoring.proof.reach import check_reach
from rules.authoring.proof.repairs import check_repairs
from rules.authoring.proof.trials import trial_claims
from rules.authoring.proof.twins import check_twins
from rules.errors import BookInvalid
from rules.loader import LIBRARY, Untried, book_files, read_untried
from rules.terms import FORM, PROCEDURES
from tests.corpus.stories import read_stories
from tests.rules.small import FILE, LIBRARY_FILES

FOLDER = FILE.rsplit("/", 2)[0]
SMALL = {
    **LIBRARY_FILES,
    "sources.yaml": LIBRARY_FILES["sources.yaml"]
    + b"old: {title: Old, publisher: CMS, starts: 2015-10-01, grade: A}\n",
}
EXAMPLES = [
    {"name": "right", "claim": {"lines": [{"units": "1", "modifiers": ["RT"]}]}, "expect": "pass"},
    {"name": "wrong", "claim": {"lines": [{"units": "2", "modifiers": ["RT"]}]}, "expect": "fail"},
]
Data = dict[str, Any]


def version(**changes: Any) -> Data:
    data: Data = {
        "effective": {"from": "2023-01-01"},
        "severity": "block",
        "require": {"units": {"le": "1"}},
        "message": "64445 has {units} units.",
        "fix": "Set units to 1.",
        "citation": {"source": "old", "locator": "page 1", "grade": "A"},
    }
    return {key: value for key, value in (data | changes).items() if value is not None}


def period(start: str, end: str | None = None, **more: str) -> Data:
    return {"effective": {"from": start} | ({"to": end} if end else {}) | more}


def rule(code: str = "UNT001", *versions: Data, **changes: Any) -> Data:
    data: Data = {
        "code": code,
        "title": "One unit",
        "payers": ["medicare"],
        "bills_as": ["practitioner"],
        "scope": "line",
        "status": "active",
        "versions": list(versions) or [version()],
        "examples": EXAMPLES,
    }
    return data | changes


def book(*rules: Data) -> Untried:
    """The small book with these rules, each in a file of its own."""
    files = dict(SMALL)
    for place, data in enumerate(rules):
        owners = {name.split("/")[0] for name in data["payers"]}
        folder = owners.pop() if len(owners) == 1 and "all" not in owners else "common"
        files[f"{FOLDER}/{folder}/{data['code']}-n{place}.yaml"] = written(data)
    return read_untried(files)


def written(data: Data) -> bytes:
    return yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, allow_unicode=True).encode()


def said(untried: Untried) -> list[str]:
    return [f"{one.path}: {one.sentence}" for doc in untried.documents.values() for one in doc.problems]


def periods(*rules: Data) -> list[str]:
    untried = book(*rules)
    check_periods(untried.book, untried.documents)
    return said(untried)


def twins(*rules: Data) -> list[str]:
    untried = book(*rules)
    check_twins(untried.book, untried.documents)
    return said(untried)


def conflicts(*rules: Data) -> list[str]:
    untried = book(*rules)
    check_conflicts(untried.book, untried.documents)
    return said(untried)


# Gaps


@pytest.mark.parametrize(
    ("end", "start", "days"),
    [
        ("2024-12-31", "2025-07-01", "2025-01-01 to 2025-06-30"),
        ("2024-12-31", "2025-01-02", "2025-01-01"),
    ],
)
def test_days_between_two_versions_are_a_gap(end: str, start: str, days: str) -> None:
    (fault,) = periods(rule("POS002", version(**period("2023-01-01", end)), version(**period(start))))
    assert fault.startswith(f"versions[1].effective.from: no version covers {days}: ")


def test_a_version_that_follows_on_another_leaves_no_gap() -> None:
    assert periods(rule("POS002", version(**period("2023-01-01", "2024-12-31")), version(**period("2025-01-01")))) == []


def test_a_gap_that_is_meant_is_declared_with_its_reason() -> None:
    declared = period("2025-07-01", after_gap="the payer had no policy between the two")
    assert periods(rule("POS002", version(**period("2023-01-01", "2024-12-31")), version(**declared))) == []


def test_a_declared_gap_that_there_is_not_is_a_fault() -> None:
    declared = period("2025-01-01", after_gap="the payer had no policy between the two")
    (fault,) = periods(rule("POS002", version(**period("2023-01-01", "2024-12-31")), version(**declared)))
    assert fault == "versions[1].effective.after_gap: there is no gap before this version: leave it out"


def test_a_declared_gap_needs_a_reason() -> None:
    declared = version(effective={"from": "2025-07-01", "after_gap": ""})
    with pytest.raises(BookInvalid, match="after_gap"):
        book(rule("POS002", version(**period("2023-01-01", "2024-12-31")), declared))


def test_a_gap_between_two_files_of_a_code_names_whom_it_concerns() -> None:
    both = rule("POS002", version(**period("2023-01-01", "2024-12-31")), payers=["medicare", "uhc"])
    (fault,) = periods(
        both, rule("POS002", version(**period("2025-07-01"), require={"units": {"le": "2"}}), payers=["uhc"])
    )
    assert "no rule of POS002 covers 2025-01-01 to 2025-06-30 for uhc (practitioner)" in fault


def test_a_gap_for_one_billing_role_alone_is_one() -> None:
    first = rule("POS002", version(**period("2023-01-01", "2024-12-31")), bills_as=["practitioner", "asc"])
    second = rule("POS002", version(**period("2025-01-01")), bills_as=["practitioner"])
    third = rule("POS002", version(**period("2025-02-01")), bills_as=["asc"])
    (fault,) = periods(first, second, third)
    assert "2025-01-01 to 2025-01-31 for medicare (asc)" in fault


def test_a_gap_is_not_hidden_by_a_variant_about_other_claims() -> None:
    about = {"modifiers": {"any_of": ["50", "RT"]}}
    first = rule("POS002", version(**period("2023-01-01", "2024-12-31"), applies_when=about))
    second = rule("POS002", version(**period("2025-07-01"), applies_when={"modifiers": {"any_of": ["RT", "50"]}}))
    (fault,) = periods(first, second, rule("POS002", version(applies_when={"modifiers": {"none_of": ["50", "RT"]}})))
    assert "2025-01-01 to 2025-06-30" in fault


def test_what_a_draft_covers_is_no_cover() -> None:
    first = rule("POS002", version(**period("2023-01-01", "2024-12-31")), version(**period("2025-07-01")))
    assert len(periods(first, rule("POS002", version(**period("2025-01-01")), status="draft"))) == 1


def test_a_rule_of_the_past_leaves_no_gap_behind_it() -> None:
    assert periods(rule("POS002", version(**period("2023-01-01", "2024-12-31")))) == []


def test_the_reason_of_a_gap_or_an_overlap_changes_no_override_s_pin() -> None:
    dates = version(**period("2023-01-01", "2024-12-31"))
    plain = book(rule("POS002", dates, version(**period("2025-07-01"))))
    told = book(
        rule("POS002", dates, version(**period("2025-07-01", after_gap="none was there")), overlaps={"UNT001": "so"})
    )
    assert plain.book.rules[0].digest == told.book.rules[0].digest


# Twins

ABOUT = {"modifiers": {"any_of": ["50", "RT"]}, "place_of_service": {"in": ["11", "22"]}}


@pytest.mark.parametrize(
    "again",
    [
        ABOUT,
        {"place_of_service": {"in": ["22", "11"]}, "modifiers": {"any_of": ["RT", "50"]}},
        {"all": [{"place_of_service": {"in": ["11", "22"]}}, {"modifiers": {"any_of": ["50", "RT"]}}]},
        {"not": {"any": [{"place_of_service": {"not_in": ["11", "22"]}}, {"modifiers": {"none_of": ["50", "RT"]}}]}},
        {
            "any": [{"modifiers": {"any_of": ["50"]}}, {"modifiers": {"any_of": ["RT"]}}],
            "place_of_service": {"in": ["11", "22"]},
        },
        {**ABOUT, "all": [{"place_of_service": {"missing": "false"}}]},
    ],
)
def test_a_rule_that_says_the_same_in_other_words_is_a_twin(again: Data) -> None:
    copy = rule("POS009", version(applies_when=again, message="Other.", fix="Words."), title="Another title")
    (fault,) = twins(rule("POS002", version(applies_when=ABOUT)), copy)
    assert fault.startswith(f"versions[0]: says what versions[0] of {FOLDER}/medicare/POS002-n0.yaml says already")


@pytest.mark.parametrize(
    "demand",
    [
        {"forbid": {"units": {"gt": "1"}}},
        {"forbid": {"not": {"units": {"le": "1"}}}},
        {"require": {"not": {"units": {"gt": "1.0"}}}},
    ],
)
def test_require_and_forbid_may_say_the_same(demand: Data) -> None:
    assert len(twins(rule("POS002"), rule("POS009", version(**{"require": None} | demand)))) == 1


def test_a_comparison_of_two_facts_may_be_read_from_either_side() -> None:
    first = version(require={"line_charge_total": {"le_fact": "total_charge"}}, message="m")
    second = version(require={"total_charge": {"ge_fact": "line_charge_total"}}, message="m")
    claim = {"scope": "claim"}
    assert len(twins(rule("CLM001", first, **claim), rule("CLM002", second, **claim))) == 1


@pytest.mark.parametrize(
    "other",
    [
        rule("POS009", version(require={"units": {"le": "2"}}, severity="warn")),
        rule("POS009", version(require={"units": {"le": "2"}}), status="draft"),
        rule("POS009", payers=["uhc"]),
        rule("POS009", bills_as=["asc"]),
        rule("POS009", status="retired"),
        rule("POS009", version(require={"units_are_whole": {"is": "true"}})),
        rule("POS009", version(applies_when={"units": {"lt": "1"}}, require={"units_are_whole": {"is": "true"}})),
    ],
    ids=["severity", "draft", "payer", "role", "retired", "another fact", "another fault"],
)
def test_rules_for_others_or_of_another_fault_or_weight_are_no_twins(other: Data) -> None:
    assert twins(rule("POS002"), other) == []


def test_rules_of_different_dates_are_no_twins() -> None:
    first = rule("POS002", version(**period("2023-01-01", "2024-12-31")))
    assert twins(first, rule("POS009", version(**period("2025-01-01")))) == []
    assert len(twins(first, rule("POS009", version(**period("2024-12-31"))))) == 1


def test_a_copy_with_another_severity_is_a_twin_as_well() -> None:
    assert len(twins(rule("POS002"), rule("POS009", version(severity="warn")))) == 1


def test_a_rule_within_another_of_equal_severity_is_named() -> None:
    inner = rule("POS001", version(applies_when={"modifiers": {"any_of": ["50"]}}))
    (fault,) = twins(inner, rule("POS009", payers=["all"]))
    assert fault.startswith(
        f"versions[0]: whatever it finds, versions[0] of {FOLDER}/common/POS009-n1.yaml finds as well"
    )


def test_a_rule_for_more_payers_is_not_within_one_for_fewer() -> None:
    inner = version(applies_when={"modifiers": {"any_of": ["50"]}})
    assert twins(rule("POS001", inner, payers=["medicare", "uhc"]), rule("POS009")) == []


def test_an_overlap_that_is_meant_is_declared_by_either_rule() -> None:
    assert twins(rule("POS002", overlaps={"POS009": "two repairs"}), rule("POS009")) == []
    assert twins(rule("POS002"), rule("POS009", overlaps={"POS002": "two repairs"})) == []


@pytest.mark.parametrize(("inner", "count"), [({"modifiers": {"any_of": ["50"]}}, 0), (None, 1)])
def test_rules_of_one_cause_may_overlap_and_may_not_say_the_same(inner: Data | None, count: int) -> None:
    untried = book(rule("POS001", version(applies_when=inner)), rule("POS009"))
    for document in untried.documents.values():
        document.data["cause"] = "units"
    check_twins(untried.book, untried.documents)
    assert len(said(untried)) == count


def test_a_rule_of_a_procedure_is_a_twin_of_one_of_the_form_and_of_no_other_procedure_s() -> None:
    files = dict(SMALL) | {
        f"{PROCEDURES}/64447/procedure.yaml": b'procedure: "64447"\nname: another\ncodes: ["64447"]\n',
        f"{FOLDER}/medicare/POS002-a.yaml": written(rule("POS002")),
        f"{PROCEDURES}/64447/medicare/POS009-b.yaml": written(rule("POS009")),
    }
    untried = read_untried(files)
    check_twins(untried.book, untried.documents)
    assert said(untried) == []
    untried = read_untried({**files, f"{FORM}/medicare/POS010-c.yaml": written(rule("POS010"))})
    check_twins(untried.book, untried.documents)
    assert len(said(untried)) == 2


def test_a_declared_overlap_that_there_is_not_is_a_fault() -> None:
    (fault,) = twins(rule("POS002", overlaps={"POS009": "two repairs"}), rule("POS009", payers=["uhc"]))
    assert fault == "overlaps.POS009: no rule of POS009 finds what this rule finds: leave it out"


# Conditions that nothing meets


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"applies_when": {"units": {"gt": "2", "lt": "2"}}}, "applies_when", "units is more than 2 and units is less than 2"),
        ({"applies_when": {"modifiers": {"any_of": ["50"]}, "not": {"modifiers": {"any_of": ["50", "RT"]}}}}, "applies_when", "about no claim"),
        ({"applies_when": {"modifiers": {"only": ["50"], "any_of": ["RT"]}}}, "applies_when", "about no claim"),
        ({"applies_when": {"place_of_service": {"missing": "true", "in": ["11"]}}}, "applies_when", "about no claim"),
        ({"applies_when": {"service_date": {"before": "2022-12-31"}}}, "applies_when", "of these dates"),
        ({"require": {"any": [{"units": {"le": "1"}}, {"units": {"gt": "1"}}]}}, "require", "of every claim"),
        ({"applies_when": {"units": {"eq": "1"}}}, "require", "nothing fails, "),
        ({"applies_when": {"form": {"in": ["institutional"]}}}, "versions[0]", "billed as practitioner"),
        (
            {"bypass": {"when": {"units": {"gt": "0"}}, "message": "m", "fix": "f"}},
            "bypass.when",
            "lifts whatever the rule finds",
        ),
    ],
)  # fmt: skip
def test_a_version_that_can_find_nothing_is_named(changes: Data, place: str, words: str) -> None:
    (fault,) = conflicts(rule("POS002", version(**changes)))
    assert place in fault.split(": ")[0]
    assert words in fault


@pytest.mark.parametrize(
    "applies",
    [
        {"modifiers": {"any_of": ["50"], "none_of": ["RT"]}},
        {"modifiers": {"all_of": ["50", "RT"], "only": ["50", "RT", "59"]}},
        {"units": {"gt": "1", "lt": "2"}},
        {"place_of_service": {"starts_with": ["1"], "not_in": ["11"]}},
        {"service_date": {"on_or_after": "2024-01-01", "before": "2024-01-02"}},
        {"place_of_service": {"in_table": "places_of_service", "not_in": ["02"]}},
    ],
)
def test_a_version_that_can_find_something_is_not(applies: Data) -> None:
    assert conflicts(rule("POS002", version(applies_when=applies))) == []


# Blocks


def reach(*rules: Data) -> list[str]:
    untried = book(*rules)
    claims = trial_claims(untried.book, untried.documents)
    check_reach(untried.book, untried.documents, claims, check_conflicts(untried.book, untried.documents))
    return said(untried)


def test_a_block_that_a_claim_meets_is_reached_on_all_its_dates() -> None:
    assert reach(rule("UNT001", version(**period("2023-01-01", "2024-12-31")), version(**period("2025-01-01")))) == []


def test_a_block_that_no_claim_meets_is_named() -> None:
    place = {"place_of_service": {"in_table": "places_of_service"}}  # the table of the small book is empty
    (fault,) = reach(rule("UNT001", version(applies_when=place)))
    assert fault.startswith("versions[0]: no claim was found on which it blocks, ")


def test_a_block_that_one_payer_s_claims_cannot_meet_names_the_payer() -> None:
    only = {"line_of_business": {"in": ["medicare"]}}
    (fault,) = reach(rule("UNT001", version(applies_when=only), payers=["medicare", "uhc"]))
    assert "on which it blocks for uhc (practitioner)" in fault


def test_a_block_before_the_book_covers_its_payer_judges_no_claim() -> None:
    (fault,) = reach(rule("UNT001", version(**period("2023-01-01", "2024-06-30")), version(**period("2024-07-01"))))
    assert fault.startswith("versions[0]: judges no claim: its dates end on 2024-06-30")


# Repairs

TWO = {"op": "replace", "path": "/lines/{line}/units", "value": "2"}
ONE = {"op": "replace", "path": "/lines/{line}/units", "value": "1"}


def repairs(*rules: Data) -> list[str]:
    untried = book(*rules)
    check_repairs(untried.book, untried.documents, trial_claims(untried.book, untried.documents))
    return said(untried)


def test_a_patch_that_repairs_is_no_fault() -> None:
    assert repairs(rule("UNT001", version(patch=[ONE]))) == []


def test_two_patches_that_set_one_value_differently_contradict_each_other() -> None:
    more = rule("UNT002", version(require={"units": {"ge": "3"}}, patch=[TWO | {"value": "3"}]))
    faults = repairs(rule("UNT001", version(patch=[ONE])), more)
    assert any("contradicts the patch of" in one and "of /lines/0/units" in one for one in faults)


def test_a_patch_that_makes_another_rule_fail_is_named() -> None:
    strict = rule("UNT002", version(require={"units": {"ne": "1"}}, patch=None))
    (fault,) = repairs(rule("UNT001", version(patch=[ONE])), strict)
    assert fault.startswith("versions[0].patch: makes UNT002 fail (claim ")


def test_a_patch_that_leaves_its_finding_is_named() -> None:
    (fault,) = repairs(rule("UNT001", version(patch=[TWO])))
    assert fault.startswith("versions[0].patch: does not take its finding away (claim ")


def test_a_patch_that_leads_nowhere_is_named() -> None:
    (fault,) = repairs(rule("UNT001", version(patch=[ONE | {"path": "/lines/{line}/unit"}])))
    assert "a path of it leads nowhere" in fault


# Coverage of examples


def missing(data: Data) -> list[str]:
    untried = book(data)
    return [
        one.sentence
        for one in coverage_of(untried.book, untried.book.rules[0], next(iter(untried.documents.values()))).missing
    ]


def test_what_no_example_shows_is_named() -> None:
    about = version(applies_when={"any": [{"modifiers": {"any_of": ["RT"]}}, {"modifiers": {"any_of": ["50"]}}]})
    assert missing(rule("UNT001", about)) == [
        "no example expects undetermined",
        'applies when: "modifiers has RT" is false in no example',
        'applies when: "modifiers has 50" is true in no example',
    ]


def test_a_version_without_examples_of_its_own_is_named() -> None:
    versions = (version(**period("2023-01-01", "2024-12-31")), version(**period("2025-01-01")))
    assert [one for one in missing(rule("UNT001", *versions)) if "expects" in one] == [
        "2023-01-01 to 2024-12-31: no example expects fail",
        "2023-01-01 to 2024-12-31: no example expects pass",
        "2023-01-01 to 2024-12-31: no example expects undetermined",
        "since 2025-01-01: no example expects undetermined",
    ]


def test_an_outcome_that_the_conditions_leave_no_room_for_is_not_asked_for() -> None:
    known = version(applies_when={"units": {"missing": "false"}})
    assert not [one for one in missing(rule("UNT001", known)) if "undetermined" in one]


def test_a_bypass_wants_an_example() -> None:
    lifted = version(bypass={"when": {"modifiers": {"any_of": ["76"]}}, "message": "m", "fix": "f"})
    assert "no example expects bypassed" in missing(rule("UNT001", lifted))


# The shipped book


def shipped(**changes: bytes) -> Untried:
    return read_untried({**book_files(), **changes})


@pytest.mark.slow
def test_the_shipped_book_is_proven() -> None:
    """`make lint` proves it each time, as `scrub rules prove`; here it is seen that there was something to prove."""
    untried = shipped()
    proof = prove(untried.book, untried.documents, read_stories(untried.book))
    assert proof.problems == ()
    blocks = [
        v for rule in untried.book.rules if rule.status != "retired" for v in rule.versions if v.severity == "block"
    ]
    assert proof.blocks == len(blocks)
    assert proof.patches
    assert proof.pairs


def _file(start: str) -> tuple[str, str]:
    (path,) = LIBRARY.rglob(f"{start}*.yaml")
    return path.relative_to(LIBRARY).as_posix(), path.read_text("utf-8")


def test_a_copy_of_a_shipped_rule_under_another_code_is_a_twin() -> None:
    name, text = _file("POS002-unusual")
    copy = text.replace("code: POS002", "code: POS009")
    untried = shipped(**{f"{Path(name).parent}/POS009-copy.yaml": copy.encode()})
    check_twins(untried.book, untried.documents)
    (fault,) = said(untried)
    assert fault.startswith(f"versions[0]: says what versions[0] of {name} says already")


def test_half_a_year_without_a_version_in_a_shipped_rule_is_a_gap() -> None:
    name, text = _file("POS002-unusual")
    data = yaml.load(text, yaml.BaseLoader)
    (only,) = data["versions"]
    data["versions"] = [only | period("2023-01-01", "2024-12-31"), only | period("2025-07-01")]
    untried = shipped(**{name: written(data)})
    check_periods(untried.book, untried.documents)
    (fault,) = said(untried)
    assert "no version covers 2025-01-01 to 2025-06-30" in fault
