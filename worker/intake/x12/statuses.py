"""What a 277CA says of one claim: the claim status category and code of each finding, or of what could not be read.

From the rule where it names a rejection, else from the tables here, by the code's letters.

Source: code lists of claim status category and claim status codes (X12, external lists 507, 508).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rules.claim import Claim
from rules.engine.gaps import unread
from rules.report import Finding, Report
from worker.intake.document import Refusal
from worker.store.outletspecs import DISPOSED

MOST_STATUSES = 20
"""Of one claim."""
MESSAGE = 264
"""Characters of STC12."""
_MOST_ALSO = 10
"""Codes of other findings that it names."""

STATUSES = {
    # where a rule names no rejection: claim status code, element of 837P, element of 837I, by the code or its letters
    "ADR": ("126", "N3", "N3"),  # entity's address
    "AUT": ("48", "REF*G1", "REF*G1"),  # referral or authorization
    "BND": ("454", "SV101-2", "SV202-2"),  # procedure code for services rendered
    "EDT": ("454", "SV101-2", "SV202-2"),  # of any two codes, as BND is of the procedure's
    "EDT003": ("476", "SV104", "SV205"),
    "COB": ("742", "SBR01", "SBR01"),  # payer responsibility sequence number code
    "COV": ("255", "HI01-2", "HI01-2"),  # diagnosis code
    "CLM": ("481", "CLM", "CLM"),  # claim format is invalid
    "DOC": ("294", "PWK", "PWK"),  # supporting documentation
    "DRG": ("218", "LIN03", "LIN03"),  # NDC number
    "DUP": ("54", "CLM01", "CLM01"),  # duplicate of a claim or line processed before
    "DXN": ("255", "HI01-2", "HI01-2"),
    "FRQ": ("259", "DTP*472", "DTP*472"),  # frequency of service
    "IDN": ("562", "NM109", "NM109"),  # entity's NPI
    "MOD": ("453", "SV101-3", "SV202-3"),  # procedure code modifiers
    "POS": ("249", "CLM05-1", "CLM05-1"),  # place of service
    "RDR": ("481", "CLM", "CLM"),
    "SYN": ("481", "CLM", "CLM"),  # as CLM
    "TIM": ("718", "DTP*472", "DTP*472"),  # not submitted within the required time frame
    "UBF": ("481", "CLM", "CLM"),  # of the institutional form
    "UNT": ("476", "SV104", "SV205"),  # missing or invalid units of service
}
ELEMENTS = {
    # the element of a status code that a rule names
    "126": ("N3", "N3"), "128": ("REF*EI", "REF*EI"), "148": ("REF*SY", "REF*SY"), "163": ("SBR03", "SBR03"),
    "189": ("DTP*435", "DTP*435"), "218": ("CTP04", "CTP04"), "254": ("HI01-2", "HI01-2"),
    "306": ("SV101-7", "SV202-7"), "397": ("DTP*431", "DTP*431"), "500": ("N403", "N403"), "501": ("N402", "N402"),
    "503": ("N301", "N301"), "504": ("NM103", "NM103"), "505": ("NM104", "NM104"), "584": ("REF*6R", "REF*6R"),
    "589": ("CLM06", "CLM07"), "633": ("CLM11", "CLM11"), "680": ("N404", "N404"), "727": ("DTP*439", "DTP*439"),
    "750": ("CLM11-4", "CLM11-4"),
    "121": ("LX01", "LX01"), "145": ("PRV03", "PRV03"), "158": ("DMG02", "DMG02"), "164": ("NM109", "NM109"),
    "178": ("CLM02", "CLM02"), "187": ("DTP*472", "DTP*472"), "188": ("DTP*434", "DTP*434"),
    "228": ("CLM05", "CLM05"), "249": ("CLM05-1", "CLM05-1"), "255": ("HI", "HI"), "400": ("CLM02", "CLM02"),
    "453": ("SV101-3", "SV202-3"), "454": ("SV101-2", "SV202-2"), "455": ("SV201", "SV201"),
    "464": ("REF*F8", "REF*F8"), "477": ("SV107", "SV107"), "481": ("CLM", "CLM"), "535": ("CLM05-3", "CLM05-3"),
    "562": ("NM109", "NM109"), "583": ("SV102", "SV203"),
    "659": ("SV103", "SV204"),
}  # fmt: skip
UNREADABLE = {
    # claim status code of an element that cannot be read; any other: 481, the format is invalid
    "CLM02": "178", "CLM05": "249", "CTP04": "218", "DMG02": "158", "DMG03": "157", "DTP03": "187", "LX01": "121",
    "SV101": "454", "SV102": "583", "SV104": "476", "SV107": "477", "SV202": "454", "SV203": "583", "SV205": "476",
} | {f"HI{place:02d}": "255" for place in range(1, 13)}  # fmt: skip
_ENTITIES = {"19": "AY", "145": "85", "157": "QC", "158": "QC", "164": "IL", "562": "85"}
"""Entity of a status code that requires one."""
_RELATIONS = frozenset({"BND", "DXN003", "DXN004", "DXN006", "MOD002", "MOD014", "CLM001", "CLM006", "CLM011"})
"""Rules on fields that do not go together: A8."""


@dataclass(frozen=True, slots=True)
class Status:
    """One STC: category and code, whether the claim is accepted, and the words beside it."""

    category: str
    code: str
    message: str = ""
    line: int | None = None
    entity: str = ""
    more: tuple[Status, ...] = ()
    """Of findings that are shown with this one."""

    @property
    def action(self) -> str:
        return "WQ" if self.category in ("A1", "A2") else "U"

    @property
    def composite(self) -> str:
        entity = self.entity or _ENTITIES.get(self.code, "")
        return f"{self.category}:{self.code}" + (f":{entity}" if entity else "")

    @property
    def composites(self) -> list[str]:
        """Up to three for one segment, none twice."""
        return list(dict.fromkeys(one.composite for one in (self, *self.more)))[:3]


def verdict(report: Report, claim: Claim) -> Iterator[Status]:
    """Accepted, received and no more, or a status for each finding that holds the claim; at least one."""
    status = DISPOSED[report.disposition].status
    if status is None:
        held = [one for one in report.findings if any(_holds(each) for each in (one, *one.because))]
        yield from (_finding(one, claim) for one in held)
        if not held:  # by its gaps alone; a claim without a status would be an accepted one
            yield Status("A3", "0", f"HELD BY SCRUB_GAPS, {_not_looked_at(report, claim)}")
    elif report.observed and report.verdict == "rework":
        why = ", ".join(report.codes("block")) or "gaps"
        yield Status(*status, entity="40", message=f"OBSERVED, WOULD BE HELD: {why}")
    elif report.reason:
        yield Status(*status, entity="40", message=f"NOT CHECKED: {report.reason}")
    else:
        entity = "40" if status[0] == "A1" else ""
        yield Status(*status, entity=entity, message=_not_looked_at(report, claim))


def _not_looked_at(report: Report, claim: Claim) -> str:
    """The tables that a rule asked and that did not speak of the claim's date; empty: all did."""
    tables = [str(one) for one in unread(report, claim) if one.kind == "edition_past"]
    return f"NOT LOOKED AT {', '.join(tables).replace('[', '(').replace(']', ')')}" if tables else ""


