"""The values of a claim, as a field takes them: texts, codes, dates, amounts, lists of codes.

Lenient where a rule judges, strict where nothing could be judged: wrong types, absurd sizes, controls in a text.
Amounts are US dollars with at most two decimals; dates are ISO 8601 calendar dates without a zone.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainValidator,
    WithJsonSchema,
)
from pydantic.dataclasses import dataclass
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_CODES = 200
LARGEST_AMOUNT = Decimal("9999999999.99")
CENT = Decimal("0.01")
_ZERO = Decimal(0)
_FIRST_NPI, _LAST_NPI = 1_000_000_000, 9_999_999_999

T = TypeVar("T")


def iso_date(value: object) -> date:
    """A date from YYYY-MM-DD; numbers and times are refused."""
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    elif type(value) is date:
        return value
    raise PydanticCustomError("date", "expected a calendar date as YYYY-MM-DD")


_MIDNIGHT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]00:00(:00(\.0{1,9})?)? ?(Z|UTC|[+-]\d{2}(:?\d{2})?)?")


def calendar_day(value: object) -> date:
    """As `iso_date`; a moment at midnight too, as databases write a column of dates. Its zone is not looked at: the
    day is the one that is written. At any other time of day the day would depend on the zone, and it is refused."""
    if isinstance(value, str) and len(value) > 10:
        if found := _MIDNIGHT.fullmatch(value):
            return iso_date(found[1])
        if value[10] in "T ":
            raise PydanticCustomError(
                "date",
                "expected a calendar date as YYYY-MM-DD; at a time of day other than midnight, the zone decides which "
                "day it is",
            )
    return iso_date(value)


def npi_text(value: object) -> object:
    """An NPI of ten digits that a database gave as a number, as text: no NPI begins with zero, so none is lost."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and _FIRST_NPI <= value <= _LAST_NPI:
        return str(int(value)) if value == int(value) else value
    return value


def _decimal(value: str | int | Decimal, places: int) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise PydanticCustomError("number", "expected a decimal number such as 1 or 2.5") from None
    if not number.is_finite():
        raise PydanticCustomError("number", "expected a finite number")
    if not number:
        number = _ZERO  # -0 and 0E+9 equal 0 and would be written otherwise
    # copy_abs: abs() rounds to the context, and raises where the exponent is beyond its own limits.
    if number.copy_abs() > LARGEST_AMOUNT or int(number.as_tuple().exponent) < -12:
        raise PydanticCustomError("number", "expected at most 10 digits before and 12 after the decimal point")
    if places == 2 and number != round(number, 2):
        raise PydanticCustomError("money", "expected an amount in dollars with at most two decimals")
    return number.quantize(CENT) if places == 2 else number


decimal_of_text = lru_cache(maxsize=4_096)(_decimal)
"""Amounts come from price lists. Of texts alone: equal numbers may be written with more zeros or fewer."""


def number(value: object, places: int = 12) -> Decimal:
    """A decimal from a string or a JSON number; a float would already have lost digits and is refused."""
    if isinstance(value, str):
        if len(value) > 30:
            raise PydanticCustomError("number", "expected a decimal number of at most 30 characters")
        return decimal_of_text(value, places)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PydanticCustomError("number", "expected a decimal number, as a string or a JSON number")
    return _decimal(value, places)


def money(value: object) -> Decimal:
    """US dollars, to the cent; see `number`."""
    return number(value, 2)


def printable(value: str) -> str:
    """The text, if no character of it is a control or a line break."""
    if not value.isprintable():
        raise PydanticCustomError("text", "expected printable characters only, no line breaks or controls")
    return value


def not_empty(value: tuple[object, ...]) -> tuple[object, ...]:
    """At least one entry. Pydantic's own min_length would also speak where the only entry has an error."""
    if not value:
        raise PydanticCustomError("empty", "expected at least 1 entry")
    return value


def without_free_places(value: tuple[T, ...] | None) -> tuple[T, ...]:
    """The entries that are there: null is an empty list, and an entry that is null or "" is a place left free, as in
    exports with a column for each place. No other field refers to a place in these lists, so nothing is displaced."""
    if not value or not (None in value or "" in value):
        return value or ()
    return tuple(entry for entry in value if entry is not None and entry != "")


class _OrNull:
    """Marks a list that may be null and may have free places, in what is read and in the JSON Schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        entries = cast(core_schema.TupleSchema, handler(source))
        places = {**entries, "items_schema": [core_schema.nullable_schema(entries["items_schema"][0])]}
        either = core_schema.nullable_schema(cast(CoreSchema, places))
        return core_schema.no_info_after_validator_function(without_free_places, either)


_DECIMAL_SCHEMA = {
    "anyOf": [{"type": "string", "pattern": r"^[-+]?[0-9]+(\.[0-9]+)?$"}, {"type": "number"}],
}
_text = AfterValidator(printable)

Date = Annotated[date, PlainValidator(calendar_day), WithJsonSchema({"type": "string", "format": "date"})]
Money = Annotated[Decimal, PlainValidator(money), WithJsonSchema(_DECIMAL_SCHEMA)]
Number = Annotated[Decimal, PlainValidator(number), WithJsonSchema(_DECIMAL_SCHEMA)]
Whole = Annotated[int, Field(strict=True, ge=-999_999, le=999_999)]
Code = Annotated[str, Field(strict=True, max_length=30), _text]
Npi = Annotated[
    Code, BeforeValidator(npi_text, json_schema_input_type=Code | Annotated[int, Field(ge=_FIRST_NPI, le=_LAST_NPI)])
]
"""Ten digits, as text or as a number."""
Name = Annotated[str, Field(strict=True, max_length=200), _text]
Prose = Annotated[str, Field(strict=True, max_length=2_000)]
Flag = Annotated[bool, Field(strict=True)]
Codes = Annotated[tuple[Code, ...], Field(max_length=MAX_CODES)]
Some = Annotated[tuple[T, ...], Field(max_length=MAX_CODES), _OrNull()]
"""A list that may be absent or null."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def claim_part(kind: type[T]) -> type[T]:
    """Frozen; unknown keys are refused, since a misspelled key would otherwise hide a fact from the rules.

    Dataclasses with slots: pydantic's own models take four times as long to read an attribute of.
    """
    config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    return cast(type[T], dataclass(frozen=True, kw_only=True, slots=True, config=config)(kind))
