"""Facts of identifiers: providers' NPIs and the shape of the member id (never the id itself)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rules.case import Case
from rules.claim import Provider
from rules.facts.registry import fact
from rules.formats import npi, taxonomy
from rules.memberids import EARLIER
from rules.states import state_code

T = TypeVar("T")


@fact("code", "the billing provider's NPI", own=True)
def billing_npi(case: Case) -> str | None:
    """2010AA NM109."""
    return (case.claim.billing_provider.npi if case.claim.billing_provider else None) or None


@fact("code", "the billing provider's entity type (person or organization)", reach="head")
def billing_entity(case: Case) -> str | None:
    """2010AA NM102: person or organization."""
    return case.claim.billing_provider.entity if case.claim.billing_provider else None


@fact("code", "the billing provider's state", reach="head")
def billing_state(case: Case) -> str | None:
    """2010AA N402, as two letters however it is written; missing where it names no state."""
    return state_code(case.claim.billing_provider.state) if case.claim.billing_provider else None


@fact("codes", "the provider NPIs", own=True)
def malformed_npis(case: Case) -> tuple[str, ...]:
    """The roles (rendering, line 2 rendering, attending, operating) whose NPI is there but not a valid one."""
    return tuple([role for role, one in _providers(case) if one.npi is not None and not npi(one.npi)])


@fact("codes", "the provider taxonomies", reach="head")
def malformed_taxonomies(case: Case) -> tuple[str, ...]:
    """The roles (billing, rendering, line 2 rendering, attending, operating) whose taxonomy is there but malformed."""
    billing = case.claim.billing_provider
    everyone = [("billing", billing), *_providers(case)] if billing else _providers(case)
    return tuple(role for role, provider in everyone if provider.taxonomy and not taxonomy(provider.taxonomy))


@fact("lines", "the rendering provider", reach="each")
def lines_without_rendering(case: Case) -> tuple[int, ...]:
    """Lines of the procedure for which neither the line nor the claim names a rendering NPI."""
    if case.claim.rendering_provider and case.claim.rendering_provider.npi:
        return ()
    return tuple(line.number for line in case.lines if not (line.rendering_provider and line.rendering_provider.npi))


@fact("flag", "the attending provider", reach="head")
def has_attending(case: Case) -> bool:
    """Whether the claim names an attending provider's NPI."""
    return bool(case.claim.attending_provider and case.claim.attending_provider.npi)


@fact("codes", "the member id", own=True)
def member_id_forms(case: Case) -> tuple[str, ...] | None:
    """The forms, of those that the payer files declare under `member_ids`, that the member id has."""
    return _member_id(case, lambda member_id: tuple(name for name, has in case.forms.items() if has(member_id)))


@fact("flag", "the member id", own=True)
def member_id_is_mbi(case: Case) -> bool | None:
    """Whether the member id has the form of a Medicare Beneficiary Identifier."""
    return _has_form(case, "mbi")


@fact("flag", "the member id", own=True)
def member_id_has_blue_prefix(case: Case) -> bool | None:
    """Whether the member id has the form of a Blue plan: a letter in its first three characters, at most 17 in all."""
    return _has_form(case, "blue")


@fact("flag", "the member id", own=True)
def member_id_is_fep(case: Case) -> bool | None:
    """Whether the member id has the form of the Blue plans' Federal Employee Program: R and 8 digits."""
    return _has_form(case, "fep")


@fact("flag", "the member id", own=True)
def member_id_is_uhc(case: Case) -> bool | None:
    """Whether the member id has the form that is usual at UnitedHealthcare: 9 digits."""
    return _has_form(case, "uhc")


@fact("flag", "the member id", own=True)
def member_id_is_aetna(case: Case) -> bool | None:
    """Whether the member id has the form that is usual at Aetna: W and 9 digits."""
    return _has_form(case, "aetna")


@fact("flag", "the member id", own=True)
def member_id_is_cigna(case: Case) -> bool | None:
    """Whether the member id has the form that is usual at Cigna: U and 8 digits, with or without 2 more."""
    return _has_form(case, "cigna")


def _has_form(case: Case, name: str) -> bool | None:
    """By the payer file that declares the form; books from before forms were data have it from here."""
    return _member_id(case, case.forms.get(name) or EARLIER[name])


def _member_id(case: Case, ask: Callable[[str], T]) -> T | None:
    """What a question about the member id has as its answer; the id itself never leaves this module."""
    member_id = case.claim.subscriber.member_id if case.claim.subscriber else None
    return ask(member_id) if member_id else None


def _providers(case: Case) -> list[tuple[str, Provider]]:
    claim, found = case.claim, list[tuple[str, Provider]]()
    if claim.rendering_provider:
        found.append(("rendering", claim.rendering_provider))
    if claim.attending_provider:
        found.append(("attending", claim.attending_provider))
    if claim.operating_provider:
        found.append(("operating", claim.operating_provider))
    for line in claim.lines:
        if line.rendering_provider:
            found.append((f"line {line.number} rendering", line.rendering_provider))
    return found
