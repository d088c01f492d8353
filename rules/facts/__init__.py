"""The facts that rules may read: the registry, and a module for each subject, which fills it when it is imported."""

from rules.facts import (
    beside,
    claim,
    coverage,
    day,
    diagnoses,
    drugs,
    filing,
    history,
    ncci,
    providers,
    record,
    sedation,
)
from rules.facts.registry import FACTS, ClaimFacts, Fact, Facts, Kind, LineFacts, Scope, Value, evidence, facts_of

__all__ = [
    "FACTS",
    "ClaimFacts",
    "Fact",
    "Facts",
    "Kind",
    "LineFacts",
    "Scope",
    "Value",
    "beside",
    "claim",
    "coverage",
    "day",
    "diagnoses",
    "drugs",
    "evidence",
    "facts_of",
    "filing",
    "history",
    "ncci",
    "providers",
    "record",
    "sedation",
]
