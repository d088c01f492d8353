"""`scrub settings`: what is set here, to what, by whom."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from worker.cli.common.terminal import hung, paint, say, say_json


def settings(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Of variables, or parts of them: redis, SCRUB_BATCH."),
    ] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only those that the environment sets.")] = False,
    format: Annotated[Literal["text", "json"], typer.Option(help="text for people; json: one object a line.")] = "text",
) -> None:
    """Shows each setting: its value, whether the environment or the default has it, and what it is for.

    Passwords in URLs are hidden. It looks at this shell's environment: a service or a container may have another. A
    value that is wrong is told in a sentence, as at the start of a worker.

    Exit codes: 0, or 2 where a setting is wrong or there is none of that name.

    Examples:

    * `scrub settings`
    * `scrub settings redis broker`
    * `scrub settings --changed --format json`
    """
    from worker.config.settings import load_settings
    from worker.config.told import named, told

    found = [one for one in told(load_settings()) if not changed or one.origin == "environment"]
    shown = named(names or [], found)
    if format == "json":
        say_json(*({"name": one.name, "value": one.value, "from": one.origin, "about": one.about} for one in shown))
        return
    for one in shown:
        value = one.value or "(none)"
        say(paint(f"{one.name} = {value}", "bold") + ("" if one.origin == "default" else "   set by the environment"))
        say(hung(f"    {one.about}", 4))
    if not shown:
        say("The environment sets none of them: all have their defaults.")
