"""The outlets: the one list of them. Whoever needs their names, readers, texts or colors takes them from here.

A name is at once that of the stream, of its counter and of its consumer group; and of the claim's disposition, but for
`FILES`, which has what is decided on claims of all dispositions that leave by file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rules.report import Disposition


SplitClass = Literal["clean", "held", "unchecked", "undecided"]
"""The files that an 837 is split into."""
Outlet = Literal["billing", "rework", "unchecked", "quarantine", "files"]
FILES: Literal["files"] = "files"
"""The outlet that no hospital's reader has: of sources whose claims leave by file."""
Exit = Literal["stream", "file"]
"""stream: the outlets, for the hospital's readers; file: files that are made of those that came in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletSpec:
    """One outlet."""

    name: Outlet
    about: str
    """What is in it: a sentence for those who read it."""
    following: str
    """What is to be done with a claim in it: a sentence."""
    counts: str
    """What a number of it counts: words without a full stop."""
    light: str
    """Its color on a light page; after Okabe and Ito (https://jfly.uni-koeln.de/color/)."""
    dark: str
    style: Literal["green", "bold red", "magenta", "cyan"]
    """Its color on a terminal."""
    split: SplitClass | None = None
    """Which of the files that an 837 is split into has its claims; None: it is no disposition."""
    judged: bool = True
    """An entry is a claim with its report; else it is what came in, and why there is no report."""
    consumed: bool = True
    """Consumers read and acknowledge it as a Redis user of its name, and it is trimmed; else only a person takes
    something out."""
    grouped: bool = False
    """Its consumer group exists before the first entry, and the log says how far the group is behind."""
    outcome: Literal["complete", "error", "partial", "queued"] = "queued"
    """Of the FHIR ClaimResponse for a claim of it, from the value set `remittance-outcome` of R4."""
    happened: str = ""
    """What became of a claim with it, as its history says; empty: it is no disposition that a claim has."""
    status: tuple[str, str] | None = None
    """Category and status of the 277CA for each of its claims; None: what the findings say."""


SPECS: Mapping[str, OutletSpec] = {
    spec.name: spec
    for spec in (
        OutletSpec(
            name="billing",
            about="Claims on which no block rule failed or was undetermined.",
            following="Nothing: it is clean as far as it was looked at. Whoever reads billing sends it.",
            counts="decisions that sent a claim to billing",
            light="#00825f",
            dark="#2bb68f",
            style="green",
            split="clean",
            grouped=True,
            status=("A2", "20"),
            outcome="complete",
            happened="Sent to billing",
        ),
        OutletSpec(
            name="rework",
            about="Claims to be mended, with what to mend.",
            following="Do what the fixes above say, where the claim comes from; a new version is checked anew.",
            counts="decisions that held a claim back",
            light="#d55e00",
            dark="#f28a3c",
            style="bold red",
            split="held",
            grouped=True,
            outcome="error",
            happened="Held",
        ),
        OutletSpec(
            name="unchecked",
            about="Claims that the rule book says nothing of, with the reason.",
            following="No rule here is for it: look at it by hand, and send it where it is right.",
            counts="claims that the rule book says nothing of",
            light="#8a939e",
            dark="#a3adb8",
            style="magenta",
            split="unchecked",
            status=("A1", "19"),
            outcome="partial",
            happened="Not checked: no rule is for it",
        ),
        OutletSpec(
            name="quarantine",
            about="What could not be read as a claim, or killed its workers, with the reason.",
            following="`scrub quarantine show ID` says why it could not be read, and what to do.",
            counts="not readable as a claim, or refused",
            light="#a8508c",
            dark="#d98cc0",
            style="magenta",
            split="undecided",
            judged=False,
            consumed=False,
        ),
        OutletSpec(
            name=FILES,
            about="Judged claims of sources that leave by file, whatever the verdict. `scrub submit --out` reads it.",
            following="Nothing: it goes into the files of its original, which `scrub submit --out` writes.",
            counts="decisions on claims that leave by file",
            light="#0072b2",
            dark="#56b4e9",
            style="cyan",
            grouped=True,
        ),
    )
}
"""By name, in the order in which they are shown, stacked, and passed to the scripts."""

OUTLETS: tuple[Outlet, ...] = tuple(spec.name for spec in SPECS.values())
DISPOSED: Mapping[Disposition, OutletSpec] = {spec.name: spec for spec in SPECS.values() if spec.name != FILES}
"""Those that are a claim's disposition."""
DISPOSITIONS: tuple[Disposition, ...] = tuple(DISPOSED)
JUDGED: tuple[Disposition, ...] = tuple(name for name, spec in DISPOSED.items() if spec.judged)
CONSUMED: tuple[Outlet, ...] = tuple(spec.name for spec in SPECS.values() if spec.consumed)
GROUPED: tuple[Outlet, ...] = tuple(spec.name for spec in SPECS.values() if spec.grouped)
BY_HAND: tuple[Outlet, ...] = tuple(spec.name for spec in SPECS.values() if not spec.consumed)


def listed(names: Sequence[str], word: str = "or") -> str:
    """`a, b or c`."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last
