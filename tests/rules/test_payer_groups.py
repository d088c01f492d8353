"""Groups of payers: who is in one, what a rule for one means, and that no registered payer goes without.

A list of names beside the data goes out of date in silence, and so does a name that is there twice or misspelled
(tarantool#10917, corda-runtime-os#4797, authentik#18941).
"""

from __future__ import annotations

from typing import Any

import pytest

from rules.authoring.examples import example_claim
from rules.book.book import Book
from rules.book.overridden import overridden, state_of
from rules.book.overridefile import read_overrides
from rules.book.payercover import payer_problems
from rules.claim import read_claim
from rules.engine.check import check
from rules.errors import BookInvalid
from rules.loader import book_files, read_book
from rules.report import Report
from tests.book import BOOK
from tests.former import shipped_of_first_payers
from tests.rules.small import FILE, LIBRARY_FILES, RULE
from worker.bench import claims as bench
from worker.demo.claims import EXAMPLES

COMMON = "procedures/64445/common/UNT001-one.yaml"
GROUPED = RULE.replace("payers: [medicare]", "payers: [commercial]")
UHC = "payer: uhc\nname: UHC\ngroups: [commercial]\ncovers_from: 2023-01-01\nids: [{id: '87726', source: hearsay, grade: B}]\n"
AETNA = "payer: aetna\nname: A\ngroups: [commercial]\ncovers_from: 2023-01-01\nids: [{id: '60054', source: hearsay, grade: B}]\nplans: {gold: {name: Gold}}\n"
FILES = {**LIBRARY_FILES, "payers/uhc.yaml": UHC.encode(), "payers/aetna.yaml": AETNA.encode()}
HUMANA = """\
payer: humana
name: Humana
covers_from: 2023-01-01
ids: [{id: "61101", source: stedi-payer-network, grade: A}]
"""
TWO_UNITS: dict[str, Any] = {"lines": [{"units": 2, "modifiers": ["50"]}], "subscriber": {"member_id": "H12345678"}}


def small(rule: str = GROUPED, **files: str) -> Book:
    return read_book({**FILES, COMMON: rule.encode(), **{name: text.encode() for name, text in files.items()}})


def faults(rule: str = GROUPED, **files: str) -> list[str]:
    with pytest.raises(BookInvalid) as caught:
        small(rule, **files)
    return [str(problem) for problem in caught.value.problems]


def with_humana(text: str, **files: str) -> tuple[Book, dict[str, bytes]]:
    """The shipped book with one payer more."""
    content = {
        **book_files(),
        "payers/humana.yaml": text.encode(),
        **{name: one.encode() for name, one in files.items()},
    }
    return read_book(content, examples=False), content


def judged(book: Book, id: str) -> Report:
    return check(read_claim(example_claim("practitioner", TWO_UNITS, {"id": id, "filing_indicator": "CI"})), book)


def test_a_group_stands_for_its_payers_in_the_order_of_their_files() -> None:
    (rule,) = small().rules
    assert (rule.payers, rule.groups) == (("aetna", "uhc"), ("commercial",))
    assert [rule.serves(payer, None) for payer in ("aetna", "uhc", "medicare", None)] == [True, True, False, False]


def test_one_who_is_excepted_by_name_is_not_served_and_the_others_are() -> None:
    (rule,) = small(GROUPED.replace("scope:", "except_payers: [aetna/gold, uhc]\nscope:")).rules
    assert (rule.payers, rule.except_payers, rule.excepted) == (("aetna",), ("aetna/gold",), ("aetna/gold", "uhc"))
    assert [rule.serves("aetna", None), rule.serves("aetna", "gold"), rule.serves("uhc", None)] == [True, False, False]


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("payers: [commercial]", "payers: [aetna, uhc]"),
        ("payers: [commercial]\nexcept_payers: {uhc: has its own}", "payers: [aetna]"),
        (
            "payers: [medicare, commercial]\nexcept_payers: [uhc, aetna/gold]",
            "payers: [medicare, aetna]\nexcept_payers: [aetna/gold]",
        ),
        ("payers: [all]\nexcept_payers: {uhc: has its own}", "payers: [all]\nexcept_payers: [uhc]"),
    ],
)
def test_what_an_override_pins_is_what_the_rule_means_and_not_how_it_says_for_whom(said: str, means: str) -> None:
    one, other = (small(RULE.replace("payers: [medicare]", text)).rules[0] for text in (said, means))
    assert one.digest == other.digest


