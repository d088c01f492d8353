"""JSON Schemas of the files that people write: rules, payers, sources, the book, overrides, corpora; and the tables.

They are made from the shapes by which the loader reads the files, so that an editor offers the keys, facts and tests
there are and marks what the loader would refuse. The loader reads every scalar as a string: where an editor sees a
number or a truth value, it is taken as well. What only the whole book can say, such as an unknown source, is left to
`scrub rules lint`.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, get_args

from pydantic import TypeAdapter

from ops.rulewords import EXAMPLES, TABLE_FIELDS, WHOLE, WORDS
from rules import claim, loader, memberids, payers, procedures
from rules.authoring import stories
from rules.authoring.stories import FileShape
from rules.book import missing, overridefile, rulefile, sources
from rules.book.compile import ALLOWED
from rules.book.conditions import TESTS
from rules.book.missing import MissingText
from rules.book.override import Effect
from rules.book.overridefile import OverrideShape
from rules.book.reading import BookShape
from rules.book.rulefile import RuleShape
from rules.book.sources import Source
from rules.claim import Claim
from rules.facts import FACTS, Fact
from rules.formats import FORMATS
from rules.loader import load_book
from rules.payers import PayerShape
from rules.procedures import Procedure
from rules.tables.table import SPECS, Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
SCALAR: Schema = {"type": ["string", "number", "boolean"]}
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
NUMBER = r"^[-+]?[0-9]+(\.[0-9]+)?$"
FLAG: Schema = {"enum": [True, False, "true", "false"]}
_DROPPED = ("title", "default")
SHAPED = (rulefile, missing, overridefile, sources, stories, claim, loader, memberids, payers, procedures)
"""The modules whose shapes say in docstrings what a key means."""


@cache
def documents() -> dict[str, Schema]:
    """Every schema, by file."""
    found = {
        "rule.json": rule_schema(),
        "payer.json": shaped(PayerShape, "a payer of the rule book: payers/NAME.yaml"),
        "book.json": shaped(BookShape, "book.yaml: what the book is for"),
        "procedure.json": shaped(Procedure, "procedures/CODE/procedure.yaml: what a procedure's package is for"),
        "sources.json": _sources(),
        "missing.json": _missing(),
        "overrides.json": overrides_schema(),
        "stories.json": _stories(),
        "tables.json": tables(),
    }
    return {
        name: {"$schema": DIALECT, **document} if name != "tables.json" else document
        for name, document in found.items()
    }


def shaped(model: type[Any], title: str) -> Schema:
    """The schema of a file that one model reads."""
    raw = TypeAdapter(model).json_schema()
    schema = _loose(raw, _docs())
    return {"title": title, **{key: value for key, value in schema.items() if key != "title"}}


def _docs() -> Mapping[str, str]:
    """The docstrings of the attributes of every shape, by `Shape.key`."""
    return {f"{model.__name__}.{key}": text for model in _models() for key, text in _attribute_docs(model)}


def _models() -> Iterator[type[Any]]:
    for module in SHAPED:
        yield from (one for _, one in inspect.getmembers(module, inspect.isclass) if one.__module__ == module.__name__)


def _attribute_docs(model: type[Any]) -> Iterator[tuple[str, str]]:
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(body, ast.ClassDef)
    for one, after in pairwise(body.body):
        match one, after:
            case ast.AnnAssign(target=ast.Name(id=key)), ast.Expr(value=ast.Constant(value=str(text))):
                yield key, " ".join(text.split())


def _loose(node: Any, docs: Mapping[str, str], owner: str = "", key: str = "") -> Any:
    """The schema as a YAML file that is read as strings alone holds to it, with what each key means."""
    if isinstance(node, list):
        return [_loose(part, docs, owner) for part in node]
    if not isinstance(node, dict):
        return node
    if "$defs" in node:
        node = node | {"$defs": {name: _loose(part, docs, name) for name, part in node["$defs"].items()}}
    owner = owner or str(node.get("title", ""))
    found = {name: part for name, part in node.items() if name not in _DROPPED or isinstance(part, dict)}
    if "properties" in found:
        found["properties"] = {name: _property(part, docs, owner, name) for name, part in found["properties"].items()}
    for inner in ("items", "additionalProperties", "anyOf", "prefixItems"):
        if inner in found:
            found[inner] = _loose(found[inner], docs, owner, key)
    return _or_null(_scalar(found))


def _or_null(node: Schema) -> Schema:
    """Of `X or nothing` one schema where X can say it: an editor's remark is then about X."""
    options = node.get("anyOf", ())
    if len(options) != 2 or {"type": "null"} not in options:
        return node
    (one,) = (option for option in options if option != {"type": "null"})
    rest = {key: part for key, part in node.items() if key != "anyOf"}
    return rest | _with_null(one) if "type" in one or "enum" in one else node


