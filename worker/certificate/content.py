"""A certificate: that a claim was checked and went to billing, how, and by which book, without a word about a patient.

It is a JSON file whose last member is an Ed25519 signature over all bytes before it, so that no byte can be another.
Nothing in it is taken from the claim but the numbers of its lines: of a finding neither message nor evidence, of a gap
no sentence, of an override no reason and no owner. The claim itself is there as a commitment alone, see
`worker.pipeline.commitment`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rules.claim import Role
from rules.history import State as HistoryState
from rules.report import Coverage, GapKind, LookedAt, Outcome, OverrideState
from rules.terms import Severity
from worker.books.signature import id_of
from worker.errors import CertificateUnreadable

FORMAT: Literal[1] = 1
TYPE: Literal["claim-certificate"] = "claim-certificate"
MOST = 2**24
"""Bytes of a certificate that is read; one of a claim of 1,000 lines has a hundredth."""
_SIGNATURE = b',\n  "signature": "'
_TAIL = re.compile(re.escape(_SIGNATURE) + rb'([0-9a-f]{128})"\n}\n')
_TAIL_SIZE = len(_SIGNATURE) + 128 + len(b'"\n}\n')

Json = Mapping[str, Any]
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class CertifiedFinding(_Part):
    """What a rule found, without what it saw."""

    code: str
    rule: str
    """The rule file in the book, without its ending."""
    version: str
    """First date of service of the rule version that judged."""
    severity: Severity
    outcome: Outcome
    line: int | None
    """Null: the whole claim."""
    title: str
    override: str | None
    """Name of the override that touches it."""
    observed: str | None
    """Name of the override by which it was on record alone."""


class CertifiedGap(_Part):
    """What a rule would have asked and nobody looked at."""

    kind: GapKind
    rule: str | None
    line: int | None
    table: str | None


class CertifiedLine(_Part):
    """How a line was looked at."""

    number: int
    looked_at: LookedAt


class CertifiedOverride(_Part):
    """A decision of the hospital that touched the claim."""

    name: str
    effect: str
    expires: str
    state: OverrideState


class CertifiedEdition(_Part):
    """An edition of a dated table that the rules looked into."""

    table: str
    title: str
    edition: str | None
    sha256: str | None
    """Of the official file; null: the rows that ship with the book."""


class CertifiedBook(_Part):
    """By what the claim was judged."""

    version: str
    digest: Hex64
    """With the overrides that were in force."""
    editions: tuple[CertifiedEdition, ...]


class Verdict(_Part):
    """What the report on the claim says."""

    payer: str | None
    """Key of the payer's rules."""
    plan: str | None
    bills_as: Role
    coverage: Coverage
    history: HistoryState
    rules_run: int
    lines: tuple[CertifiedLine, ...]
    gaps: tuple[CertifiedGap, ...]
    findings: tuple[CertifiedFinding, ...]
    """All, also those that are shown with another one."""
    overridden: tuple[CertifiedFinding, ...]
    """What rules found that an override switched off or replaced."""
    overrides: tuple[CertifiedOverride, ...]
    observed: str | None
    """Where the verdict would have sent a claim that was only observed."""


class CertifiedWaiver(_Part):
    """That a person let the claim go in spite of findings; reason and name stay with those who keep the case."""

    decision: str
    """The decision that was waived."""
    findings: tuple[str, ...]
    """As CODE@LINE, or CODE@ for the claim; with ? where it could not be determined."""
    until: str
    """The last day on which it held."""
    digest: str
    """Of the waiver, as the audit log has it."""


class Commitment(_Part):
    """To the claim: who has it and its salt can show that it was this one."""

    method: Literal["HMAC-SHA-256"] = "HMAC-SHA-256"
    value: Hex64


class ChainPlace(_Part):
    """Where the decision stands in the audit log."""

    file: str
    """As its worker named it: host, process and a random number."""
    chain: str
    line: int
    mac: Hex64
    key: str
    """Id of the audit key of the line; empty: that of a release which knew one key."""


class Signer(_Part):
    """Whose signature it is."""

    algorithm: Literal["Ed25519"] = "Ed25519"
    key: str
    """The first 16 hexadecimal digits of SHA-256 over the public key's 32 bytes."""


