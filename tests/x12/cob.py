"""Claims with several payers, written segment by segment, and what the rules of other payers say of them."""

from __future__ import annotations

import io
from datetime import date

from rules.engine.check import check
from tests.book import BOOK
from worker.intake.document import Document
from worker.intake.documents import read_documents

RECEIVED = date(2026, 10, 20)
PRIMARY_MEDICARE = "SBR*P*18*******MB"
SECONDARY_MEDICARE = "SBR*S*18***12****MB"
OI = "OI***Y***Y"
INSURED = "NM1*IL*1*DOVE*ANNA****MI*W123456789"


def other(
    sbr: str = "SBR*P*18*GRP9******CI",
    *between: str,
    id: str = "60054",
    day: str = "",
    after: tuple[str, ...] = (OI, INSURED),
) -> list[str]:
    """Loop 2320: SBR, then CAS and AMT, then OI and 2330A, then 2330B with the date of the decision."""
    return [sbr, *between, *after, f"NM1*PR*2*OTHERCO*****PI*{id}", *([f"DTP*573*D8*{day}"] if day else [])]


def svd(paid: str, *between: str, id: str = "60054", day: str = "20261010", bundled: str = "") -> list[str]:
    """Loop 2430: SVD, CAS, the date and what stands after it."""
    cas = [one for one in between if one.startswith("CAS")]
    rest = [one for one in between if not one.startswith("CAS")]
    first = f"SVD*{id}*{paid}*HC:64445**1" + (f"*{bundled}" if bundled else "")
    return [first, *cas, *([f"DTP*573*D8*{day}"] if day else []), *rest]


def professional(
    sbr: str = SECONDARY_MEDICARE,
    *others: list[str],
    lines: tuple[tuple[str, list[str]], ...] = (("450", []),),
    patient: tuple[str, ...] = (),
    payer: str = "04412",
    member: str = "1EG4TE5MK73",
) -> str:
    """An 837P with one claim. `lines`: the charge of each, and what stands in its loops 2430."""
    total = sum(round(float(charge) * 100) for charge, _ in lines)
    body = [
        "HL*1**20*1", "PRV*BI*PXC*208VP0000X", "NM1*85*2*RIVERBEND PAIN CLINIC*****XX*1234567893", "N3*1 RIVER RD",
        "N4*AUSTIN*TX*787010001", "REF*EI*741234567", f"HL*2*1*22*{1 if patient else 0}", sbr,
        f"NM1*IL*1*DOVE*ANNA****MI*{member}", "N3*2 OAK ST", "N4*AUSTIN*TX*78701", "DMG*D8*19500302*F",
        f"NM1*PR*2*PAYER*****PI*{payer}", *patient,
        f"CLM*PCN-0001*{total // 100}.{total % 100:02}***11:B:1*Y*A*Y*Y", "HI*ABK:M5431",
        "NM1*82*1*REED*PAUL****XX*1982345677", "PRV*PE*PXC*208VP0000X",
        *(segment for one in others for segment in one),
    ]  # fmt: skip
    for number, (charge, decisions) in enumerate(lines, 1):
        body += [f"LX*{number}", f"SV1*HC:64445:RT*{charge}*UN*1***1", "DTP*472*D8*20261001", *decisions]
    return enveloped(body, "005010X222A1")


def institutional(
    sbr: str, *others: list[str], values: str = "", bill: str = "13", decisions: list[str] | None = None
) -> str:
    """An 837I with one claim of one line."""
    body = [
        "HL*1**20*1", "PRV*BI*PXC*282N00000X", "NM1*85*2*RIVERBEND HOSPITAL*****XX*1234567893", "N3*1 RIVER RD",
        "N4*AUSTIN*TX*787010001", "REF*EI*741234567", "HL*2*1*22*0", sbr, "NM1*IL*1*DOVE*ANNA****MI*1EG4TE5MK73",
        "N3*2 OAK ST", "N4*AUSTIN*TX*78701", "DMG*D8*19500302*F", "NM1*PR*2*MEDICARE TX*****PI*04411",
        f"CLM*PCN-0002*900***{bill}:A:1**A*Y*Y", "DTP*434*RD8*20261001-20261001", "CL1*3*1*01", "HI*ABK:M5431",
        *([values] if values else []), "NM1*71*1*REED*PAUL****XX*1982345677",
        *(segment for one in others for segment in one),
        "LX*1", "SV2*0361*HC:64445:RT*900*UN*1", "DTP*472*D8*20261001", *(decisions or []),
    ]  # fmt: skip
    return enveloped(body, "005010X223A2")


def enveloped(body: list[str], guide: str) -> str:
    head = [
        f"ST*837*0001*{guide}", "BHT*0019*00*B1*20261015*1200*CH", "NM1*41*2*SUBMITTER*****46*S1",
        "PER*IC*LEE*TE*5551234567", "NM1*40*2*RECEIVER*****46*R1",
    ]  # fmt: skip
    every = [
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{'S1':15}*ZZ*{'R1':15}*261015*1200*^*00501*000000101*0*P*:",
        f"GS*HC*S1*R1*20261015*1200*1*X*{guide}", *head, *body, f"SE*{len(head) + len(body) + 1}*0001", "GE*1*1",
        "IEA*1*000000101",
    ]  # fmt: skip
    return "~\n".join(every) + "~\n"


def said(raw: str, *, received: date = RECEIVED) -> list[dict[str, str]]:
    """What the rules of other payers find on each claim of the file: code to severity, those behind a finding too."""
    found = list(read_documents("f", io.BytesIO(raw.encode("latin-1")), limit=2**20))
    assert [str(one) for item in found if not isinstance(item, Document) for one in item.problems] == []
    return [cob(item, received) for item in found if isinstance(item, Document)]


def cob(item: Document, received: date = RECEIVED) -> dict[str, str]:
    severities: dict[str, str] = {}
    for finding in check(item.claim, BOOK, received=received).findings:
        for one in (finding, *(finding.because or ())):
            if one.code.startswith("COB"):
                severities[one.code] = one.severity
    return severities
