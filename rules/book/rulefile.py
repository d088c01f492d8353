"""The shape of the YAML files of the library, and how a file is read with the place of every value.

Every scalar is read as a string, since YAML's guesses would turn 01470 into 824 and NO into false. Duplicate
keys and aliases are refused; tags mean nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from rules.book.suggested import ChangeClass, Tidied
from rules.case import Location, place_of
from rules.claim import Role
from rules.errors import RuleProblem
from rules.history import Billed, Relation, Side
from rules.problems import details_of, path_text, problems_of
from rules.report import DenialKind, GapKind, Outcome
from rules.terms import Grade, RuleScope, RuleStatus, Severity
from rules.values import iso_date

Path = tuple[str | int, ...]
Day = Annotated[date, BeforeValidator(iso_date)]
Text = Annotated[str, Field(min_length=1)]
_ENDING_EXAMPLES = re.compile(r"\nexamples:[^\n]*(?:\n(?:[ #-][^\n]*)?)*\Z")
Node = Any
ShapeT = TypeVar("ShapeT", bound=BaseModel)


class YamlModel(BaseModel):
    """Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Effective(YamlModel):
    """Dates of service, inclusive; no `to`: still in force."""

    from_: Annotated[Day, Field(alias="from")]
    to: Day | None = None


class Reign(Effective):
    """The dates of service of a rule version."""

    after_gap: Text | None = None
    """Why no version covers the days between the version before it and this one; see `scrub rules prove`."""
    ends_because: Text | None = None
    """Why the rule says nothing after the last day, on purpose: no claim is told then that it would have asked."""


class DenialShape(YamlModel):
    """What the payer is expected to answer; see rules.report.Denial."""

    kind: DenialKind
    group: Literal["CO", "PR", "OA", "PI"] | None = None
    carc: Text | None = None
    rarc: Text | None = None
    category: Text | None = None
    status: Text | None = None


class CitationShape(YamlModel):
    """A source of sources.yaml and the place in it."""

    source: Text
    locator: Text
    grade: Grade
    table: Text | None = None
    """The table that the rule looks into; where an imported edition of it judged, that edition is cited instead."""


class BypassShape(YamlModel):
    """When a modifier on the claim lifts the edit, and what must then be on record."""

    when: Node
    message: Text
    fix: Text


class PatchShape(YamlModel):
    """One RFC 6902 operation; `{line}` in the path is the zero-based index of the line of the procedure."""

    op: Literal["replace", "remove", "add"]
    path: Text
    value: Node = None


class ModifiersShape(YamlModel):
    """What becomes of a line's modifiers."""

    remove: tuple[Text, ...] = ()
    """These go."""
    replace: dict[Text, Text] = Field(default_factory=dict)
    """Each becomes another one, in its place."""
    add: Text | None = None
    """It comes last, where it is not there."""


class ChangeShape(YamlModel):
    """One change; see rules/book/suggested.py. Exactly one key besides `on`."""

    on: Text = "this"
    """A fact of lines whose units, charge or modifiers are changed; `this`: the line of the finding."""
    units: Text | None = None
    """The line's units become this; a line over several days is left alone."""
    charge: Literal["per_unit"] | None = None
    """per_unit: the line's charge is divided by its units, and the total follows."""
    modifiers: ModifiersShape | None = None
    """The line's modifiers change."""
    remove_lines: Text | None = None
    """The lines of this fact go, and the total follows; `this`: the line of the finding."""
    remove_repeats: Text | None = None
    """The lines of this fact go that repeat the line of the finding: same side, same provider."""
    join_sides: Text | None = None
    """The two lines of this fact, LT and RT, become one with 50 and the charge of both."""
    split_line: Literal["sides"] | None = None
    """sides: the line with 50 becomes two, LT and RT, with half of the charge each."""
    total_charge: Literal["sum_of_lines"] | None = None
    """The claim's total charge becomes the sum of the lines."""
    frequency_code: Text | None = None
    """The claim's frequency code becomes this, and the type of bill ends with it."""
    diagnoses: Literal["distinct"] | None = None
    """Each diagnosis stands once, and the pointers of the lines follow."""
    tidy: Tidied | None = None
    """Blanks and dashes go, small letters become capitals, a dot goes behind the third character: no other value."""

    @model_validator(mode="after")
    def _one_change(self) -> ChangeShape:
        if len(self.model_fields_set - {"on"}) != 1:
            raise PydanticCustomError("change", "expected exactly one change, such as {units: 1}, besides `on`")
        return self


