"""What a claim is expected to bring comes into its case with the decision: the same that the audit log has, which
reports sum, whichever of the two it is folded from; and into the cases of an earlier release once it is asked for."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from rules.authoring.examples import example_claim
from rules.payment.sums import UNKNOWN, ClaimExpected
from tests.book import BOOK
from worker import desk as desk_package
from worker.config.settings import load_settings
from worker.desk.cases import Case
from worker.desk.casestore import CaseStore
from worker.desk.following import Followed, follow
from worker.desk.pricing import price
from worker.errors import ContractsInvalid
from worker.store.connections import Store

from .conftest import Send

Brought = Callable[[], Followed]


def claim(number: str, diagnosis: str = "XX", **changes: Any) -> dict[str, Any]:
    """Of a physician in an office, held for its diagnosis."""
    base = example_claim("practitioner", {"diagnoses": [diagnosis], **changes}, {"filing_indicator": "MB"})
    return {**base, "claim_id": number, "total_charge": "450.00"}


MEDICARE, UNPRICED = claim("PCN-1"), claim("PCN-2", payer={"id": "87726", "filing_indicator": "CI"})
LINE = MEDICARE["lines"][0]
PART = claim("PCN-3", lines=[LINE, {**LINE, "number": 2, "units": None}])
EXPECTED = ClaimExpected("range", 16_193, 18_000)


def found(cases: CaseStore) -> dict[str, Case]:
    with cases.session() as session:
        return {one.claim_id: one for one in session.all()}


def audited(store: Store) -> Iterator[dict[str, Any]]:
    for file in store.settings.audit_path.iterdir():
        for line in file.read_bytes().splitlines():
            said = json.loads(line)
            if said["event.action"] == "claim.scrubbed":
                yield said


def test_a_case_has_what_the_audit_log_and_so_every_report_has(
    store: Store, decide: Send, brought: Brought, cases: CaseStore
) -> None:
    decide(MEDICARE, UNPRICED, PART)
    brought()
    every = found(cases)
    assert every["PCN-1"].expected == EXPECTED
    assert every["PCN-2"].expected == UNKNOWN, "unknown is not 0"
    assert every["PCN-3"].expected is not None
    assert every["PCN-3"].expected.kind == "part"
    logged = {
        line["claim.claim_id"]: (
            line.get("claim.expected_kind", "unknown"), line.get("claim.expected_cents"),
            line.get("claim.expected_high_cents"),
        )
        for line in audited(store)
    }  # fmt: skip
    told = {name: (one.expected.kind, one.expected.low_cents, one.expected.high_cents)
            for name, one in every.items() if one.expected}  # fmt: skip
    assert told == logged


def test_cases_that_are_folded_from_the_audit_log_have_the_same(
    store: Store, decide: Send, brought: Brought, cases: CaseStore, tmp_path: Path
) -> None:
    decide(MEDICARE, UNPRICED, PART)
    brought()
    store.redis.xtrim(store.keys.outlet("rework"), maxlen=0, approximate=False)
    others = CaseStore(f"sqlite:///{tmp_path / 'others.db'}")
    assert follow(store, others, lambda: BOOK).from_audit == 3
    again, before = found(others), found(cases)
    others.close()
    assert {name: one.expected for name, one in again.items()} == {name: one.expected for name, one in before.items()}


def test_cases_that_are_rebuilt_are_equal(
    store: Store, decide: Send, brought: Brought, cases: CaseStore, tmp_path: Path
) -> None:
    decide(MEDICARE, UNPRICED, PART)
    decide(claim("PCN-1", "M54.31"))
    decide(claim("PCN-1"), claim("PCN-3", "M54.31", subscriber={"member_id": "9AA8CD7EF66"}))
    brought()
    others = CaseStore(f"sqlite:///{tmp_path / 'others.db'}")
    follow(store, others, lambda: BOOK)
    again, before = found(others), found(cases)
    others.close()
    assert {name: (one.state, one.version, one.charge_cents, one.expected) for name, one in again.items()} == {
        name: (one.state, one.version, one.charge_cents, one.expected) for name, one in before.items()
    }
    assert before["PCN-3"].state == "mended"
    assert before["PCN-3"].expected is not None
    assert before["PCN-3"].expected.kind == "part", "what it was when it was held"


def of_the_last_release(url: str) -> Any:
    """Tables as migration 0002 left them."""
    CaseStore(url).close()  # makes its folder
    engine = create_engine(url, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(cast(str, desk_package.__file__)).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        for table in ("decisions", "acts", "cursors", "cases", "alembic_version"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        command.upgrade(config, "0002")
    return engine


def kept(engine: Any, number: str, content: dict[str, Any] | None, disposition: str = "rework") -> None:
    """A case as the last release wrote it."""
    name = number.replace("-", "")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO cases (handle, scope, claim_id, state, version, decision_id, moment, held_since, owner,"
            " pended_by, payer_name, charge_cents, codes, fault) VALUES"
            f" ('{name}', '', '{number}', '{'open' if disposition == 'rework' else 'mended'}', 3, 'd{name}',"
            " '2026-11-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z', 'dana', '', 'MEDICARE', 45000, '[\"DXN001\"]', '')"
        )
        packed = zlib.compress(json.dumps(content).encode()).hex() if content else ""
        blob = f"decode('{packed}', 'hex')" if engine.dialect.name == "postgresql" else f"x'{packed}'"
        connection.exec_driver_sql(
            "INSERT INTO decisions (decision_id, handle, moment, disposition, superseded, codes, content) VALUES"
            f" ('d{name}', '{name}', '2026-11-01T00:00:00.000Z', '{disposition}', 0, '[]', {blob if content else 'NULL'})"
        )


def test_an_old_store_is_brought_up_and_its_cases_are_asked_for_once(store: Store, url: str) -> None:
    old = of_the_last_release(url)
    for number in range(120):  # more than one transaction takes
        kept(old, f"OLD-{number}", {"claim": MEDICARE, "report": {"findings": []}})
    kept(old, "GONE-1", None)
    kept(old, "MENDED-1", None, "billing")
    kept(old, "ODD-1", {"claim": {"claim_id": "ODD-1", "what": "another release wrote"}, "report": {}})
    old.dispose()
    cases = CaseStore(url)
    before = found(cases)
    assert {one.expected for one in before.values()} == {None}, "not known, until somebody asks"
    assert price(cases, store.settings, lambda: BOOK) == 123
    after = found(cases)
    assert after["OLD-7"].expected == after["OLD-119"].expected == EXPECTED
    assert {after[name].expected for name in ("GONE-1", "MENDED-1", "ODD-1")} == {UNKNOWN}
    assert {(one.version, one.owner) for one in after.values()} == {(3, "dana")}, "nobody has to look again"

    def none() -> Any:
        raise AssertionError("nothing is left to ask")

    assert price(cases, store.settings, none) == 0
    cases.close()


def test_an_old_case_is_asked_for_as_decisions_come_in(
    store: Store, decide: Send, cases: CaseStore, brought: Brought, url: str
) -> None:
    """Also where a process of the last release, which knows no such column, wrote it a moment ago."""
    engine = create_engine(url, poolclass=NullPool)
    kept(engine, "OLD-1", {"claim": MEDICARE, "report": {"findings": []}})
    engine.dispose()
    decide(UNPRICED)
    brought()
    every = found(cases)
    assert (every["OLD-1"].expected, every["PCN-2"].expected) == (EXPECTED, UNKNOWN)


def test_contracts_that_cannot_be_read_stop_no_list(
    store: Store, cases: CaseStore, decide: Send, url: str, tmp_path: Path
) -> None:
    engine = create_engine(url, poolclass=NullPool)
    kept(engine, "OLD-1", {"claim": MEDICARE, "report": {"findings": []}})
    engine.dispose()
    (tmp_path / "c.csv").write_text("what is this")
    settings = load_settings(state_dir=store.settings.state_dir, contracts=tmp_path / "c.csv")
    with pytest.raises(ContractsInvalid):
        price(cases, settings, lambda: BOOK)
    decide(UNPRICED)
    assert follow(store, cases, lambda: BOOK).decisions == 1