def test_a_payer_more_in_the_group_is_a_change_of_the_rule() -> None:
    alone = small(**{"payers/aetna.yaml": AETNA.replace("groups: [commercial]\n", "")})
    assert alone.rules[0].digest != small().rules[0].digest


FIRST = read_book(shipped_of_first_payers())
PINS_OF_0_1_0 = {"MOD001": "b55ef4310e2c", "MOD007": "a54ec9c03bbb"}
"""As of 0.1.0 (898ad03), whose rules listed the payers. Where a release changes one of these rules, its pin goes."""


@pytest.mark.parametrize("code", PINS_OF_0_1_0)
def test_an_override_of_the_release_before_groups_still_fits(code: str) -> None:
    text = (
        f"overrides:\n  - {{name: ours, rule: {code}, severity: note, reason: r, owner: o, expires: 2027-06-30, "
        f"written_for: {PINS_OF_0_1_0[code]}}}\n"
    )
    (entry,) = read_overrides("o.yaml", text, FIRST)
    assert state_of(entry, entry.expires) == "in_force"


def test_an_override_of_payer_ids_wants_a_look_once_the_book_has_more_ids_of_the_payer_and_holds() -> None:
    """On the payer file as it was it is up to date: tests/rules/test_pins.py."""
    text = (
        "overrides:\n  - {name: ours, payers: [uhc], payer_ids: [UHC9], reason: r, owner: o, expires: 2027-06-30, "
        "written_for: 7a5a264d3ee3}\n"
    )
    (entry,) = read_overrides("o.yaml", text, FIRST)
    assert state_of(entry, entry.expires) == "outdated"
    assert overridden(FIRST, [entry], entry.expires).registry.ids["UHC9"].payer == "uhc"


@pytest.mark.parametrize(
    ("rule", "files", "expected"),
    [
        (RULE.replace("[medicare]", "[comercial]"), {}, f"{COMMON}:3:10: payers[0]: unknown payer 'comercial'; did you mean 'commercial'?"),
        (RULE.replace("[medicare]", "[gold]"), {}, f"{COMMON}:3:10: payers[0]: unknown payer 'gold'; did you mean 'aetna/gold'?"),
        (GROUPED.replace("scope:", "except_payers: [aetn]\nscope:"), {}, f"{COMMON}:5:17: except_payers[0]: unknown payer 'aetn'; did you mean 'aetna'?"),
        (GROUPED.replace("scope:", "except_payers: [gold]\nscope:"), {}, f"{COMMON}:5:17: except_payers[0]: unknown payer 'gold'; did you mean 'aetna/gold'?"),
        (GROUPED.replace("scope:", "except_payers: [aetna/glod]\nscope:"), {}, f"{COMMON}:5:17: except_payers[0]: unknown payer 'aetna/glod'; did you mean 'aetna/gold'?"),
        (GROUPED.replace("scope:", "except_payers: [commercial]\nscope:"), {}, f"{COMMON}:5:17: except_payers[0]: 'commercial' stands for several payers; each exception is a payer or payer/plan, by its own name"),
        (GROUPED.replace("scope:", "except_payers: [all]\nscope:"), {}, f"{COMMON}:5:17: except_payers[0]: 'all' stands for several payers; each exception is a payer or payer/plan, by its own name"),
        (GROUPED.replace("scope:", "except_payers: [uhc, aetna]\nscope:"), {}, f"{COMMON}:5:1: except_payers: nobody is left whom the rule is for; retire it instead"),
        (GROUPED.replace("scope:", "except_payers: {uhc: }\nscope:"), {}, f"{COMMON}:5:1: except_payers: expected a reason beside each name, or a list of names alone"),
        (GROUPED, {"payers/uhc.yaml": UHC.replace("[commercial]", "[commercial, aetna]")}, "payers/uhc.yaml:3:22: groups[1]: 'aetna' is no name for a group: it means something else already"),
        (GROUPED, {"payers/uhc.yaml": UHC.replace("[commercial]", "[all, commercial]")}, "payers/uhc.yaml:3:10: groups[0]: 'all' is no name for a group: it means something else already"),
        (GROUPED, {"payers/uhc.yaml": UHC.replace("[commercial]", "[commercial, commercial]")}, "payers/uhc.yaml:3:22: groups[1]: 'commercial' is there twice"),
        (GROUPED, {"payers/uhc.yaml": UHC.replace("[commercial]", "[]")}, "payers/uhc.yaml:3:1: groups: expected at least 1 entry"),
        (GROUPED, {"payers/uhc.yaml": UHC.replace("groups:", "group:")}, "payers/uhc.yaml:3:1: group: unknown key; did you mean 'groups'?"),
        (GROUPED, {"payers/copy.yaml": UHC.replace("payer: uhc", "payer: copy")}, "payers/uhc.yaml:5:8: ids[0].id: id '87726' belongs to copy already"),
        (GROUPED, {"payers/copy.yaml": UHC}, "payers/copy.yaml:1:1: payer: the file of payer 'uhc' must be named uhc.yaml"),
        (GROUPED, {"payers/common.yaml": "payer: common\nname: C\ncovers_from: 2023-01-01\n"}, "payers/common.yaml:1:1: payer: 'common' is no name for a payer: it means something else already"),
    ],
)  # fmt: skip
def test_a_fault_in_groups_and_exceptions_is_named_with_its_place(
    rule: str, files: dict[str, str], expected: str
) -> None:
    assert expected in faults(rule, **files)