class SuggestShape(YamlModel):
    """A way out, for a person to confirm: tried here, and made in the host system."""

    class_: Annotated[ChangeClass, Field(alias="class")]
    """format: written otherwise, the value stays; decision: the record decides; follows: goes with what is there."""
    when: Node = None
    """A condition on facts: it is no way out of other claims that the rule finds."""
    change: Annotated[tuple[ChangeShape, ...], Field(min_length=1)]
    """What is changed, all of it at once."""
    confirm: Text
    """The sentence that a person confirms against the record."""


class GapShape(YamlModel):
    """What nobody could look at, and the table that does not say."""

    kind: GapKind
    table: Text | None = None
    """The dated table that says nothing, where it is one."""


class VersionShape(YamlModel):
    """What a rule says over one period."""

    effective: Reign
    severity: Severity | None = None
    gap: GapShape | None = None
    """In place of a severity: what fails is no fault of the claim but something that nobody could look at."""
    applies_when: Node = None
    require: Node = None
    forbid: Node = None
    bypass: BypassShape | None = None
    message: Text
    fix: Text
    patch: tuple[PatchShape, ...] = ()
    suggest: tuple[SuggestShape, ...] = ()
    """Ways out, the likeliest first; where none of them is meant for a claim, nothing is suggested for it."""
    expected_denial: DenialShape | None = None
    citation: CitationShape


class BilledShape(YamlModel):
    """A line that was billed before, of an example; the defaults are those of the example's own line."""

    claim_id: Text = "EARLIER"
    relation: Relation = "other"
    procedure: Text | None = None
    """Default: the first code of the package."""
    day: Day = date(2026, 7, 13)
    last_day: Day | None = None
    """Default: the same day."""
    side: Side = "RT"
    lifts: tuple[Text, ...] = ()
    npi: Text | None = "1234567893"
    bills_as: Role = "practitioner"
    certain: Literal["true", "false"] = "true"

    def billed(self, procedure: str) -> Billed:
        return Billed(
            claim_id=self.claim_id,
            relation=self.relation,
            procedure=self.procedure or procedure,
            day=self.day,
            last_day=self.last_day or self.day,
            side=self.side,
            lifts=self.lifts,
            units=Decimal(1),
            npi=self.npi,
            bills_as=self.bills_as,
            certain=self.certain == "true",
        )


class LocationShape(YamlModel):
    """An address as the payer has enrolled it, every character."""

    street: Text
    """N301 as enrolled."""
    street_more: Text | None = None
    """N302 as enrolled; absent: there is none."""
    city: Text
    """N401."""
    state: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    """N402: two letters."""
    zip: Annotated[str, Field(pattern=r"^[0-9]{5}-?[0-9]{4}$")]
    """Nine digits."""

    @property
    def place(self) -> Location:
        """As it is compared."""
        return place_of((self.street, self.street_more, self.city, self.state, self.zip))


class ExampleShape(YamlModel):
    """A claim, as a small difference from a base claim, and what the rule must say of it."""

    name: Text
    claim: Node = field(default_factory=dict)
    payer: Text | None = None
    """payer or payer/plan; default: the first of the rule's payers."""
    bills_as: Role | None = None
    """Default: the first of the rule's."""
    tables: dict[Text, tuple[Text, ...]] = Field(default_factory=dict)
    """Rows of an imported edition for this example alone, by table: keys, values, from and to, with commas between."""
    locations: tuple[LocationShape, ...] = ()
    """What the hospital's overrides list as enrolled for the billing provider of the example."""
    history: tuple[BilledShape, ...] = ()
    """What was billed before; `[{}]`: the line of the base claim, under another claim."""
    expect: Outcome


def _names(value: object) -> object:
    """Names alone, or each with the reason: `{uhc: has a rule of its own}`."""
    if not isinstance(value, dict):
        return value
    if not all(isinstance(reason, str) and reason.strip() for reason in value.values()):
        raise PydanticCustomError("reason", "expected a reason beside each name, or a list of names alone")
    return tuple(value)


