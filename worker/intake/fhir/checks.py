"""What decides whether a Claim can be read: whether it is one to be sent, and that no procedure of it is overlooked."""

from __future__ import annotations

from worker.intake.fhir import elements, parties, related, systems
from worker.intake.fhir.elements import system_names
from worker.intake.fhir.node import Node
from worker.intake.fhir.reading import Reading


def is_to_be_sent(reading: Reading) -> None:
    """A claim, and not an estimate or one that was withdrawn."""
    claim = reading.claim
    use, status = claim.text("use"), claim.text("status")
    if use in ("preauthorization", "predetermination"):
        claim.note("use", f"this is a {use}, which is not billed; expected claim")
    elif use not in ("claim", None):
        claim.note("use", "expected claim")
    if status == "cancelled" and not following(claim, reading):
        sentence = "the claim is marked cancelled and names no claim that it takes back; expected active, or `related`"
        claim.note("status", sentence)
    elif status == "entered-in-error":
        claim.note("status", f"the claim is marked {status}; expected active")
    elif status not in ("active", "draft", "cancelled", None):
        claim.note("status", "expected active")


def following(claim: Node, _reading: Reading) -> list[Node]:
    """The `related` that this claim replaces or voids."""
    return [one for one in claim.objects("related") if related.meaning(one) in related.FREQUENCIES]


def has_items(reading: Reading) -> None:
    """Something is billed."""
    if not reading.items and not reading.claim.notes.problems:
        reading.claim.note("item", "expected at least one item")


def related_agrees(reading: Reading) -> None:
    """The type of bill and what is said of the claim before it; interim bills have one before them by their nature."""
    claim = reading.claim
    bill = _bill(reading)
    said = {found for one in following(claim, reading) if (found := related.frequency(one, reading.cancelled))}
    if len(said) > 1:
        claim.doubt("related", "says both that this claim replaces another and that it voids one; expected one")
    elif said and bill and (bill[-1] == "1" or (bill[-1] in "78" and bill[-1] not in said | _prior(reading))):
        claim.doubt("related", "says that this claim follows another, and the last digit of its type of bill does not")
    elif reading.cancelled and bill and bill[-1] != "8":
        claim.doubt("status", "the claim is marked cancelled, and the last digit of its type of bill does not say so")


def _prior(reading: Reading) -> set[str]:
    """Both digits, where `prior` alone leaves open which."""
    found = {related.meaning(one) for one in following(reading.claim, reading)}
    return {"7", "8"} if found == {"prior"} and not reading.cancelled else set()


def _bill(reading: Reading) -> str | None:
    if reading.form != "institutional":
        return None
    claim = reading.claim
    rows = [one for one in claim.objects("supportingInfo") if "typeofbill" in one.object("category").codes()]
    found = (systems.type_of_bill(one.object("code"), any_system=True) for one in rows)
    return next(filter(None, found), None) or systems.type_of_bill(claim.object("subType"), any_system=False)


def nothing_hidden(reading: Reading) -> None:
    """A procedure that is there in any other place or coding than the item's own is a claim that cannot be read."""
    own_codes = reading.claim.targets.own
    for item in reading.items:
        concept = item.object("productOrService")
        codes = concept.codes(systems.PROCEDURES)
        own = _mentions(concept)
        if own and not (codes and codes[0] in own_codes):
            concept.note("", f"{own} is there, but not as a CPT coding; expected the system {systems.CPT}")
        elif not codes and not own and not (_is_absent(concept) and item.object("revenue").codes()):
            names = ", ".join(sorted({systems.NAMES.get(one, "another code system") for one in system_names(concept)}))
            concept.doubt("", f"expected a CPT or HCPCS coding ({systems.CPT}), found {names or 'none'}")
        for detail in item.objects("detail"):
            for part in (detail, *detail.objects("subDetail")):
                inner = part.object("productOrService")
                if inner.codes(systems.PROCEDURES) or _mentions(inner):
                    part.note("", "a detail carries a procedure; expected an item of its own for each service line")


def _is_absent(concept: Node) -> bool:
    """Whether the item says that it has no procedure code, as a revenue code alone or a drug by NDC does."""
    return system_names(concept) <= systems.ABSENT | systems.NDC


def all_billed(reading: Reading) -> None:
    """A procedure of the book that was done is on an item."""
    billed = {code for item in reading.items for code in item.object("productOrService").codes(systems.PROCEDURES)}
    for one in reading.claim.objects("procedure"):
        concept = one.object("procedureCodeableConcept") or one.object("procedureReference").target("Procedure").object(
            "code"
        )
        if (own := _mentions(concept)) and own not in billed:
            one.note("", f"{own} was done, but no item bills it")


def _mentions(concept: Node) -> str | None:
    """The first of the codes that the concept names in whatever way."""
    texts = [concept.text("text"), *(one.text("code") for one in concept.objects("coding"))]
    return next(
        (code for code, own in concept.targets.own.items() for text in texts if text and own.search(text)), None
    )


def diagnoses(reading: Reading) -> None:
    """Those that could not be read were noted where they were put in order."""
    if any(kind.startswith("externalcause") for one in reading.diagnoses for kind in one.types):
        reading.claim.notes.passed.add("Claim.diagnosis.externalcause")


def attachments(reading: Reading) -> None:
    """That records go with the claim."""
    if any("attachment" in one.object("category").codes() for one in reading.claim.objects("supportingInfo")):
        reading.claim.notes.passed.add("Claim.supportingInfo.attachment")