def test_a_rule_in_a_payers_folder_is_for_no_group() -> None:
    with pytest.raises(BookInvalid, match="a file in uhc/ is for uhc alone"):
        read_book({**FILES, "procedures/64445/uhc/UNT001-one.yaml": GROUPED.encode()})


def test_each_payer_of_the_shipped_book_has_every_rule_for_several_payers() -> None:
    assert payer_problems(BOOK, book_files()) == []


def test_for_a_payer_that_was_registered_and_nothing_else_it_is_reported_what_it_goes_without() -> None:
    book, files = with_humana(HUMANA)
    (problem,) = payer_problems(book, files)
    assert str(problem).startswith(
        "payers/humana.yaml:1:1: payer: no rule of BND001, BND002, BND003, BND004, BND005, BND009, MOD001, MOD003, MOD004, MOD006, MOD007, MOD010, "
        "UNT001, UNT002 is for humana: add `groups: [commercial]`"
    )


@pytest.mark.parametrize(("status", "told"), [("draft", 1), ("active", 0)])
def test_a_draft_of_its_own_does_not_stand_for_an_active_rule_for_several_payers(status: str, told: int) -> None:
    own = GROUPED.replace("[commercial]", "[humana]").replace("status: active", f"status: {status}")
    book = small(**{"payers/humana.yaml": HUMANA.replace("stedi-payer-network", "hearsay").replace("grade: A", "grade: B"),
                    "procedures/64445/humana/UNT001-own.yaml": own})  # fmt: skip
    files = {**FILES, "payers/humana.yaml": HUMANA.encode()}
    assert len([one for one in payer_problems(book, files) if "humana" in str(one)]) == told


def test_a_rule_that_a_payer_with_active_ones_takes_back_to_a_draft_is_no_fault() -> None:
    own = GROUPED.replace("[commercial]", "[humana]")
    book = small(**{"payers/humana.yaml": HUMANA.replace("stedi-payer-network", "hearsay").replace("grade: A", "grade: B"),
                    "procedures/64445/humana/UNT001-own.yaml": own.replace("status: active", "status: draft"),
                    "procedures/64445/humana/UNT009-own.yaml": own.replace("code: UNT001", "code: UNT009")})  # fmt: skip
    files = {**FILES, "payers/humana.yaml": HUMANA.encode()}
    assert "humana" in book.ruled
    assert [str(one) for one in payer_problems(book, files) if "humana" in str(one)] == []


def test_a_misspelled_group_is_reported_beside_what_the_payer_goes_without() -> None:
    book, files = with_humana(HUMANA + "groups: [comercial]\n")
    told = sorted(str(problem) for problem in payer_problems(book, files))
    assert [one for one in told if "groups[0]: no rule is for a group 'comercial'; did you mean 'commercial'?" in one]
    assert len(told) == 2