class Certificate(_Part):
    """That a claim was checked, and went to billing."""

    type: Literal["claim-certificate"] = TYPE
    format: Literal[1] = FORMAT
    issued: str
    """UTC."""
    release: str
    """Of the program that issued it."""
    decision: str
    """Decision id, as in the audit log and the outlet."""
    decided: str
    """When its audit line was written, UTC."""
    disposition: Literal["billing"] = "billing"
    commitment: Commitment
    book: CertifiedBook
    verdict: Verdict
    waivers: tuple[CertifiedWaiver, ...] = ()
    """By which a person let this claim go."""
    audit: ChainPlace
    signer: Signer


class SignedCertificate(Certificate):
    """As it is in the file."""

    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$"), Field(
        description="Over every byte of the file before the comma that precedes it, hexadecimal; always last."
    )]  # fmt: skip


def written(certificate: Certificate, key: Ed25519PrivateKey) -> bytes:
    """The file of a certificate."""
    body = orjson.dumps(certificate.model_dump(mode="json"), option=orjson.OPT_INDENT_2)[: -len(b"\n}")]
    return body + _SIGNATURE + key.sign(body).hex().encode() + b'"\n}\n'


def parts_of(content: bytes, name: str) -> tuple[bytes, bytes]:
    """What was signed, and the signature; `name` is for the sentence of an error.

    Raises:
        CertificateUnreadable
    """
    found = _TAIL.fullmatch(content[-_TAIL_SIZE:])
    if found is None:
        reason = "it does not end as one does" if TYPE.encode() in content else "it is something else"
        raise CertificateUnreadable(file=name, reason=reason)
    return content[:-_TAIL_SIZE], bytes.fromhex(found[1].decode())


def read(content: bytes, name: str) -> Certificate:
    """What is in the file, whoever signed it.

    Raises:
        CertificateUnreadable
    """
    signed, _ = parts_of(content, name)
    try:
        found = orjson.loads(signed + b"}")
    except orjson.JSONDecodeError:
        raise CertificateUnreadable(file=name, reason="it is not JSON") from None
    if not isinstance(found, dict) or found.get("type") != TYPE:
        raise CertificateUnreadable(file=name, reason="it is something else")
    if found.get("format") != FORMAT:
        raise CertificateUnreadable(file=name, reason="a later release wrote it; use that one, or a later one")
    try:
        return Certificate.model_validate_json(signed + b"}")
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise CertificateUnreadable(file=name, reason=f"{where} is not as it is in one") from None


def signer(key: Ed25519PrivateKey) -> Signer:
    """Whose signature this key makes."""
    return Signer(key=id_of(key.public_key()))


def verdict_of(report: Json) -> Verdict:
    """What a certificate says of a report, which is decoded JSON.

    Raises:
        KeyError, ValidationError: a release wrote it that did not say how lines were looked at.
    """
    return Verdict(
        **{name: report[name] for name in ("payer", "plan", "bills_as", "coverage", "history", "rules_run")},
        lines=tuple(CertifiedLine(**one) for one in report["lines"]),
        gaps=tuple(CertifiedGap(**_of(CertifiedGap, one)) for one in report["gaps"]),
        findings=tuple(_findings(report["findings"])),
        overridden=tuple(_findings(report["overridden"])),
        overrides=tuple(CertifiedOverride(**_of(CertifiedOverride, one)) for one in report["overrides"]),
        observed=report["observed"]["disposition"] if report["observed"] else None,
    )


def waivers_of(report: Json) -> tuple[CertifiedWaiver, ...]:
    """By what a person let the claim of a report go; a release that knew no waivers wrote none."""
    waived = report.get("waived")
    if not waived or waived["refused"]:
        return ()
    return (CertifiedWaiver(**_of(CertifiedWaiver, waived)),)


def book_of(report: Json) -> CertifiedBook:
    """The book that a report names."""
    editions = tuple(CertifiedEdition(**one) for one in report["editions"])
    return CertifiedBook(version=report["book"]["version"], digest=report["book"]["digest"], editions=editions)


def _findings(found: list[Json]) -> Iterator[CertifiedFinding]:
    for one in found:
        said = _of(CertifiedFinding, one)
        yield CertifiedFinding(**{**said, "override": (said["override"] or {}).get("name")})
        yield from _findings(one["because"])


def _of(kind: type[_Part], found: Json) -> dict[str, Any]:
    return {name: found[name] for name in kind.model_fields}
