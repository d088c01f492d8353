"""Who has which role in the care team of a FHIR claim."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from worker.intake.fhir.node import Node
from worker.intake.fhir.systems import has_stranger

ROLES = {
    "rendering": frozenset(("rendering", "performing", "performer", "82", "prf", "pprf")),
    "referring": frozenset(("referring", "referral", "referrer", "ref", "dn")),
    "attending": frozenset(("attending", "atnd", "71")),
    "operating": frozenset(("operating", "72")),
    "supervising": frozenset(("supervisor", "supervising", "dq")),
}
"""CARIN Blue Button's codes of the care team, HL7's kinds of participation, and the 837's own qualifiers."""
_KNOWN = frozenset({"primary"}.union(*ROLES.values()))
_PRIMARY = frozenset(("primary",))
"""HL7's own code for who leads, where no one has a role of the 837 that leads."""


@dataclass(frozen=True, slots=True)
class Team:
    """Who has which role."""

    members: dict[str, list[Node]] = field(default_factory=dict)
    others: list[Node] = field(default_factory=list)
    """Whose role is none that is read."""

    def in_role(self, role: str, sequences: Iterable[int]) -> list[Node]:
        """The members that one item refers to."""
        wanted = set(sequences)
        return [one for one in self.members.get(role, ()) if one.whole("sequence") in wanted]


def team_of(claim: Node, form: str | None) -> Team:
    """Who leads is the rendering provider, of a hospital's claim the attending one: the only member without a role, and
    HL7's `primary`, where no member has that role."""
    team, leading, rows = Team(), [], claim.objects("careTeam")
    for one in rows:
        role = one.object("role")
        codes = {code.lower() for code in role.codes()}
        words = codes or set(re.findall(r"\w+", (role.text("text") or "").lower()))
        roles = [name for name, known in ROLES.items() if known & words]
        for name in roles:
            team.members.setdefault(name, []).append(one)
        if roles and has_stranger(role, _KNOWN):
            team.others.append(one)
        if not roles and (codes & _PRIMARY or (not words and len(rows) == 1)):
            leading.append(one)
        elif not roles:
            team.others.append(one)
    lead = "attending" if form == "institutional" else "rendering"
    if not team.members.get(lead):
        team.members[lead] = leading
    else:
        team.others.extend(leading)
    return team
