"""Remittances as text, and what comes of them: written for these tests, in the shapes that public reports describe."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import orjson

from worker.intake.x12.remittance import Payment, ProviderAdjustment, Remitted, read_remittances
from worker.outcomes.outcomes import compare
from worker.outcomes.tally import Outcomes

ISA = "ISA*00*          *00*          *ZZ*PAYER          *ZZ*HOSPITAL       *261101*1200*^*00501*{:09d}*0*P*:"
EXPECTED = {"UNT001": frozenset({"151"}), "DX001": frozenset({"11", "50"})}
NUMBERS = iter(range(10**9))


def clp(
    claim: str = "A", status: str = "1", charge: str = "450", paid: str = "100", control: str = "ICN1", *more: str
) -> list[str]:
    """CLP, and what follows it."""
    return [f"CLP*{claim}*{status}*{charge}*{paid}**12*{control}*11*1", *more]


def svc(charge: str = "450", paid: str = "100", line: str = "1", *cas: str, code: str = "HC:64445:RT") -> list[str]:
    """SVC with its adjustments and line item control number."""
    reference = [f"REF*6R*{line}"] if line else []
    return [f"SVC*{code}*{charge}*{paid}**1", *(f"CAS*{one}" for one in cas), *reference]


def st(*claims: list[str], trace: str = "CHK1", day: str = "20261110", number: str = "0001") -> list[str]:
    """A transaction set."""
    head = [f"ST*835*{number}", f"BPR*I*0*C*ACH*CCP{'*' * 11}{day}"]
    head += [f"TRN*1*{trace}*1999999999"] if trace else []
    return [*head, "LX*1", *(segment for claim in claims for segment in claim), f"SE*9*{number}"]


def gs(*sets: list[str], day: str = "20261109") -> list[str]:
    """A functional group."""
    return [f"GS*HP*P*H*{day}*1200*1*X*005010X221A1", *(one for each in sets for one in each), "GE*1*1"]


def file(*groups: list[str], control: int = 1) -> bytes:
    """An interchange."""
    segments = [ISA.format(control), *(one for each in groups for one in each), f"IEA*1*{control:09d}"]
    return "~\n".join([*segments, ""]).encode()


def era(*claims: list[str], trace: str = "CHK1", day: str = "20261110") -> bytes:
    """A file with one set."""
    return file(gs(st(*claims, trace=trace, day=day)))


def remitted(*files: bytes) -> Iterator[Remitted]:
    """What is read of the files."""
    for number, content in enumerate(files, 1):
        yield from read_remittances(f"{number}.835", io.BytesIO(content))


def decision(claim: str = "A", *found: str, day: str = "2026-10-20", judged: int = 1, **more: Any) -> bytes:
    """An audit line of a decision with these findings."""
    said = {
        "@timestamp": f"{day}T10:00:00Z", "event.action": "claim.scrubbed", "claim.claim_id": claim,
        "claim.decision_id": f"D{next(NUMBERS)}", "claim.payer": "uhc", "claim.judged": list(range(1, judged + 1)),
        "rule.found": found, **more,
    }  # fmt: skip
    return orjson.dumps(said)


def outcomes(files: list[bytes], log: list[bytes]) -> Outcomes:
    """The comparison; every claim that was read has one fate."""
    read = [one for one in remitted(*files) if isinstance(one, Payment | ProviderAdjustment)]
    found = compare(read, log, {"64445"}, EXPECTED)
    assert found.reconciles, found.remittances
    return found


def fates(found: Outcomes) -> dict[str, int]:
    """What became of the claims, without how many there were."""
    odd = ("read", "do not balance", "with a segment that is not known")
    return {name: count for name, count in found.remittances.items() if name not in odd}


def rule(found: Outcomes, code: str = "UNT001") -> tuple[tuple[int, Decimal], tuple[int, Decimal]]:
    """How often and for how much the rule's lines were denied, and paid."""
    row = found.rules.get((code, "uhc"))
    if row is None:
        return (0, Decimal(0)), (0, Decimal(0))
    return (row.denied.count, row.denied.money), (row.paid.count, row.paid.money)


def lines(found: Outcomes) -> dict[str, int]:
    """Lines by what was decided on them."""
    return dict(found.payers.get("uhc", {}))
