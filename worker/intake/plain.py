"""Plain claims, read in half of the time: msgspec builds them, and what it does not take, pydantic reads.

`rules.claim.Claim` stays the one definition. What pydantic made of it, its core schema, is translated here into
msgspec's structs: every type, bound, default and validator, whatever annotation or decorator it came from. What has no
translation below stops the import with a sentence that names the field. Nothing here says what is wrong with a claim:
`read_claim` does, of everything that is passed over here.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache, reduce
from operator import or_
from types import GenericAlias
from typing import Annotated, Any, Literal, cast

import msgspec
from pydantic import TypeAdapter

from rules.claim import Claim
from rules.values import calendar_day, money, not_empty, npi_text, number, printable, without_free_places
from worker.errors import NotTranslated

_AMOUNTS = (money, number)
_SILENT = frozenset(("type", "ref", "metadata", "serialization", "json_schema_input_schema"))
"""What a core schema says that has no part in reading a value."""
_OBJECT = frozenset(("cls", "config", "fields", "frozen", "post_init", "schema", "slots"))
_ARGUMENTS = frozenset(("collect_init_only", "computed_fields", "dataclass_name", "fields"))
_STRICT = {"extra_fields_behavior": "forbid", "hide_input_in_errors": True}
_PLAIN_DEFAULTS = (type(None), str, int, bool)
_CONSTRAINTS = {
    "str": frozenset(("min_length", "max_length")),
    "int": frozenset(("ge", "le", "gt", "lt")),
    "tuple": frozenset(("min_length", "max_length")),
    "bool": frozenset[str](),
}


def read_plain(data: object, content: bytes) -> Claim | None:
    """The claim in decoded JSON; None: it is to be read by `rules.claim.read_claim`, or is none.

    `content`: the same as canonical JSON. Plain is a claim whose texts are printable ASCII and of whose lists none is
    null or has a place left free.
    """
    if not content.isascii() or b"\\" in content or b"\x7f" in content or b'""' in content:
        return None
    try:
        return cast(Claim, filled(data, _CLAIM))
    except msgspec.ValidationError:
        return None


def undated(claim: Claim) -> Claim:
    """The claim without what its sender says of receipt."""
    made: Any = claim
    if isinstance(made, msgspec.Struct):
        return cast(Claim, msgspec.structs.replace(made, received_date=None))
    return replace(claim, received_date=None)


def filled(data: object, struct: Any) -> Any:
    """What `translated` made, with the decoded JSON in it.

    Raises:
        msgspec.ValidationError: the model does not take it, or takes it in a way that has no translation.
    """
    return msgspec.convert(data, struct, dec_hook=_amount)


def _amount(kind: Any, value: object) -> object:
    """Reads a value by the claim model's own function; msgspec takes its ValueError for a refusal."""
    return _amount_of(kind, value) if type(value) is str else kind.read(value)


@lru_cache(maxsize=8_192)
def _amount_of(kind: Any, text: str) -> object:
    """Charges and units of other claims are the same again."""
    return kind.read(text)


def translated(model: type[Any]) -> Any:
    """The model, a pydantic dataclass, as a struct that msgspec fills.

    Raises:
        NotTranslated: something of a field has no translation.
    """
    schema: Mapping[str, Any] = TypeAdapter(model).core_schema
    if schema["type"] != "definitions":
        return _Translation().of(schema, model.__name__)
    return _Translation({one["ref"]: one for one in schema["definitions"]}).of(schema["schema"], model.__name__)