def test_a_payer_in_the_group_or_excepted_by_name_or_with_rules_of_its_own_goes_without_nothing() -> None:
    assert payer_problems(*with_humana(HUMANA + "groups: [commercial]\n")) == []
    shipped = {name: content.decode() for name, content in book_files().items() if "/common/" in name}
    grouped = {name: text for name, text in shipped.items() if "commercial]" in text}
    excepted = {}
    for name, text in grouped.items():
        with_one = text.replace("except_payers: [", "except_payers: [humana, ").replace(
            "except_payers: {", "except_payers: {humana: x, "
        )
        excepted[name] = (
            with_one
            if with_one != text
            else text.replace("bills_as:", "except_payers: {humana: no text}\nbills_as:", 1)
        )
    assert len(excepted) == 16
    assert payer_problems(*with_humana(HUMANA, **excepted)) == []
    (name,) = (name for name in excepted if "UNT001" in name)
    (problem,) = payer_problems(*with_humana(HUMANA, **{**excepted, name: shipped[name]}))
    assert "no rule of UNT001 is for humana" in str(problem)
    own = {"procedures/64445/humana/UNT001-own.yaml": shipped[name].replace("[commercial]", "[humana]")}
    assert payer_problems(*with_humana(HUMANA, **{**excepted, name: shipped[name], **own})) == []


def test_a_payer_that_is_registered_without_a_rule_of_its_own_has_no_full_coverage() -> None:
    book, _ = with_humana(HUMANA + "groups: [commercial]\n")
    report = judged(book, "61101")
    assert (report.payer, report.coverage) == ("humana", "common_only")
    assert {found.code for found in report.every} >= {"PAY001", "MOD003", "UNT001", "UNT002"}
    same = {found.code for found in judged(book, "87726").every} - {"IDN006"}
    assert {found.code for found in report.every} - {"PAY001"} == same


@pytest.mark.parametrize(
    ("status", "coverage"), [("active", "partial"), ("draft", "common_only"), ("retired", "common_only")]
)
def test_coverage_is_full_by_active_rules_alone(status: str, coverage: str) -> None:
    shipped = book_files()["form/aetna/IDN006-usual-shape.yaml"].decode()
    own = shipped.replace("payers: [aetna]", "payers: [humana]").replace("status: active", f"status: {status}")
    book, _ = with_humana(HUMANA + "groups: [commercial]\n", **{"procedures/64445/humana/IDN006-own.yaml": own})
    report = judged(book, "61101")
    assert report.coverage == coverage
    assert ("PAY001" in {found.code for found in report.every}) is (coverage == "common_only")


def test_a_book_of_the_release_before_groups_is_loaded_and_judges_as_it_did() -> None:
    """With a payer of the hospital's own in it: what workers judge by is not refused for what lint asks today."""
    files = {name: content.decode() for name, content in shipped_of_first_payers().items()}
    before = {
        name: text.replace("groups: [commercial]\n", "").partition("member_ids:")[0] if name.startswith("payers/") else
        text.replace("payers: [commercial]", "payers: [aetna, bcbs, cigna, uhc]")
        .replace("payers: [medicare, commercial]\nexcept_payers: {uhc: has a rule of its own that wants the side}", "payers: [medicare, aetna, bcbs, cigna]")
        for name, text in files.items()
    }  # fmt: skip
    assert before != files
    old = read_book(
        {name: text.encode() for name, text in {**before, "payers/humana.yaml": HUMANA}.items()}, examples=True
    )
    for payer in ("60054", "62308", "87726", "84980", "99999"):
        one, other = judged(old, payer), judged(FIRST, payer)
        assert (one.every, one.coverage, one.disposition) == (other.every, other.coverage, other.disposition)


def test_the_claims_of_the_bench_and_of_the_demonstration_are_of_every_registered_payer() -> None:
    assert set(bench.PAYERS) == set(BOOK.registry.payers)
    shown = {BOOK.registry.select(read_claim(one.claim).payer).payer for one in EXAMPLES}
    assert shown - {None} == set(BOOK.registry.payers)


def test_the_small_book_of_the_tests_has_its_rule_in_its_own_folder() -> None:
    assert read_book({**LIBRARY_FILES, FILE: RULE.encode()}).ruled == {"medicare"}
