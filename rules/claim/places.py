"""Where: addresses, and the facility in which a service was given."""

from __future__ import annotations

from typing import Literal

from rules.values import Code, Name, Npi, claim_part


@claim_part
class Address:
    """N3 and N4 of a loop. It may say where a person lives: never a fact, never logged; rules learn what is missing."""

    street: Name | None = None
    """N301."""
    street_more: Name | None = None
    """N302."""
    city: Name | None = None
    """N401."""
    state: Code | None = None
    """N402: two letters, of a state, territory, military post or province. Null where whoever has the address has a
    `state` beside it."""
    zip: Code | None = None
    """N403: five or nine digits in the US, without the dash."""
    country: Code | None = None
    """N404: two letters, where it is not in the US."""


@claim_part
class ServiceFacility:
    """Loop 2310C (837P) or 2310E (837I), of a line 2420C (837P): where the service was given, if not at the billing
    provider's address."""

    npi: Npi | None = None
    """NM109."""
    name: Name | None = None
    """NM103."""
    state: Code | None = None
    """N402, two letters."""
    kind: Literal["asc", "hospital"] | None = None
    """Not on the 837."""
    address: Address | None = None
    """N3 and N4."""