class RuleShape(YamlModel):
    """One rule file."""

    code: Annotated[str, Field(pattern=r"^[A-Z]{3}[0-9]{3}$")]
    title: Text
    payers: Annotated[tuple[Text, ...], Field(min_length=1)]
    except_payers: Annotated[tuple[Text, ...], BeforeValidator(_names)] = ()
    bills_as: Annotated[tuple[Role, ...], Field(min_length=1)]
    scope: RuleScope
    status: RuleStatus
    on_void: Literal["true", "false"] = "false"
    """Whether the rule also runs on a void (frequency 8), which repeats a faulty original on purpose."""
    cause: Text | None = None
    """The slip of the biller that brings it, of rules/causes.py: what rules of one cause find is shown as one."""
    fault: Text | None = None
    """What is wrong where it fails, in a few words, as `title` says what is right."""
    another_fix: Literal["true", "false"] = "false"
    """Whether its fix is another way out than that of other rules of its cause, so that both are named."""
    needs: tuple[Text, ...] = ()
    """Groups of fields of rules/carried.py: the rule is asked of claims alone whose format carries them, or that bring
    them."""
    overlaps: dict[Text, Text] = Field(default_factory=dict)
    """Codes that find on purpose what this rule finds as well, each with the reason; see `scrub rules prove`."""
    versions: Annotated[tuple[VersionShape, ...], Field(min_length=1)]
    examples: Annotated[tuple[ExampleShape, ...], Field(min_length=1)]


class TriedRuleShape(RuleShape):
    """The same without its examples, of which it is known that they pass."""

    examples: tuple[ExampleShape, ...] = ()


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A YAML file as plain data with the line and column of every path in it, both from 1."""

    file: str
    data: Any
    marks: dict[Path, tuple[int, int]]
    problems: list[RuleProblem] = field(default_factory=list)
    tried: bool = False
    """Whether it is known that its examples pass; they may be left out."""
    unmarked: str | None = None
    """The text of a file whose data was known: its places are looked up once something is wrong with it."""

    def complain(self, path: Path, sentence: str) -> None:
        """Notes a problem at the place of the path, or of the nearest path above it."""
        if self.unmarked is not None and not self.marks:
            self.marks.update(read_document(self.file, self.unmarked).marks)
        known = path
        while known not in self.marks and known:
            known = known[:-1]
        line, column = self.marks.get(known, (1, 1))
        self.problems.append(RuleProblem(self.file, line, column, path_text(path), sentence))


def without_examples(text: str) -> str:
    """A rule file without the examples that end it."""
    return _ENDING_EXAMPLES.sub("\n", text)


def read_document(file: str, text: str, *, tried: bool = False, parsed: Any = None) -> YamlDocument:
    """The file's data and marks; what is wrong with its YAML is in `problems`. Of a rule file that was tried, the
    examples that end it are not read: they are its longer half. `parsed`: the data, where it is known."""
    if parsed is not None:  # the shipped book, all of it: most commands start without a reader of YAML
        return YamlDocument(file, parsed, {}, tried=tried, unmarked=text)
    if tried:
        text = without_examples(text)
    import yaml

    document = YamlDocument(file, None, {}, tried=tried)
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # built without libyaml: slower, same marks
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        document.marks[()] = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        document.complain((), f"is not YAML: {error.problem}")
        return document
    if node is None:
        document.complain((), "the file is empty")
        return document
    return replace(document, data=_plain(node, (), document, set()))


def _plain(node: Node, path: Path, document: YamlDocument, seen: set[int]) -> Any:
    document.marks.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
    if id(node) in seen:
        document.complain(path, "aliases are not allowed; write the value out")
        return None
    seen.add(id(node))
    if node.id == "scalar":
        return None if not node.style and node.value in ("", "~", "null") else node.value
    if node.id == "sequence":
        return [_plain(item, (*path, index), document, seen) for index, item in enumerate(node.value)]
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        here = (*path, str(key_node.value))
        if here in document.marks:
            mark, first = key_node.start_mark, document.marks[here][0]
            sentence = f"duplicate key; the first is at line {first}"
            document.problems.append(
                RuleProblem(document.file, mark.line + 1, mark.column + 1, path_text(here), sentence)
            )
            continue
        document.marks[here] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        result[str(key_node.value)] = _plain(value_node, here, document, seen)
    return result


def validated(document: YamlDocument, shape: type[ShapeT], data: Any, path: Path = ()) -> ShapeT | None:
    """The data in its shape, or None with every fault noted in the document."""
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        for detail, problem in zip(details_of(error, shape), problems_of(error, shape), strict=True):
            document.complain((*path, *detail["loc"]), problem.sentence)
        return None
