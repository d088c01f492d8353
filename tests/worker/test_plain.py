"""What is read the quick way is what the claim model reads, to the last field; and nothing else is read.

msgspec knows nothing of pydantic's constraints and validators (msgspec#154, msgspec#177, msgspec#483), and a model that
is derived from another one loses them in silence (litestar#3026, datamodel-code-generator#1884).
"""

from __future__ import annotations

import enum
import subprocess
import sys
from copy import deepcopy
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    TypeAdapter,
    ValidationError,
    WrapValidator,
    computed_field,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.errors import ClaimInvalid
from rules.values import Code, Date, Money, Number, Some, Whole, claim_part
from tests.book import BOOK
from tests.rules.claims import CLAIMS
from tests.rules.drawn import ODD, claims_of, filled_paths, paths
from worker.bench.claims import claim
from worker.errors import NotTranslated
from worker.intake.events import canonical, decode
from worker.intake.plain import filled, read_plain, translated

ROOT = Path(__file__).parents[2]


def plain(data: object) -> Claim | None:
    return read_plain(data, canonical(data))


def parts(value: Any, model: Any) -> Any:
    """The fields of what was read, by the parts of the claim model, with types and digits of amounts."""
    if is_dataclass(model):
        return {field.name: parts(getattr(value, field.name), getattr(model, field.name)) for field in fields(model)}
    if isinstance(model, tuple):
        assert isinstance(value, tuple)
        assert len(value) == len(model)
        return tuple(map(parts, value, model))
    return type(value), str(value)


def agree(data: object) -> bool:
    """Whether it is read at all; then it is what the claim model reads."""
    found = plain(data)
    if found is not None:
        expected = read_claim(data)
        assert parts(found, expected) == parts(expected, expected)
        assert check(found, BOOK) == check(expected, BOOK)
    return found is not None


def test_every_claim_of_the_bench_is_plain() -> None:
    assert sum(agree(claim(number)) for number in range(400)) == 400


@given(CLAIMS)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_claim_is_read_as_the_claim_model_reads_it(data: dict[str, Any]) -> None:
    agree(data)


@given(claims_of(Claim))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_claim_with_any_of_the_models_fields_is_read_as_the_claim_model_reads_it(data: dict[str, Any]) -> None:
    agree(data)