def _with_null(node: Schema) -> Schema:
    """The same, or null."""
    if "enum" in node:
        return node | {"enum": [*node["enum"], *([] if None in node["enum"] else [None])]}
    if "type" in node:
        types = node["type"] if isinstance(node["type"], list) else [node["type"]]
        return node | {"type": [*types, *([] if "null" in types else ["null"])]}
    options = node.get("anyOf") or [node]
    return {"anyOf": [*options, *([] if {"type": "null"} in options else [{"type": "null"}])]}


def _property(node: Schema, docs: Mapping[str, str], owner: str, name: str) -> Schema:
    schema: Schema = _loose(node, docs, owner, name)
    text = docs.get(f"{owner}.{name}") or docs.get(f"{owner}.{name}_")
    text = text or WORDS.get(f"{owner}.{name}") or WORDS.get(name)
    if text and "description" not in schema:
        schema["description"] = text
    if name in EXAMPLES:
        schema["examples"] = EXAMPLES[name]
    return schema


def _scalar(node: Schema) -> Schema:
    if "enum" in node or "const" in node:
        values = node.pop("enum", None) or [node.pop("const")]
        return {name: part for name, part in node.items() if name != "type"} | {"enum": _also(values)}
    match node.get("type"):
        case "string" if node.get("format") == "date":
            return node | {"pattern": DAY}
        case "string" if "pattern" not in node:
            return node | SCALAR
        case "integer":
            return node | {"type": ["integer", "string"], "pattern": WHOLE}
        case "number":
            return node | {"type": ["number", "string"], "pattern": NUMBER}
        case "boolean":
            return {name: part for name, part in node.items() if name != "type"} | FLAG
        case "array" if "integer" in node.get("prefixItems", [{}])[0].get(
            "type", ()
        ):  # a number of characters, or two with a dash
            kept = {name: part for name, part in node.items() if name in ("description",)}
            return kept | {"type": ["integer", "string"], "pattern": r"^[0-9]+(-[0-9]+)?$"}
    return node


def _also(values: list[Any]) -> list[Any]:
    """The words, and what an editor takes some of them for."""
    more = [{"true": True, "false": False}.get(one, one) for one in values if one in ("true", "false")]
    return [*values, *more, *(int(one) for one in values if isinstance(one, str) and one.isdigit() and one[0] != "0")]


