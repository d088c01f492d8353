"""A procedure that the book has rules for: procedure.yaml of its package, which is a folder of procedures/."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from rules.terms import PROCEDURES
from rules.values import iso_date

Day = Annotated[date, BeforeValidator(iso_date)]
Code = Annotated[str, Field(pattern=r"^[0-9A-Z]{5}$")]


CompanionKind = Literal["administration", "catheter_management", "visit_add_on"]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CodeRange(_Shape):
    """Codes from one to another, both inclusive, in the order of their characters."""

    from_: Annotated[Code, Field(alias="from")]
    to: Code
    why: Annotated[str, Field(min_length=1)]
    """What of such a line the package's rules judge."""
    kind: CompanionKind | None = None
    """What such a line is, where rules ask for lines of that kind."""


class BaseExample(_Shape):
    """What the examples of the package's rules differ from, over what every example has: parts of a claim, as decoded
    JSON."""

    claim: Mapping[str, Any] = Field(default_factory=dict)
    line: Mapping[str, Any] = Field(default_factory=dict)


class Procedure(_Shape):
    """One procedure.yaml."""

    procedure: Annotated[str, Field(pattern=r"^[0-9A-Z]{5}$")]
    """The name of its folder, and as a rule its only code."""
    name: Annotated[str, Field(min_length=1)]
    """In plain words; no CPT descriptor."""
    codes: Annotated[tuple[Code, ...], Field(min_length=1)]
    companions: tuple[CodeRange, ...] = ()
    """Codes that the package's rules judge beside its own."""
    catheters: tuple[Code, ...] = ()
    """Codes of the same place by catheter, which include the single injection."""
    family: tuple[Code, Code] | None = None
    """First and last code of the injections that are counted together."""
    akin: tuple[Code, Code] | None = None
    """First and last code of the procedures like it, none of which is an operation beside it."""
    example: BaseExample = Field(default_factory=BaseExample)
    sources: tuple[str, ...] = ()
    """Keys of sources.yaml on which the lists here rest."""
    keeper: str = ""
    """Who answers for the package: a role, not a person."""
    review_by: Day | None = None
    """After this day the package wants to be looked at again."""

    def like_it(self, code: str) -> bool:
        """Whether a code is the package's own, or akin to it."""
        first, last = self.akin or ("", "")
        return code in self.codes or first <= code <= last

    def companion_of(self, kind: CompanionKind, code: str) -> bool:
        """Whether a code is a companion of this kind."""
        return any(one.kind == kind and one.from_ <= code <= one.to for one in self.companions)

    def has_companion(self, code: str | None) -> bool:
        """Whether a line with this code is judged beside the package's own."""
        return code is not None and any(one.from_ <= code <= one.to for one in self.companions)


def codes_in(files: Mapping[str, bytes]) -> frozenset[str]:
    """The codes that the packages among the files of a book are for; of a file that is none, nothing: reading the book
    says what is wrong with it."""
    found: set[str] = set()
    for name, content in files.items():
        if name.startswith(f"{PROCEDURES}/") and name.endswith("/procedure.yaml"):
            with suppress(ValueError):
                found.update(_package(content).codes)
    return frozenset(found)


def _package(content: bytes) -> Procedure:
    import yaml  # most commands start without it: see rules.book.parsed

    try:
        data = yaml.load(content.decode("utf-8"), yaml.BaseLoader)  # noqa: S506  plain text alone
    except yaml.YAMLError as error:
        raise ValueError("not YAML") from error
    return Procedure.model_validate(data)


@cache
def shipped() -> tuple[Procedure, ...]:
    """The packages that ship."""
    files = sorted((Path(__file__).parent / "library" / PROCEDURES).glob("*/procedure.yaml"))
    return tuple(_package(file.read_bytes()) for file in files)


@cache
def shipped_codes() -> frozenset[str]:
    """The codes that they are for."""
    return frozenset(code for package in shipped() for code in package.codes)
