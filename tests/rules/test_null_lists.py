"""A list that is null is an empty one, and null or "" in a list is a place left free.

Senders write a list of nothing as null (Khan/genqlient#193, hashgraph/pbj#238), pydantic takes null for a value of its
own (pydantic#1097, pydantic#8972), and the mend must not take 0 or false for a list (basecamp-sdk#896).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

import orjson
import pytest
from jsonschema import Draft202012Validator

from ops import schemas
from rules.authoring.examples import example_claim
from rules.claim import Claim, read_claim
from rules.engine.check import check
from rules.errors import ClaimInvalid
from tests.book import BOOK
from worker.intake.events import claim_of

SCHEMA = Draft202012Validator(orjson.loads((schemas.FOLDER / "claim.json").read_bytes()))
REQUIRED = {"diagnoses", "lines"}
HOLDS: dict[str, dict[str, Any]] = {
    "documentation": {}, "lines": {"number": 1, "charge": "450.00"}, "other_payers": {}, "decisions": {},
}  # fmt: skip


def claim(**difference: Any) -> dict[str, Any]:
    return example_claim("practitioner", difference, {"id": "87726"})


def lists(part: type[Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every list of the claim model."""
    hints = get_type_hints(part)
    for field in fields(part):
        for kind in (hints[field.name], *get_args(hints[field.name])):
            if get_origin(kind) is tuple:
                yield (*path, field.name)
            if is_dataclass(kind):
                yield from lists(kind, (*path, field.name))  # type: ignore[arg-type]


LISTS = [path for path in lists(Claim) if path[-1] not in REQUIRED]


def with_value(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """A claim with the value at the path, of a list in a list's first entry."""
    data = claim()
    *parents, last = path
    node: dict[str, Any] = data
    for parent in parents:
        node = node.setdefault(parent, [dict(HOLDS[parent])])[0]
    node[last] = value
    return data


def value_at(read: Claim, path: tuple[str, ...]) -> Any:
    *parents, last = path
    node: Any = read
    for parent in parents:
        node = getattr(node, parent)[0]
    return getattr(node, last)


def test_the_lists_of_the_claim_are_found() -> None:
    assert {path[-1] for path in LISTS} >= {
        "modifiers", "diagnosis_pointers", "documentation", "other_payers", "reason_diagnoses", "agents",
        "conservative_treatment",
    }  # fmt: skip


@pytest.mark.parametrize("read", [read_claim, claim_of])
@pytest.mark.parametrize("path", LISTS, ids=".".join)
def test_null_in_place_of_a_list_is_an_empty_list(read: Any, path: tuple[str, ...]) -> None:
    data = with_value(path, None)
    assert value_at(read(data), path) == ()
    assert check(read(data), BOOK) == check(read(with_value(path, [])), BOOK)
    SCHEMA.validate(orjson.loads(orjson.dumps(data)))


@pytest.mark.parametrize("read", [read_claim, claim_of])
@pytest.mark.parametrize("path", LISTS, ids=".".join)
@pytest.mark.parametrize("value", [0, False, "", {}, "RT"])
def test_what_is_no_list_and_not_null_is_no_list(read: Any, path: tuple[str, ...], value: object) -> None:
    with pytest.raises(ClaimInvalid) as caught:
        read(with_value(path, value))
    assert [problem.sentence for problem in caught.value.problems] == ["expected a list"]


@pytest.mark.parametrize("read", [read_claim, claim_of])
@pytest.mark.parametrize("places", [[None, "RT", None, None], ["RT", "", ""], ["", None, "RT"]])
def test_a_place_left_free_is_no_entry(read: Any, places: list[str | None]) -> None:
    assert read(with_value(("lines", "modifiers"), places)).lines[0].modifiers == ("RT",)


@pytest.mark.parametrize("read", [read_claim, claim_of])
def test_the_order_of_what_is_there_stays(read: Any) -> None:
    assert read(with_value(("lines", "diagnosis_pointers"), [2, None, 1])).lines[0].diagnosis_pointers == (2, 1)


@pytest.mark.parametrize("read", [read_claim, claim_of])
def test_a_fault_beside_a_free_place_is_named_where_it_stands(read: Any) -> None:
    with pytest.raises(ClaimInvalid) as caught:
        read(with_value(("lines", "modifiers"), [None, 5]))
    assert [problem.path for problem in caught.value.problems] == ["lines[0].modifiers[1]"]


@pytest.mark.parametrize("read", [read_claim, claim_of])
def test_free_places_count_towards_the_longest_list(read: Any) -> None:
    with pytest.raises(ClaimInvalid, match="lines\\[0\\].modifiers"):
        read(with_value(("lines", "modifiers"), [None] * 201))


@pytest.mark.parametrize("read", [read_claim, claim_of])
@pytest.mark.parametrize("name", sorted(REQUIRED))
@pytest.mark.parametrize("value", [None, [None]])
def test_diagnoses_and_lines_are_not_null_and_have_no_free_places(read: Any, name: str, value: object) -> None:
    with pytest.raises(ClaimInvalid) as caught:
        read(claim() | {name: value})
    (problem,) = caught.value.problems
    assert problem.path.startswith(name)
    assert problem.sentence in ("expected a list", "expected a string", "expected an object")


@pytest.mark.parametrize(("name", "entry"), [("documentation", {"consentt": True}), ("other_payers", {"payd": "1"})])
def test_a_misspelled_key_in_a_list_that_may_be_null_is_guessed(name: str, entry: dict[str, Any]) -> None:
    with pytest.raises(ClaimInvalid) as caught:
        read_claim(claim() | {name: [entry]})
    assert "did you mean" in caught.value.problems[0].sentence
