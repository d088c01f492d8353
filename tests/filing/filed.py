"""Files of claims whose verdict is known, and what came out of them: every claim of the original in exactly one class."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.exits.splitting import cut
from tests.exits.test_split import BILLING, group, interchange, transaction

LINES = {"C": "64445:RT*450*UN*1", "H": "64445:RT*450*UN*0", "U": "99213*450*UN*1"}
"""By the first letter of a claim's name: clean, held, unchecked."""
GOING = ("clean", "held", "unchecked", "undecided")


def claim(name: str) -> str:
    return (
        f"CLM*{name}*450***11:B:1*Y*A*Y*Y~HI*ABK:M5431~NM1*82*1*REED*PAUL****XX*1234567893~LX*1~"
        f"SV1*HC:{LINES[name[0]]}***1~DTP*472*D8*20261001~"
    )


def of(*names: str, control: int = 101, sender: str = "HOSPBILL01     ") -> bytes:
    """An 837 with these claims, each of a patient of its own."""
    text = "HL*1**20*1~" + BILLING
    for number, name in enumerate(names, 2):
        member = f"{sum(map(ord, name)) * 7919 + int(''.join(filter(str.isdigit, name)) or 0):09d}"[-9:]
        text += (
            f"HL*{number}*1*22*0~SBR*P*18*GRP1******CI~NM1*IL*1*DOVE*ANNA****MI*{member}~N3*2 OAK ST~"
            f"N4*AUSTIN*TX*78701~DMG*D8*19700302*F~NM1*PR*2*UHC*****PI*87726~{claim(name)}"
        )
    return interchange(group(transaction(text)), control=control, sender=sender)


def manifests(out: Path) -> dict[str, dict[str, Any]]:
    """By name of the original as it was called out."""
    ends = ".manifest.json"
    return {one.name.removesuffix(ends): json.loads(one.read_bytes()) for one in sorted(out.glob(f"[!.]*{ends}"))}


def kinds(manifest: dict[str, Any]) -> dict[str, str]:
    """The class of each claim, by its number."""
    return {row["claim_id"]: row["kind"] for row in manifest["claims"]}


def assert_each_claim_once(raw: bytes, out: Path, stem: str) -> dict[str, Any]:
    """By the multiset of the bytes of claims; answers the manifest."""
    manifest = manifests(out)[stem]
    everywhere: Counter[bytes] = Counter()
    for row in manifest["files"]:
        if row["kind"] in GOING:
            inside = cut((out / row["file"]).read_bytes())
            assert len(inside) == row["claims"]
            everywhere.update(inside)
    stay = [row for row in manifest["claims"] if row["kind"] in ("refused", "repeated")]
    everywhere.update(raw[row["offset"] : row["offset"] + row["bytes"]] for row in stay)
    assert everywhere == Counter(cut(raw))
    assert {row["number"] for row in manifest["claims"]} == set(range(1, len(cut(raw)) + 1))
    return manifest


def going(out: Path) -> Counter[bytes]:
    """Every claim that is in a file that is to be sent."""
    found: Counter[bytes] = Counter()
    for end in ("*.clean.837", "*.send.837"):
        for file in out.glob(end):
            found.update(cut(file.read_bytes()))
    return found


def later(out: Path) -> Counter[bytes]:
    """Every claim that left after the others."""
    found: Counter[bytes] = Counter()
    for file in out.glob("*.[2-9].837"):
        found.update(cut(file.read_bytes()))
    return found


def under_way(out: Path) -> list[str]:
    """What is hidden, but for originals of which held claims may leave yet."""
    return sorted(file.name for file in out.glob(".*") if file.suffix not in (".kept", ".left"))
