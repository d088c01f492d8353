"""The demonstration claims, each written as a small difference from the base claim of its kind.

All dates are fixed and lie within the filing limits, so that the verdicts are the same on any day. Patients, members
and provider numbers are made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from rules.authoring.examples import example_claim
from rules.claim import Payer, Role
from rules.loader import load_book
from rules.payers import Registry
from rules.report import Disposition

Difference = Mapping[str, Any]

MEDICARE = {"id": "04412", "name": "MEDICARE PART B TEXAS", "filing_indicator": "MB", "responsibility": "P"}
MEDICARE_A = {"id": "04411", "name": "MEDICARE PART A TEXAS", "filing_indicator": "MA", "responsibility": "P"}
AETNA = {"id": "60054", "name": "AETNA", "filing_indicator": "CI", "responsibility": "P"}
AETNA_ADVANTAGE = {"id": "60054", "name": "AETNA MEDICARE ADVANTAGE", "filing_indicator": "16", "responsibility": "P"}
BCBSTX = {"id": "84980", "name": "BCBS OF TEXAS", "filing_indicator": "BL", "responsibility": "P"}
BCBSOK = {"id": "BCOK1", "name": "BCBS OF OKLAHOMA", "filing_indicator": "BL", "plan": "bcbsok", "responsibility": "P"}
NEBRASKA = {"id": "BCNE1", "name": "BCBS OF NEBRASKA", "filing_indicator": "BL", "plan": "nebraska"}
ANTHEM = {"id": "00834", "name": "ANTHEM BCBS", "filing_indicator": "BL", "responsibility": "P"}
CIGNA = {"id": "62308", "name": "CIGNA", "filing_indicator": "CI", "responsibility": "P"}
UHC = {"id": "87726", "name": "UNITEDHEALTHCARE", "filing_indicator": "CI", "responsibility": "P"}
UHC_ADVANTAGE = {"id": "87726", "name": "UNITEDHEALTHCARE MEDICARE", "filing_indicator": "16", "responsibility": "P"}
LONE_STAR = {"id": "99999", "name": "LONE STAR HEALTH PLAN", "filing_indicator": "CI", "responsibility": "P"}

_MEMBERS = {
    "medicare": "1EG4TE5MK{:02}", "aetna": "W1000000{:02}", "bcbs": "ZGP8000000{:02}", "cigna": "U10000{:02}1",
    "uhc": "9100000{:02}", "other": "LS-55{:02}",
}  # fmt: skip
"""A member id of each payer's form; `other`: of a payer that is not in the registry."""


@dataclass(frozen=True, slots=True)
class DemoClaim:
    """One demonstration claim and the verdict that it must get."""

    number: int
    shows: str
    payer: Mapping[str, Any]
    role: Role
    difference: Difference
    expect: Disposition
    codes: tuple[str, ...] = field(default=())
    """Codes that must be among the findings; none: no finding at all but notes."""

    @property
    def claim(self) -> dict[str, Any]:
        """The whole claim, as a hospital would send it."""
        payer = _registry().select(Payer(**self.payer)).payer or "other"
        member = _MEMBERS[payer].format(self.number % 100)
        claim = example_claim(
            self.role,
            {"claim_id": f"DEMO-{self.number:04}", "subscriber": {"member_id": member}, **self.difference},
            self.payer,
        )
        return {key: value for key, value in claim.items() if value is not None}


@cache
def _registry() -> Registry:
    return load_book().registry


def _lines(*lines: Difference) -> Difference:
    return {"lines": list(lines)}


def _beside(line: Difference, **block: Any) -> Difference:
    """A line of the procedure and another one."""
    return _lines(block, {"modifiers": [], **line})


LEFT: Difference = {"lines": [{"modifiers": ["LT"]}], "diagnoses": ["M54.32"]}
BOTH: Difference = {"lines": [{"modifiers": ["50"], "diagnosis_pointers": [1, 2]}], "diagnoses": ["M54.31", "M54.32"]}
BOTH_INSTITUTIONAL: Difference = {"lines": [{"modifiers": ["50"]}], "diagnoses": ["M54.31", "M54.32"]}
TWO_SIDES: Difference = {
    "lines": [{"modifiers": ["LT"], "diagnosis_pointers": [2]}, {"modifiers": ["RT"]}],
    "diagnoses": ["M54.31", "M54.32"],
}
VISIT = {"procedure": "99213", "charge": "150.00"}
ULTRASOUND = {"procedure": "76942", "charge": "210.00"}

Row = tuple[str, Mapping[str, Any], Role, Difference, Disposition, tuple[str, ...]]

