"""The outlets: the one list of them. Whoever needs their names, readers, texts or colors takes them from here.

A name is at once that of the stream, of its counter, of its consumer group, and of the claim's disposition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rules.report import Disposition


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletSpec:
    """One outlet."""

    name: Disposition
    about: str
    """What is in it: a sentence for those who read it."""
    counts: str
    """What a number of it counts: words without a full stop."""
    light: str
    """Its color on a light page; after Okabe and Ito (https://jfly.uni-koeln.de/color/)."""
    dark: str
    style: Literal["green", "bold red", "magenta"]
    """Its color on a terminal."""
    judged: bool = True
    """An entry is a claim with its report; else it is what came in, and why there is no report."""
    consumed: bool = True
    """Consumers read and acknowledge it as a Redis user of its name, and it is trimmed; else only a person takes
    something out."""
    grouped: bool = False
    """Its consumer group exists before the first entry, and the log says how far the group is behind."""
    status: tuple[str, str] | None = None
    """Category and status of the 277CA for each of its claims; None: what the findings say."""


SPECS: Mapping[str, OutletSpec] = {
    spec.name: spec
    for spec in (
        OutletSpec(
            name="billing",
            about="Claims on which no block rule failed or was undetermined.",
            counts="decisions that sent a claim to billing",
            light="#00825f",
            dark="#2bb68f",
            style="green",
            grouped=True,
            status=("A2", "20"),
        ),
        OutletSpec(
            name="rework",
            about="Claims to be mended, with what to mend.",
            counts="decisions that held a claim back",
            light="#d55e00",
            dark="#f28a3c",
            style="bold red",
            grouped=True,
        ),
        OutletSpec(
            name="unchecked",
            about="Claims that the rule book says nothing of, with the reason.",
            counts="claims that the rule book says nothing of",
            light="#8a939e",
            dark="#a3adb8",
            style="magenta",
            status=("A1", "19"),
        ),
        OutletSpec(
            name="quarantine",
            about="What could not be read as a claim, or killed its workers, with the reason.",
            counts="not readable as a claim, or refused",
            light="#a8508c",
            dark="#d98cc0",
            style="magenta",
            judged=False,
            consumed=False,
        ),
    )
}
"""By name, in the order in which they are shown, stacked, and passed to the scripts."""

OUTLETS: tuple[Disposition, ...] = tuple(spec.name for spec in SPECS.values())
JUDGED: tuple[Disposition, ...] = tuple(spec.name for spec in SPECS.values() if spec.judged)
CONSUMED: tuple[Disposition, ...] = tuple(spec.name for spec in SPECS.values() if spec.consumed)
GROUPED: tuple[Disposition, ...] = tuple(spec.name for spec in SPECS.values() if spec.grouped)
BY_HAND: tuple[Disposition, ...] = tuple(spec.name for spec in SPECS.values() if not spec.consumed)


def listed(names: Sequence[str], word: str = "or") -> str:
    """`a, b or c`."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last
