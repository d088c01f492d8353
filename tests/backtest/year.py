"""A hospital's year: claims as they were sent and the remittances that answer them, with planted causes of denial.

Why a payer denies is known here alone: each cause is a slip on the claim with a chance that this payer denies for it,
beside denials that come from nothing on the claim. The same number and seed give the same bytes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from rules.authoring.examples import example_claim, merged
from tests.x12 import writer
from worker.demo import claims as demo

PAYERS: Mapping[str, Mapping[str, Any]] = {
    "medicare": demo.MEDICARE, "aetna": demo.AETNA, "bcbs": demo.BCBSTX, "cigna": demo.CIGNA, "uhc": demo.UHC,
}  # fmt: skip
MEMBERS = {"aetna": "W{:09}", "bcbs": "ZGP{:09}", "cigna": "U{:08}", "uhc": "{:09}"}
LETTERS = "ACDEFGHJKMNPQRTUVWXY"
ALLOWED = {"medicare": 9_800, "aetna": 15_400, "bcbs": 17_100, "cigna": 14_200, "uhc": 13_300}
"""Mean, in cents."""
FROM, DAYS = date(2025, 1, 6), 330


@dataclass(frozen=True)
class Cause:
    """A slip, and what comes of it."""

    difference: Mapping[str, Any]
    carc: str
    chance: Mapping[str, float]
    """By payer."""


def chances(medicare: float, aetna: float, bcbs: float, cigna: float, uhc: float) -> Mapping[str, float]:
    return {"medicare": medicare, "aetna": aetna, "bcbs": bcbs, "cigna": cigna, "uhc": uhc}


CAUSES: Mapping[str, Cause] = {
    "two units": Cause({"lines": [{"units": "2"}]}, "CO*151", chances(0.92, 0.55, 0.7, 0.6, 0.8)),
    "no side": Cause({"lines": [{"modifiers": []}]}, "CO*4", chances(0.6, 0.3, 0.45, 0.15, 0.5)),
    "wrong side": Cause({"lines": [{"modifiers": ["LT"]}]}, "CO*11", chances(0.85, 0.7, 0.5, 0.65, 0.4)),
    "professional part": Cause({"lines": [{"modifiers": ["26", "RT"]}]}, "CO*4", chances(0.97, 0.8, 0.6, 0.9, 0.75)),
    "visit without 25": Cause(
        {"lines": [{}, {"procedure": "99213", "modifiers": [], "charge": "150.00"}]}, "CO*97", chances(0.9, 0.5, 0.4, 0.7, 0.6)
    ),
    "telehealth": Cause({"place_of_service": "02"}, "CO*5", chances(0.98, 0.9, 0.7, 0.85, 0.9)),
    "wrong total": Cause({"total_charge": "455.00"}, "CO*16", chances(0.5, 0.35, 0.6, 0.25, 0.45)),
    "pointer to nowhere": Cause({"lines": [{"diagnosis_pointers": [3]}]}, "CO*16", chances(0.7, 0.6, 0.8, 0.5, 0.9)),
    "rendering number": Cause({"rendering_provider": {"npi": "1234567890"}}, "CO*208", chances(0.99, 0.95, 0.9, 0.97, 0.93)),
    "again": Cause({}, "OA*18", chances(0.95, 0.9, 0.85, 0.8, 0.9)),
}  # fmt: skip
PLACE = {"street": "100 MAIN ST", "city": "AUSTIN", "state": "TX", "zip": "787010001"}
COMPLETE: Mapping[str, Any] = {
    "subscriber": {"relationship": "18", "entity": "person"},
    "patient": {"last_name": "ROE", "first_name": "CANARY", "address": PLACE},
    "billing_provider": {"entity": "organization", "last_name": "CLINIC", "tax_id": "123456789", "state": "TX", "address": PLACE},
    "pay_to_address": {**PLACE, "street": "200 SIDE ST"},
    "rendering_provider": {"npi": "1003000126", "entity": "person", "last_name": "DOE", "first_name": "PAT"},
    "provider_signature": "Y", "assignment": "A", "benefits_assigned": "Y", "release_of_information": "Y",
}  # fmt: skip
"""What an 837 has beside what the rules on the block ask."""
SHARE_WITH_CAUSE, OTHERWISE = 0.3, 0.05
"""Of the claims, those with a slip; of all, those that are denied for what is nowhere on the claim."""
OTHER_REASONS = ("CO*197", "CO*50", "CO*29", "CO*22", "CO*16")


@dataclass
class Year:
    """What was written, and what only the generator knows."""

    claims: list[Path] = field(default_factory=list)
    answers: list[Path] = field(default_factory=list)
    planted: dict[tuple[str, str], float] = field(default_factory=dict)
    """By cause and payer, the chance that a claim with it is denied, for it or for anything."""
    sent: int = 0
    answered: int = 0
    unanswered: int = 0
    corrected: int = 0
    with_cause: Counter[tuple[str, str]] = field(default_factory=Counter)
    denied: Counter[str] = field(default_factory=Counter)
    """By payer, of first versions that were answered."""


def member(payer: str, person: int) -> str:
    if payer != "medicare":
        return MEMBERS[payer].format(person)
    found, rest = "", person
    for characters in ("123456789", LETTERS, LETTERS, "0123456789", LETTERS, LETTERS, "0123456789", LETTERS, LETTERS):
        rest, index = divmod(rest, len(characters))
        found += characters[index]
    return f"{found}{person % 100:02}"


class _Writing:
    def __init__(self, count: int, seed: int) -> None:
        self.chance, self.count = Random(seed), count
        self.year = Year()
        self.by_day: dict[date, list[dict[str, Any]]] = defaultdict(list)
        self.paid: dict[date, list[list[str]]] = defaultdict(list)
        for name, cause in CAUSES.items():
            for payer, chance in cause.chance.items():
                self.year.planted[name, payer] = 1 - (1 - chance) * (1 - OTHERWISE)

    def run(self) -> None:
        for number in range(self.count):
            payer = self.chance.choice(tuple(PAYERS))
            name = self.chance.choice(tuple(CAUSES)) if self.chance.random() < SHARE_WITH_CAUSE else ""
            served = FROM + timedelta(days=self.chance.randrange(DAYS))
            cause = CAUSES.get(name)
            claim = self.claim(number, payer, served, cause.difference if cause else {})
            sent = served + timedelta(days=self.chance.randrange(2, 15))
            if name == "again":
                # The same service under another claim number, a few days after the first claim of it.
                self.send(claim, payer, "", sent)
                claim = {**claim, "claim_id": f"{claim['claim_id']}B"}
                sent += timedelta(days=self.chance.randrange(1, 9))
            self.send(claim, payer, name, sent)

    def claim(self, number: int, payer: str, served: date, difference: Mapping[str, Any]) -> dict[str, Any]:
        lines = [{"service_date": served.isoformat(), **line} for line in difference.get("lines", [{}])]
        person = {"member_id": member(payer, number)}
        birth = f"{1935 + number % 60}-0{1 + number % 9}-11"
        changes = {
            "frequency_code": "1", "claim_id": f"Y{number:07}", "subscriber": person, "patient": {"birth_date": birth, "sex": "FM"[number % 2]},
            **difference, "lines": lines, "received_date": None,
        }  # fmt: skip
        claim = example_claim("practitioner", merged(COMPLETE, changes), PAYERS[payer])
        for line in claim["lines"]:
            line["unit_basis"] = "UN"
        return claim

    def send(self, claim: dict[str, Any], payer: str, name: str, sent: date) -> None:
        year, chance = self.year, self.chance
        self.by_day[sent].append(claim)
        year.sent += 1
        if chance.random() < 0.02:
            year.unanswered += 1
            return
        year.answered += 1
        year.with_cause[name, payer] += 1
        cause = CAUSES.get(name)
        carc = cause.carc if cause and chance.random() < cause.chance[payer] else ""
        if not carc and chance.random() < OTHERWISE:
            carc = chance.choice(OTHER_REASONS)
        day = sent + timedelta(days=chance.randrange(12, 30))
        control = f"ICN{claim['claim_id']}"
        self.answer(claim, payer, carc, day, control)
        if not carc:
            return
        year.denied[payer] += 1
        if cause and name != "again" and chance.random() < 0.5:
            mended = self.claim(
                int(claim["claim_id"][1:8]), payer, date.fromisoformat(claim["lines"][0]["service_date"]), {}
            )
            mended |= {"frequency_code": "7", "original_reference_number": control}
            again = day + timedelta(days=10)
            self.by_day[again].append(mended)
            year.sent += 1
            year.answered += 1
            year.corrected += 1
            self.answer(mended, payer, "", again + timedelta(days=15), f"{control}R")

    def answer(self, claim: dict[str, Any], payer: str, carc: str, day: date, control: str) -> None:
        total = sum(float(line["charge"]) for line in claim["lines"])
        paid, services = 0, []
        for place, line in enumerate(claim["lines"]):
            charge = round(float(line["charge"]) * 100)
            # A visit without modifier 25 is what is denied, not the block beside it.
            denied = carc and (len(claim["lines"]) == 1 or place == 1 or carc != "CO*97")
            allowed = 0 if denied else max(100, min(charge, round(self.chance.gauss(ALLOWED[payer], 900))))
            share = allowed // 5
            paid += allowed - share
            code = ":".join(["HC", line["procedure"], *line["modifiers"]])
            services += [
                f"SVC*{code}*{charge / 100:.2f}*{(allowed - share) / 100:.2f}**1",
                f"DTM*472*{writer.compact(line['service_date'])}",
            ]
            if denied:
                services.append(f"CAS*{carc}*{charge / 100:.2f}")
            elif charge > allowed:
                services.append(f"CAS*CO*45*{(charge - allowed) / 100:.2f}")
            if share:
                services.append(f"CAS*PR*2*{share / 100:.2f}")
            services.append(f"REF*6R*{place + 1}")
        status = "4" if carc and not paid else "1"
        head = f"CLP*{claim['claim_id']}*{status}*{total:.2f}*{paid / 100:.2f}**12*{control}*11*1"
        self.paid[day].append([head, *services])

    # files

    def files(self, folder: Path) -> None:
        for month, days in _months(self.by_day):
            sets = [
                writer.transaction(writer.hierarchy((claim, False) for claim in self.by_day[day]), "professional", f"{place:04}", day=f"{day:%Y%m%d}")
                for place, day in enumerate(days, 1)
            ]  # fmt: skip
            file = folder / f"claims-{month}.837"
            file.write_text(writer.interchange(sets, "professional", int(month.replace("-", ""))))
            self.year.claims.append(file)
        for month, days in _months(self.paid):
            segments = [ISA.format(int(month.replace("-", "")))]
            segments.append(f"GS*HP*P*H*{month.replace('-', '')}01*1200*1*X*005010X221A1")
            for place, day in enumerate(days, 1):
                said = [segment for one in self.paid[day] for segment in one]
                segments += [
                    f"ST*835*{place:04}",
                    f"BPR*I*0*C*ACH*CCP{'*' * 11}{day:%Y%m%d}",
                    f"TRN*1*CHK{day:%Y%m%d}*1999999999",
                    "LX*1",
                    *said,
                    f"SE*9*{place:04}",
                ]
            segments += [f"GE*{len(days)}*1", f"IEA*1*{int(month.replace('-', '')):09}", ""]
            file = folder / f"answers-{month}.835"
            file.write_text("~\n".join(segments))
            self.year.answers.append(file)


ISA = "ISA*00*          *00*          *ZZ*PAYER          *ZZ*HOSPITAL       *261101*1200*^*00501*{:09d}*0*P*:"


def _months(days: Mapping[date, Any]) -> Iterator[tuple[str, list[date]]]:
    months: dict[str, list[date]] = defaultdict(list)
    for day in sorted(days):
        months[f"{day:%Y-%m}"].append(day)
    yield from months.items()


def write(folder: Path, count: int, seed: int = 1) -> Year:
    """The files of a year with so many first claims."""
    writing = _Writing(count, seed)
    writing.run()
    writing.files(folder)
    return writing.year