@dataclass(frozen=True)
class _Translation:
    """Each kind of core schema that claims use, as msgspec's type of the same values."""

    shared: Mapping[str, Any] = field(default_factory=dict)
    """Parts that several fields refer to."""
    made: dict[type[Any], Any] = field(default_factory=dict)

    def of(self, node: Any, path: str) -> Any:
        translate = getattr(self, f"_{node['type'].replace('-', '_')}", None)
        if translate is None:
            raise NotTranslated(field=path, what=f"values of the kind {node['type']!r}")
        return translate(node, path)

    def _only(self, node: Any, path: str, *known: str) -> None:
        for key in node:
            if key not in _SILENT and key not in known:
                raise NotTranslated(field=path, what=f"{key}={node[key]!r}")

    def _strict(self, node: Any, path: str, kind: Any) -> Any:
        """A value of exactly this type, with its bounds."""
        constraints = _CONSTRAINTS[node["type"]]
        self._only(node, path, "strict", *constraints)
        if node.get("strict") is not True:
            raise NotTranslated(field=path, what=f"a {node['type']} that is not strict")
        bounds = {name: node[name] for name in constraints if name in node}
        return Annotated[kind, msgspec.Meta(**bounds)] if bounds else kind

    def _str(self, node: Any, path: str) -> Any:
        return self._strict(node, path, str)

    def _int(self, node: Any, path: str) -> Any:
        return self._strict(node, path, int)

    def _bool(self, node: Any, path: str) -> Any:
        return self._strict(node, path, bool)

    def _literal(self, node: Any, path: str) -> Any:
        self._only(node, path, "expected")
        if not all(type(value) is str for value in node["expected"]):
            raise NotTranslated(field=path, what=f"literals that are not texts, {node['expected']!r}")
        return Literal[tuple(node["expected"])]

    def _nullable(self, node: Any, path: str) -> Any:
        self._only(node, path, "schema")
        return reduce(or_, (self.of(node["schema"], path), None))

    def _tuple(self, node: Any, path: str) -> Any:
        constraints = _CONSTRAINTS["tuple"]
        self._only(node, path, "items_schema", "variadic_item_index", *constraints)
        if len(node["items_schema"]) != 1 or node.get("variadic_item_index") != 0:
            raise NotTranslated(field=path, what="a tuple of a fixed length")
        entries = GenericAlias(tuple, (self.of(node["items_schema"][0], f"{path}[]"), ...))
        bounds = {name: node[name] for name in constraints if name in node}
        return Annotated[entries, msgspec.Meta(**bounds)] if bounds else entries

    def _function_plain(self, node: Any, path: str) -> Any:
        self._only(node, path, "function")
        function = self._function(node, path)
        if function is calendar_day:  # a moment at midnight is not plain
            return date
        if function not in _AMOUNTS:
            raise NotTranslated(field=path, what=f"the validator {function.__qualname__}")
        return _read_by(function)

    def _function_before(self, node: Any, path: str) -> Any:
        self._only(node, path, "function", "schema")
        function = self._function(node, path)
        if function is not npi_text:  # which leaves a text as it is
            raise NotTranslated(field=path, what=f"the validator {function.__qualname__}")
        return self.of(node["schema"], path)

    def _function_after(self, node: Any, path: str) -> Any:
        self._only(node, path, "function", "schema")
        function, inner = self._function(node, path), node["schema"]
        if function is printable:  # which all of a plain claim is
            return self.of(inner, path)
        if function is not_empty:
            return Annotated[self.of(inner, path), msgspec.Meta(min_length=1)]
        if function is without_free_places:
            # A list that needs it is not plain, and it leaves every other one as it is.
            entries = inner["schema"]
            (place,) = entries["items_schema"]
            return self.of({**entries, "items_schema": [place["schema"]]}, path)
        raise NotTranslated(field=path, what=f"the validator {function.__qualname__}")

    def _function(self, node: Any, path: str) -> Callable[..., Any]:
        if node["function"]["type"] != "no-info":
            raise NotTranslated(field=path, what="a validator that asks for more than the value")
        return cast(Callable[..., Any], node["function"]["function"])

    def _definition_ref(self, node: Any, path: str) -> Any:
        self._only(node, path, "schema_ref")
        return self.of(self.shared[node["schema_ref"]], path)

    def _dataclass(self, node: Any, path: str) -> Any:
        """A part of the claim, once for all fields that hold it."""
        kind, arguments = node["cls"], node["schema"]
        if kind not in self.made:
            self._only(node, path, *_OBJECT)
            self._only(arguments, path, *_ARGUMENTS)
            config = {key: value for key, value in node["config"].items() if key != "title"}
            if config != _STRICT or node["post_init"] or arguments["computed_fields"] or _own(kind):
                raise NotTranslated(field=path, what=f"what {kind.__name__} has beside its fields")
            fields = [self._field(one, f"{path}.{one['name']}") for one in arguments["fields"]]
            self.made[kind] = msgspec.defstruct(
                kind.__name__, fields, kw_only=True, frozen=True, forbid_unknown_fields=True
            )
        return self.made[kind]

    def _field(self, node: Any, path: str) -> tuple[Any, ...]:
        self._only(node, path, "name", "schema", "init", "kw_only", "frozen")
        inner = node["schema"]
        if inner["type"] != "default":
            return node["name"], self.of(inner, path)
        self._only(inner, path, "schema", "default")
        if inner.get("default") != () and type(inner.get("default")) not in _PLAIN_DEFAULTS:
            raise NotTranslated(field=path, what=f"the default {inner['default']!r}, which claims would share")
        return node["name"], self.of(inner["schema"], path), inner["default"]


def _own(kind: type[Any]) -> list[str]:
    """The methods and properties of a part of the claim, which a struct would not have."""
    names = {name for one in kind.__mro__[:-1] for name in vars(one)}
    return sorted(name for name in names.difference(kind.__dataclass_fields__) if not name.startswith("__"))


def _read_by(function: Callable[[Any], Any]) -> Any:
    """A type whose values that function reads."""
    return ABCMeta("Amount", (), {"read": staticmethod(function), "__subclasshook__": classmethod(lambda *_: True)})


_CLAIM = translated(Claim)
