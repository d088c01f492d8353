"""Which state a claim names, however it is written: two letters, in small ones, with dots or blanks, or the name.

Source of the codes: USPS Publication 28, appendix B (the code list of N402); of the older abbreviations: GPO Style
Manual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_NAMES: Mapping[str, str] = {
    "AL": "Alabama, Ala", "AK": "Alaska", "AZ": "Arizona, Ariz", "AR": "Arkansas, Ark", "CA": "California, Calif, Cal",
    "CO": "Colorado, Colo", "CT": "Connecticut, Conn", "DE": "Delaware, Del",
    "DC": "District of Columbia, Washington DC, Wash DC", "FL": "Florida, Fla", "GA": "Georgia", "HI": "Hawaii",
    "ID": "Idaho", "IL": "Illinois, Ill", "IN": "Indiana, Ind", "IA": "Iowa", "KS": "Kansas, Kans, Kan",
    "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland", "MA": "Massachusetts, Mass",
    "MI": "Michigan, Mich", "MN": "Minnesota, Minn", "MS": "Mississippi, Miss", "MO": "Missouri", "MT": "Montana, Mont",
    "NE": "Nebraska, Nebr, Neb", "NV": "Nevada, Nev", "NH": "New Hampshire", "NJ": "New Jersey",
    "NM": "New Mexico, N Mex", "NY": "New York, New York State", "NC": "North Carolina", "ND": "North Dakota, N Dak",
    "OH": "Ohio", "OK": "Oklahoma, Okla", "OR": "Oregon, Oreg, Ore", "PA": "Pennsylvania, Penn, Penna",
    "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota, S Dak", "TN": "Tennessee, Tenn",
    "TX": "Texas, Tex", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington, Wash, Washington State",
    "WV": "West Virginia, W Va", "WI": "Wisconsin, Wis, Wisc", "WY": "Wyoming, Wyo",
    # territories, states in free association, and the armed forces
    "AS": "American Samoa", "GU": "Guam", "MP": "Northern Mariana Islands, Northern Marianas",
    "PR": "Puerto Rico", "VI": "Virgin Islands, US Virgin Islands, Virgin Islands of the United States",
    "FM": "Micronesia, Federated States of Micronesia", "MH": "Marshall Islands", "PW": "Palau",
    "AA": "Armed Forces Americas", "AE": "Armed Forces Europe", "AP": "Armed Forces Pacific",
}  # fmt: skip
_NOT_A_LETTER = re.compile(r"[^A-Z]")


def _letters(text: str) -> str:
    return _NOT_A_LETTER.sub("", text.upper())


_CODES: Mapping[str, str] = {
    _letters(written): code for code, names in _NAMES.items() for written in (code, *names.split(", "))
}


@lru_cache(maxsize=1_024)
def state_code(text: str | None) -> str | None:
    """The two letters of the state; None where the text names none, which is not to say that it is another one."""
    letters = _letters(text) if text else ""
    # ISO 3166-2 writes the country before it.
    return _CODES.get(letters) or (_CODES.get(letters[2:]) if len(letters) == 4 and letters[:2] == "US" else None)
