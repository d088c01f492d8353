"""The published schemas are the models', and real messages hold to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator

from ops import schemas
from rules.authoring.examples import example_claim
from rules.authoring.trial import ROLES
from rules.claim import read_claim
from rules.engine.check import check
from tests.backtest import year
from tests.backtest.running import backtested
from tests.book import BOOK
from worker.cli.backtest_views import rendered
from worker.pipeline.batch import judge, read
from worker.pipeline.context import BatchContext
from worker.pipeline.inbox import InboxEntry
from worker.store.keyring import Rings
from worker.store.keys import FIELD, Keys

EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "/x",
    "type": "claim.submitted.v1",
    "time": "2026-07-20T14:03:00Z",
    "datacontenttype": "application/json",
}


def claim(role: Any = "practitioner", **difference: Any) -> dict[str, Any]:
    return example_claim(role, difference, {"id": "87726", "filing_indicator": "CI"})


def message(name: str) -> Draft202012Validator:
    document = schemas.asyncapi()
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})


@pytest.mark.parametrize("name", schemas.documents())
def test_the_file_is_what_the_models_say(name: str) -> None:
    assert json.loads((schemas.FOLDER / name).read_text()) == schemas.documents()[name]


@pytest.mark.parametrize("name", ["claim.json", "report.json", "backtest.json"])
def test_the_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(schemas.documents()[name])


@pytest.mark.parametrize("role", ROLES)
def test_a_readable_claim_and_its_report_hold_to_their_schemas(role: str) -> None:
    data = claim(role, lines=[{"units": "2", "modifiers": ["50", "RT"]}])
    Draft202012Validator(schemas.documents()["claim.json"]).validate(data)
    report = orjson.loads(orjson.dumps(check(read_claim(data), BOOK)))
    assert report["findings"]
    Draft202012Validator(schemas.documents()["report.json"]).validate(report)


def test_a_backtest_holds_to_its_schema(tmp_path: Path) -> None:
    made = year.write(tmp_path, 60)
    told = rendered(backtested(made.claims, made.answers, least=11), "json")
    Draft202012Validator(schemas.documents()["backtest.json"]).validate(json.loads(told))


@pytest.mark.parametrize(
    "fault", [{"payer": {}}, {"form": "dental"}, {"total_charge": "much"}, {"surprise": 1}, {"lines": []}]
)
def test_an_unreadable_claim_does_not(fault: dict[str, Any]) -> None:
    assert not Draft202012Validator(schemas.documents()["claim.json"]).is_valid({**claim(), **fault})


@pytest.mark.parametrize(
    ("data", "outlet", "schema"),
    [
        (claim(), "billing", "ClaimScrubbed"),
        (claim(total_charge="1.00"), "rework", "ClaimScrubbed"),
        (claim(lines=[{"procedure": "64450"}]), "unchecked", "ClaimScrubbed"),
        ({"claim_id": "x"}, "quarantine", "ClaimQuarantined"),
    ],
)
def test_what_goes_in_and_what_comes_out_hold_to_the_asyncapi_document(
    data: dict[str, Any], outlet: str, schema: str
) -> None:
    event = {**EVENT, "data": data}
    assert message("ClaimEvent").is_valid(event) is (outlet != "quarantine")
    raw = orjson.dumps(event)
    context = BatchContext(book=BOOK, keys=Keys(0), rings=Rings.of(b"secret"), limit=2**20)
    (decision,) = judge(read([InboxEntry("1-0", raw, {FIELD.encode(): raw})], context), {}, context)
    assert decision.item.route == outlet
    message(schema).validate(orjson.loads(decision.item.payload))
