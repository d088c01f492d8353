"""pyx12's own validator beside the layer: on every file that is at hand, and on two clean files broken in every way.

The table of the layer is compiled from pyx12's maps, but not its walk nor its checks. Where they disagree, EXPLAINED
says why.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator

import pytest
import pyx12.errors
import pyx12.params
import pyx12.x12n_document

from tests.x12.mutants import CLEAN, mutants
from tests.x12.oracles import relabeled
from tests.x12.samples import SAMPLES
from tests.x12.test_syntax import BASES, REPORTED, edited
from worker.intake.document import Document
from worker.intake.documents import read_documents
from worker.intake.x12.fields import Form

SHARED = SAMPLES.parent
FILES = sorted({
    *(SHARED / "cases/form").glob("*.837"), *(SHARED / "cases/reading").glob("*.837"),
    *(SHARED / "samples/x12/lfh").glob("837*"), *(SHARED / "samples/x12/imsweb").glob("*.txt"),
})  # fmt: skip
BEYOND = re.compile(
    r"failed to match the regular expression|is not a valid code for .*(?:Place of Service|Remark|State|Country|Currency)"
    r"|trailing element terminators|leading space|^HL |^(?:SE|GE|IEA) (?:count|id)"
)
"""What pyx12 finds that the layer does not look for: ZIP codes (ADR), lists that age, trailing separators and blanks,
which the reader takes; and the envelope with its numbers, which is the envelope's part."""
EXPLAINED = {
    "d06_LX_restart.837": "numbers of lines are the reader's part: it gives them anew and says so (RDR001)",
    "mjpete3/x12#13: blanks to the least length where a required element is empty":
        "pyx12 takes blanks for a value; the reader and receivers take them for padding, so that nothing is left",
}  # fmt: skip
"""By file, title or mutant."""


def found_by_pyx12(raw: str) -> list[str]:
    out = io.StringIO()
    pyx12.x12n_document.x12n_document(pyx12.params.ParamsBase(), io.StringIO(relabeled(raw)), None, None, fd_json=out)
    text = out.getvalue()
    return [one for one in _sentences(json.loads(text)) if not BEYOND.search(one)] if text else []


def _sentences(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "err_str" in node:
            yield str(node["err_str"])
        for value in node.values():
            yield from _sentences(value)
    elif isinstance(node, list):
        for value in node:
            yield from _sentences(value)


def found_by_the_layer(raw: str) -> tuple[bool, list[str]]:
    """Whether all claims were read, and what was found."""
    items = [item for item in read_documents("f", io.BytesIO(raw.encode("latin-1"))) if item.number]
    read = [item for item in items if isinstance(item, Document)]
    faults = {str(fault) for item in read for fault in item.claim.form_faults}
    return len(read) == len(items) and bool(items), sorted(faults)


def disagreement(raw: str) -> str:
    """Nothing where both find something or neither does, or where the reader refuses a claim."""
    whole, ours = found_by_the_layer(raw)
    if not whole:
        return ""
    try:
        theirs = found_by_pyx12(raw)
    except pyx12.errors.X12Error:
        return ""  # the envelope, which it cannot read
    return "" if bool(ours) == bool(theirs) else f"layer: {ours}, pyx12: {theirs}"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not FILES, reason="the cases and samples are not beside the project")
def test_on_every_file_that_is_read_both_find_something_or_neither_does() -> None:
    found = {file.name: text for file in FILES if (text := disagreement(file.read_text("latin-1")))}
    assert found.keys() <= EXPLAINED.keys(), found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_on_what_people_reported_they_agree() -> None:
    found = {}
    for title, (form, edit, _) in REPORTED.items():
        raw = edited(form, edit)
        if text := disagreement(raw):
            found[title] = text
    assert found.keys() <= EXPLAINED.keys(), found


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("form", ["P", "I"])
def test_on_files_broken_in_every_way_they_agree(form: Form) -> None:
    assert found_by_pyx12(CLEAN[form]) == []
    assert found_by_pyx12(BASES[form]) == []
    found = {one.name: text for one in mutants(form) if (text := disagreement(one.raw))}
    assert found.keys() <= EXPLAINED.keys(), found
