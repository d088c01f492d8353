"""Forms of member ids, as payer files declare them: parts in a row, of a closed vocabulary.

A payer file never holds a regular expression. What it holds is compiled to one here, of a kind that reads an id once:
at most one part of a pattern has a length that varies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Form = Callable[[str], bool]
"""Whether a member id has the form. Answers are not kept, since ids identify persons."""
LONGEST = 80
"""Characters of a member id on an 837 (2010BA NM109)."""
_KINDS: Mapping[str, str] = {"digits": "[0-9]", "letters": "[A-Z]", "letters_or_digits": "[0-9A-Z]"}


def _count(value: object) -> tuple[int, int]:
    """`9`, or `1-14`."""
    least, dash, most = str(value).partition("-")
    if not (least.isascii() and least.isdigit()) or (dash and not (most.isascii() and most.isdigit())):
        raise PydanticCustomError("count", "expected a number of characters such as 9, or 1-14")
    found = int(least[:4]), int((most if dash else least)[:4])
    if not 1 <= found[0] <= found[1] <= LONGEST:
        raise PydanticCustomError("count", f"expected 1 to {LONGEST} characters, the smaller number first")
    return found


Count = Annotated[tuple[int, int], BeforeValidator(_count)]
Characters = Annotated[str, Field(pattern=r"^[0-9A-Z]+$", max_length=36)]


class PartShape(BaseModel):
    """One part of a pattern: `text` as it stands, so many `digits`, `letters` (capitals) or `letters_or_digits`, or one
    of some characters."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    text: Characters | None = None
    digits: Count | None = None
    letters: Count | None = None
    letters_or_digits: Count | None = None
    one_of: Characters | None = None
    with_letter: Literal["true", "false"] = "false"
    """Whether at least one of the `letters_or_digits` is a letter."""

    @model_validator(mode="after")
    def _one_kind(self) -> PartShape:
        given = [name for name in ("text", *_KINDS, "one_of") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError("part", f"expected exactly one of text, {', '.join(_KINDS)}, one_of")
        if self.with_letter == "true" and (self.letters_or_digits is None or self.varies):
            raise PydanticCustomError("part", "`with_letter` goes with a fixed number of letters_or_digits")
        return self

    @property
    def count(self) -> tuple[int, int]:
        """The least and the most characters."""
        return self.digits or self.letters or self.letters_or_digits or (len(self.text or "1"),) * 2

    @property
    def varies(self) -> bool:
        """Whether its length does."""
        return self.count[0] != self.count[1]

    def expression(self) -> str:
        """The part as a regular expression."""
        if self.text is not None:
            return re.escape(self.text)
        if self.one_of is not None:
            return f"[{self.one_of}]"
        kind = next(name for name in _KINDS if getattr(self, name) is not None)
        least, most = self.count
        ahead = f"(?=[0-9]{{0,{most - 1}}}[A-Z])" if self.with_letter == "true" else ""
        return f"{ahead}{_KINDS[kind]}{{{least},{most}}}"


Pattern = Annotated[tuple[PartShape, ...], Field(min_length=1, max_length=20)]


class MemberIdShape(BaseModel):
    """One form: an id has it that is made like one of the patterns."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    says: Annotated[str, Field(min_length=1)]
    """In a biller's words, such as `W and 9 digits`."""
    patterns: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=10)]

    @model_validator(mode="after")
    def _one_length_varies(self) -> MemberIdShape:
        if any(sum(part.varies for part in pattern) > 1 for pattern in self.patterns):
            raise PydanticCustomError("pattern", "only one part of a pattern may have a length that varies")
        if any(sum(part.count[1] for part in pattern) > LONGEST for pattern in self.patterns):
            raise PydanticCustomError("pattern", f"a member id has at most {LONGEST} characters")
        return self

    def form(self) -> Form:
        """The form as a function of member ids."""
        whole = "|".join("".join(part.expression() for part in pattern) for pattern in self.patterns)
        compiled = re.compile(whole)
        return lambda member_id: compiled.fullmatch(member_id) is not None


def _form(*patterns: list[dict[str, str]]) -> Form:
    return MemberIdShape.model_validate({"says": "-", "patterns": patterns}).form()


_MBI_LETTERS = "ACDEFGHJKMNPQRTUVWXY"
_MBI_EITHER = f"0123456789{_MBI_LETTERS}"
_MBI = [
    {"one_of": "123456789"}, {"one_of": _MBI_LETTERS}, {"one_of": _MBI_EITHER}, {"digits": "1"},
    {"one_of": _MBI_LETTERS}, {"one_of": _MBI_EITHER}, {"digits": "1"}, {"one_of": _MBI_LETTERS},
    {"one_of": _MBI_LETTERS}, {"digits": "2"},
]  # fmt: skip
EARLIER: Mapping[str, Form] = {
    "mbi": _form(_MBI),
    "blue": _form([{"letters_or_digits": "3", "with_letter": "true"}, {"letters_or_digits": "1-14"}]),
    "fep": _form([{"text": "R"}, {"digits": "8"}]),
    "uhc": _form([{"digits": "9"}]),
    "aetna": _form([{"text": "W"}, {"digits": "9"}]),
    "cigna": _form([{"text": "U"}, {"digits": "8"}], [{"text": "U"}, {"digits": "10"}]),
}
"""The forms that books up to 0.1.0 did not declare. A new one belongs in its payer's file."""
