"""Twenty rules of a Medicare practitioner's claim, said in other ways: by hand in Python, and to other rule engines.

The other engines read a mapping of facts that `facts_of` makes; that it is made counts for them, as it does for us.
Each answers the codes that fail, and the bench refuses to print a figure of one that answers otherwise than ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

from rules.claim import Claim
from rules.formats import npi

FILES = (
    "form/common/CLM001-total-charge",
    "form/common/CLM002-negative-charge",
    "procedures/64445/common/CLM002-zero-line",
    "form/common/CLM002-zero-total",
    "form/common/CLM003-count-professional",
    "form/common/CLM003-duplicates",
    "form/common/CLM005-excess",
    "form/common/CLM005-repeated",
    "form/common/CLM007-malformed",
    "form/common/CLM009-place-of-service",
    "form/common/DXN001-malformed",
    "form/common/IDN001-billing-npi",
    "procedures/64445/common/MOD002-fifty-and-side",
    "procedures/64445/common/MOD009-visit-modifiers",
    "procedures/64445/common/UNT003-whole-professional",
    "procedures/64445/medicare/MOD001-no-components",
    "procedures/64445/medicare/MOD003-one-unit",
    "procedures/64445/medicare/MOD007-one-surgeon",
    "procedures/64445/medicare/MOD012-no-split",
    "procedures/64445/medicare/UNT001-one-unit",
)
"""The rule files that all of them say."""

Judge = Callable[[Claim], list[str]]
"""The codes that fail, sorted, each once."""
_CODE = re.compile(r"(?=.*[0-9])[A-Z0-9]{5}")
_DIAGNOSIS = re.compile(r"[A-Z][0-9A-Z]{2}\.?[0-9A-Z]{0,4}")


def by_hand(claim: Claim) -> list[str]:  # noqa: PLR0912  this is what twenty rules look like in plain Python
    """As a programmer would write the twenty rules, reading the claim directly."""
    found = set()
    total = claim.total_charge
    if total != sum(line.charge for line in claim.lines):
        found.add("CLM001")
    if total is None or total <= 0 or any(line.charge < 0 for line in claim.lines):
        found.add("CLM002")
    codes = [code.replace(".", "") for code in claim.diagnoses]
    if not 1 <= len(codes) <= 12 or len(set(codes)) < len(codes):
        found.add("CLM003")
    if not all(map(_DIAGNOSIS.fullmatch, claim.diagnoses)):
        found.add("DXN001")
    if claim.billing_provider is None or not npi(claim.billing_provider.npi or ""):
        found.add("IDN001")
    for line in claim.lines:
        modifiers = line.modifiers
        if len(modifiers) > 4 or len(set(modifiers)) < len(modifiers):
            found.add("CLM005")
        if line.procedure is not None and not _CODE.fullmatch(line.procedure):
            found.add("CLM007")
        if not (line.place_of_service or claim.place_of_service):
            found.add("CLM009")
        if line.procedure != "64445":
            continue
        if line.charge <= 0:
            found.add("CLM002")
        if line.units is None or line.units > 1:
            found.add("UNT001")
        if line.units is None or line.units <= 0 or line.units % 1:
            found.add("UNT003")
        if "26" in modifiers or "TC" in modifiers:
            found.add("MOD001")
        if "50" in modifiers:
            if "LT" in modifiers or "RT" in modifiers:
                found.add("MOD002")
            if line.units != 1:
                found.add("MOD003")
        for modifier in modifiers:
            if modifier in ("62", "66", "80", "81", "82", "AS"):
                found.add("MOD007")
            elif modifier in ("24", "25", "57"):
                found.add("MOD009")
            elif modifier in ("54", "55", "56"):
                found.add("MOD012")
    return sorted(found)


def facts_of(claim: Claim) -> dict[str, Any]:
    """The facts of the twenty rules, of the claim and of its first 64445 line, as numbers, texts and lists."""
    codes = [code.replace(".", "") for code in claim.diagnoses]
    line = next(line for line in claim.lines if line.procedure == "64445")
    modifiers = [len(line.modifiers) for line in claim.lines]
    return {
        "total": float(claim.total_charge or 0),
        "sum": float(sum((line.charge for line in claim.lines), Decimal(0))),
        "lowest": float(min(line.charge for line in claim.lines)),
        "charge": float(line.charge),
        "diagnoses": len(codes),
        "doubled_diagnoses": len(codes) - len(set(codes)),
        "malformed_diagnoses": sum(not _DIAGNOSIS.fullmatch(code) for code in claim.diagnoses),
        "most_modifiers": max(modifiers),
        "doubled_modifiers": sum(len(line.modifiers) - len(set(line.modifiers)) for line in claim.lines),
        "malformed_codes": sum(not _CODE.fullmatch(line.procedure or "64445") for line in claim.lines),
        "placeless": sum(not (line.place_of_service or claim.place_of_service) for line in claim.lines),
        "npi": bool(claim.billing_provider and npi(claim.billing_provider.npi or "")),
        "units": float(line.units or 0),
        "broken_units": float((line.units or Decimal("0.5")) % 1),
        **{f"has_{code}": code in line.modifiers for code in ("50", "LT", "RT")},
        "split": any(code in ("54", "55", "56") for code in line.modifiers),
        "visit": any(code in ("24", "25", "57") for code in line.modifiers),
        "surgeons": any(code in ("62", "66", "80", "81", "82", "AS") for code in line.modifiers),
        "component": any(code in ("26", "TC") for code in line.modifiers),
    }


Test = tuple[str, str, Any]
FAILS: tuple[tuple[str, tuple[Test, ...]], ...] = (
    ("CLM001", (("total", "!=", "sum"),)),
    ("CLM002", (("lowest", "<", 0.0),)),
    ("CLM002", (("charge", "<=", 0.0),)),
    ("CLM002", (("total", "<=", 0.0),)),
    ("CLM003", (("diagnoses", ">", 12),)),
    ("CLM003", (("doubled_diagnoses", ">", 0),)),
    ("CLM005", (("most_modifiers", ">", 4),)),
    ("CLM005", (("doubled_modifiers", ">", 0),)),
    ("CLM007", (("malformed_codes", ">", 0),)),
    ("CLM009", (("placeless", ">", 0),)),
    ("DXN001", (("malformed_diagnoses", ">", 0),)),
    ("IDN001", (("npi", "==", False),)),
    ("MOD002", (("has_50", "==", True), ("has_LT", "==", True))),
    ("MOD002", (("has_50", "==", True), ("has_RT", "==", True))),
    ("MOD009", (("visit", "==", True),)),
    ("UNT003", (("broken_units", "!=", 0.0),)),
    ("MOD001", (("component", "==", True),)),
    ("MOD003", (("has_50", "==", True), ("units", "!=", 1.0))),
    ("MOD007", (("surgeons", "==", True),)),
    ("MOD012", (("split", "==", True),)),
    ("UNT001", (("units", ">", 1.0),)),
)
"""When each of the twenty fails, as data: all tests of a row. `sum` is a fact, not a text."""


def rivals() -> tuple[dict[str, Judge], list[str]]:
    """The engines that are installed, by name with version, and the names of those that are not."""
    makers = {
        "rule-engine": _rule_engine,
        "zen-engine": _zen,
        "business-rules": _business_rules,
        "durable_rules": _durable,
    }
    modules = {
        "rule-engine": "rule_engine",
        "zen-engine": "zen",
        "business-rules": "business_rules",
        "durable_rules": "durable",
    }
    found, missing = dict[str, Judge](), list[str]()
    for name, make in makers.items():
        if find_spec(modules[name]) is None:
            missing.append(name)
        else:
            found[name] = make()
    return found, missing


def _text(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _rule_engine() -> Judge:
    import rule_engine

    rules = [
        (code, rule_engine.Rule(" and ".join(f"{fact} {sign} {_text(value)}" for fact, sign, value in tests)))
        for code, tests in FAILS
    ]

    def judge(claim: Claim) -> list[str]:
        facts = facts_of(claim)
        return sorted({code for code, rule in rules if rule.matches(facts)})

    return judge


def _zen() -> Judge:
    import zen

    names = list(facts_of_example())
    rows = []
    for number, (code, tests) in enumerate(FAILS):
        row = {f"in_{name}": "" for name in names} | {"_id": str(number), "code": f'"{code}"'}
        row |= {f"in_{fact}": _text(value) if sign == "==" else f"{sign} {_text(value)}" for fact, sign, value in tests}
        rows.append(row)
    table = {
        "hitPolicy": "collect",
        "inputs": [{"id": f"in_{name}", "name": name, "field": name} for name in names],
        "outputs": [{"id": "code", "name": "code", "field": "code"}],
        "rules": rows,
    }
    graph = {
        "nodes": [
            {"id": "a", "name": "in", "type": "inputNode", "position": {"x": 0, "y": 0}},
            {"id": "b", "name": "table", "type": "decisionTableNode", "content": table, "position": {"x": 1, "y": 0}},
            {"id": "c", "name": "out", "type": "outputNode", "position": {"x": 2, "y": 0}},
        ],
        "edges": [{"id": "1", "sourceId": "a", "targetId": "b"}, {"id": "2", "sourceId": "b", "targetId": "c"}],
    }
    decision = zen.ZenEngine().create_decision(json.dumps(graph))

    def judge(claim: Claim) -> list[str]:
        answer: Any = decision.evaluate(facts_of(claim))["result"]
        return sorted({row["code"] for row in answer} if isinstance(answer, list) else set())

    return judge


def _business_rules() -> Judge:
    from business_rules import run_all
    from business_rules.actions import BaseActions, rule_action
    from business_rules.fields import FIELD_TEXT
    from business_rules.variables import BaseVariables, boolean_rule_variable, numeric_rule_variable

    def variable(name: str, of: type) -> Any:
        decorate = boolean_rule_variable if of is bool else numeric_rule_variable

        def read(self: Any) -> Any:
            return self.facts[name]

        read.__name__ = name
        return decorate(label=name)(read)

    kinds = {name: type(value) for name, value in facts_of_example().items()}
    known = {name: variable(name, kind) for name, kind in kinds.items()}
    known["over"] = variable("over", float)
    variables = type(
        "Variables", (BaseVariables,), {"__init__": lambda self, facts: setattr(self, "facts", facts), **known}
    )

    class Actions(BaseActions):  # type: ignore[misc]
        def __init__(self, found: set[str]) -> None:
            self.found = found

        @rule_action(params={"code": FIELD_TEXT})  # type: ignore[untyped-decorator]
        def report(self, code: str) -> None:
            self.found.add(code)

    def tests_of(fact: str, sign: str, value: Any) -> list[dict[str, Any]]:
        if isinstance(value, bool):
            return [{"name": fact, "operator": "is_true" if value else "is_false", "value": True}]
        if value == "sum":
            return [{"name": "over", "operator": "greater_than", "value": 0}]
        names = {"<": "less_than", "<=": "less_than_or_equal_to", ">": "greater_than"}
        if sign == "!=":
            either = [{"name": fact, "operator": way, "value": value} for way in ("less_than", "greater_than")]
            return [{"any": either}]
        return [{"name": fact, "operator": names[sign], "value": value}]

    rules = [
        {
            "conditions": {"all": [test for each in tests for test in tests_of(*each)]},
            "actions": [{"name": "report", "params": {"code": code}}],
        }
        for code, tests in FAILS
    ]

    def judge(claim: Claim) -> list[str]:
        facts, found = facts_of(claim), set[str]()
        facts["over"] = abs(facts["total"] - facts["sum"])
        run_all(rule_list=rules, defined_variables=variables(facts), defined_actions=Actions(found))
        return sorted(found)

    return judge


def _durable() -> Judge:
    from itertools import count

    from durable.lang import assert_fact, m, retract_fact, ruleset, when_all

    found: set[str] = set()
    number = count(1)

    def reporter(code: str) -> Callable[[Any], None]:
        return lambda _: found.add(code)

    def conditions(tests: tuple[Test, ...]) -> Any:
        parts = [_durable_test(m, *test) for test in tests]
        whole = parts[0]
        for part in parts[1:]:
            whole = whole & part
        return whole

    with ruleset("bench"):
        for code, tests in FAILS:
            when_all(conditions(tests))(reporter(code))

        @when_all(m.total >= 0)  # type: ignore[untyped-decorator]
        def read(_: Any) -> None:
            """A fact that no rule meets would be an error."""

    def judge(claim: Claim) -> list[str]:
        found.clear()
        facts = facts_of(claim)
        facts |= {"over": abs(facts["total"] - facts["sum"]), "id": next(number)}
        assert_fact("bench", facts)
        retract_fact("bench", facts)
        return sorted(found)

    return judge


def _durable_test(m: Any, fact: str, sign: str, value: Any) -> Any:
    from operator import eq, gt, le, lt, ne

    if value == "sum":
        return m.over > 0
    return {"<": lt, "<=": le, ">": gt, "!=": ne, "==": eq}[sign](getattr(m, fact), value)


def facts_of_example() -> Mapping[str, Any]:
    """The names and kinds of the facts."""
    from rules.claim import read_claim
    from worker.bench.claims import claim

    return facts_of(read_claim(claim(0, "medicare")))
