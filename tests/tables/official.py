"""Files laid out as CMS publishes them, with rows of a test's choosing."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

PAIRS_HEADER = (
    "CPT only copyright 2025 American Medical Association.  All rights reserved.\t\t\t\t\t\t\n"
    "Column1/Column2 Edits\t\t\t\t\t\t\n"
    "Column 1\tColumn 2\t*=in existence\tEffective\tDeletion\tModifier\tPTP Edit Rationale\n"
    "\t\tprior to 1996\tDate\tDate\t0=not allowed\t\n"
    "\t\t\t\t*=no data\t1=allowed\t\n"
    "\t\t\t\t\t9=not applicable\t\n"
)
PAIRS_HEADER_ON_ONE_LINE = (
    "Column 1\tColumn 2\t*=in existence prior to 1996\tEffective Date\tDeletion Date *=no data\t"
    "Modifier 0=not allowed 1=allowed 9=not applicable\tPTP Edit Rationale\n"
)
RATIONALE = "Standards of medical/surgical practice"
Row = tuple[str, str, str, str, str]
"""Column 1, column 2, effective date, deletion date or *, indicator."""


def pairs_text(rows: Iterable[Row], header: str = PAIRS_HEADER, end: str = "\r\n") -> bytes:
    lines = [
        f"{one}\t{two}\t\t{starts}\t{ends}\t{indicator}\t{RATIONALE}\n" for one, two, starts, ends, indicator in rows
    ]
    return (header + "".join(lines)).replace("\n", end).encode("latin-1")


def quarter(
    folder: Path, rows: Iterable[Row], name: str = "ccipra-v322r0", *, header: str = PAIRS_HEADER, zipped: bool = True
) -> list[Path]:
    """The four files of a quarter, in the order of column 1, each with a few rows of other procedures."""
    ordered = sorted(rows)
    files = []
    for part in range(4):
        own = ordered[len(ordered) * part // 4 : len(ordered) * (part + 1) // 4]
        text = pairs_text([("0001A", "0591T", "20220101", "20231231", "1"), *own], header)
        files.append(folder / f"{name}-f{part + 1}.{'zip' if zipped else 'TXT'}")
        if zipped:
            pack(files[-1], {f"{name}-f{part + 1}.TXT": text, f"{name}-f{part + 1}.xlsx": b"a workbook"})
        else:
            files[-1].write_bytes(text)
    return files


def units_text(rows: Iterable[tuple[str, str, str]], setting: str = "Practitioner") -> bytes:
    head = (
        '"Current Procedural Terminology (CPT) codes are copyright 2025 American Medical Association.\n\n'
        'CPT\xae is a registered trademark, of the AMA.",,,\n'
        f'"HCPCS/\nCPT Code",{setting} Services MUE Values,MUE Adjudication Indicator,MUE Rationale\n'
    )
    words = {"1": "1 Line Edit", "2": "2 Date of Service Edit: Policy", "3": "3 Date of Service Edit: Clinical"}
    lines = [f"{code},{units},{words[indicator]},Clinical: Data\n" for code, units, indicator in rows]
    return (head + "".join(lines)).encode("latin-1")


def order_text(codes: Iterable[tuple[str, str]]) -> bytes:
    """An order file of codes with 1 (billable) or 0 (header)."""
    lines = [
        f"{number:05} {code:<7} {flag} {'short':<60} long description\r\n"
        for number, (code, flag) in enumerate(codes, 1)
    ]
    return "".join(lines).encode("latin-1")


def hcpcs_text(modifiers: Iterable[tuple[str, str, str]], codes: Iterable[str] = ("A0021", "V5364")) -> bytes:
    """An alpha-numeric HCPCS file of modifiers with their first and last dates, and of procedures."""
    lines = []
    for code, added, ended in [*(("   " + m, a, e) for m, a, e in modifiers), *((c, "19900101", "") for c in codes)]:
        kind = "7" if code[0] == " " else "3"
        body = f"{code}00100{kind}{'A long description that goes on':<80}{'Short':<28}{'':<149}"
        lines.append(f"{body}{added}{added}{ended:<8}N")
        lines.append(f"{code}00200{'8' if kind == '7' else '4'}in a second record")
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


COVERAGE: Mapping[str, str] = {
    "article.csv": (
        "article_id,article_version,article_type,title,article_pub_date,article_eff_date,article_end_date,description,status\r\n"
        '57452,12,1,Peripheral Nerve Blocks,2024-09-20 00:00:00,2024-10-01 00:00:00,,"<p>a text, of\r\nseveral lines</p>",A\r\n'
        "52725,7,1,Nerve Blockade,2023-12-20,2024-01-01,,text,A\r\n"
        "50001,1,1,Retired,2023-12-20,2023-01-01,2024-12-31,text,R\r\n"
        "50002,1,1,Proposed,2023-12-20,2023-01-01,,text,P\r\n"
        "50003,1,1,Of another procedure,2023-12-20,2023-01-01,,text,A\r\n"
    ),
    "article_x_hcpc_code.csv": (
        "article_id,article_version,hcpc_code_id,hcpc_code_version,hcpc_code_group,range,last_updated,long_description,short_description\r\n"
        "57452,12,64445,1,1,,,x,y\r\n57452,12,64450,1,1,,,x,y\r\n52725,7,64445,1,1,,,x,y\r\n50001,1,64445,1,1,,,x,y\r\n"
        "50002,1,64445,1,1,,,x,y\r\n50003,1,64450,1,1,,,x,y\r\n"
    ),
    "article_x_icd10_covered.csv": (
        "article_id,article_version,icd10_code_id,icd10_code_version,icd10_covered_group,range,last_updated,sort_order,description,asterisk\r\n"
        "57452,12,G57.01,1,1,,,1,x,\r\n57452,12,M54.31,1,2,,,1,x,\r\n52725,7,G57.01,1,1,,,1,x,\r\n52725,7,XX000,1,1,,,1,x,\r\n"
        "50001,1,M54.32,1,1,,,1,x,\r\n50002,1,M79.604,1,1,,,1,x,\r\n50003,1,M79.605,1,1,,,1,x,\r\n"
    ),
    "article_x_contractor.csv": (
        "article_id,article_version,article_type,contractor_id,contractor_type_id,contractor_version,last_updated\r\n"
        "57452,12,1,10,12,1,x\r\n52725,7,1,20,9,2,x\r\n50001,1,1,20,9,2,x\r\n50002,1,1,10,12,1,x\r\n50003,1,1,10,12,1,x\r\n"
        "57452,12,1,30,11,1,x\r\n"
    ),
    "contractor.csv": "contractor_id,contractor_type_id,contractor_version,contractor_bus_name\r\n10,12,1,NGS\r\n20,9,2,Noridian\r\n30,11,1,DME\r\n",
    "contractor_type_lookup.csv": (
        "contractor_type_id,description\r\n8,MAC - Part A\r\n9,MAC - Part B\r\n11,DME MAC\r\n12,A and B and HHH MAC\r\n"
    ),
    "contractor_jurisdiction.csv": (
        "contractor_id,contractor_type_id,contractor_version,state_id,last_updated,active_date,term_date\r\n"
        "10,12,1,1,x,2013-01-01,\r\n10,12,1,3,x,2013-01-01,2019-01-01\r\n20,9,2,2,x,2013-01-01,\r\n30,11,1,3,x,2013-01-01,\r\n"
    ),
    "state_lookup.csv": "state_id,state_abbrev,description\r\n1,NY,New York - Entire State\r\n2,CA,California - Northern\r\n3,TX,Texas\r\n",
}  # fmt: skip
"""An export in small: NGS in New York for parts A and B, Noridian in California for part B; Texas has none."""


def coverage_zip(file: Path, content: Mapping[str, str] = COVERAGE) -> Path:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text.encode("latin-1"))
    return pack(file, {"current_article_csv.zip": inner.getvalue(), "ReadMe.pdf": b"%PDF"})


def pack(file: Path, content: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file
