"""The importers: what an official file becomes, and how a faulty one is refused, with file, line and sentence."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest

from rules.tables.edition import Edition
from worker.errors import TableRefused
from worker.tables.official import editions_in, size_of

from .official import (
    COVERAGE,
    PAIRS_HEADER,
    PAIRS_HEADER_ON_ONE_LINE,
    Row,
    coverage_zip,
    hcpcs_text,
    order_text,
    pack,
    pairs_text,
    quarter,
    units_text,
)  # fmt: skip

REFERENCE = Path(os.environ.get("SCRUB_REFERENCE", Path(__file__).parents[3] / "shared" / "reference"))
PAIRS: list[Row] = [
    ("20553", "64445", "20170101", "*", "1"),
    ("27447", "64445", "19960101", "*", "0"),
    ("64445", "20550", "20060101", "20161231", "1"),
    ("64445", "20550", "20200101", "*", "1"),
    ("64445", "92012", "20130701", "20130701", "9"),
    ("64445", "92012", "20130701", "*", "1"),
    ("64450", "20550", "20060101", "*", "1"),
]
CODES = [("M54", "0"), ("M543", "0"), ("M5431", "1"), ("U099", "1")]


def read(*files: Path) -> list[Edition]:
    return editions_in(files, "64445", lambda _: None)


def refusal(*files: Path) -> list[str]:
    with pytest.raises(TableRefused) as caught:
        read(*files)
    return [problem.replace(f"{files[0].parent}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("header", [PAIRS_HEADER, PAIRS_HEADER_ON_ONE_LINE])
def test_four_files_of_pairs_become_one_edition(tmp_path: Path, zipped: bool, header: str) -> None:
    (edition,) = read(*quarter(tmp_path, PAIRS, zipped=zipped, header=header))
    assert (edition.table, edition.release) == ("ncci_ptp", "2026 Q3, v322r0")
    assert edition.speaks["practitioner"].from_ == date(2026, 7, 1)
    assert [file.name[-6:-4] for file in edition.files] == ["f1", "f2", "f3", "f4"]
    assert list(edition.all_rows()) == [
        *[("practitioner", "0001A", "0591T", "1", "2022-01-01", "2023-12-31")] * 4,
        ("practitioner", "20553", "64445", "1", "2017-01-01", ""),
        ("practitioner", "27447", "64445", "0", "1996-01-01", ""),
        ("practitioner", "64445", "20550", "1", "2006-01-01", "2016-12-31"),
        ("practitioner", "64445", "20550", "1", "2020-01-01", ""),
        ("practitioner", "64445", "92012", "9", "2013-07-01", "2013-07-01"),
        ("practitioner", "64445", "92012", "1", "2013-07-01", ""),
        ("practitioner", "64450", "20550", "1", "2006-01-01", ""),
    ], "every row of all four files, whatever its procedures"
    assert (edition.whole, edition.count) == (True, 11)


@pytest.mark.parametrize(
    ("name", "setting", "release", "starts"),
    [
        ("ccioph-v323r0", "outpatient_hospital", "2026 Q4, v323r0", date(2026, 10, 1)),
        ("ccipra-v302r1", "practitioner", "2024 Q3, v302r1", date(2024, 7, 1)),
        ("CCIPRA-V310R0", "practitioner", "2025 Q1, v310r0", date(2025, 1, 1)),
    ],
)
def test_table_and_quarter_are_in_the_names_of_the_files(
    tmp_path: Path, name: str, setting: str, release: str, starts: date
) -> None:
    (edition,) = read(*quarter(tmp_path, PAIRS, name))
    assert (edition.release, list(edition.speaks)) == (release, [setting])
    assert edition.speaks[setting].from_ == starts


def test_both_tables_may_be_given_at_once_in_any_order(tmp_path: Path) -> None:
    files = [*quarter(tmp_path, PAIRS), *quarter(tmp_path, PAIRS, "ccioph-v322r0")]
    assert sorted(part for edition in read(*files[::-1]) for part in edition.speaks) == [
        "outpatient_hospital",
        "practitioner",
    ]


def broken(files: Sequence[Path], change: Callable[[bytes], bytes], part: int = 4) -> Sequence[Path]:
    file = files[part - 1]
    file.write_bytes(change(file.read_bytes()))
    return files


def test_without_all_four_files_a_quarter_is_refused(tmp_path: Path) -> None:
    files = quarter(tmp_path, PAIRS)
    assert refusal(files[0], files[2]) == [
        "ccipra-v322r0-f1.zip/ccipra-v322r0-f1.TXT: is of four files of 2026 Q3, v322r0; give f2, f4 with it"
    ]
    assert "was given twice" in refusal(*files, files[3])[0]


def test_a_zip_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    files = broken(quarter(tmp_path, PAIRS), lambda content: content[: len(content) // 2])
    assert refusal(*files) == [
        "ccipra-v322r0-f4.zip: is no whole zip: it is cut short, damaged or encrypted; get it again"
    ]


def test_a_damaged_member_of_a_zip_is_refused(tmp_path: Path) -> None:
    files = quarter(tmp_path, PAIRS)
    with zipfile.ZipFile(files[3]) as archive:
        start = archive.infolist()[0].header_offset + 80
    broken(files, lambda content: content[:start] + bytes([content[start] ^ 0xFF]) + content[start + 1 :])
    assert "cut short, damaged or encrypted" in refusal(*files)[0]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"\t1\tStandards of medical/surgical practice\r\n", b"\t1", "expected 7 fields with tabs between, found 6"),
        (b"\t1\tStandards of medical/surgical practice\r\n", b"\t1\tStandards of med", "the last line has no line end: the file is cut short; get it again"),
        (b"\t64445\t\t", b"\t64445\t\t\t", "expected 7 fields with tabs between, found 8"),
        (b"19960101\t*", b"19961301\t*", "expected an effective date as YYYYMMDD and a deletion date, or * for none"),
        (b"19960101\t*", b"19960101\t", "expected an effective date as YYYYMMDD and a deletion date, or * for none"),
        (b"19960101\t*", b"19960101\t19951231", "the deletion date is before the effective date"),
        (b"19960101\t*\t0", b"19960101\t*\t2", "expected modifier indicator 0, 1 or 9, found '2'"),
        (b"27447\t64445", b"2744\t64445", "expected two codes of 5 characters, found '2744' and '64445'"),
    ],
)  # fmt: skip
def test_a_faulty_line_of_pairs_is_named(tmp_path: Path, old: bytes, new: bytes, expected: str) -> None:
    files = quarter(
        tmp_path, [("27447", "64445", "19960101", "*", "0"), ("64445", "20550", "20060101", "*", "1")], zipped=False
    )

    def change(content: bytes) -> bytes:
        head, found, tail = content.rpartition(old)
        return head + new + tail if found else content

    for part in range(1, 5):
        broken(files, change, part)
    assert any(
        re.fullmatch(rf"ccipra-v322r0-f\d\.TXT:\d+: {re.escape(expected)}", problem) for problem in refusal(*files)
    )


def test_a_wrong_header_of_pairs_is_refused(tmp_path: Path) -> None:
    files = quarter(tmp_path, PAIRS, header=PAIRS_HEADER.replace("Deletion", "Ending"), zipped=False)
    (problem,) = refusal(*files)
    assert problem.startswith(
        "ccipra-v322r0-f1.TXT:6: expected the header Column 1, Column 2, *=in existence prior to 1996,"
    )
    assert "Ending Date" in problem


def test_a_file_that_ends_in_its_header_is_refused(tmp_path: Path) -> None:
    files = broken(quarter(tmp_path, PAIRS, zipped=False), lambda _: PAIRS_HEADER.encode())
    assert refusal(*files) == [
        "ccipra-v322r0-f4.TXT:1: expected a header that begins with `Column 1` and rows behind it: the file is cut short"
    ]


def test_overlapping_periods_of_a_pair_are_refused_also_across_files(tmp_path: Path) -> None:
    twice: Row = ("27447", "64445", "20200101", "*", "1")
    files = quarter(tmp_path, PAIRS, zipped=False)
    files[3].write_bytes(pairs_text([("64445", "20551", "20060101", "*", "1"), twice]))
    assert refusal(*files) == ["ccipra-v322r0-f4.TXT:8: the period of 27447/64445 overlaps that of an earlier row"]


def test_pairs_without_the_procedure_in_both_columns_are_refused(tmp_path: Path) -> None:
    (problem,) = refusal(*quarter(tmp_path, PAIRS[:2]))
    assert problem.endswith("no row has 64445 in column 1: the file is cut short, or of another table")


def test_a_pair_that_takes_effect_after_the_quarter_of_the_name_is_refused(tmp_path: Path) -> None:
    late: Row = ("64445", "20551", "20261001", "*", "1")
    (problem,) = refusal(*quarter(tmp_path, [*PAIRS, late]))
    assert problem.endswith("takes effect on 2026-10-01, after the quarter that the name says (2026 Q3, v322r0)")


def test_pairs_under_another_name_are_refused_with_the_name_that_is_wanted(tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_bytes(pairs_text(PAIRS))
    assert "such as ccipra-v322r0-f1.txt" in refusal(file)[0]


@pytest.mark.parametrize(
    ("setting", "part"), [("Practitioner", "practitioner"), ("Outpatient Hospital", "outpatient_hospital")]
)
def test_medically_unlikely_edits(tmp_path: Path, setting: str, part: str) -> None:
    file = tmp_path / f"MCR_MUE_{setting.replace(' ', '')}Services_Eff_07-01-2026.csv"
    file.write_bytes(
        units_text([("0001U", "1", "2"), ("64445", "1", "3"), ("J1010", "160", "3"), ("J9999", "2", "1")], setting)
    )
    (edition,) = read(file)
    assert (edition.table, edition.release, edition.speaks[part].from_) == ("mue", "2026 Q3", date(2026, 7, 1))
    assert list(edition.all_rows()) == [
        (part, "0001U", "1", "2", "", ""),
        (part, "64445", "1", "3", "", ""),
        (part, "J1010", "160", "3", "", ""),
        (part, "J9999", "2", "1", "", ""),
    ]
    assert edition.whole


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: text.replace(b"MUE Rationale", b"Reason"), "MCR_MUE_P_Eff_07-01-2026.csv:1: expected a header: HCPCS/CPT Code, Practitioner (or Outpatient Hospital) Services MUE Values, MUE Adjudication Indicator, MUE Rationale"),
        (lambda text: text.replace(b"Practitioner Services", b"DME Supplier Services"), "MCR_MUE_P_Eff_07-01-2026.csv:5: no rule reads the table of DME Supplier services; expected practitioner or outpatient hospital services"),
        (lambda text: text.replace(b"64445,", b"64446,"), "MCR_MUE_P_Eff_07-01-2026.csv: no row is for 64445: the file is cut short, or of another table"),
        (lambda text: text.replace(b"64445,1,", b"64445,one,"), "MCR_MUE_P_Eff_07-01-2026.csv:7: expected a code of 5 characters, whole units, and an adjudication indicator from 1 to 3"),
        (lambda text: text.replace(b"64445,", b"0001U,"), "MCR_MUE_P_Eff_07-01-2026.csv:7: 0001U is there twice: the periods overlap"),
        (lambda text: text[:-10], "MCR_MUE_P_Eff_07-01-2026.csv:7: the last line has no line end: the file is cut short; get it again"),
    ],
)  # fmt: skip
def test_faulty_medically_unlikely_edits_are_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], expected: str
) -> None:
    file = tmp_path / "MCR_MUE_P_Eff_07-01-2026.csv"
    file.write_bytes(change(units_text([("0001U", "1", "2"), ("64445", "1", "3")])))
    assert refusal(file) == [expected]


def test_medically_unlikely_edits_under_another_name_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "mue.csv"
    file.write_bytes(units_text([("64445", "1", "3")]))
    assert "such as MCR_MUE_PractitionerServices_Eff_07-01-2026.csv" in refusal(file)[0]


def fee_schedule(name: str) -> bytes:
    file = REFERENCE / name
    if not file.is_file():
        pytest.skip(f"no reference file {name}; set SCRUB_REFERENCE to its folder")
    return file.read_bytes()


@pytest.mark.parametrize(
    ("name", "first", "last", "office", "facility"),
    [
        (
            "PPRRVU2025_Oct.excerpt.csv",
            date(2025, 10, 1),
            date(2025, 12, 31),
            ("1.39", "3.13", "0.16", "32.3465"),
            ("1.39", "0.61", "0.16", "32.3465"),
        ),
        (
            "PPRRVU2026_Jul_nonQPP.excerpt.csv",
            date(2026, 7, 1),
            date(2026, 12, 31),
            ("1.36", "3.68", "0.15", "33.4009"),
            ("1.36", "0.47", "0.15", "33.4009"),
        ),
    ],
)
def test_the_fee_schedule_of_31_and_of_32_columns(
    tmp_path: Path, name: str, first: date, last: date, office: tuple[str, ...], facility: tuple[str, ...]
) -> None:
    (tmp_path / name).write_bytes(fee_schedule(name))
    edition, indicators = read(tmp_path / name)
    assert edition.table == "relative_values"
    assert edition.rows == (("facility", "64445", *facility, "", ""), ("nonfacility", "64445", *office, "", ""))
    assert {(p.from_, p.to) for p in edition.speaks.values()} == {(first, last)}
    assert indicators.rows == (("physician", "64445", "A", "2", "1", "", ""),)
    assert {(p.from_, p.to) for p in indicators.speaks.values()} == {(first, last)}


def of_participants(content: bytes) -> bytes:
    return content.replace(b"33.4009", b"33.5675")


def test_of_two_fee_schedules_in_a_zip_the_one_with_the_lower_factor_is_taken(tmp_path: Path) -> None:
    lower = fee_schedule("PPRRVU2026_Jul_nonQPP.excerpt.csv")
    content = {"PPRRVU2026_Jul_QPP.csv": of_participants(lower), "PPRRVU2026_Jul_nonQPP.csv": lower}
    values, _, factor = read(
        pack(tmp_path / "rvu26c.zip", {**content, "RVU26C.pdf": b"%PDF", "GPCI2026.csv": b"a,b\n"})
    )
    assert values.release == "2026 July, conversion factor 33.4009"
    assert {row[5] for row in values.rows} == {"33.4009"}
    assert (factor.table, factor.rows) == ("conversion_factors", (("qualifying", "33.5675", "", ""),))
    assert (factor.speaks[""].from_, factor.speaks[""].to) == (date(2026, 7, 1), date(2026, 12, 31))


def test_two_fee_schedules_that_were_taken_out_of_their_zip_are_one_release(tmp_path: Path) -> None:
    lower = fee_schedule("PPRRVU2026_Jul_nonQPP.excerpt.csv")
    files = [tmp_path / "PPRRVU2026_Jul_QPP.csv", tmp_path / "PPRRVU2026_Jul_nonQPP.csv"]
    files[0].write_bytes(of_participants(lower))
    files[1].write_bytes(lower)
    assert [edition.table for edition in read(*files)] == [
        "relative_values",
        "payment_indicators",
        "conversion_factors",
    ]


def test_the_fee_schedule_of_qualifying_participants_alone_is_not_taken_for_everybodys(tmp_path: Path) -> None:
    (tmp_path / "PPRRVU2026_Jul_QPP.csv").write_bytes(
        of_participants(fee_schedule("PPRRVU2026_Jul_nonQPP.excerpt.csv"))
    )
    assert refusal(tmp_path / "PPRRVU2026_Jul_QPP.csv") == [
        "PPRRVU2026_Jul_QPP.csv: is for qualifying participants alone; give the file for all others (nonQPP) of the same zip with it"
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"HCPCS,MOD,DESCRIPTION", b"HCPCS,MODIFIER,DESCRIPTION", ":10: expected the header of 2025 (31 columns) or 2026 (32 columns); found 32 columns"),
        (b"\n64445,,", b"\n64446,,", "64446 is there twice: the periods overlap"),
        (b",33.4009,09,0,99,0.00,0.00,0.00\r\n64446", b"\r\n64446", "expected 32 fields, found 25"),
        (b"5.19,1.98", b"5.19,x", "expected numbers as relative values, totals and conversion factor"),
        (b"5.19,1.98", b"5.20,1.98", "expected a nonfacility total of 5.19, the sum of its values"),
        (b"Relative Value File July Release", b"Relative Value File Release", ":1: expected a title with year and month of the release"),
    ],
)  # fmt: skip
def test_a_faulty_fee_schedule_is_refused(tmp_path: Path, old: bytes, new: bytes, expected: str) -> None:
    content = fee_schedule("PPRRVU2026_Jul_nonQPP.excerpt.csv")
    assert old in content
    (tmp_path / "fees.csv").write_bytes(content.replace(old, new))
    (problem,) = refusal(tmp_path / "fees.csv")
    assert problem.startswith("fees.csv:")
    assert problem.endswith(expected)


def test_the_headers_of_an_order_file_hold_for_its_fiscal_year(tmp_path: Path) -> None:
    content = {"icd10cm_order_2027.txt": order_text(CODES), "icd10cm_codes_2027.txt": b"A000    Cholera\r\n"}
    (edition,) = read(pack(tmp_path / "2027-code-descriptions-tabular-order.zip", content))
    assert (edition.table, edition.release) == ("diagnosis_headers", "FY 2027")
    assert (edition.speaks[""].from_, edition.speaks[""].to) == (date(2026, 10, 1), date(2027, 9, 30))
    assert edition.rows == (("M54", "", ""), ("M543", "", ""))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (order_text(CODES[:3]), "icd10cm_order_2027.txt:3: ends at M5431, before the last chapter: the file is cut short"),
        (order_text(CODES).replace(b"00003 ", b"00004 "), "icd10cm_order_2027.txt:3: order number 4 follows 2: lines are missing, or there twice"),
        (order_text(CODES).replace(b"M543    0", b"M543    2"), "icd10cm_order_2027.txt:2: expected an order number, a code, and 1 or 0 in column 15"),
        (order_text(CODES)[:-5], "icd10cm_order_2027.txt:4: the last line has no line end: the file is cut short; get it again"),
    ],
)  # fmt: skip
def test_a_faulty_order_file_is_refused(tmp_path: Path, text: bytes, expected: str) -> None:
    (tmp_path / "icd10cm_order_2027.txt").write_bytes(text)
    assert refusal(tmp_path / "icd10cm_order_2027.txt") == [expected]


def test_an_order_file_under_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "codes.txt").write_bytes(order_text(CODES))
    assert "such as icd10cm_order_2026.txt" in refusal(tmp_path / "codes.txt")[0]


def test_the_coverage_export_gives_the_covered_diagnoses_by_state_and_part(tmp_path: Path) -> None:
    (edition,) = read(coverage_zip(tmp_path / "current_article.zip"))
    assert {area: period.from_ for area, period in edition.speaks.items()} == {
        "CA B": date(2023, 1, 1), "NY A": date(2024, 10, 1), "NY B": date(2024, 10, 1),
    }  # fmt: skip
    assert edition.rows == (
        ("CA B", "*", "A50001", "2023-01-01", "2023-12-31"),
        ("CA B", "M5432", "A50001", "2023-01-01", "2023-12-31"),
        ("CA B", "*", "A50001 A52725", "2024-01-01", "2024-12-31"),
        ("CA B", "G5701", "A52725", "2024-01-01", "2024-12-31"),
        ("CA B", "M5432", "A50001", "2024-01-01", "2024-12-31"),
        ("CA B", "*", "A52725", "2025-01-01", ""),
        ("CA B", "G5701", "A52725", "2025-01-01", ""),
        *((f"NY {part}", code, "A57452", "2024-10-01", "") for part in "AB" for code in ("*", "G5701", "M5431")),
    )


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("article.csv", lambda text: text.replace("article_eff_date", "eff"), "article.csv:1: expected a header with article_eff_date"),
        ("article.csv", lambda text: text[:-30], "article.csv:7: expected 9 fields, found 5"),
        ("article.csv", lambda text: text.replace("50001,1,1", "52725,1,1"), None),
        ("article_x_icd10_covered.csv", lambda text: text.rstrip(), "article_x_icd10_covered.csv:8: the last line has no line end: the file is cut short; get it again"),
        ("article_x_hcpc_code.csv", lambda text: text.replace("64445", "64446"), "article.csv: no article in force lists 64445 with covered diagnoses and a contractor of part A or B"),
        ("state_lookup.csv", None, "article.csv: is a part of the coverage export; state_lookup.csv must be given with it"),
    ],
)  # fmt: skip
def test_a_faulty_coverage_export_is_refused(
    tmp_path: Path, name: str, change: Callable[[str], str] | None, expected: str | None
) -> None:
    content = {key: text for key, text in COVERAGE.items() if key != name or change}
    if change:
        content[name] = change(content[name])
    file = coverage_zip(tmp_path / "a.zip", content)
    if expected is None:  # the retired article loses its other parts, and so does not count
        assert read(file)
    else:
        assert refusal(file) == [f"a.zip/current_article_csv.zip/{expected}"]


def test_two_versions_of_an_article_at_once_are_refused(tmp_path: Path) -> None:
    article = COVERAGE["article.csv"] + "57452,13,1,Blocks,2025-09-20,2025-10-01,,text,A\r\n"
    listed = COVERAGE["article_x_hcpc_code.csv"] + "57452,13,64445,1,1,,,x,y\r\n"
    file = coverage_zip(tmp_path / "a.zip", {**COVERAGE, "article.csv": article, "article_x_hcpc_code.csv": listed})
    assert refusal(file) == [
        "a.zip/current_article_csv.zip/article.csv:8: another version of article A57452 holds at the same time: the periods overlap"
    ]


MODIFIERS = [("LT", "19900101", ""), ("RT", "19900101", ""), ("XE", "20150101", ""), ("XU", "20150101", ""), ("JG", "20180101", "20241231")]  # fmt: skip


def test_the_modifiers_and_codes_of_the_alpha_numeric_file(tmp_path: Path) -> None:
    content = {"HCPC2026_OCT_ANWEB.txt": hcpcs_text(MODIFIERS), "HCPC2026_recordlayout.txt": b"CMS RIF REPORT\n"}
    edition, codes = read(pack(tmp_path / "october-2026-alpha-numeric-hcpcs-file.zip", content))
    assert (codes.table, codes.release, codes.speaks[""].from_) == ("hcpcs_codes", "2026 Oct", date(2026, 10, 1))
    assert codes.rows == (("A0021", "1990-01-01", ""), ("V5364", "1990-01-01", ""))
    assert (edition.table, edition.release, edition.speaks[""].from_) == ("modifiers", "2026 Oct", date(2026, 10, 1))
    assert edition.rows[:2] == (("JG", "2018-01-01", "2024-12-31"), ("LT", "1990-01-01", ""))
    assert len(edition.rows) == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (hcpcs_text(MODIFIERS, ["A0021"]), ": has not all modifiers and codes that are sure to be in it: the file is cut short"),
        (hcpcs_text(MODIFIERS[1:]), ": has not all modifiers and codes that are sure to be in it: the file is cut short"),
        (hcpcs_text([*MODIFIERS, MODIFIERS[0]]), ":11: modifier LT is there twice: the periods overlap"),
        (hcpcs_text([("LT", "19901301", "")]), ":1: expected a code in columns 1 to 5, or a modifier in 4 and 5, and dates as YYYYMMDD from columns 269 and 285"),
        (hcpcs_text(MODIFIERS).replace(b"N\r\n", b"\r\n", 1), ":1: expected 293 characters with 3, 4, 7 or 8 in column 11"),
    ],
)  # fmt: skip
def test_a_faulty_alpha_numeric_file_is_refused(tmp_path: Path, text: bytes, expected: str) -> None:
    (tmp_path / "HCPC2026_OCT_ANWEB.txt").write_bytes(text)
    assert refusal(tmp_path / "HCPC2026_OCT_ANWEB.txt") == [f"HCPC2026_OCT_ANWEB.txt{expected}"]


def test_what_is_no_official_table_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a letter\n")
    (tmp_path / "empty.csv").write_bytes(b"")
    pack(tmp_path / "b.zip", {"letter.txt": b"a letter\n"})
    pack(tmp_path / "mue.xlsx", {"[Content_Types].xml": b"<xml/>"})
    pack(tmp_path / "c.zip", {"ccipra-v322r0-f1.xlsx": b"a workbook"})
    problems = refusal(*(tmp_path / name for name in ("a.txt", "empty.csv", "b.zip", "mue.xlsx", "c.zip", "none.txt")))
    assert [problem.partition(": ")[0] for problem in problems] == [
        "a.txt",
        "empty.csv",
        "b.zip",
        "mue.xlsx",
        "c.zip",
        "none.txt",
    ]
    assert all("is no official table that is known; expected NCCI pairs" in problem for problem in problems[:3])
    assert all("is an Excel workbook" in problem for problem in problems[3:5])
    assert problems[5] == "none.txt: No such file or directory"


def test_every_fault_of_every_file_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "icd10cm_order_2027.txt").write_bytes(order_text(CODES[:3]))
    (tmp_path / "mue.csv").write_bytes(units_text([("64445", "1", "3")]))
    assert len(refusal(tmp_path / "icd10cm_order_2027.txt", tmp_path / "mue.csv", *quarter(tmp_path, PAIRS)[:2])) == 3


def test_the_progress_ends_at_the_size(tmp_path: Path) -> None:
    files = quarter(tmp_path, PAIRS)
    told: list[int] = []
    editions_in(files, "64445", told.append)
    assert sum(told) == size_of(files) > 0


@pytest.mark.parametrize("number", ["1E+1000000", "9e9999999", "NaN", "-1e-1000000", "9" * 400])
def test_a_fee_schedule_with_a_number_out_of_all_bounds_is_refused_with_its_line(tmp_path: Path, number: str) -> None:
    """`Decimal` reads each of them, and the product of two raises (shopspring/decimal#427)."""
    content = fee_schedule("PPRRVU2026_Jul_nonQPP.excerpt.csv")
    assert b"33.4009" in content
    (tmp_path / "fees.csv").write_bytes(content.replace(b"33.4009", number.encode()))
    (problem,) = refusal(tmp_path / "fees.csv")
    assert problem.startswith("fees.csv:")
    assert "expected numbers as relative values, totals and conversion factor" in problem


PAYMENT_AMOUNTS = b'"2026","01112","05","64445","  ","0000225.18","0000074.00"," ","0","A","2","0000000.00","0000000.00","9","0000000.00","0000000.00"\r\n"TRLCPT codes are copyright"\r\n'
"""As the file's documentation (PF26PA) lays it out."""


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("name", "content", "instead"),
    [
        ("PFALL26AR.txt", PAYMENT_AMOUNTS, "PPRRVU (the whole zip) and GPCI give the same amounts: give these"),
        (
            "25LOCCO.csv",
            b"COUNTIES INCLUDED IN 2025 LOCALITIES. (ALPHABETICALLY BY STATE),,,,\r\n10112,0,ALABAMA ,STATEWIDE ,ALL COUNTIES \r\n",
            "the ZIP Code to Carrier Locality File says which locality a place is in: give that",
        ),
    ],
)
def test_an_official_file_of_which_nothing_can_be_made_names_the_one_to_give(
    tmp_path: Path, name: str, content: bytes, instead: str, zipped: bool
) -> None:
    file = pack(tmp_path / "official.zip", {name: content}) if zipped else tmp_path / name
    if not zipped:
        file.write_bytes(content)
    (problem,) = refusal(file)
    assert problem.startswith(f"{file.name}: ")
    assert problem.endswith(instead)
