"""Claims drawn from the claim model itself, so that a new field is tried without anybody thinking of it.

They come from its JSON Schema, which pydantic writes from whatever the fields are declared with. A word of the schema
that is not known here fails, rather than being left out of the claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any, get_args, get_type_hints

from hypothesis import strategies as st

from rules.claim import Claim
from rules.problems import schema_of

ODD = st.sampled_from(
    [None, True, 0, 1, -1, 7, 10**30, "", " ", "1", "1.0", "-0.00", "1e3", "450.5", "450.001", "NaN", "2026-07-13",
     "2026-W29-1", "2026-07-13T00:00:00", "2026-7-13", "é", "a\nb", "x" * 31, "x" * 201, [], {}, [[]], ["RT"], [1],
     [None], [None, "RT"], ["RT", ""], {"npi": "1"}, "P", "professional", "0.0000000000000", "12345678901.00", "1_000",
     "\u0664", Decimal("1.0"), Decimal("1.50"), Decimal("NaN")]
)  # fmt: skip
"""Values that are right in few places or in none."""
_SAID = {"title", "description", "default", "$defs", "type"}
_DECIMAL = r"^[-+]?[0-9]+(\.[0-9]+)?$"
_AMOUNTS = st.sampled_from(["0", "1", "450.00", "-1", "2.5", "-0.00"])
_NUMBERS = st.sampled_from([0, 1, 450, -1, Decimal("2.5"), Decimal("450.00")])
_WORDS = st.text("ABCXYZabc0189 -.", min_size=1, max_size=200) | st.sampled_from(["64445", "RT", "1234567893"])
_TEXTS = _WORDS | st.sampled_from(["Ren\u00e9", 'a"b', "a\nb", ""])


def claims_of(model: type[Any] = Claim, *, whole: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Decoded JSON that the model takes, in most cases; `whole`: always, with every field there and printable ASCII."""
    schema = schema_of(model)
    return _Drawing(schema.get("$defs", {}), whole).drawn(schema)


class _Drawing:
    """Makes strategies of the nodes of one JSON Schema."""

    def __init__(self, shared: Mapping[str, Any], whole: bool) -> None:
        self._shared, self._whole = shared, whole
        self._made: dict[str, st.SearchStrategy[Any]] = {}

    def drawn(self, node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            if name not in self._made:
                self._made[name] = self.drawn(self._shared[name])
            return self._made[name]
        if "anyOf" in node:
            _only(node, "anyOf")
            parts = node["anyOf"]
            if self._whole:  # of a text that may be a number as well, the text
                texts = [part for part in parts if part.get("type") == "string"]
                parts = [part for part in parts if part["type" if "type" in part else "$ref"] != "null"]
                parts = [part for part in parts if not texts or part.get("type") != "integer"]
            return st.one_of([self.drawn(part) for part in parts])
        if "enum" in node or "const" in node:
            return st.sampled_from(node.get("enum") or [node["const"]])
        found: st.SearchStrategy[Any] = getattr(self, f"_{node['type']}")(node)
        return found

    def _string(self, node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        _only(node, "minLength", "maxLength", "format", "pattern")
        if "pattern" in node:
            assert node["pattern"] == _DECIMAL, f"claims with this pattern are not drawn: {node}"
            return _AMOUNTS
        if "format" in node:
            assert node["format"] == "date", f"claims with this format are not drawn: {node}"
            return st.dates(date(2022, 1, 1), date(2027, 12, 31)).map(str)
        least, most = node.get("minLength", 0), node.get("maxLength", 200)
        return (_WORDS if self._whole else _TEXTS).map(lambda text: text[:most].ljust(least, "x"))

    def _integer(self, node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        _only(node, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        least = node.get("minimum", node.get("exclusiveMinimum", -10) + 1)
        most = node.get("maximum", node.get("exclusiveMaximum", 1_000) - 1)
        return st.integers(max(least, -9), min(most, 99) if least < 99 else most)

    def _array(self, node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        _only(node, "items", "minItems", "maxItems")
        return st.lists(self.drawn(node["items"]), min_size=1 if self._whole else node.get("minItems", 0), max_size=3)

    def _object(self, node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        _only(node, "properties", "required", "additionalProperties")
        parts = {name: self.drawn(part) for name, part in node["properties"].items()}
        if self._whole:
            return st.fixed_dictionaries(parts)
        required = {name: parts.pop(name) for name in node.get("required", ())}
        return st.fixed_dictionaries(required, optional=parts)

    def _number(self, node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        _only(node)
        return _NUMBERS

    def _boolean(self, node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        _only(node)
        return st.booleans()

    def _null(self, node: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        _only(node)
        return st.none()


def _only(node: Mapping[str, Any], *known: str) -> None:
    unknown = sorted(node.keys() - {*known, *_SAID})
    assert not unknown, f"claims with {unknown} are not drawn: {node}"


def paths(part: Any = Claim, path: str = "") -> list[str]:
    """The paths of all fields of the claim model."""
    found = []
    for name, kind in get_type_hints(part).items():
        here = f"{path}.{name}".removeprefix(".")
        inner = [one for one in (kind, *get_args(kind)) if is_dataclass(one)]
        found += [here, *(each for one in inner for each in paths(one, here))]
    return found


def filled_paths(value: Any, path: str = "") -> set[str]:
    """The paths at which decoded JSON has a value."""
    if isinstance(value, list):
        return {each for one in value for each in filled_paths(one, path)} | ({path} if value else set())
    if not isinstance(value, dict):
        return set() if value is None else {path}
    return {
        path,
        *(each for key, one in value.items() for each in filled_paths(one, f"{path}.{key}".removeprefix("."))),
    }