def places(reading: Reading) -> None:
    """Items that say where they were given, and not in which state."""
    for item in reading.items:
        reference, address = item.object("locationReference"), item.object("locationAddress")
        if reference and not parties.state_of(reference):
            item.notes.passed.add("Claim.item.locationReference")
        if address and not parties.state(address):
            item.notes.passed.add("Claim.item.locationAddress")


def team(reading: Reading) -> None:
    """Members whose role the claim model does not have, and a second one of a role that it has once."""
    passed = reading.claim.notes.passed
    if reading.team.others:
        passed.add("Claim.careTeam.other")
    if reading.form == "institutional" and reading.team.members.get("supervising"):
        passed.add("Claim.careTeam.supervisor")
    of_items = {sequence for item in reading.items for sequence in item.wholes("careTeamSequence")}
    if of_items - {one.whole("sequence") for one in reading.claim.objects("careTeam")}:
        reading.claim.notes.odd.add("Claim.item.careTeamSequence dangling")
    referring = reading.team.members.get("referring", [])
    who = [one.object("provider").value for one in referring]
    free = [
        one != who[0] and member.whole("sequence") not in of_items for one, member in zip(who, referring, strict=True)
    ]
    if any(free):
        passed.add("Claim.careTeam.referring")


def other_payers(reading: Reading) -> None:
    """Another payer that the claim names and that did not come along."""
    passed = reading.claim.notes.passed
    for one in reading.others:
        coverage = one.object("coverage").target("Coverage")
        if not coverage:
            passed.add("Claim.insurance.coverage")
        elif not parties.payer_number(parties.payor(coverage)):
            passed.add("Coverage.payor")
        answer = one.object("claimResponse").target("ClaimResponse")
        passed |= {f"ClaimResponse.{name}" for name in ("item", "adjudication", "total") if answer.value.get(name)}


def covers(reading: Reading) -> None:
    """What the covers say of their order, of who is insured and of whom, beside what the claim says."""
    passed, claim = reading.claim.notes.passed, reading.claim
    patient = claim.object("patient").target("Patient")
    for one in claim.objects("insurance"):
        coverage = one.object("coverage").target("Coverage")
        order, place = coverage.whole("order"), one.whole("sequence")
        if order is not None and order != place:
            passed.add("Coverage.order")
        payors = coverage.objects("payor")
        if len(payors) > 1 and len(set(filter(None, map(parties.organization_number, payors)))) > 1:
            passed.add("Coverage.payor")
        relation = coverage.object("relationship")
        if relation and (systems.relationship(relation) is None or systems.has_stranger(relation, systems.RELATIONS)):
            passed.add("Coverage.relationship")
        who = coverage.object("beneficiary").target("Patient")
        if who and patient and who.value != patient.value:
            coverage.doubt("beneficiary", "is another patient than the claim's; expected the cover of that patient")


_CATEGORIES = frozenset((
    "patientaccountnumber", "typeofbill", "cmspos", "attachment", "onset", "admissionperiod", "admissiondates",
    "hospitalized", "dischargedates", "admtype", "pointoforigin", "discharge-status", "dischargestatus", "discharge",
))  # fmt: skip
"""That a row or check reads."""
_HARMLESS = frozenset((
    "clmrecvddate", "medicalrecordnumber", "brandgenericindicator", "dawcode", "dayssupply", "refillnum",
    "refillsauthorized", "rxorigincode", "rxdawcode", "compoundcode", "drg", "ms-drg", "servicefacility", "toothnumber",
    "missingtooth", "prosthesis", "employmentimpacted", "patientevent",
))  # fmt: skip


_SAYING = frozenset(("code", "timingDate", "timingPeriod", "valueString", "valueQuantity", "valueBoolean"))
"""What says something of the claim; a reference alone is to a record that the sender keeps."""
_SAID = {
    "condition": frozenset(("code", "valueBoolean")),
    "occurrence": frozenset(("code", "timingDate", "timingPeriod")),
    "span": frozenset(("code", "timingPeriod")),
    "value": frozenset(("code", "valueQuantity")),
}
"""What is read of each kind of code of the UB-04."""


def categories(reading: Reading) -> None:
    """Supporting information of a category that no row reads, or of one that only the other form has."""
    said = {id(one.info.value): _SAID[one.kind] for one in reading.codes}
    for one in reading.claim.objects("supportingInfo"):
        codes = {code.lower() for code in one.object("category").codes()}
        rest = _SAYING - said.get(id(one.value), frozenset())
        if not codes & (_CATEGORIES | _HARMLESS) and any(one.value.get(name) for name in rest):
            one.notes.passed.add("Claim.supportingInfo.other")


def accident(reading: Reading) -> None:
    """An accident of a form that says it by occurrence codes, or of a kind that is not known."""
    found, passed = reading.claim.object("accident"), reading.claim.notes.passed
    if found and reading.form == "institutional":
        passed.add("Claim.accident")
    elif (kind := found.object("type")) and (
        not systems.related_causes(kind) or systems.has_stranger(kind, systems.CAUSES)
    ):
        passed.add("Claim.accident.type")


def prices(reading: Reading) -> None:
    """A charge that is not what its parts make: the charge is read."""
    for item in reading.items:
        net, price = item.object("net"), elements.price(item, "unitPrice", reading)
        if price is not None and net.value.get("value") is not None and net.number("value") != price:
            net.odd("differs")
