"""Which segments the guides have in which loop, under which qualifiers; a loop without a form is of both.

The reader's own loops (fields.py) take more than that, so that nothing is refused for a segment too many; what stands
in a loop and is not in this list is named on the claim (`oddities`).

Source: ASC X12N 005010X222A1/A2 (837P, here P) and 005010X223A2/A3 (837I, here I); a test holds the list to the maps of
pyx12.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

_OWN = "REF*0B REF*1G REF*G2"
_PLACE = "N3 N4"
_PAYER = "REF*2U REF*EI REF*FY REF*NF"

_LOOPS: tuple[tuple[str, str, str], ...] = (
    # loop, forms, segments
    ("2000A", "PI", "PRV*BI CUR"),
    ("2010AA", "P", f"NM1*85 {_PLACE} REF*EI REF*SY REF*0B REF*1G PER"),
    ("2010AA", "I", f"NM1*85 {_PLACE} REF*EI PER"),
    ("2010AB", "PI", f"NM1*87 {_PLACE}"),
    ("2010AC", "PI", f"NM1*PE {_PLACE} {_PAYER}"),
    ("2000B", "P", "SBR PAT"),
    ("2000B", "I", "SBR"),
    ("2010BA", "P", f"NM1*IL {_PLACE} DMG REF*SY REF*Y4 PER"),
    ("2010BA", "I", f"NM1*IL {_PLACE} DMG REF*SY REF*Y4"),
    ("2010BB", "PI", f"NM1*PR {_PLACE} {_PAYER} REF*G2 REF*LU"),
    ("2000C", "PI", "PAT"),
    ("2010CA", "P", f"NM1*QC {_PLACE} DMG REF*Y4 REF*1W REF*SY PER"),
    ("2010CA", "I", f"NM1*QC {_PLACE} DMG REF*Y4 REF*1W REF*SY"),
    ("2300", "P",
     "DTP*431 DTP*454 DTP*304 DTP*453 DTP*439 DTP*484 DTP*455 DTP*471 DTP*314 DTP*360 DTP*361 DTP*297 DTP*296 DTP*435 "
     "DTP*096 DTP*090 DTP*091 DTP*444 DTP*050 PWK CN1 AMT*F5 REF*4N REF*F5 REF*EW REF*9F REF*G1 REF*F8 REF*X4 REF*9A "
     "REF*9C REF*LX REF*D9 REF*EA REF*P4 REF*1J K3 NTE CR1 CR2 CRC*07 CRC*E1 CRC*E2 CRC*E3 CRC*75 CRC*ZZ HI HCP"),
    ("2300", "I",
     "DTP*096 DTP*434 DTP*435 DTP*050 CL1 PWK CN1 AMT*F3 REF*4N REF*9F REF*G1 REF*F8 REF*9A REF*9C REF*LX REF*D9 "
     "REF*LU REF*EA REF*P4 REF*G4 K3 NTE CRC*ZZ HI HCP"),
    ("2310A", "P", f"NM1*DN NM1*P3 {_OWN}"),
    ("2310B", "P", f"NM1*82 PRV*PE {_OWN} REF*LU"),
    ("2310C", "P", f"NM1*77 {_PLACE} REF*0B REF*G2 REF*LU PER"),
    ("2310D", "P", f"NM1*DQ {_OWN} REF*LU"),
    ("2310E", "P", f"NM1*PW {_PLACE}"),
    ("2310F", "P", f"NM1*45 {_PLACE}"),
    ("2310A", "I", f"NM1*71 PRV*AT {_OWN} REF*LU"),
    ("2310B", "I", f"NM1*72 {_OWN} REF*LU"),
    ("2310C", "I", f"NM1*ZZ {_OWN} REF*LU"),
    ("2310D", "I", f"NM1*82 {_OWN} REF*LU"),
    ("2310E", "I", f"NM1*77 {_PLACE} REF*0B REF*G2 REF*LU"),
    ("2310F", "I", f"NM1*DN {_OWN}"),
    ("2320", "P", "SBR CAS AMT*D AMT*A8 AMT*EAF OI MOA"),
    ("2320", "I", "SBR CAS AMT*D AMT*EAF AMT*A8 OI MIA MOA"),
    ("2330A", "PI", f"NM1*IL {_PLACE} REF*SY"),
    ("2330B", "PI", f"NM1*PR {_PLACE} DTP*573 {_PAYER} REF*G1 REF*9F REF*T4 REF*F8"),
    ("2330C-G", "P", f"NM1*DN NM1*P3 NM1*82 NM1*77 NM1*DQ NM1*85 {_OWN} REF*LU"),
    ("2330C-I", "I", f"NM1*71 NM1*72 NM1*ZZ NM1*77 NM1*82 NM1*DN NM1*85 {_OWN} REF*LU"),
    ("2400", "P",
     "LX SV1 SV5 PWK CR1 CR3 CRC*07 CRC*70 CRC*09 DTP*472 DTP*471 DTP*607 DTP*463 DTP*461 DTP*304 DTP*738 DTP*739 "
     "DTP*011 DTP*455 DTP*454 QTY*PT QTY*FL MEA CN1 REF*9B REF*9D REF*G1 REF*6R REF*EW REF*X4 REF*F4 REF*BT REF*9F "
     "AMT*T AMT*F4 K3 NTE PS1 HCP"),
    ("2400", "I", "LX SV2 PWK DTP*472 REF*6R REF*9B REF*9D AMT*GT AMT*N8 NTE HCP"),
    ("2410", "PI", "LIN CTP REF*VY REF*XZ"),
    ("2420A", "P", f"NM1*82 PRV*PE {_OWN} REF*LU"),
    ("2420C", "P", f"NM1*77 {_PLACE} REF*G2 REF*LU"),
    ("2420B-H", "P", f"NM1*QB NM1*DQ NM1*DK NM1*DN NM1*P3 NM1*PW NM1*45 {_PLACE} {_OWN} REF*LU PER"),
    ("2420C", "I", f"NM1*82 {_OWN} REF*LU"),
    ("2420A-D", "I", f"NM1*72 NM1*ZZ NM1*DN {_OWN} REF*LU"),
    ("2430", "PI", "SVD CAS DTP*573 AMT*EAF"),
    ("2440", "P", "LQ FRM"),
)  # fmt: skip


@cache
def segments_of(form: str, loop: str) -> frozenset[str]:
    """The segments of a loop, as the reader names it, each with its qualifier where it has one: `REF*G1`. None of the
    loops above the levels."""
    return frozenset(
        name for where, forms, names in _LOOPS if where == loop and form in forms for name in names.split()
    )


def all_segments(form: str) -> Iterator[tuple[str, str]]:
    """Loop and segment of all that a level, a claim or a line of the form may have."""
    return ((loop, name) for loop, forms, names in _LOOPS if form in forms for name in names.split())


KNOWN_NAMES = frozenset(name for _, _, names in _LOOPS for name in names.split())
"""Segments with their qualifiers that may be named in a sentence; any other may hold a piece of a name."""
