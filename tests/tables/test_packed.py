"""Whole tables, packed: every row is found as the official file says, in one file that books name by its digest."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from rules.authoring.examples import example_claim
from rules.book.pack import packed, unpacked
from rules.claim import read_claim
from rules.engine.cases import case_of
from rules.errors import BookInvalid
from rules.facts.pairs import pair_of
from rules.loader import load_book, read_book, whole_book
from rules.tables.edition import Edition
from rules.tables.packedrows import CODE_BITS, ENDLESS, Unreadable, code_of, mapped_rows, number_of, packed_rows
from tests.book import BOOK
from worker.books import archive
from worker.tables import editionstore
from worker.tables.official import editions_in

from .official import Row, quarter, units_text

PAIRS: list[Row] = [
    ("20553", "64445", "20170101", "*", "1"),
    ("29881", "20610", "20200101", "*", "1"),
    ("29881", "29875", "20100101", "20191231", "1"),
    ("29881", "29875", "20191231", "*", "0"),
    ("29881", "29877", "20200101", "20200101", "1"),
    ("64445", "20550", "20060101", "*", "1"),
]
DAY = date(2026, 8, 15)
LATER = date(2026, 10, 15)


def read(*files: Path) -> list[Edition]:
    return editions_in(files, "64445", lambda _: None)


def imported(folder: Path, rows: Sequence[Row] = PAIRS, name: str = "ccipra-v322r0") -> Edition:
    """One edition, imported into the folder."""
    place = folder.parent / f"official-{name}"
    place.mkdir(exist_ok=True)
    (edition,) = read(*quarter(place, rows, name, zipped=False))
    editionstore.add(folder, [edition])
    return edition


@pytest.mark.parametrize("code", ["00000", "0001A", "64445", "G0463", "ZZZZZ"])
def test_a_code_is_a_number_and_back(code: str) -> None:
    assert code_of(number_of(code)) == code
    assert number_of(code) < 1 << CODE_BITS


@pytest.mark.parametrize("code", ["", "6444", "644455", "6444a", "6444-", "6444 ", "6444²"])
def test_what_is_no_code_is_in_no_table(code: str, tmp_path: Path) -> None:
    content = imported(tmp_path / "tables").content
    assert content is not None
    assert content.find((code, "64445"), DAY) is None
    assert not content.has(("64445", code))
    assert list(content.among({code, "29881"}, DAY)) == []


def test_every_look_up_agrees_with_the_rows_read_one_by_one() -> None:
    draw = random.Random(20)
    codes = [f"{number:05}" for number in range(100, 130)] + ["0213T", "G0463", "ZZZZZ"]
    rows: set[tuple[str, str, int, int, int]] = set()
    for _ in range(600):
        start = draw.randrange(10_000, 20_000)
        end = draw.choice([ENDLESS, start, start + draw.randrange(1, 900)])
        rows.add((draw.choice(codes), draw.choice(codes), start, end, draw.choice([0, 1, 9])))
    numbered = sorted((number_of(a) << CODE_BITS | number_of(b), start, end, value) for a, b, start, end, value in rows)
    content = packed_rows(
        "ncci_ptp", [row[0] for row in numbered], [row[1] << 16 | row[2] for row in numbered], [r[3] for r in numbered]
    )
    for _ in range(3_000):
        number, pair = draw.randrange(9_990, 21_000), (draw.choice(codes), draw.choice(codes))
        on = date(1970, 1, 1) + timedelta(days=number)
        held = [
            row for row in rows if row[:2] == pair and row[2] <= number <= row[3] and row[2] != row[3] and row[4] != 9
        ]
        newest = max((row[2] for row in held), default=0)
        found = content.find(pair, on)
        assert (found is None) is (not held)
        assert found is None or found[0] in {str(row[4]) for row in held if row[2] == newest}
        assert content.has(pair) is any(r[:2] == pair and r[2] != r[3] and r[4] != 9 for r in rows)
        assert dict(content.among({*pair}, on)).get(pair) == found
    assert len(list(content.rows())) == len(content) == len(rows)


def test_the_rows_of_all_procedures_are_found_and_what_is_not_there_is_no_pair(tmp_path: Path) -> None:
    imported(tmp_path / "tables")
    table = load_book(imported=tmp_path / "tables", examples=False).tables["ncci_ptp"]
    assert table.find(("practitioner", "29881", "20610"), DAY) == ("1",)
    assert table.find(("practitioner", "29881", "20610"), date(2019, 12, 31)) is None
    assert table.find(("practitioner", "20610", "29881"), DAY) is None
    assert table.find(("practitioner", "27447", "64445"), DAY) is None, "the shipped row stands aside"
    assert table.whole("practitioner", DAY)
    assert not table.whole("outpatient_hospital", DAY)
    assert table.find(("outpatient_hospital", "27447", "64445"), DAY) == ("1",)


def test_a_row_that_ends_on_the_day_on_which_it_begins_never_held(tmp_path: Path) -> None:
    content = imported(tmp_path / "tables").content
    assert content is not None
    assert content.find(("29881", "29877"), date(2020, 1, 1)) is None
    assert not content.has(("29881", "29877"))
    assert len(content) == len(PAIRS) + 4


def test_of_a_day_on_which_one_row_ends_and_the_next_begins_the_next_speaks(tmp_path: Path) -> None:
    content = imported(tmp_path / "tables").content
    assert content is not None
    days = (date(2019, 12, 30), date(2019, 12, 31), date(2020, 1, 1))
    assert [content.find(("29881", "29875"), day) for day in days] == [("1",), ("0",), ("0",)]


def test_the_days_on_which_rows_change_are_those_of_the_table(tmp_path: Path) -> None:
    imported(tmp_path / "tables")
    table = load_book(imported=tmp_path / "tables", examples=False).tables["ncci_ptp"]
    changes = {date(2006, 1, 1), date(2010, 1, 1), date(2017, 1, 1), date(2019, 12, 31), date(2020, 1, 1)}
    assert changes <= set(table.change_days)
    assert table.unchanged_since(date(2019, 12, 31)) == date(2019, 12, 31)


def damaged(folder: Path, content: bytes | None) -> str:
    (file,) = folder.glob("*.rows")
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(BookInvalid) as caught:
        load_book(imported=folder, examples=False)
    (problem,) = caught.value.problems
    assert problem.file.startswith("imported/ncci_ptp-practitioner-2026-Q3-v322r0-")
    return problem.sentence.replace(str(file), "ROWS")


def test_rows_that_are_gone_cut_or_others_are_named_and_nothing_is_judged_without_them(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    imported(folder)
    (file,) = folder.glob("*.rows")
    whole = file.read_bytes()
    get_it = "; import ccipra-v322r0-f1.TXT, ccipra-v322r0-f2.TXT, ccipra-v322r0-f3.TXT, ccipra-v322r0-f4.TXT (`scrub tables import`) on this machine"
    assert damaged(folder, whole[:-1]) == f"its rows lie in ROWS: it is cut short{get_it}"
    assert damaged(folder, b"") == f"its rows lie in ROWS: it is empty{get_it}"
    assert damaged(folder, b"x" * 200) == f"its rows lie in ROWS: it holds no packed rows of this table{get_it}"
    other = whole[:20] + bytes(32) + whole[52:]
    assert damaged(folder, other).startswith("ROWS holds other rows than its name says")
    assert damaged(folder, None) == f"its rows lie in ROWS: it cannot be read: No such file or directory{get_it}"


def test_a_changed_byte_is_found_by_who_reads_all_of_it(tmp_path: Path) -> None:
    imported(tmp_path / "tables")
    (file,) = (tmp_path / "tables").glob("*.rows")
    assert mapped_rows("ncci_ptp", file).sound()
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    file.write_bytes(changed)
    assert not mapped_rows("ncci_ptp", file).sound()
    with pytest.raises(Unreadable, match="no packed rows of this table"):
        mapped_rows("mue", file)


def test_undo_leaves_the_rows_for_replays_and_an_import_again_takes_them_up(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    edition = imported(folder)
    digest = load_book(imported=folder, examples=False).digest
    editionstore.remove(folder, [edition.id])
    assert editionstore.stored(folder) == []
    assert len(list(folder.glob("*.rows"))) == 1
    assert imported(folder) == edition
    assert load_book(imported=folder, examples=False).digest == digest


def extract(edition: Edition, **changes: object) -> Edition:
    """The edition as earlier releases imported it: the rows of 64445 alone."""
    rows = [row for row in edition.all_rows() if "64445" in row and row[3] != "9"]
    data = edition.model_dump(mode="json", by_alias=True, exclude={"packed"}) | {"form": 1, "rows": rows} | changes
    return Edition.model_validate(data)


def test_an_extract_of_an_earlier_release_stays_readable_and_says_all_of_its_procedure_alone(tmp_path: Path) -> None:
    (whole,) = read(*quarter(tmp_path, PAIRS))
    old = extract(whole)
    assert (old.whole, old.procedure, whole.procedure) == (False, "64445", None)
    editionstore.add(tmp_path / "tables", [old])
    assert b'"packed"' not in next((tmp_path / "tables").glob("*.json")).read_bytes()
    book = load_book(imported=tmp_path / "tables", examples=False)
    case = case_of(read_claim(example_claim("practitioner", {}, {"id": "04412"})), book, None)
    said = [
        pair_of(case, *codes, DAY).indicator for codes in (("64445", "20553"), ("64445", "27447"), ("29881", "20610"))
    ]
    assert said == ["1", "none", "unknown"]


@pytest.mark.parametrize("digest", ["same files", "other files"])
def test_a_whole_edition_takes_the_place_of_an_extract_of_the_same_quarter(tmp_path: Path, digest: str) -> None:
    folder = tmp_path / "tables"
    (whole,) = read(*quarter(tmp_path, PAIRS))
    files = (
        [file.model_dump() for file in whole.files] if digest == "same files" else [{"name": "f", "sha256": "0" * 64}]
    )
    editionstore.add(folder, [extract(whole, files=files)])
    assert editionstore.add(folder, [whole]) == [whole]
    table = load_book(imported=folder, examples=False).tables["ncci_ptp"]
    assert table.whole("practitioner", DAY)
    assert table.find(("practitioner", "29881", "20610"), date(2020, 6, 1)) == ("1",), "it reaches back"
    assert editionstore.add(folder, [whole]) == []


def test_a_later_quarter_speaks_from_its_first_day(tmp_path: Path) -> None:
    imported(tmp_path / "tables")
    imported(tmp_path / "tables", [*PAIRS, ("29881", "20551", "20261001", "*", "0")], "ccipra-v323r0")
    table = load_book(imported=tmp_path / "tables", examples=False).tables["ncci_ptp"]
    assert table.find(("practitioner", "29881", "20551"), DAY) is None
    assert table.find(("practitioner", "29881", "20551"), LATER) == ("0",)
    assert len(list((tmp_path / "tables").glob("*.rows"))) == 2


def test_a_packed_book_has_the_digest_of_the_rows_and_a_machine_without_them_says_what_to_import(
    tmp_path: Path,
) -> None:
    imported(tmp_path / "tables")
    files = whole_book(None, tmp_path / "tables")
    content = packed(files)
    assert len(content) < 4_000_000
    again = unpacked("n.book", content)
    with pytest.raises(
        BookInvalid, match=r"its rows lie in .*\.rows: it cannot be read: .*import ccipra-v322r0-f1\.TXT"
    ):
        read_book(again.library, again.imported, rows=tmp_path / "elsewhere", examples=False)
    with pytest.raises(BookInvalid, match="no folder of imported tables was given"):
        read_book(again.library, again.imported, examples=False)
    imported(tmp_path / "elsewhere")
    book = read_book(again.library, again.imported, rows=tmp_path / "elsewhere", examples=False)
    assert book.digest == files.digest
    assert book.tables["ncci_ptp"].find(("practitioner", "29881", "20610"), DAY) == ("1",)


def test_an_archived_book_finds_its_rows_beside_the_archive(tmp_path: Path) -> None:
    edition = imported(tmp_path / "tables")
    files = whole_book(None, tmp_path / "tables")
    archive.add(tmp_path / "books", files)
    editionstore.remove(tmp_path / "tables", [edition.id])
    book = archive.find(tmp_path / "books", files.digest)
    assert book.tables["ncci_ptp"].find(("practitioner", "29881", "20610"), DAY) == ("1",)


def test_limits_of_all_procedures_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "MCR_MUE_PractitionerServices_Eff_07-01-2026.csv"
    file.write_bytes(units_text([("64445", "1", "3"), ("20610", "2", "3"), ("97110", "8", "1"), ("0001U", "0", "2")]))
    editionstore.add(tmp_path / "tables", read(file))
    table = load_book(imported=tmp_path / "tables", examples=False).tables["mue"]
    found = [table.find(("practitioner", code), DAY) for code in ("20610", "97110", "0001U", "J1010")]
    assert found == [("2", "3"), ("8", "1"), ("0", "2"), None]
    assert table.find(("practitioner", "J1010"), date(2026, 6, 30)) == ("160", "3"), "a shipped row, before it"
    assert len(BOOK.tables["mue"]) < len(table)
