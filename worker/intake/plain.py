"""Plain claims, read in half of the time: msgspec builds them, and what it does not take, pydantic reads.

`rules.claim.Claim` stays the one definition: its parts are translated here into msgspec's structs, with the same names,
types, bounds and defaults, so that what is read here is a claim to whoever looks at it. Nothing here says what is wrong
with one: `read_claim` does, of everything that is passed over here.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from functools import cache, reduce
from operator import or_
from types import GenericAlias, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import force_setattr
from pydantic_core import PydanticCustomError

from rules.claim import Claim, Money, Number, decimal_of_text

_BOUNDS = ("min_length", "max_length", "ge", "le")


def read_plain(data: object, content: bytes) -> Claim | None:
    """The claim in decoded JSON; None: it is to be read by `rules.claim.read_claim`, or is none.

    `content`: the same as canonical JSON. Plain is a claim whose texts are printable ASCII, whose amounts are strings,
    and which has neither records nor other payers.
    """
    if not content.isascii() or b"\\" in content or b"\x7f" in content:
        return None
    try:
        claim = msgspec.convert(data, _struct(Claim))
        if not claim.lines or claim.documentation or claim.other_payers:
            return None
        _fill(claim, "total_charge", 2)
        for line in claim.lines:
            _fill(line, "charge", 2)
            _fill(line, "units", 12)
            if line.drug:
                _fill(line.drug, "quantity", 12)
    except (msgspec.ValidationError, PydanticCustomError):
        return None
    return cast(Claim, claim)


def _fill(part: Any, name: str, places: int) -> None:
    """Puts the decimal in place of its text."""
    text = getattr(part, name)
    if text is not None:
        force_setattr(part, name, decimal_of_text(text, places))


@cache
def _struct(part: type[Any]) -> Any:
    """A part of the claim as a struct."""
    hints = get_type_hints(part, include_extras=True)
    translated = [
        (field.name, _kind(hints[field.name]), *([] if field.default is MISSING else [field.default]))
        for field in fields(part)
    ]
    return msgspec.defstruct(part.__name__, translated, kw_only=True, frozen=True, forbid_unknown_fields=True)


def _kind(hint: Any) -> Any:
    """A type of the claim model as msgspec knows it."""
    if hint in (Money, Number):
        return Annotated[str, msgspec.Meta(max_length=30)]
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        notes = [note for part in parts[1:] for note in getattr(part, "metadata", ())]
        bounds = {name: getattr(note, name) for note in notes for name in _BOUNDS if hasattr(note, name)}
        return Annotated[_kind(parts[0]), msgspec.Meta(**bounds)] if bounds else _kind(parts[0])
    if origin in (Union, UnionType):
        return reduce(or_, map(_kind, parts))
    if origin is tuple:
        return GenericAlias(tuple, (_kind(parts[0]), ...))
    return _struct(cast(type, hint)) if is_dataclass(hint) else hint
