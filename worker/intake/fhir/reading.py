"""What is found out about a Claim before its fields are read: form, payer, who has which role, order of diagnoses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from worker.intake.fhir import parties, systems
from worker.intake.fhir.careteam import Team, team_of
from worker.intake.fhir.node import Node

FORMS = ("professional", "institutional")
_TYPES = (*FORMS, "pharmacy", "oral", "vision")
APART = ("admitting", "patientreasonforvisit", "externalcauseofinjury", "externalcause")
"""Types of diagnoses that have a segment of their own in the 837."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One that could be read."""

    sequence: int
    code: str
    types: tuple[str, ...]
    admitted: str | None = None
    """Whether it was there on admission: Y, N, U or W, or whatever the claim says."""

    @property
    def apart(self) -> bool:
        """Whether it is none of the numbered ones."""
        return bool(self.types) and all(kind in APART for kind in self.types)


@dataclass(frozen=True, slots=True)
class BillingCode:
    """Supporting information with a code of one of the UB-04's lists: condition, occurrence, span or value."""

    kind: str
    code: str
    info: Node


@dataclass(frozen=True, slots=True)
class Reading:
    """One Claim, while it is read."""

    claim: Node
    form: str | None
    judged: bool
    """Whether an item has a CPT or HCPCS code."""
    items: list[Node]
    focal: Node
    """The insurance that the claim goes to."""
    coverage: Node
    payer: Node
    """A Reference."""
    team: Team
    diagnoses: list[Diagnosis]
    places: Mapping[int, int]
    """The position in the claim's list, from 1, of each sequence number."""
    codes: list[BillingCode]
    """Those that the form has a place for."""

    @property
    def others(self) -> list[Node]:
        """The insurances that the claim does not go to."""
        return [one for one in self.claim.objects("insurance") if one.value is not self.focal.value]

    @property
    def subscriber(self) -> Node:
        """The person who is insured with the payer that the claim goes to; empty where nothing says who."""
        return parties.subscriber(self.coverage, self.claim)

    @property
    def is_dependent(self) -> bool | None:
        """Whether the patient is another person than who is insured; None where nothing says so."""
        return parties.is_dependent(self.coverage, self.claim)

    @property
    def cancelled(self) -> bool:
        """Whether the sender takes the claim back."""
        return self.claim.text("status") == "cancelled"


def reading_of(claim: Node) -> Reading:
    """Looks through the Claim once."""
    items = claim.objects("item")
    form = form_of(claim)
    focal = _focal(claim)
    coverage = focal.object("coverage").target("Coverage")
    judged = any(item.object("productOrService").codes(systems.PROCEDURES) for item in items)
    diagnoses = _diagnoses(claim)
    listed = [one.sequence for one in diagnoses if not one.apart]
    return Reading(
        claim, form, judged, items, focal, coverage, parties.payer_reference(claim, coverage),
        team_of(claim, form), diagnoses, {sequence: place for place, sequence in enumerate(listed, 1)},
        _billing_codes(claim, form),
    )  # fmt: skip


def _billing_codes(claim: Node, form: str | None) -> list[BillingCode]:
    """Of a professional claim conditions alone; a condition that is said not to hold is none."""
    found = []
    for info in claim.objects("supportingInfo"):
        code = systems.billing_code(info)
        if code and (form != "professional" or code[0] == "condition") and info.value.get("valueBoolean") is not False:
            found.append(BillingCode(*code, info))
    return found


def form_of(claim: Node) -> str | None:
    """By the type, which may carry codes of the sender's own as well; else by the profiles that the claim names."""
    kinds = [code for code in claim.object("type").codes() if code in _TYPES]
    if not kinds:
        meta = claim.object("meta").value.get("profile")
        names = [str(one).rpartition("/")[2].lower() for one in meta] if isinstance(meta, list) else []
        kinds = [form for form in FORMS if any(form in name for name in names)]
    if len(kinds) == 1 and kinds[0] in FORMS:
        return kinds[0]
    if len(kinds) == 1:
        claim.note("type", f"a {kinds[0]} claim goes out in another form than the 837P and 837I, and is not checked")
    else:
        claim.note("type", "expected either professional or institutional")
    return None


def _focal(claim: Node) -> Node:
    insurance = claim.objects("insurance")
    focal = [one for one in insurance if one.value.get("focal") is True]
    if len(focal) == 1:
        return focal[0]
    if len(insurance) == 1:
        return insurance[0]
    claim.note("insurance", "expected one insurance with focal true: the payer that this claim goes to")
    return claim.nothing("insurance")


def _diagnoses(claim: Node) -> list[Diagnosis]:
    """The principal one first, then in order of sequence."""
    rows = []
    for one in claim.objects("diagnosis"):
        concept = one.object("diagnosisCodeableConcept") or one.object("diagnosisReference").target("Condition").object(
            "code"
        )
        types = tuple(code.lower() for kind in one.objects("type") for code in kind.codes())
        code, sequence = systems.diagnosis(concept), one.whole("sequence")
        if code is None or sequence is None:
            one.doubt("", "no ICD-10-CM code can be read here, nor from a Condition that came with the claim")
            continue
        admitted = systems.plain(one.object("onAdmission"))
        rows.append(Diagnosis(sequence, code, types, admitted.upper() if admitted else None))
    if len({one.code for one in rows if "principal" in one.types}) > 1:
        claim.doubt("diagnosis", "two diagnoses are marked principal; expected one")
    if len({one.sequence for one in rows}) < len(rows):
        claim.doubt("diagnosis", "two diagnoses have one sequence number, so that it is not known which a line means")
    return sorted(rows, key=lambda one: ("principal" not in one.types, one.sequence))
