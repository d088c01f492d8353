"""The schemas by which editors complete and mark rule files: what ships holds to them, what the loader refuses does not."""

from __future__ import annotations

import copy
import csv
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import yaml
from jsonschema import Draft202012Validator

from ops import ruleschemas
from ops.schemas import FOLDER
from rules.book.conditions import TESTS
from rules.book.rulefile import read_document
from rules.facts import FACTS
from rules.loader import LIBRARY
from rules.tables.table import SPECS
from tests.rules.small import RULE

CORPUS = Path(__file__).parents[1] / "corpus"
SCHEMAS = {
    name: json.loads((FOLDER / name).read_text("utf-8"))
    for name in (
        "book.json", "missing.json", "overrides.json", "payer.json", "procedure.json", "rule.json", "sources.json",
        "stories.json", "tables.json",
    )
}  # fmt: skip
"""As they are in the repository: to make them takes seconds, and each test process would."""
NAMES = [name for name in SCHEMAS if name != "tables.json"]


class Editor(yaml.SafeLoader):
    """YAML 1.2's core schema, as editors read it: 1 is a number, true a truth value, a date a string."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - it is yaml's


for tag, pattern, first in (
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("bool", r"^(?:true|false)$", ["t", "f"]),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+0123456789.")),
):
    Editor.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)
Editor.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node)))
READERS: dict[str, Callable[[str], Any]] = {
    "an editor": lambda text: yaml.load(text, Editor),
    "the loader": lambda text: read_document("x", text).data,
}


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMAS[name])


def faults(name: str, data: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in validator(name).iter_errors(data)]


def shipped() -> list[tuple[str, Path]]:
    """Every file of the library and the corpus that people write, with its schema."""
    found = [("book.json", LIBRARY / "book.yaml"), ("sources.json", LIBRARY / "sources.yaml")]
    found += [("missing.json", LIBRARY / "missing.yaml")]
    found += [("payer.json", path) for path in (LIBRARY / "payers").glob("*.yaml")]
    found += [("rule.json", path) for path in LIBRARY.rglob("*.yaml") if re.match(r"[A-Z]{3}[0-9]{3}-", path.name)]
    found += [("procedure.json", path) for path in LIBRARY.rglob("procedure.yaml")]
    return found + [("stories.json", path) for path in CORPUS.glob("*/*.yaml")]


def test_these_are_the_schemas_of_what_people_write() -> None:
    assert ruleschemas.documents() == SCHEMAS


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("one_in", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_shipped_files_hold_to_their_schemas(reader: str, one_in: int) -> None:
    """An editor's reader is ten times slower than the loader's."""
    chosen = [(name, path) for name, path in shipped() if crc32(path.name.encode()) % one_in == 0]
    assert {name for name, _ in chosen} >= {"rule.json", "stories.json"}
    wrong = {
        path.name: found for name, path in chosen if (found := faults(name, READERS[reader](path.read_text("utf-8"))))
    }
    assert wrong == {}


def test_every_file_that_people_write_has_a_schema() -> None:
    known = {path for _, path in shipped()}
    assert set(LIBRARY.rglob("*.yaml")) - known == set()


def test_the_guide_s_settings_give_every_file_its_schema() -> None:
    guide = (LIBRARY.parent / "README.md").read_text("utf-8")
    (block,) = re.findall(r"\n    (\{\n      \"yaml.schemas.*?\n    \})\n", guide, re.DOTALL)
    globs = json.loads(block)["yaml.schemas"]
    assert {Path(name).name for name in globs} == set(NAMES)
    for name, path in shipped():
        matched = [Path(schema).name for schema, glob in globs.items() if path.match(glob)]
        assert matched == [name], path


def rule(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    data = copy.deepcopy(yaml.load(RULE, Editor))
    change(data)
    return data


def first(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["versions"][0]
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(statsu=data.pop("status")),
        lambda data: data.update(code="UNT1"),
        lambda data: data.update(status="on"),
        lambda data: data.update(scope="lines"),
        lambda data: data.update(bills_as=["hospital"]),
        lambda data: data.pop("examples"),
        lambda data: data.update(payers=[]),
        lambda data: first(data).update(require={"unitz": {"le": 1}}),
        lambda data: first(data).update(require={"units": {"any_of": ["1"]}}),
        lambda data: first(data).update(require={"units": {"le": "one"}}),
        lambda data: first(data).update(require={"units": {}}),
        lambda data: first(data).update(require={"units": 1}),
        lambda data: first(data).update(require={}),
        lambda data: first(data).update(require={"modifiers": {"any_of": "50"}}),
        lambda data: first(data).update(require={"modifiers": {"in": ["50"]}}),
        lambda data: first(data).update(require={"units": {"le_fact": "modifiers"}}),
        lambda data: first(data).update(require={"units": {"le_fact": "nothing"}}),
        lambda data: first(data).update(require={"service_date": {"before": "2026-1-1"}}),
        lambda data: first(data).update(require={"place_of_service": {"in_table": "mue"}}),
        lambda data: first(data).update(require={"place_of_service": {"format": "email"}}),
        lambda data: first(data).update(require={"first_of_day": {"is": "yes"}}),
        lambda data: first(data).update(require={"any": [{"not": {"unitz": {"le": 1}}}]}),
        lambda data: first(data).update(require={"any": {"units": {"le": 1}}}),
        lambda data: first(data).update(forbid={"units": {"gt": 1}}),
        lambda data: first(data).pop("require"),
        lambda data: first(data).pop("citation"),
        lambda data: first(data).update(severity="error"),
        lambda data: first(data).update(gap="table_extract"),
        lambda data: first(data).pop("severity"),
        lambda data: first(data).update(applies_when={"unitz": {"le": 1}}),
        lambda data: first(data)["effective"].update({"from": "01/01/2026"}),
        lambda data: first(data)["effective"].update({"until": "2026-01-01"}),
        lambda data: first(data)["citation"].update(grade="B"),
        lambda data: first(data)["citation"].update(grade="C"),
        lambda data: first(data)["citation"].update(grade="D"),
        lambda data: first(data)["patch"][0].update(op="move"),
        lambda data: first(data).update(expected_denial={"kind": "denial", "group": "XX"}),
        lambda data: first(data).update(bypass={"when": {"unitz": {"le": 1}}, "message": "m", "fix": "f"}),
        lambda data: data["examples"][0].update(expect="passes"),
        lambda data: data["examples"][0].update(claim={"place_of_servic": "11"}),
        lambda data: data["examples"][0].update(claim={"lines": [{"unit": 1}]}),
        lambda data: data.update(scope="claim"),
    ],
)
def test_a_typical_fault_of_a_rule_file_is_marked(change: Callable[[dict[str, Any]], Any]) -> None:
    assert faults("rule.json", rule(lambda data: None)) == []
    assert faults("rule.json", rule(change))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("payer.json", {"payer": "humana", "name": "Humana", "covers_from": "2023-01-01", "idz": []}),
        ("payer.json", {"payer": "Humana", "name": "Humana", "covers_from": "2023-01-01"}),
        ("payer.json", {"payer": "humana", "name": "Humana", "covers_from": "2023-01-01", "ids": [{"id": "1"}]}),
        ("sources.json", {"x": {"title": "t", "publisher": "p", "starts": "2023-01-01", "grade": "D"}}),
        ("sources.json", {"x": {"title": "t", "publisher": "p", "grade": "A"}}),
        ("missing.json", {"aetna": [{"about": "bundling", "what": "w", "where": "x"}]}),
        ("missing.json", {"aetna": [{"about": "BND", "what": "w", "looked": "never", "where": "x"}]}),
        ("book.json", {"covers_from": "2023-01-01", "procedures": []}),
        ("overrides.json", {"override": []}),
        ("overrides.json", {"overrides": [{"name": "a", "reason": "r", "owner": "o", "expires": "2027-01-01"}]}),
        (
            "overrides.json",
            {"overrides": [{"name": "a", "rule": "UNT001", "severity": "none", "reason": "r", "owner": "o", "expires": "2027-01-01"}]},
        ),
        (
            "overrides.json",
            {"overrides": [{"name": "a", "rule": "UNT001", "filing_limit": 90, "reason": "r", "owner": "o", "expires": "2027-01-01"}]},
        ),
        ("stories.json", {"stories": []}),
        ("stories.json", {"stories": [{"name": "n", "claim": {"plase": "11"}}]}),
    ],
)  # fmt: skip
def test_a_typical_fault_of_the_other_files_is_marked(name: str, data: Any) -> None:
    assert faults(name, data)


def test_a_sound_overrides_file_holds_to_the_schema() -> None:
    entry = {"reason": "r", "owner": "o", "expires": "2027-01-01", "payers": ["aetna"]}
    several = [entry | {"name": "a", "rule": "UNT001", "severity": "off"}, entry | {"name": "b", "filing_limit": 90}]
    assert faults("overrides.json", {"overrides": several}) == []
    assert faults("overrides.json", {"overrides": None}) == []


def test_every_fact_is_offered_with_the_tests_of_its_kind() -> None:
    defs = SCHEMAS["rule.json"]["$defs"]
    offered = defs["condition"]["properties"]
    assert set(FACTS) == set(offered) - {"any", "all", "not"}
    for name, fact in FACTS.items():
        tests = defs[offered[name]["$ref"].rpartition("/")[2]]["properties"]
        assert set(tests) == {*TESTS[fact.kind], "missing"}
        assert fact.says in offered[name]["description"]


@pytest.mark.parametrize("name", NAMES)
def test_every_key_says_what_it_means(name: str) -> None:
    wordless = [path for path in _wordless(SCHEMAS[name], "") if "claim_" not in path and "difference" not in path]
    assert wordless == []


def _wordless(node: Any, path: str) -> list[str]:
    if isinstance(node, list):
        return [one for place, part in enumerate(node) for one in _wordless(part, f"{path}/{place}")]
    if not isinstance(node, dict):
        return []
    own = node.get("properties") if path.rpartition("/")[2] not in ("then", "if", "allOf") else None
    found = []
    if isinstance(own, dict) and not any(part in path for part in ("tests_of", "condition", "allOf", "/if", "/then")):
        found = [f"{path}/{key}" for key, part in own.items() if "description" not in part]
    return found + [one for key, part in node.items() for one in _wordless(part, f"{path}/{key}")]


def test_every_table_is_described_by_its_columns_and_its_rows_hold_to_them() -> None:
    described = {one["name"]: one for one in SCHEMAS["tables.json"]["resources"]}
    assert set(described) == set(SPECS)
    for path in LIBRARY.rglob("*.csv"):
        header, *rows = csv.reader(path.read_text("utf-8").splitlines())
        schema = described[path.stem]["schema"]
        assert [field["name"] for field in schema["fields"]] == header
        keys = [tuple(row[header.index(name)] for name in schema["primaryKey"]) for row in rows]
        assert len(set(keys)) == len(keys)
        for field, values in zip(schema["fields"], zip(*rows, strict=True), strict=bool(rows)):
            rules = field.get("constraints", {})
            assert not rules.get("required") or all(values), (path.name, field["name"])
            given = {value for value in values if value}
            assert all(re.search(rules.get("pattern", ""), value) for value in given), (path.name, field["name"])
            assert given <= set(rules.get("enum", given)), (path.name, field["name"])
