"""Claims as a certified coder sees them, with the verdict that public sources demand: `coding/expected.json` names them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rules.claim import read_claim
from rules.engine.check import check
from rules.report import Finding, Report
from rules.terms import SEVERITIES
from tests.book import BOOK

FOLDER = Path(__file__).parent / "coding"
CLAIMS: dict[str, dict[str, Any]] = {
    claim["claim_id"]: claim for claim in map(json.loads, (FOLDER / "claims.ndjson").read_text("utf-8").splitlines())
}
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text("utf-8"))
PAID = [name for name, expected in EXPECTED.items() if expected["kind"] == "paid"]
FAULTY = [name for name, expected in EXPECTED.items() if expected["kind"] != "paid" and expected["min_severity"]]
REPORTS: dict[str, Report] = {}


def report(name: str) -> Report:
    if name not in REPORTS:
        REPORTS[name] = check(read_claim(CLAIMS[name]), BOOK)
    return REPORTS[name]


def rank(severity: str) -> int:
    """0 for the lightest."""
    return ("note", "warn", "block").index(severity)


def weights(name: str) -> list[int]:
    return [rank(finding.severity) for finding in report(name).findings]


def families(wanted: str) -> list[str]:
    """`BND005|BND003`, `COV*` and `*53`: codes, the beginning of one, or a word that the text must carry."""
    return wanted.split("|")


def meant(finding: Finding, wanted: str) -> bool:
    if wanted.startswith("*"):
        return wanted[1:] in finding.message
    return finding.code.startswith(wanted.rstrip("*")) if wanted.endswith("*") else finding.code == wanted


def test_each_claim_has_its_verdict() -> None:
    assert set(CLAIMS) == set(EXPECTED)
    assert len(EXPECTED) == 44
    assert set(SEVERITIES) == {"note", "warn", "block"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_claim_goes_where_a_coder_would_send_it(name: str) -> None:
    expected, verdict = EXPECTED[name], report(name)
    codes = {finding.code for finding in verdict.findings}
    assert verdict.disposition == expected["disposition"]
    assert codes >= set(expected["must"])
    assert codes.isdisjoint(expected["must_not"])
    heavy = {finding.severity for finding in verdict.findings}
    assert heavy.isdisjoint(expected.get("must_not_severity", ()))
    if expected["min_severity"]:
        assert max(weights(name), default=-1) >= rank(expected["min_severity"])


@pytest.mark.parametrize("name", [name for name in FAULTY if "must_any_or_new_rule" in EXPECTED[name]])
def test_the_fault_is_found_under_a_name_that_says_it(name: str) -> None:
    wanted = [word for one in EXPECTED[name]["must_any_or_new_rule"] for word in families(one)]
    assert any(meant(finding, word) for finding in report(name).findings for word in wanted)


def test_how_many_are_found_missed_and_nagged() -> None:
    found = [name for name in FAULTY if max(weights(name), default=-1) >= rank(EXPECTED[name]["min_severity"])]
    held = [name for name in EXPECTED if EXPECTED[name]["disposition"] != "rework" and report(name).codes("block")]
    nagged = [name for name in PAID if max(weights(name), default=-1) >= rank("warn")]
    said = Counter(name for name in PAID for _ in report(name).findings)
    assert (len(found), len(FAULTY) - len(found), held, nagged) == (27, 0, [], [])
    assert said.total() / len(PAID) <= 0.2


def test_what_monitored_care_is_known_by_is_said() -> None:
    (finding,) = report("B10").findings
    assert "QS on line 1" in finding.message
    assert "monitored care" in finding.message


def test_a_packaged_block_is_not_told_to_take_a_modifier() -> None:
    (finding,) = report("B42").findings
    assert (finding.code, finding.severity, finding.expected_denial) == ("BND020", "note", None)
    assert "no 59" in finding.fix
