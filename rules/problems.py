"""Pydantic's errors in our words: each with its path, and a sentence that holds no value of the input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from rules.errors import Problem

MOST = 100
"""Problems that are kept of one input: who has that many mends a program, not a claim."""
_LONGEST_KEY = 64
_UNKNOWN_KEY = ("unexpected_keyword_argument", "extra_forbidden")
"""What pydantic calls it in a dataclass, and in a model of its own."""


def problems_of(error: ValidationError, model: type[Any]) -> list[Problem]:
    """Pydantic's errors in our words: misspelled keys before missing ones, and never a value of the input.

    At most `MOST` of them, and one more that says how many there are besides.
    """
    details = details_of(error, model)
    problems = [_problem(detail, model) for detail in details[:MOST]]
    return at_most(problems, len(details))


def at_most(problems: Iterable[Problem], count: int | None = None) -> list[Problem]:
    """The first `MOST` problems, and one that says how many more there are; `count`: of all, where these are fewer."""
    kept = list(problems)
    more = (len(kept) if count is None else count) - MOST
    return [*kept[:MOST], Problem("", f"and {more} more problems")] if more > 0 else kept


def details_of(error: ValidationError, model: type[Any]) -> list[ErrorDetails]:
    """Pydantic's errors without those that another one brings about: a list is no shorter for an entry that is wrong,
    and a key that was misspelled is not missing as well."""
    details = error.errors(include_url=False, include_context=True, include_input=True)
    details.sort(key=lambda detail: detail["type"] == "missing")
    within = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    meant = {
        (*location[:-1], _meant(model, location)[0])
        for location in (detail["loc"] for detail in details if detail["type"] in _UNKNOWN_KEY)
        if _meant(model, location)
    }
    return [
        detail
        for detail in details
        if not (detail["type"] == "too_short" and detail["loc"] in within)
        and not (detail["type"] == "missing" and detail["loc"] in meant)
    ]


def _meant(model: type[Any], location: tuple[int | str, ...]) -> list[str]:
    """The key that is nearest to an unknown one, if any is near."""
    key = str(location[-1])
    # Not for a key of a megabyte: matching takes the longer the longer it is.
    return get_close_matches(key, _keys_at(model, location[:-1]), n=1) if len(key) <= _LONGEST_KEY else []


def _problem(detail: ErrorDetails, model: type[Any]) -> Problem:
    location = detail["loc"]
    path = path_text(location)
    if detail["type"] in _UNKNOWN_KEY:
        parent = path_text(location[:-1])
        near = _meant(model, location)
        hint = f"did you mean {near[0]!r}?" if near else "remove it, or see the JSON Schema for the keys there are"
        return Problem(path[:200], f"unknown key; {hint}", parent)
    return Problem(path, _sentence(detail), path)


def path_text(location: tuple[int | str, ...]) -> str:
    """`('lines', 0, 'charge')` as `lines[0].charge`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _sentence(detail: ErrorDetails) -> str:
    context: Mapping[str, Any] = detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            return "is required"
        case "literal_error":
            return f"expected {context['expected']}"
        case "string_type":
            zeros = ": a number would have lost zeros at its beginning"
            return "expected a string" + (zeros if type(detail["input"]) in (int, float, Decimal) else "")
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            return f"expected at most {context['max_length']} characters"
        case "int_type" | "int_parsing" | "int_from_float":
            return "expected a whole number"
        case "bool_type":
            return "expected true or false"
        case "tuple_type" | "list_type":
            return "expected a list"
        case "dataclass_type" | "model_type" | "model_attributes_type" | "dict_type":
            return "expected an object"
        case "too_short":
            return f"expected at least {context['min_length']} entry"
        case "too_long":
            return f"expected at most {context['max_length']} entries"
        case _:
            message = detail["msg"]
            return message[:1].lower() + message[1:]


@cache
def schema_of(model: type[Any]) -> dict[str, Any]:
    """The JSON Schema of what is read."""
    return TypeAdapter(model).json_schema()


def _keys_at(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys that the object at this place of the model may have, for suggestions."""
    schema = schema_of(model)
    node = _object(schema, schema)
    for part in location:
        inner = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
        node = _object(inner, schema)
    return list(node.get("properties", ()))


def _object(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """What a node stands for: behind its reference, and of `X or null` the X."""
    for option in (node, *node.get("anyOf", ())):
        if "$ref" in option:
            found: dict[str, Any] = schema["$defs"][option["$ref"].rpartition("/")[2]]
            return found
        if "items" in option:
            return cast(dict[str, Any], option)
    return node