@given(claims_of(Claim, whole=True))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_claim_with_all_of_the_models_fields_is_plain(data: dict[str, Any]) -> None:
    assert set(paths(Claim)) <= filled_paths(data)
    assert agree(data)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in the claim: the object or list that it is in, and its key there."""
    found: list[tuple[Any, Any]] = []
    for key, part in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        found.append((value, key))
        if isinstance(part, dict | list):
            found += places(part)
    return found


@given(st.integers(0, 50).map(claim) | claims_of(Claim), st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_odd_value_anywhere_is_read_as_the_claim_model_reads_it_or_not_at_all(
    drawn: dict[str, Any], data: st.DataObject
) -> None:
    one = deepcopy(drawn)
    where, key = data.draw(st.sampled_from(places(one)))
    where[key] = data.draw(ODD)
    agree(one)


@pytest.mark.parametrize("key", ["prior_auth", "CLAIM_ID", "lines "])
def test_an_unknown_key_is_left_to_the_claim_model_which_refuses_it(key: str) -> None:
    assert plain({**claim(1), key: "1"}) is None
    with pytest.raises(ClaimInvalid, match="unknown key"):
        read_claim({**claim(1), key: "1"})


@pytest.mark.parametrize("text", ["Ren\u00e9", "a\tb", "\u007f", 'a"b', ""])
def test_a_text_that_may_not_be_printable_is_left_to_the_claim_model(text: str) -> None:
    assert plain({**claim(1), "patient": {"first_name": text}}) is None


@pytest.mark.parametrize("amount", ["450", 450, decode(b"450.0"), decode(b"450.00")])
def test_an_amount_is_an_amount_however_it_is_written(amount: object) -> None:
    assert agree({**claim(1), "total_charge": amount})


def test_records_and_other_payers_are_plain_too() -> None:
    agents = [{"name": "bupivacaine", "volume_ml": "5"}, {"name": "lidocaine", "volume_ml": 2}]
    assert agree({**claim(1), "documentation": [{"consent": True, "agents": agents}]})
    assert agree({**claim(1), "other_payers": [{"paid": "1.00", "adjudication_date": "2026-07-01"}]})


def with_field(kind: Any, default: Any = None) -> Any:
    """A part of a claim with one field more, as somebody would add it."""
    return claim_part(type("Part", (), {"__annotations__": {"id": Code, "added": kind}, "added": default}))


@claim_part
class Copay:
    amount: Money | None = None
    days: Some[Date] = ()


TRANSLATED: dict[str, tuple[Any, tuple[object, ...], tuple[object, ...]]] = {
    "an amount": (Money | None, ("25.00", 25, None), ("25.001", "x", True)),
    "a number": (Number | None, ("0.125", 3), ("", [])),
    "a list of dates": (Some[Date], (["2026-07-13", "2026-07-14"], []), (["2026-13-01"], ["20260713"], "2026-07-13")),
    "an int with bounds": (Annotated[int, Field(strict=True, ge=0, lt=10)] | None, (0, 9), (-1, 10, "1", True, 1.5)),
    "a text with a least length": (Annotated[str, Field(strict=True, min_length=3, max_length=5)] | None, ("abc",), ("ab", "abcdef", 7)),
    "an optional part": (Copay | None, ({"amount": "1.5", "days": ["2026-07-13"]}, {}, None), ({"amont": "1"}, [])),
    "a list of parts with amounts": (Some[Copay], ([{"amount": "2"}, {}],), ([{"amount": "2.001"}], {})),
    "amounts in a list": (Some[Money], (["1", "2.50"],), (["1", "x"], "1")),
    "one of several words": (Literal["yes", "no"] | None, ("yes",), ("maybe", 1)),
    "a list of numbers": (Some[Whole], ([1, 2],), ([1_000_000], ["1"])),
    "a flag": (Annotated[bool, Field(strict=True)] | None, (True, False), (1, "true", 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_new_field_is_read_as_pydantic_reads_it(name: str) -> None:
    kind, right, wrong = TRANSLATED[name]
    model = with_field(kind, () if "tuple" in str(kind) else None)
    struct, pydantics = translated(model), TypeAdapter(model)
    for value in right:
        data = {"id": "1", "added": value}
        expected = pydantics.validate_python(data)
        assert parts(filled(data, struct), expected) == parts(expected, expected)
    for value in wrong:
        with pytest.raises(ValidationError):
            pydantics.validate_python({"id": "1", "added": value})
        with pytest.raises(msgspec.ValidationError):
            filled({"id": "1", "added": value}, struct)
    absent = pydantics.validate_python({"id": "1"})
    assert parts(filled({"id": "1"}, struct), absent) == parts(absent, absent)


class Side(enum.Enum):
    LEFT = "left"


@claim_part
class ByCash:
    kind: Literal["cash"]


@claim_part
class ByCard:
    kind: Literal["card"]


def upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


REFUSED: dict[str, tuple[Any, str]] = {
    "a text with a pattern": (Annotated[str, Field(strict=True, pattern="^[A-Z]{3}$")] | None, "pattern='^[A-Z]{3}$'"),
    "a text that is not strict": (str | None, "a str that is not strict"),
    "a text that is stripped": (Annotated[str, Field(strict=True), BeforeValidator(upper)] | None, "the validator upper"),
    "an int that is not strict": (Annotated[int, Field(ge=0)] | None, "a int that is not strict"),
    "an int of a multiple": (Annotated[int, Field(strict=True, multiple_of=5)] | None, "multiple_of=5"),
    "a bare decimal": (Decimal | None, "'decimal'"),
    "a float": (float | None, "'float'"),
    "a bare date": (date | None, "'date'"),
    "an amount with bounds": (Annotated[Money, AfterValidator(lambda value: value)] | None, "the validator"),
    "a validator after": (Annotated[Code, AfterValidator(upper)] | None, "the validator upper"),
    "a validator around": (Annotated[Code, WrapValidator(lambda value, then: then(value))] | None, "'function-wrap'"),
    "an enumeration": (Side | None, "'enum'"),
    "numbers as words": (Literal[1, 2] | None, "literals that are not texts"),
    "either of two parts": (Annotated[ByCash | ByCard, Discriminator("kind")] | None, "'tagged-union'"),
    "a text or a number": (Code | Whole | None, "'union'"),
    "an alias": (Annotated[Code | None, Field(alias="addedField")], "alias='addedField'"),
    "a default that is made": (Annotated[Code, Field(default_factory=lambda: "x")], "default_factory="),
    "a default that is checked": (Annotated[Code | None, Field(validate_default=True)], "validate_default=True"),
    "a pair": (tuple[Code, Code] | None, "a tuple of a fixed length"),
    "a set": (frozenset[str] | None, "'frozenset'"),
    "a mapping": (dict[str, str] | None, "'dict'"),
    "anything": (Any, "'any'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_new_field_that_has_no_translation_is_refused_by_its_name(name: str) -> None:
    kind, what = REFUSED[name]
    made = "default_factory" in what
    part = type("Part", (), {"__annotations__": {"id": Code, "added": kind}, **({} if made else {"added": None})})
    with pytest.raises(NotTranslated, match="Part.added") as caught:
        translated(claim_part(part))
    assert what in str(caught.value)


@claim_part
class WithFieldValidator:
    added: Code | None = None

    @field_validator("added")
    @classmethod
    def shout(cls, value: str | None) -> str | None:
        return value and value.upper()


@claim_part
class WithModelValidator:
    added: Code | None = None

    @model_validator(mode="after")
    def agree(self) -> WithModelValidator:
        return self


@claim_part
class WithComputedField:
    added: Code | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> str:
        return f"{self.added}{self.added}"


@claim_part
class WithProperty:
    added: Code | None = None

    @property
    def twice(self) -> str:
        return f"{self.added}{self.added}"


@claim_part
class WithPostInit:
    added: Code | None = None

    def __post_init__(self) -> None:
        pass


@dataclass(frozen=True, kw_only=True)
class Lenient:
    added: Code | None = None


@claim_part
class Loose:
    added: str | None = None


@pytest.mark.parametrize(
    "part", [WithFieldValidator, WithModelValidator, WithComputedField, WithProperty, WithPostInit, Lenient]
)
def test_a_part_that_does_more_than_hold_its_fields_is_refused_by_its_name(part: Any) -> None:
    with pytest.raises(NotTranslated, match=part.__name__):
        translated(part)


def test_a_part_within_a_part_is_looked_at_as_well() -> None:
    with pytest.raises(NotTranslated, match=r"Part\.added\[\]\.added has a str that is not strict"):
        translated(with_field(Some[Loose], ()))


def test_a_claim_model_that_has_no_translation_stops_the_import_and_names_the_field(tmp_path: Path) -> None:
    program = (
        "import rules.claim as c\n"
        "from typing import Annotated\n"
        "from pydantic import Field\n"
        "class Claim(c.Claim):\n"
        "    patient_class: Annotated[str, Field(strict=True, pattern='^[A-Z]$')] | None = None\n"
        "c.Claim = c.claim_part(Claim)\n"
        "import worker.intake.plain\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "NotTranslated" in done.stderr
    assert "Claim.patient_class has pattern='^[A-Z]$'" in done.stderr


def test_the_parts_that_claims_share_are_read_alike_wherever_they_stand() -> None:
    given_ = {**claim(1), "attending_provider": {"npi": "1"}, "operating_provider": {"taxonomy": "X"}}
    given_["lines"] = [{**given_["lines"][0], "rendering_provider": {"npi": "2"}}]
    assert agree(given_)