_ROWS: tuple[Row, ...] = (
    # Clean: one for each payer and each kind of bill, and the ordinary variants.
    ("right side in the office", MEDICARE, "practitioner", {}, "billing", ()),
    ("left side in the office", MEDICARE, "practitioner", LEFT, "billing", ()),
    ("both sides, modifier 50", MEDICARE, "practitioner", BOTH, "billing", ()),
    ("visit with modifier 25", MEDICARE, "practitioner", _beside(VISIT | {"modifiers": ["25"]}), "billing", ()),
    ("hospital outpatient", MEDICARE_A, "hospital_outpatient", {}, "billing", ()),
    ("hospital outpatient, both sides", MEDICARE_A, "hospital_outpatient", BOTH_INSTITUTIONAL, "billing", ()),
    ("surgical center", MEDICARE, "asc", {}, "billing", ()),
    ("surgical center, a line for each side", MEDICARE, "asc", TWO_SIDES, "billing", ()),
    ("right side", AETNA, "practitioner", {}, "billing", ()),
    ("hospital outpatient", AETNA, "hospital_outpatient", {}, "billing", ()),
    ("Medicare Advantage", AETNA_ADVANTAGE, "practitioner", {}, "billing", ()),
    ("right side", BCBSTX, "practitioner", {}, "billing", ()),
    ("left side", ANTHEM, "practitioner", LEFT, "billing", ()),
    ("hospital outpatient", BCBSTX, "hospital_outpatient", {}, "billing", ()),
    ("surgical center", BCBSTX, "asc", {}, "billing", ()),
    ("right side", CIGNA, "practitioner", {}, "billing", ()),
    ("both sides, modifier 50", CIGNA, "practitioner", BOTH, "billing", ()),
    ("hospital outpatient", CIGNA, "hospital_outpatient", {}, "billing", ()),
    ("right side", UHC, "practitioner", {}, "billing", ()),
    ("left side in a hospital", UHC, "practitioner", {**LEFT, "place_of_service": "22"}, "billing", ()),
    ("hospital outpatient", UHC, "hospital_outpatient", {}, "billing", ()),
    ("surgical center", UHC, "asc", {}, "billing", ()),
    ("replacement with its reference", UHC, "practitioner",
     {"frequency_code": "7", "original_reference_number": "25A0001"}, "billing", ()),
    ("void of a faulty claim", CIGNA, "practitioner",
     {"frequency_code": "8", "original_reference_number": "C-778", "lines": [{"units": 3}]}, "billing", ()),
    # Warned: they go to billing, and the finding is shown.
    ("two units", AETNA, "practitioner", _lines({"units": 2}), "billing", ("UNT001",)),
    ("no side", UHC, "practitioner", _lines({"modifiers": []}), "billing", ("MOD006",)),
    ("two units under Medicare Advantage", UHC_ADVANTAGE, "practitioner", _lines({"units": 2}), "billing", ("UNT001",)),
    ("visit without modifier 25", CIGNA, "practitioner", _beside(VISIT), "billing", ("BND004",)),
    ("ultrasound guidance apart", BCBSTX, "practitioner", _beside(ULTRASOUND), "billing", ("BND001",)),
    ("both sides on two lines", AETNA, "practitioner", TWO_SIDES, "billing", ("MOD004",)),
    ("professional component", CIGNA, "practitioner", _lines({"modifiers": ["26", "RT"]}), "billing", ("MOD001",)),
    ("no attending provider", BCBSTX, "hospital_outpatient", {"attending_provider": None}, "billing", ("IDN002",)),
    ("payer without rules", LONE_STAR, "practitioner", {}, "billing", ("PAY001",)),
    ("pointer twice", UHC, "practitioner", _lines({"diagnosis_pointers": [1, 1]}), "billing", ("CLM004",)),
    ("LT and RT on one line", AETNA, "practitioner",
     {"lines": [{"modifiers": ["LT", "RT"], "diagnosis_pointers": [1, 2]}], "diagnoses": ["M54.31", "M54.32"]},
     "billing", ("MOD002",)),
    ("plan that nobody knows", BCBSTX | {"plan": "silver"}, "practitioner", {}, "billing", ("PAY001",)),
    # Units and sides.
    ("two units", MEDICARE, "practitioner", _lines({"units": 2}), "rework", ("UNT001",)),
    ("three units in a hospital", MEDICARE_A, "hospital_outpatient", _lines({"units": 3}), "rework", ("UNT001",)),
    ("no units", MEDICARE, "practitioner", _lines({"units": None}), "rework", ("UNT001",)),
    ("two lines for one side", MEDICARE, "practitioner", _lines({}, {}), "rework", ("UNT002",)),
    ("both sides on two lines", MEDICARE, "practitioner", TWO_SIDES, "rework", ("MOD004",)),
    ("both sides with two units", MEDICARE, "practitioner",
     {**BOTH, "lines": [{"modifiers": ["50"], "units": 2, "diagnosis_pointers": [1, 2]}]}, "rework", ("MOD003",)),
    ("modifier 50 from a surgical center", MEDICARE, "asc", BOTH, "rework", ("MOD005",)),
    ("50 with RT", UHC, "practitioner",
     {**BOTH, "lines": [{"modifiers": ["50", "RT"], "diagnosis_pointers": [1, 2]}]}, "rework", ("MOD002",)),
    ("both sides on two lines", NEBRASKA, "practitioner", TWO_SIDES, "rework", ("MOD004",)),
    ("a line beside modifier 50", BCBSOK, "practitioner",
     {"lines": [{"modifiers": ["50"], "diagnosis_pointers": [1, 2]}, {}], "diagnoses": ["M54.31", "M54.32"]},
     "rework", ("UNT002",)),
    ("left billed, right diagnosed", AETNA, "practitioner", _lines({"modifiers": ["LT"]}), "rework", ("DXN003",)),
    ("right billed, left diagnosed", CIGNA, "hospital_outpatient", {"diagnoses": ["M54.32"]}, "rework", ("DXN003",)),
    ("professional component", MEDICARE, "practitioner", _lines({"modifiers": ["26", "RT"]}), "rework", ("MOD001",)),
    ("technical component", BCBSOK, "practitioner", _lines({"modifiers": ["TC", "RT"]}), "rework", ("MOD001",)),
    # Bundling.
    ("ultrasound guidance apart", MEDICARE, "practitioner", _beside(ULTRASOUND), "rework", ("BND001",)),
    ("fluoroscopy from a surgical center", MEDICARE, "asc",
     _beside({"procedure": "77002", "charge": "180.00"}), "rework", ("BND001",)),
    ("visit without modifier 25", MEDICARE, "practitioner", _beside(VISIT), "rework", ("BND004",)),
    # Identifiers.
    ("billing NPI with a wrong digit", UHC, "practitioner",
     {"billing_provider": {"npi": "1234567890"}}, "rework", ("IDN001",)),
    ("rendering NPI with nine digits", AETNA, "practitioner",
     {"rendering_provider": {"npi": "123456789"}}, "rework", ("IDN002",)),
    ("attending NPI with a wrong digit", BCBSTX, "hospital_outpatient",
     {"attending_provider": {"npi": "1234567894"}}, "rework", ("IDN002",)),
    ("old Medicare number", MEDICARE, "practitioner",
     {"subscriber": {"member_id": "123456789A"}}, "rework", ("IDN004",)),
    # The form.
    ("total is not the sum", CIGNA, "practitioner", {"total_charge": "500.00"}, "rework", ("CLM001",)),
    ("line charge below zero", BCBSTX, "practitioner",
     _beside({"procedure": "J3301", "charge": "-20.00"}), "rework", ("CLM002",)),
    ("diagnosis twice", UHC, "practitioner", {"diagnoses": ["M54.31", "M54.31"]}, "rework", ("CLM003",)),
    ("pointer to nowhere", AETNA, "practitioner", _lines({"diagnosis_pointers": [3]}), "rework", ("CLM004",)),
    ("five modifiers", CIGNA, "practitioner",
     _lines({"modifiers": ["RT", "59", "76", "77", "GC"]}), "rework", ("CLM005",)),
    ("received before the service", UHC, "practitioner", {"received_date": "2026-07-01"}, "rework", ("CLM006",)),
    ("service before birth", ANTHEM, "practitioner", {"patient": {"birth_date": "2026-08-01"}}, "rework", ("CLM006",)),
    ("procedure with four characters", BCBSTX, "practitioner",
     _beside({"procedure": "9921", "charge": "150.00"}), "rework", ("CLM007",)),
    ("replacement without reference", AETNA, "practitioner", {"frequency_code": "7"}, "rework", ("CLM008",)),
    ("void without reference", CIGNA, "hospital_outpatient",
     {"frequency_code": "8", "type_of_bill": "0138"}, "rework", ("CLM008",)),
    ("no place of service", UHC, "practitioner", {"place_of_service": None}, "rework", ("CLM009",)),
    ("no type of bill", MEDICARE_A, "hospital_outpatient", {"type_of_bill": None}, "rework", ("CLM009",)),
    ("ICD-9 diagnosis", BCBSTX, "practitioner", {"diagnoses": ["724.3"]}, "rework", ("DXN001",)),
    ("diagnosis with a slip of the pen", CIGNA, "practitioner", {"diagnoses": ["M5431X99"]}, "rework", ("DXN001",)),
    ("injection by telehealth", AETNA, "practitioner", {"place_of_service": "02"}, "rework", ("POS001",)),
    ("a year and a month late", MEDICARE, "practitioner", {"received_date": "2027-08-13"}, "rework", ("TIM001",)),
    ("seven months late", CIGNA, "practitioner", {"received_date": "2027-02-13"}, "rework", ("TIM001",)),
    ("four months late", UHC, "practitioner", {"received_date": "2026-11-13"}, "billing", ("TIM001",)),
    ("several faults at once", MEDICARE, "practitioner",
     {"lines": [{"units": 2, "modifiers": ["26", "LT"]}, {**ULTRASOUND, "modifiers": []}], "total_charge": "600.00"},
     "rework", ("BND001", "CLM001", "DXN003", "MOD001", "UNT001")),
    # Unchecked: nothing here for this book.
    ("another block", MEDICARE, "practitioner", _lines({"procedure": "64450"}), "unchecked", ()),
    ("a visit alone", UHC, "practitioner", _lines({"procedure": "99213", "modifiers": []}), "unchecked", ()),
    ("before the book begins", AETNA, "practitioner",
     _lines({"service_date": "2022-11-02"}), "unchecked", ()),
)  # fmt: skip

EXAMPLES: tuple[DemoClaim, ...] = tuple(DemoClaim(number, *row) for number, row in enumerate(_ROWS, 1))
