"""`scrub backtest` as a user runs it: formats, bytes, exit codes, two books, and what it says of wrong usage."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.backtest import year
from tests.backtest.running import backtested
from tests.backtest.test_suppression import solved
from tests.worker.remitted import clp, era, svc
from worker.backtest.suppression import Sum
from worker.cli.backtest_views import rendered

from .conftest import SCRUB, Run, environment


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> year.Year:
    return year.write(tmp_path_factory.mktemp("year"), 500, seed=3)


def arguments(made: year.Year) -> list[str]:
    """As a shell makes them of `*.837 --answers *.835`."""
    return ["backtest", *map(str, made.claims), "--answers", *map(str, made.answers)]


def test_the_same_inputs_give_the_same_bytes(scrub: Run, home: Path, made: year.Year) -> None:
    for cores in ("1", "2"):
        done = scrub(*arguments(made), "--format", "json", "--cores", cores, "-o", cores)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (home / "1").read_bytes() == (home / "2").read_bytes()


def test_no_claim_and_no_person_is_named_in_any_format(made: year.Year) -> None:
    result = backtested(made.claims, made.answers)
    for format in ("text", "json", "csv", "html"):
        one = rendered(result, format)
        assert one == rendered(backtested(made.claims, made.answers), format)
        for private in (b"CANARY", b"ROE", b"Y0000", b"ICNY", b"ZGP", b"1935-", b"MAIN ST"):
            assert private not in one, (format, private)


def test_what_is_not_shown_cannot_be_worked_out_from_all_that_is(scrub: Run, made: year.Year) -> None:
    """The whole output, solved with other code: all that is shown is put in, and no small count follows."""
    shown = json.loads(scrub(*arguments(made), "--format", "json").stdout)
    whole = json.loads(scrub(*arguments(made), "--format", "json", "--least", "1").stdout)
    small = hidden_small = 0
    for code in [one["code"] for one in whole["judged"][0]["rules"]]:
        values, hidden = _cells(whole, code), {key for key, value in _cells(shown, code).items() if value is None}
        few = {key for key, value in values.items() if value is not None and 0 < value < 11}
        assert few <= hidden, (code, few - hidden)
        assert not solved(_sums(values), frozenset(hidden)) & few, code
        small, hidden_small = small + len(few), hidden_small + len(hidden)
    assert small > 100, "there is something to hide"
    assert hidden_small < sum(len(_cells(whole, one["code"])) for one in whole["judged"][0]["rules"]) / 2


Cell = tuple[str, str]


def _cells(told: Any, code: str) -> dict[Cell, int | None]:
    """By group and measure all that is told of a rule and of the whole; where a rule did not fire it is 0."""
    cells: dict[Cell, int | None] = {}
    for one in told["totals"]:
        group = "|".join((one["payer"], one["axis"], one["value"]))
        cells |= {(group, "denied"): one["denied"], (group, "paid"): one["paid"]}
        cells |= {(group, "fd"): 0, (group, "fe"): 0, (group, "fp"): 0}
        cells |= {(group, "sd"): one["denied"], (group, "sp"): one["paid"]}
    (rule,) = (one for one in told["judged"][0]["rules"] if one["code"] == code)
    for one in rule["splits"]:
        group = "|".join((one["payer"], one["axis"], one["value"]))
        names = {
            "fd": "fired_denied",
            "fe": "fired_elsewhere",
            "fp": "fired_paid",
            "sd": "silent_denied",
            "sp": "silent_paid",
        }
        cells |= {(group, short): one[name] for short, name in names.items()}
    return cells


def _sums(cells: dict[Cell, int | None]) -> list[Sum[Cell]]:
    groups = sorted({group for group, _ in cells})
    found = []
    for group in groups:
        payer, axis, value = group.split("|")
        found.append(Sum((group, "denied"), ((group, "fd"), (group, "fe"), (group, "sd"))))
        if axis != "carc":
            found.append(Sum((group, "paid"), ((group, "fp"), (group, "sp"))))
        kinds = ("denied", "fd", "fe", "sd") + (("paid", "fp", "sp") if axis != "carc" else ())
        if payer == "*":
            parts = [one for one in groups if one.split("|")[1:] == [axis, value] and one.split("|")[0] != "*"]
            found += [Sum((group, kind), tuple((one, kind) for one in parts)) for kind in kinds]
        if not axis:
            for split in ("month", "carc"):
                parts = [one for one in groups if one.split("|")[:2] == [payer, split]]
                of = kinds if split == "month" else ("denied", "fd", "fe", "sd")
                found += [Sum((group, kind), tuple((one, kind) for one in parts)) for kind in of if parts]
    return found


def test_csv_has_a_row_for_each_rule_and_split(scrub: Run, made: year.Year) -> None:
    rows = list(csv.DictReader(io.StringIO(scrub(*arguments(made), "--format", "csv", "--least", "1").stdout)))
    told = json.loads(scrub(*arguments(made), "--format", "json", "--least", "1").stdout)
    assert len(rows) == sum(len(one["splits"]) for one in told["judged"][0]["rules"])
    (held,) = (row for row in rows if (row["rule"], row["payer"], row["carc"], row["month"]) == ("held", "*", "*", "*"))
    counts = [
        int(held[name]) for name in ("fired_denied", "fired_paid", "silent_denied", "silent_paid", "fired_elsewhere")
    ]
    assert sum(counts) == told["claims"]["counted"]
    assert held["in_sample"] == "after"


def test_two_sets_of_overrides_side_by_side(scrub: Run, home: Path, made: year.Year) -> None:
    """What the override changes is seen: the rule weighs less, and claims that it alone held go on."""
    (home / "ours.yaml").write_text(OVERRIDE)
    unpinned = scrub("rules", "overrides", "ours.yaml")
    assert unpinned.returncode == 1
    pin = unpinned.stdout.split("which is ")[1][:12]
    (home / "ours.yaml").write_text(OVERRIDE.replace("expires", f'written_for: "{pin}", expires'))
    both = ["--overrides", "none", "--overrides", "ours.yaml"]
    told = json.loads(scrub(*arguments(made), *both, "--format", "json", "--least", "1").stdout)
    first, second = told["judged"]
    assert first["book"]["digest"] != second["book"]["digest"]
    assert (first["overrides"], len(second["overrides"])) == ("none", 64)
    severity = [next(rule["severity"] for rule in one["rules"] if rule["code"] == "CLM001") for one in told["judged"]]
    assert severity == ["block", "note"]
    alone = {one["held_by"]: one for one in told["moved"]}
    assert alone["second"] == {"held_by": "second", "denied": 0, "paid": 0}
    assert alone["first"]["denied"] + alone["first"]["paid"] > 0
    text = scrub(*arguments(made), *both).stdout
    assert "First book" in text
    assert "Between the books" in text


OVERRIDE = """\
overrides:
  - {name: milder, rule: CLM001, severity: note, payers: [medicare, aetna, bcbs, cigna, uhc], reason: a letter, owner: me, expires: 2030-12-31}
