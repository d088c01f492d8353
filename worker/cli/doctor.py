"""`scrub doctor`: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.terminal import Style, hung, paint, say, say_json

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLES: dict[str, Style] = {"well": "green", "poor": "yellow", "ill": "bold red"}


def doctor(
    format: Annotated[
        Literal["text", "json", "prometheus"],
        typer.Option(help="text for people; json: one finding a line; prometheus: how many of each place and level."),
    ] = "text",
) -> None:
    """Examines packages, folders, secret, disk, case store, rule book, Redis, clock, queue and workers, and names files
    of official tables that claims of the last seven days were judged without. It changes nothing.

    well: as it should be. poor: it works, and should be seen to. ill: claims do not flow, or may be lost.

    Exit codes: 0 all is well, 1 something is poor or ill, 2 the settings cannot be used.

    Examples:

    * `scrub doctor`
    * `scrub doctor --format prometheus` (for node_exporter's textfiles, once an hour)
    """
    from dataclasses import asdict

    from rules.errors import ScrubError
    from worker.cli.common.stores import opened
    from worker.config.settings import load_settings
    from worker.doctor import examinations as doctor
    from worker.doctor.diagnosis import Diagnosis

    settings = load_settings()
    counts: Counter[str] = Counter()
    places: Counter[tuple[str, str]] = Counter()

    def show(diagnosis: Diagnosis) -> None:
        counts[diagnosis.level] += 1
        places[diagnosis.level, diagnosis.about] += 1
        if format == "prometheus":
            return
        if format == "json":
            say_json(asdict(diagnosis))
            return
        pad = " " * (4 - len(diagnosis.level))
        level = paint(diagnosis.level, _STYLES[diagnosis.level])
        say(f"{level}{pad}  {diagnosis.about:13} {hung(diagnosis.sentence, 20)}")
        if diagnosis.mend:
            say(f"{'':20}{paint('do:', 'bold')} {hung(diagnosis.mend, 24)}")

    today = datetime.now(UTC).date()
    try:
        with opened(settings, check=False) as store:
            for diagnosis in doctor.examine(settings, today, store):
                show(diagnosis)
    except ScrubError as error:
        if not counts:  # the embedded server does not start
            for diagnosis in doctor.examine(settings, today, None):
                show(diagnosis)
        show(Diagnosis("ill", "Redis", str(error)))
    if format == "text":
        say("", _verdict(counts))
    if format == "prometheus":
        say(*_figures(places))
    raise typer.Exit(1 if counts["poor"] or counts["ill"] else 0)


def _figures(places: Counter[tuple[str, str]]) -> Sequence[str]:
    """Every place that was examined has both figures, so that an alert ends when what it tells of does."""
    from worker.monitoring.figures import Figure, exposition

    every = sorted({about for _, about in places})
    return exposition(
        Figure(f"doctor_{level}", "gauge", f"Findings of scrub doctor that are {level}",
               tuple((about, places[level, about]) for about in every), "about")
        for level in ("poor", "ill")
    )  # fmt: skip


def _verdict(counts: Counter[str]) -> str:
    if not counts["poor"] and not counts["ill"]:
        return paint("All is well.", "bold green")
    return paint(f"{counts['ill']} ill, {counts['poor']} poor, {counts['well']} well.", "bold")
