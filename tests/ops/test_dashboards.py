"""The dashboards: as generated, in LogQL that Grafana's own grammar takes, and with the report's numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ops import logql
from ops.dashboards import boards
from ops.dashboards.boards import documents, expressions
from tests.ops.logql.evaluate import Log, Vector, evaluate
from tests.ops.logql.syntax import NODE, NotLogql, concrete, parse
from tests.report.generated import lines
from worker.reporting.figures import count
from worker.reporting.load import loaded
from worker.store.outletspecs import DISPOSITIONS

pytestmark = pytest.mark.skipif(not NODE, reason="no node and npm on PATH, which Grafana's LogQL grammar needs")
HELD = "Newest claims in rework: number, payer, cents"
FOLDER = Path(boards.__file__).parent


@pytest.mark.parametrize("name", documents())
def test_the_file_is_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text() == documents()[name]


def test_every_expression_is_logql_and_what_is_none_is_recognized() -> None:
    trees = parse([concrete(text, payer="(medicare|uhc)") for text in expressions().values()])
    assert len(trees) >= 30
    with pytest.raises(NotLogql, match="from here on"):
        parse(['sum(count_over_time({service_name="claim-scrubber"} | json [5m])'])


def test_a_bar_of_a_rule_leads_to_its_claims_and_its_page_at_the_desk_and_boards_to_the_desks_lists() -> None:
    routes = "".join(file.read_text() for file in (FOLDER.parents[1] / "worker/serve/pages").glob("*routes.py"))
    for text in documents().values():
        board = json.loads(text)
        assert "desk" in [one["name"] for one in board["templating"]["list"]]
        for one in board["links"]:
            path = one["url"].removeprefix("${desk}")
            assert f'router.get("{path}")' in routes, path
    panels = {one["title"]: one for one in json.loads(documents()["billing.json"])["panels"]}
    links = [one["url"] for one in panels["Top findings: claims"]["fieldConfig"]["defaults"]["links"]]
    assert links == ["${desk}/held?code=${__field.labels.entry}", "${desk}/rules/${__field.labels.entry}"]
    assert 'router.get("/held")' in routes
    assert 'router.get("/rules/{code}")' in routes
    assert "by (entry)" in panels["Top findings: claims"]["targets"][0]["expr"], "the label that the links name"
    assert "links" not in panels["To import"]["fieldConfig"]["defaults"]


def test_a_field_that_no_line_has_is_refused_when_the_dashboards_are_made() -> None:
    with pytest.raises(KeyError, match=r"no log line has a field 'claim.payr'; did you mean 'claim.payer'"):
        logql.decisions("5m", "claim.payr")


def test_panels_have_a_title_a_sentence_a_unit_and_lie_beside_each_other() -> None:
    for text in documents().values():
        panels = json.loads(text)["panels"]
        assert panels
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            assert panel["title"]
            assert panel["type"] == "logs" or (panel["description"] and panel["fieldConfig"]["defaults"]["unit"])
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            assert max(x for x, _ in cells) < 24
            taken |= cells


def log_of(given: list[dict[str, Any]]) -> Log:
    pairs = [(moment(line), json.dumps(line, separators=(",", ":"))) for line in given]
    return Log.of(pairs, service_name="claim-scrubber")


def moment(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["@timestamp"].replace("Z", "+00:00")).astimezone(UTC).timestamp()


def by(vector: Vector, label: str = "service_name") -> dict[str, float]:
    return {dict(key).get(label, ""): value for key, value in vector.items()}


@pytest.fixture(scope="module")
def month() -> list[dict[str, Any]]:
    given = list(lines(400))
    # A race that was lost: our line is taken back, and the other worker's stands.
    ours = next(line for line in given if line.get("claim.disposition") == "rework")
    given += [{**ours, "event.action": "claim.superseded", "error.code": "not_mine"}, {**ours, "audit.chain": "other"}]
    return given


def test_their_numbers_are_the_reports(month: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").write_text("".join(json.dumps(line) + "\n" for line in month))
    with loaded([tmp_path / "audit.jsonl"]) as database:
        report = count(database, "it")
    of_lines = f"billing.json: {HELD} A"
    log, names = log_of(month), [name for name in expressions() if name.startswith("billing") and name != of_lines]
    trees = parse([concrete(expressions()[name], "40d", payer=".*") for name in names])
    found = {
        name.split(": ", 1)[1]: evaluate(tree, log, log.times[-1]) for name, tree in zip(names, trees, strict=True)
    }
    whole = report.whole
    assert by(found["Clean claim rate A"])["claim-scrubber"] == pytest.approx(whole["clean"] / whole["firsts"])
    assert by(found["Held in rework A"])["claim-scrubber"] == pytest.approx(whole["held_cents"] / 100)
    counted = [line for line in month if line.get("claim.disposition") == "rework" and "claim.expected_cents" in line]
    least = sum(line["claim.expected_cents"] * (-1 if "superseded" in line["event.action"] else 1) for line in counted)
    assert least > 0
    assert by(found["Expected of these A"])["claim-scrubber"] == pytest.approx(least / 100)
    went = by(found["Where claims went A"], "claim_disposition")
    assert went == {name: whole[name] for name in DISPOSITIONS}
    for name in DISPOSITIONS:
        assert by(found[f"{name.title()} A"])["claim-scrubber"] == went[name]
    findings = {row["code"]: row for row in report.findings if row["claims"]}
    claims, stake = by(found["Top findings: claims A"], "entry"), by(found["Top findings: charge at stake A"], "entry")
    assert len(claims) == min(12, len(findings))
    assert claims == {code: findings[code]["claims"] for code in claims}
    assert stake == {code: pytest.approx(findings[code]["cents"] / 100) for code in stake}
    denials = {row["code"]: row["claims"] for row in report.denials}
    foreseen = by(found["Denials foreseen A"], "entry")
    assert foreseen
    assert foreseen == {code: denials[code] for code in foreseen}
    undetermined = {row["code"]: row["claims"] for row in report.undecided if row["kind"] == "undetermined"}
    assert by(found["Undetermined A"], "entry") == undetermined
    held = {row["payer"]: row["held_cents"] / 100 for row in report.by_payer if row["held_cents"]}
    assert undetermined
    assert held
    assert by(found["Held in rework by payer A"], "claim_payer") == pytest.approx(held)


def test_a_payer_without_one_clean_claim_has_a_rate_of_nought_and_does_not_vanish(month: list[dict[str, Any]]) -> None:
    given = [line for line in month if line.get("claim.payer") != "cigna" or line["claim.disposition"] != "billing"]
    log = log_of(given)
    (tree,) = parse([logql.clean_rate("40d", "claim.payer")])
    rates = by(evaluate(tree, log, log.times[-1]), "claim_payer")
    assert rates["cigna"] == 0
    assert rates["medicare"] > 0.8


def test_no_claim_has_more_findings_of_a_kind_than_the_dashboards_look_at(month: list[dict[str, Any]]) -> None:
    for name in ("rule.block", "rule.denials", "rule.undetermined"):
        assert 0 < max(len(line.get(name, [])) for line in month) <= logql.LISTED, name
