"""Strategies: claims as hypothesis makes them up, and the claims of the corpus."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rules.authoring.examples import example_claim
from rules.authoring.trial import ROLES
from tests.corpus.stories import STORIES

PAYERS: list[dict[str, Any]] = [
    {"id": "x", "filing_indicator": "MB"},
    {"id": "60054", "filing_indicator": "CI"},
    {"id": "87726", "filing_indicator": "16"},
    {"id": "87726", "filing_indicator": "CI"},
    {"id": "62308", "responsibility": "S"},
    {"id": "x", "filing_indicator": "BL", "plan": "bcbsok"},
    {"id": "x", "filing_indicator": "BL", "plan": "nebraska"},
    {"id": "x", "filing_indicator": "BL", "plan": "ibx"},
    {"id": "x", "plan": "none such"},
    {"id": "x"},
]
CODES = [
    "64445",
    "64450",
    "64446",
    "76942",
    "77002",
    "99213",
    "G0463",
    "G2211",
    "20552",
    "20560",
    "20610",
    "27447",
    "01402",
    "01991",
]
OTHERS = ["J3301", "J1010", "J1030", "J2795", "96372", "A4550", "97140", "80053", "6444", None]
MODIFIERS = ["50", "LT", "RT", "59", "XS", "25", "26", "TC", "76", "80", "GA", "GZ", "QS", "T5", "rt", ""]
DIAGNOSES = [
    "M54.31",
    "M5432",
    "M54.30",
    "M54.16",
    "M51.16",
    "G57.01",
    "G57.03",
    "G89.18",
    "G89.29",
    "E11.42",
    "I10",
    "M54.3",
    "724.3",
    "?",
]
maybe = st.none
NPIS = st.sampled_from(["1234567893", "1245319599", "12345", ""])
PROVIDER = maybe() | st.fixed_dictionaries(
    {"npi": maybe() | NPIS, "taxonomy": st.sampled_from([None, "208VP0000X", "207L00000X"])}
)
DAYS = st.sampled_from([None, "2021-05-05", "2024-06-30", "2024-07-01", "2025-12-31", "2026-07-13", "2026-07-14"])
DRUG = st.sampled_from(
    [None, {"ndc": "00003029305", "quantity": "1", "unit": "ML"}, {"ndc": "1", "quantity": "0", "unit": "MG"}]
)
LINE = st.fixed_dictionaries(
    {
        "procedure": st.one_of(st.just("64445"), st.sampled_from(CODES), st.sampled_from(OTHERS)),
        "modifiers": st.lists(st.sampled_from(MODIFIERS), max_size=5),
        "units": st.sampled_from([None, "0", "1", "1", "2", "0.5", "3"]),
        "charge": st.sampled_from(["450.00", "0", "-1"]),
        "service_date": DAYS,
        "service_date_end": DAYS,
        "place_of_service": st.sampled_from([None, "11", "24", "22", "02", "98"]),
        "diagnosis_pointers": st.lists(st.integers(-1, 4), max_size=5),
        "rendering_provider": PROVIDER,
        "revenue_code": st.sampled_from([None, "0361"]),
        "drug": DRUG,
    }
)
flag = st.sampled_from([None, True, False])
RECORD = st.fixed_dictionaries(
    {
        "service_date": st.sampled_from([None, "2026-07-13", "2026-07-14"]),
        "indication": st.sampled_from([None, "chronic_pain", "postoperative_pain", "surgical_anesthesia"]),
        "block_timing": st.sampled_from([None, "preoperative", "postoperative"]),
        "laterality": st.sampled_from([None, "right", "left", "bilateral"]),
        "guidance": st.sampled_from([None, "ultrasound", "none"]),
        "intraoperative_anesthesia": st.sampled_from([None, "general", "mac"]),
        "surgeon_request": flag,
        "consent": flag,
        "pain_program": flag,
    }
)
CLAIM = st.fixed_dictionaries(
    {
        "lines": st.lists(LINE, min_size=1, max_size=5),
        "diagnoses": st.lists(st.sampled_from(DIAGNOSES), max_size=4),
        "rendering_provider": PROVIDER,
        "received_date": DAYS,
        "total_charge": st.sampled_from([None, "450.00"]),
        "frequency_code": st.sampled_from(["1", "1", "7", "8"]),
        "delay_reason_code": st.sampled_from([None, "1"]),
        "patient": st.sampled_from([None, {"birth_date": "1970-01-01"}, {"birth_date": "2026-07-14"}]),
        "statement_from_date": DAYS,
        "statement_through_date": DAYS,
        "other_payers": st.sampled_from([[], [{"payer_id": "1"}], [{"adjudication_date": "2026-07-01"}]]),
        "documentation": st.lists(RECORD, max_size=2),
        "service_facility": st.sampled_from([None, {"state": "CA", "kind": "hospital"}]),
    }
)
MADE_UP = st.builds(
    example_claim,
    st.sampled_from(ROLES),
    CLAIM | st.fixed_dictionaries({"lines": st.lists(LINE, min_size=1, max_size=4)}),
    st.sampled_from(PAYERS),
)
TOLD = st.sampled_from([story.data for story in STORIES if len(story.data["lines"]) < 50])


@st.composite
def crowded(draw: st.DrawFn) -> dict[str, Any]:
    """A claim of the corpus with a few lines more on its own day."""
    data = draw(TOLD)
    lines = [
        line | {"service_date": data["lines"][0]["service_date"]}
        for line in draw(st.lists(LINE, min_size=1, max_size=3))
    ]
    numbered = [line | {"number": len(data["lines"]) + 1 + place} for place, line in enumerate(lines)]
    return data | {"lines": [*data["lines"], *numbered]}


CLAIMS = MADE_UP | TOLD | crowded()
"""Claims as decoded JSON."""
UNITS = LINE.map(lambda line: line | {"procedure": "64445", "service_date": "2026-07-13"})
REPAIRABLE = st.builds(
    example_claim,
    st.sampled_from(ROLES),
    st.fixed_dictionaries(
        {
            "lines": st.lists(
                st.tuples(
                    UNITS, st.sampled_from([["50"], ["RT"], ["50", "59"]]), st.sampled_from(["0.5", "1", "2", "3"])
                ).map(lambda made: {**made[0], "modifiers": made[1], "units": made[2], "service_date_end": None}),
                min_size=1,
                max_size=3,
            )
        }
    ),
    st.sampled_from(PAYERS),
)
"""Claims whose units, and units with modifier 50, are wrong in most cases: what the book knows a repair for."""
