"""The list of the guides' segments is that of pyx12's maps, and everything in it is read or classed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from importlib.resources import files

import pytest

from ops.notread import outcome, page
from worker.intake.x12.fields import LOOPS, Form
from worker.intake.x12.guide import KNOWN_NAMES, all_segments

MAPS = {"P": "837.5010.X222.A1.xml", "I": "837Q3.I.5010.X223.A1.v2.xml"}
QUALIFIED = {"NM1", "REF", "DTP", "AMT", "PRV", "CRC", "QTY"}
TOGETHER = {
    # loops that the reader holds for one
    "P": {**dict.fromkeys(("2330C", "2330D", "2330E", "2330F", "2330G"), "2330C-G"),
          **dict.fromkeys(("2420B", "2420D", "2420E", "2420F", "2420G", "2420H"), "2420B-H")},
    "I": {**dict.fromkeys(("2330C", "2330D", "2330E", "2330F", "2330G", "2330H", "2330I"), "2330C-I"),
          **dict.fromkeys(("2420A", "2420B", "2420D"), "2420A-D")},
}  # fmt: skip


def of_the_maps(form: Form) -> Iterator[tuple[str, str]]:
    root = ET.fromstring((files("pyx12") / "map" / MAPS[form]).read_text())
    for loop in root.iter("loop"):
        name = loop.get("xid") or ""
        if not name.startswith("2"):
            continue
        for segment in loop.findall("segment"):
            kind = segment.get("xid") or ""
            if kind in ("HL", "CLM"):
                continue
            place = TOGETHER[form].get(name, name)
            first = segment.find("element") if kind in QUALIFIED else None
            codes = [code.text or "" for code in first.iter("code")] if first is not None else []
            yield from ((place, f"{kind}*{code}") for code in codes)
            if not codes:
                yield place, kind


@pytest.mark.parametrize("form", ["P", "I"])
def test_the_list_is_that_of_the_maps(form: Form) -> None:
    assert set(all_segments(form)) == set(of_the_maps(form))


@pytest.mark.parametrize("form", ["P", "I"])
def test_every_segment_of_the_guides_is_read_or_classed(form: Form) -> None:
    assert [f"{loop} {segment}" for loop, segment in all_segments(form) if not outcome(form, loop, segment)] == []


@pytest.mark.parametrize("form", ["P", "I"])
def test_the_readers_loops_have_a_place_for_every_segment_of_the_guides(form: Form) -> None:
    loops = {loop.name: loop for loop in LOOPS if form in loop.forms}
    left = [
        f"{loop} {segment}"
        for loop, segment in all_segments(form)
        if segment not in loops[loop].opens and segment.partition("*")[0] not in loops[loop].members.split()
    ]
    assert left == []


def test_the_page_names_every_segment() -> None:
    text = page()
    assert all(f"`{name}`" in text for name in KNOWN_NAMES)
