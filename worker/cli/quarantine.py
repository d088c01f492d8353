"""`scrub quarantine`: what could not be judged, and what a person does about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from worker.cli.common.stores import opened
from worker.cli.common.terminal import Format, complain, flush, hung, paint, say, say_content, say_json

if TYPE_CHECKING:
    from worker.pipeline.outlets import OutletEntry
    from worker.pipeline.quarantine import QuarantineDesk
    from worker.store.connections import Store

app = typer.Typer(no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Quarantine entries, as `list` shows them.")]
Everything = Annotated[bool, typer.Option("--all", help="Everything that is in quarantine now.")]
ReasonCode = Annotated[
    str | None, typer.Option("--reason-code", metavar="CODE", help="What is there for this reason, as `list` shows it.")
]
Why = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for the audit log; no patient data. At most 200 signs.")
]


@app.callback()
def _group() -> None:
    """What could not be judged as a claim, with the reason: look at it, put it back on the queue, or drop it."""


@app.command("list")
def list_(
    reason_code: ReasonCode = None,
    format: Annotated[Format, typer.Option(help="text for people; json: one object a line, without content.")] = "text",
) -> None:
    """Lists what is in quarantine, oldest first: entry, time, reason code, event.

    Exit codes: 0, or 2 where the reason is unknown or Redis cannot be used.

    Examples:

    * `scrub quarantine list`
    * `scrub quarantine list --reason-code claim_invalid --format json`
    """
    from worker.cli.tail import named
    from worker.pipeline import quarantine

    _known(reason_code)
    counts: Counter[str] = Counter()
    with opened() as store:
        for entry in quarantine.entries(store.redis, store.keys, reason_code):
            counts[entry.data["reason"]] += 1
            if format == "json":
                _json(entry)
            else:
                reason = paint(f"{entry.data['reason']:18}", "magenta")
                say(f"{entry.id}  {entry.event['time']}  {reason}  {named(entry)}")
        if format == "text":
            by_reason = ", ".join(f"{number} {reason}" for reason, number in counts.most_common())
            what = f" with reason {reason_code}" if reason_code else ""
            say(f"{counts.total()} in quarantine: {by_reason}." if counts else f"Nothing is in quarantine{what}.")
        flush()


@app.command("show")
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="Quarantine entry, as `list` shows it.")],
    content: Annotated[
        bool, typer.Option("--content", help="Print what came in and nothing else. It is patient data.")
    ] = False,
    format: Annotated[Format, typer.Option(help="text for people; json: one object, without content.")] = "text",
) -> None:
    """Shows why an entry is in quarantine, every problem with its path, and what to do.

    Exit codes: 0, or 2 where there is no such entry or Redis cannot be used.

    Examples:

    * `scrub quarantine show 1729432980000-0`
    * `scrub quarantine show --content 1729432980000-0 > mend-me.json`
    """
    from worker.pipeline import quarantine

    with opened() as store:
        entry = quarantine.find(store.redis, store.keys, id)
    if content:
        text = quarantine.content(entry)
        say_content(text.encode("utf-8", "backslashreplace"))
    elif format == "json":
        _json(entry)
    else:
        say(*_screen(entry))


@app.command("requeue")
def requeue(ids: Ids = None, *, why: Why, everything: Everything = False, reason_code: ReasonCode = None) -> None:
    """Puts entries back on the queue, as they came; they are judged anew, and not taken for a repeat.

    Exit codes: 0 all of them, 1 some could not be, 2 bad usage or Redis cannot be used.

    Examples:

    * `scrub quarantine requeue 1729432980000-0 --reason "worker image had no memory limit"`
    * `scrub quarantine requeue --reason-code check_failed --reason "rule MUE002 mended in book 2026.11"`
    """
    _each("requeue", ids, why, everything, reason_code)


@app.command("drop")
def drop(ids: Ids = None, *, why: Why, everything: Everything = False, reason_code: ReasonCode = None) -> None:
    """Deletes entries for good. Their audit lines stay, and say who dropped them and why.

    Exit codes: 0 all of them, 1 some could not be, 2 bad usage or Redis cannot be used.

    Example: `scrub quarantine drop --reason-code not_json --reason "test messages of the new interface"`
    """
    _each("drop", ids, why, everything, reason_code)


def _each(
    verb: Literal["requeue", "drop"], ids: list[str] | None, why: str, everything: bool, reason_code: str | None
) -> None:
    from worker import bootstrap
    from worker.process import celeryapp

    _known(reason_code)
    why = why.strip()
    if not why or len(why) > 200 or not why.isprintable():
        raise typer.BadParameter("expected a sentence of 1 to 200 printable signs", param_hint="--reason")
    if bool(ids) + everything + bool(reason_code) != 1:
        raise typer.BadParameter("expected the ids of entries, or --all, or --reason-code", param_hint="ID")
    counts: Counter[bool] = Counter()
    with opened() as store:
        desk = bootstrap.quarantine_desk(store)
        try:
            for name in dict.fromkeys(ids) if ids else _now(store, reason_code):
                counts[_taken(desk, verb, name, why)] += 1
        finally:
            desk.audit.close()
            if counts[True] and verb == "requeue":
                celeryapp.notifier(store).notify()
            left = f"; {counts[False]} not." if counts[False] else "."
            say(f"{counts[True]} {'requeued' if verb == 'requeue' else 'dropped'}{left}")
    raise typer.Exit(1 if counts[False] else 0)


def _now(store: Store, reason_code: str | None) -> Iterator[str]:
    from worker.pipeline import quarantine

    return (entry.id for entry in quarantine.entries(store.redis, store.keys, reason_code))


def _taken(desk: QuarantineDesk, verb: str, name: str, why: str) -> bool:
    """Whether this entry was taken out; else says why not."""
    from worker.errors import NotInQuarantine, NotRequeueable
    from worker.pipeline import quarantine

    try:
        entry = quarantine.find(desk.redis, desk.keys, name)
        if (desk.requeue if verb == "requeue" else desk.drop)(entry, why):
            return True
        raise NotInQuarantine(entry=name)
    except (NotInQuarantine, NotRequeueable) as error:
        complain(str(error))
        return False


def _known(reason_code: str | None) -> None:
    from worker.pipeline.outlets import REASONS

    if reason_code is not None and reason_code not in REASONS:
        raise typer.BadParameter(f"expected one of {', '.join(REASONS)}", param_hint="--reason-code")


def _json(entry: OutletEntry) -> None:
    kept = ("reason", "sentence", "problems", "inbox_entry")
    about = {"id": entry.id, "decision_id": entry.decision_id, "time": entry.event["time"]}
    about |= {name: entry.event[name] for name in ("eventsource", "eventid") if name in entry.event}
    say_json(about | {name: entry.data[name] for name in kept})


def _screen(entry: OutletEntry) -> Iterator[str]:
    from worker.cli.tail import quarantined
    from worker.pipeline.quarantine import advice

    yield from quarantined(entry)
    yield "  " + paint("do:", "bold") + " " + hung(advice(entry.data["reason"]), 6)
    yield paint(f"  quarantine entry {entry.id}, inbox entry {entry.data['inbox_entry']}", "dim")
    yield paint(f"  decision {entry.decision_id} (on the audit log)", "dim")
