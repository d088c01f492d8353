"""What the medical record says; not on the 837."""

from __future__ import annotations

from typing import Literal

from rules.values import Date, Flag, Name, Number, Prose, Some, claim_part


@claim_part
class Agent:
    """One agent that was injected."""

    name: Name
    """Name and strength, as the record has it."""
    volume_ml: Number | None = None
    """Millilitres."""


@claim_part
class Documentation:
    """What the medical record says of the block on one date; not on the 837."""

    service_date: Date | None = None
    """Null: any date of the claim."""
    indication: (
        Literal["chronic_pain", "acute_pain", "postoperative_pain", "diagnostic", "surgical_anesthesia"] | None
    ) = None
    block_timing: Literal["preoperative", "intraoperative", "postoperative"] | None = None
    laterality: Literal["right", "left", "bilateral"] | None = None
    guidance: Literal["ultrasound", "fluoroscopy", "ct", "none"] | None = None
    agents: Some[Agent] = ()
    response: Prose | None = None
    consent: Flag | None = None
    time_out: Flag | None = None
    procedure_note: Flag | None = None
    conservative_treatment: Some[Name] = ()
    pain_program: Flag | None = None
    surgeon_request: Flag | None = None
    intraoperative_anesthesia: Literal["general", "spinal", "epidural", "regional", "mac", "sedation"] | None = None
