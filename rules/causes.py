"""The closed list of causes: slips of a biller that bring findings.

Rules of one cause are those that a single slip may bring together; what they find at one place is shown as one finding.
A new rule takes the cause of the rules that its slip would bring as well, or adds one here. None is ever renamed or
taken out: packed books name them, and must go on loading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

OF_THE_RECORD = (
    "the side in the record",
    "the reason for the block in the record",
    "the time of the block in the record",
    "the guidance in the record",
    "the anesthesia of the operation in the record",
    "the surgeon's request in the record",
    "the pain program in the record",
    "the treatment before the block in the record",
)
"""Labels of what only the record says."""
OF_A_LINE = frozenset({"the units", "the diagnosis pointers", "the modifiers", "the line's charge"})
"""Labels of what each line says for itself: where two lines lack it, two things are missing."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One slip."""

    says: str
    """The slip, in one sentence."""
    lacks: tuple[str, ...] = ()
    """Labels of the facts whose absence is the slip: a rule that cannot be judged without one has the same cause."""


CAUSES: Mapping[str, Cause] = {
    # the claim's form
    "bill_type_or_frequency": Cause(
        "Type of bill, frequency code and reference number disagree on what kind of claim this is, or one is missing.",
        ("the type of bill",),
    ),
    "charges": Cause("A charge is missing, wrong, or lower than what the payer pays.", ("the total charge",)),
    "dates_of_claim": Cause("Dates on the claim contradict each other."),
    "diagnoses_and_pointers": Cause(
        "The claim has no diagnosis, or too many, or a line does not point to one properly.",
        ("the diagnosis pointers",),
    ),
    "diagnosis_repeated": Cause("A diagnosis stands on the claim twice."),
    "line_numbers": Cause("Two lines have one number."),
    "modifier_repeated": Cause("A line has a modifier twice, or more than four."),
    "modifier_unknown": Cause("A modifier is mistyped, or does not exist on the date of service."),
    "adjustment_reason": Cause("An adjustment of another payer has no reason, or none that there is."),
    "filing_indicator": Cause("What kind of payer the claim goes to is missing, or does not fit."),
    "insurance_type": Cause("Why Medicare is not the first payer is missing, wrong, or said of the first payer."),
    "line_payer": Cause("A decision on a line names a payer that the claim does not."),
    "other_insurance": Cause("Assignment and release are missing for another payer."),
    "other_payer_amounts": Cause("What another payer paid and adjusted is missing in part, or does not add up."),
    "other_payer_dates": Cause("The date of another payer's decision is missing, twice, or cannot be right."),
    "other_payer_paid": Cause("What another payer paid for the claim is missing beside its decisions on lines."),
    "other_payer_remarks": Cause("A remark code of another payer is none."),
    "other_subscriber": Cause("Who is insured with another payer is missing."),
    "patient_or_subscriber": Cause("Whether the patient is the subscriber is said in two ways."),
    "payer_order": Cause("The payers are not in an order that this payer takes, or the first one is not named."),
    "remaining_liability": Cause("What another payer leaves to the patient is there twice."),
    "odd_file": Cause("Something in the file is not as the guide has it."),
    "procedure_code": Cause("A line's procedure code is missing or mistyped."),
    "revenue_code": Cause("An institutional line has no revenue code."),
    "revenue_code_refused": Cause("A revenue code is one that the payer does not take."),
    "too_many_lines": Cause("The claim has more lines than its format takes."),
    "other_payer_segments": Cause("What the claim says of another payer is not complete."),
    "syntax_segment_missing": Cause("A segment that the form requires is not on the claim."),
    "syntax_element_missing": Cause("An element that the form requires is blank."),
    "syntax_code": Cause("An element holds what the form does not take there."),
    "syntax_length": Cause("An element is longer or shorter than the form takes."),
    "syntax_unexpected": Cause("An element is filled that the form does not use there."),
    "syntax_character": Cause("A value holds a character that the form's separators or X12 do not allow."),
    # what only the institutional form has
    "accident_occurrence": Cause("A payer for an accident stands on the claim without the date of the accident."),
    "admission_codes": Cause("An institutional claim has no codes of admission and discharge."),
    "admission_type": Cause("The kind of admission is missing or mistyped."),
    "claim_change_reason": Cause("A replacement or void gives no reason, several, or one that does not go with it."),
    "claim_change_remark": Cause("A replacement for another reason does not say what changed."),
    "condition_code_form": Cause("A condition code is mistyped."),
    "condition_code_repeated": Cause("A condition code stands on the claim twice."),
    "denial_of_first_payer": Cause("A denial by a payer before Medicare is said in part."),
    "denial_remark": Cause("The claim does not say why a payer before Medicare paid nothing."),
    "department_modifier": Cause("The modifiers of a department off campus contradict each other."),
    "diagnosis_age": Cause("A diagnosis and the patient's age do not agree."),
    "discharge_hour": Cause("A discharge hour stands on a claim of a patient who is still there."),
    "non_covered_charge": Cause("The non-covered charge or the charge of a line is mistyped."),
    "occurrence_date": Cause("The date of an occurrence is missing or mistyped."),
    "occurrence_repeated": Cause("An occurrence code stands on the claim twice."),
    "patient_status": Cause("The patient status is missing, mistyped, or not that of a finished treatment."),
    "payer_before_medicare": Cause("The order of the payers and the value codes disagree."),
    "point_of_origin": Cause("The claim does not say where the patient came from."),
    "present_on_admission": Cause("An indicator of what was present on admission is mistyped, or out of place."),
    "reasons_for_visit": Cause(
        "The claim has more reasons for the visit than the form takes, or none for a visit that nobody planned."
    ),
    "revenue_code_total": Cause("The total of a paper claim stands among the lines."),
    "revenue_procedure": Cause("A line without a procedure code has a revenue code that wants one."),
    "location_as_enrolled": Cause("The service location is not written as the payer has enrolled it."),
    "service_location": Cause("The location off campus and the modifiers of the lines do not agree."),
    "statement_dates": Cause("The statement dates are missing, or are not two."),
    "value_code_amount": Cause("A value code has no amount."),
    "value_code_repeated": Cause("A value code stands on the claim twice."),
    # who and for whom
    "attending_missing": Cause("An institutional claim does not name the attending provider."),
    "attending_wrong": Cause("The hospital or another organization is named as the attending provider."),
    "member_id": Cause("The member id is not one of this payer."),
    "no_contract": Cause("The billing provider has no contract with the payer."),
    "operating_provider": Cause("Who operated is not named, or in part."),
    "payer_unknown": Cause("The payer or plan is none that the rule book knows."),
    "provider_missing": Cause(
        "The claim does not say who gave a service, or of which specialty.", ("the billing provider's NPI",)
    ),
    "provider_npi": Cause("A provider's NPI is mistyped."),
    "taxonomy": Cause("A provider's taxonomy code is mistyped."),
    "accident": Cause("Cause, date and state of an accident disagree, or one of them is missing."),
    "address": Cause("An address is not complete, or a part of it is mistyped."),
    "billing_address": Cause("The billing provider's address is a post office box."),
    "country": Cause("Country, state and ZIP code of an address disagree."),
    "group_number": Cause("The group number has characters that no payer takes."),
    "inpatient_dates": Cause("A service to an inpatient and the day of admission disagree, or the day is missing."),
    "line_control_numbers": Cause("Two lines have one control number."),
    "names": Cause("A name of someone on the claim is missing."),
    "note": Cause("A note or description is missing, or too long."),
    "other_insurance_first": Cause("The claim is sent to a payer that does not come first for such an injury."),
    "patient_paid": Cause("The patient is said to have paid, or to owe, more than was charged."),
    "principal_diagnosis": Cause("The first diagnosis is none that may stand first, or two stand first."),
    "referring": Cause("The claim does not say who referred the patient, or not properly."),
    "service_facility": Cause("The claim does not say where the service was given, or says it without need."),
    "signatures": Cause("A code of signature, assignment or release is missing or mistyped."),
    "supervising": Cause("The supervising provider is who gave the service."),
    "tax_id": Cause("The billing provider's tax id is missing or mistyped."),
    # in time, once, and allowed
    "authorization": Cause("No prior authorization is on the claim where the payer wants one."),
    "billed_before": Cause("The same service was billed before."),
    "filing_limit": Cause("The claim is filed after the payer's limit, or shortly before it."),
    "global_period": Cause("The block lies within the global period of an operation of the same provider."),
    "too_often": Cause("More blocks are billed than the payer takes, in a session or over months."),
    # where
    "place_of_service": Cause(
        "The place of service is missing, does not exist, or is not where the block is given.",
        ("the place of service",),
    ),
    # why
    "diagnoses_exclude_each_other": Cause("Two diagnoses of the claim may not stand together."),
    "no_accepted_diagnosis": Cause(
        "No diagnosis of the line is one for which the payer takes the block, or its code is incomplete or none."
    ),
    "chronic_pain": Cause("The block is for chronic pain where its coverage is in question."),
    "unspecified_side": Cause("A diagnosis code leaves open the side that the line names."),
    # how often and on which side
    "side_missing": Cause("Nothing names the side, or another part of the body is named in its place."),
    "units_of_block": Cause(
        "The block counts more than once: by its units, on several lines, or by the way that both sides are billed.",
    ),
    "wrong_side": Cause("The side on the line is not that of the diagnosis or of the record."),
    # modifiers
    "additional_work": Cause("Modifier 22 says that the block was more work than usual."),
    "anesthesia_modifier": Cause("A modifier of anesthesia stands on the block."),
    "anesthesia_performer": Cause("The modifiers of who gave the anesthesia are two, or not in the first place."),
    "component_modifier": Cause("26 or TC stands on a procedure that has no such parts."),
    "notice_modifier": Cause("A modifier about the patient's notice is wrong, or asks for a denial."),
    "postoperative_modifier": Cause("A modifier about an earlier operation stands on the block without one."),
    "second_surgeon_modifier": Cause("A modifier bills a second surgeon or an assistant for the block."),
    "separating_modifier": Cause("59 or an X modifier stands where it sets nothing apart, or both stand together."),
    "split_care_modifier": Cause("A modifier divides the care around a procedure that has no such parts."),
    "stopped_modifier": Cause("The modifier for a stopped procedure is that of another kind of biller."),
    "visit_modifier": Cause(
        "A visit around the block or its anesthesia is not apart from it, or its modifier stands on the block."
    ),
    # services beside the block
    "another_injection": Cause("Another injection of the same session or region is billed beside the block."),
    "anesthesia_circumstances": Cause("Circumstances of the anesthesia are billed apart from it."),
    "bundled_anesthesia": Cause("The block is billed beside anesthesia of which it counts as a part."),
    "catheter_and_block": Cause("A single injection and a catheter are billed for one nerve and side."),
    "daily_management": Cause("Daily management of a catheter is billed on the day of a single injection."),
    "drug_included": Cause("A drug is billed whose supply is paid with the block, or to the facility."),
    "imaging_included": Cause("Imaging guidance is billed beside a block that includes it."),
    "packaged": Cause("The hospital's payment for another service of the day includes the block."),
    "part_of_operation": Cause("The block is part of an operation, or of another service, of the same provider."),
    "sedation_for_block": Cause("Anesthesia or sedation is billed for a block alone."),
    "service_beside_block": Cause("Another service of the day forms a pair with the block, and nothing sets it apart."),
    "supplies": Cause("Supplies are billed apart from the block."),
    "visit_complexity": Cause("The add-on for complexity is billed beside a visit with 25."),
    # other lines, from imported tables
    "pair_of_other_lines": Cause(
        "Two services without rules of their own form a pair that is not paid, or not without a modifier."
    ),
    "units_of_other_line": Cause("A service beside the procedure, or a drug, has more units than its limit."),
    # drugs
    "discarded_drug": Cause("A single-dose drug does not say whether some of it was discarded."),
    "drug_code": Cause("A drug code no longer exists."),
    "ndc": Cause("A drug's NDC, quantity or unit is missing, mistyped, or not one that the payer takes."),
    "unlisted_drug": Cause("A drug is billed by a code for drugs without one of their own."),
    # the record, where the hospital sends it
    "pain_program": Cause("Chronic pain is treated outside the program that the payer wants."),
    "record_incomplete": Cause("The record that came with the claim lacks something.", OF_THE_RECORD),
    # the rule book itself
    "pairs_not_checked": Cause("The rule book has no edition of the pairs for the date."),
}