def _blocks(finding: Finding) -> bool:
    return finding.severity == "block" and finding.outcome != "bypassed"


def _holds(finding: Finding) -> bool:
    return _blocks(finding) and finding.observed is None


def _finding(finding: Finding, claim: Claim) -> Status:
    """Category and code from the rule where it expects a rejection, else from the tables above."""
    code, form = finding.code, 0 if claim.form == "professional" else 1
    denial = finding.expected_denial
    status, *elements = STATUSES.get(code) or STATUSES.get(code[:3], ("0", "CLM", "CLM"))
    category = "A6" if finding.outcome == "undetermined" else "A3"
    if denial and denial.kind == "rejection" and denial.category and denial.status:
        category, status = denial.category, denial.status
        elements = list(ELEMENTS.get(status, elements))
    elif category == "A3":
        category = "A8" if code in _RELATIONS or code[:3] in _RELATIONS else "A7" if code[:3] != "TIM" else "A3"
    place = f" LINE {finding.line}" if finding.line is not None else ""
    entity = ("71" if form else "82") if code == "IDN002" else ""
    others = tuple(_finding(one, claim) for one in finding.because if _blocks(one))
    codes = list(dict.fromkeys(one.code for one in finding.because if _blocks(one) and one.code != code))
    also = f" ALSO {', '.join(codes[:_MOST_ALSO])}" if codes else ""
    message = f"{code}{place} {elements[form]}: {finding.message}"
    return Status(category, status, message[: MESSAGE - len(also)] + also, finding.line, entity, others)


def of_refusal(refusal: Refusal) -> Iterator[Status]:
    """A claim that could not be read: unprocessable, with the element of each problem."""
    institutional = (refusal.trace or {}).get("form") == "I"
    for problem in refusal.problems[:MOST_STATUSES]:
        element = next((word for word in problem.path.split() if word in UNREADABLE), "")
        status = "228" if institutional and element == "CLM05" else UNREADABLE.get(element, "481")
        yield Status("A3", status, str(problem))