"""


def test_wrong_usage_says_what_to_do(scrub: Run, home: Path, made: year.Year) -> None:
    (home / "m.csv").write_text("claim,day\nA,2026-01-01\n")
    done = scrub(*arguments(made), "--manifest", "m.csv")
    assert done.returncode == 2
    assert "The manifest m.csv cannot be used: line 1" in done.stderr
    (home / "a.835").write_bytes(era(clp("A", "1", "450", "0", "ICN1", *svc("450", "0", "1", "CO*151*450"))))
    done = scrub("backtest", "a.835")
    assert done.returncode == 2
    assert "expected files of claims" in done.stderr
    done = scrub("backtest", "nowhere.837", "--answers", "a.835")
    assert done.returncode == 2
    assert "nowhere.837: No such file" in done.stderr
    done = scrub("backtest", str(made.claims[0]), "--answers", "a.835", "--book", "a", "--book", "b", "--book", "c")
    assert done.returncode == 2


def test_a_file_that_cannot_be_read_ends_with_2_and_the_rest_counts(scrub: Run, home: Path, made: year.Year) -> None:
    (home / "broken.ndjson").write_text("{broken\n")
    done = scrub(*arguments(made), "broken.ndjson")
    assert done.returncode == 2
    assert "1 could not be read" in done.stdout
    assert "broken.ndjson: line 1: could not be read" in done.stdout


@pytest.mark.parametrize("format", ["text", "html"])
@pytest.mark.parametrize(("redirected", "why"), [(">&-", "it is closed"), (">/dev/full", "No space left on device")])
def test_an_output_that_cannot_be_written_is_one_sentence(
    home: Path, made: year.Year, format: str, redirected: str, why: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", *SCRUB, *arguments(made), "--format", format],
        capture_output=True, timeout=180, cwd=home, env=environment(home), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.decode()) == (2, f"cannot write the output: {why}\n")