def rule_schema() -> Schema:
    """A rule file: its shape, with conditions over the facts there are, and severities that the grade may carry."""
    schema = shaped(RuleShape, "a rule of the book: CODE-slug.yaml")
    defs = schema["$defs"]
    version = defs["VersionShape"]
    for key in ("applies_when", "require", "forbid"):
        version["properties"][key] |= {"$ref": "#/$defs/condition"}
    defs["BypassShape"]["properties"]["when"] |= {"$ref": "#/$defs/condition"}
    version["oneOf"] = [{"required": ["require"]}, {"required": ["forbid"]}]
    version["allOf"] = [_graded(grade, allowed) for grade, allowed in ALLOWED.items() if len(allowed) < 3]
    version["allOf"] += [{"oneOf": [{"required": ["severity"]}, {"required": ["gap"]}]}]
    book = load_book(examples=False)
    named = {
        "anyOf": [{"enum": ["all", *book.registry.names]}, {"type": "string", "pattern": "^[a-z_]+(/[a-z0-9_]+)?$"}]
    }
    schema["properties"]["payers"]["items"] = named
    reasons = {"type": "object", "additionalProperties": {**SCALAR, "minLength": 1}}
    schema["properties"]["except_payers"] = {
        "anyOf": [{"type": "array", "items": named}, reasons],
        "description": WORDS["except_payers"],
    }
    citation = defs["CitationShape"]["properties"]["source"]
    citation["anyOf"] = [{"enum": list(book.sources)}, {"type": "string", "minLength": 1}]
    defs["ExampleShape"]["properties"]["claim"] |= {"$ref": "#/$defs/difference"}
    defs |= _difference() | _conditions()
    schema["allOf"] = [_of_claim_scope()]
    return schema


def _graded(grade: str, allowed: tuple[str, ...]) -> Schema:
    cites = {"properties": {"citation": {"properties": {"grade": {"const": grade}}, "required": ["grade"]}}}
    return {"if": cites | {"required": ["citation"]}, "then": {"properties": {"severity": {"enum": list(allowed)}}}}


def _of_claim_scope() -> Schema:
    """A rule that is asked once a claim reads no fact of a line."""
    of_claim = {"$ref": "#/$defs/condition_of_claim"}
    version = {"properties": dict.fromkeys(("applies_when", "require", "forbid"), of_claim)}
    version["properties"]["bypass"] = {"properties": {"when": of_claim}}
    said = {"properties": {"scope": {"const": "claim"}}, "required": ["scope"]}
    return {"if": said, "then": {"properties": {"versions": {"items": version}}}}


def _conditions() -> Schema:
    facts = {name: _asked(fact) for name, fact in sorted(FACTS.items())}
    of_claim = {name: True for name, fact in sorted(FACTS.items()) if fact.scope == "claim"}
    tests = {f"tests_of_{kind}": _tests(kind) for kind in TESTS}
    return tests | {
        "condition": _joined("#/$defs/condition", facts),
        "condition_of_claim": _joined("#/$defs/condition_of_claim", of_claim),
    }


def _joined(own: str, facts: Mapping[str, Any]) -> Schema:
    several = {"type": "array", "minItems": 1, "items": {"$ref": own}}
    joins = {
        "any": several | {"description": "One of these holds."},
        "all": several | {"description": "All of these hold."},
        "not": {"$ref": own, "description": "This does not hold."},
    }
    return {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": {**joins, **facts}}


def _asked(fact: Fact) -> Schema:
    scope = "of the line" if fact.scope == "line" else "of the claim"
    return {"$ref": f"#/$defs/tests_of_{fact.kind}", "description": f"({fact.kind}, {scope}) {fact.says}"}


def _tests(kind: Any) -> Schema:
    tests = {name: _against(kind, name) for name in TESTS[kind]}
    tests["missing"] = FLAG | {"description": "Whether the claim lacks it."}
    return {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": tests}


def _against(kind: Any, test: str) -> Schema:
    """What a test compares with."""
    if test.endswith("_fact"):
        return {"enum": sorted(name for name, fact in FACTS.items() if fact.kind == kind)}
    if test.endswith("in_table"):
        return {"enum": sorted(name for name, spec in SPECS.items() if len(spec.keys) == 1)}
    if test == "format":
        return {"enum": sorted(FORMATS)}
    if kind == "flag" or test == "empty":
        return dict(FLAG)
    if kind == "date":
        return {"type": "string", "format": "date", "pattern": DAY}
    if kind in ("number", "money"):
        return {"type": ["number", "string"], "pattern": NUMBER}
    return {"type": "array", "minItems": 1, "items": SCALAR}


def _difference() -> Schema:
    """A claim as an example states it: any of its fields, each with another value or none."""
    schema = shaped(Claim, "claim")
    shapes = {name: _partial(part) for name, part in schema.pop("$defs").items()}
    own = {f"claim_{name}": _renamed(part) for name, part in shapes.items()}
    return {**own, "difference": _renamed(_partial(schema)) | {"title": "what differs from an ordinary claim"}}


def _partial(schema: Schema) -> Schema:
    kept = {key: part for key, part in schema.items() if key != "required"}
    if "properties" in kept:
        kept["properties"] = {name: _or_none(part) for name, part in kept["properties"].items()}
    return kept


def _or_none(schema: Schema) -> Schema:
    told = {key: part for key, part in schema.items() if key in ("description", "examples")}
    rest = {key: part for key, part in schema.items() if key not in (*told, "minItems", "maxItems")}
    return told | _with_null(rest)


def _renamed(node: Any) -> Any:
    if isinstance(node, list):
        return [_renamed(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {
        key: part.replace("#/$defs/", "#/$defs/claim_") if key == "$ref" else _renamed(part)
        for key, part in node.items()
    }


def overrides_schema() -> Schema:
    """The file that SCRUB_OVERRIDES names: each entry has exactly one effect."""
    entry = shaped(OverrideShape, "override")
    defs = entry.pop("$defs", {})
    entry["oneOf"] = [{"required": [effect]} for effect in get_args(Effect)]
    entry.pop("title")
    listed = {
        "anyOf": [{"type": "array", "items": {"$ref": "#/$defs/override"}}, {"type": "null"}],
        "description": WORDS["overrides"],
    }
    return {
        "title": "a hospital's overrides of the rule book",
        "type": "object",
        "additionalProperties": False,
        "required": ["overrides"],
        "properties": {"overrides": listed},
        "$defs": {"override": entry, **defs},
    }


def _sources() -> Schema:
    entry = shaped(Source, "")
    return {
        "title": "sources.yaml: the documents that the book rests on, by key",
        "type": "object",
        "additionalProperties": {key: part for key, part in entry.items() if key not in ("title", "$defs")},
        "$defs": entry["$defs"],
    }


def _missing() -> Schema:
    entry = {key: part for key, part in shaped(MissingText, "").items() if key != "title"}
    return {
        "title": "missing.yaml: texts that were looked for and not found, by payer or payer/plan",
        "type": "object",
        "propertyNames": {"pattern": "^[a-z]+(/[a-z0-9_]+)?$"},
        "additionalProperties": {"type": "array", "items": entry},
    }


def _stories() -> Schema:
    schema = shaped(FileShape, "claims of a corpus: good/NAME.yaml and denied/NAME.yaml")
    for key, owner in (("claim", schema), ("claim", schema["$defs"]["StoryShape"])):
        owner["properties"][key] |= {"$ref": "#/$defs/difference"}
    schema["$defs"] |= _difference()
    return schema


def tables() -> Schema:
    """The tables of the book as a Frictionless Data Package: https://specs.frictionlessdata.io/tabular-data-package."""
    return {
        "profile": "tabular-data-package",
        "name": "claim-scrubber-tables",
        "title": "Tables of the rule book: code sets, code pairs and limits, by date of service",
        "resources": [_table(name, spec) for name, spec in sorted(SPECS.items())],
    }


def _table(name: str, spec: Spec) -> Schema:
    fields = [_field(name, column) for column in spec.columns]
    return {
        "name": name,
        "path": f"rules/library/tables/{name}.csv",
        "profile": "tabular-data-resource",
        "encoding": "utf-8",
        "schema": {"fields": fields, "missingValues": [""], "primaryKey": [*spec.keys, "from"]},
    }


def _field(table: str, column: str) -> Schema:
    known = TABLE_FIELDS.get(f"{table}.{column}") or TABLE_FIELDS.get(column) or {"constraints": {"required": True}}
    return {"name": column, "type": "string"} | known
