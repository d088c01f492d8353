"""`scrub rework`: the claims that are held, and what people do about them. One module an act, or acts of one kind."""

from __future__ import annotations

import typer

from worker.cli.rework import acts, keeping, listing, repairing, showing, trying, waiving

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The cases of held claims: what is to be done, by when, by whom; and what was done.

    A case begins when a claim is held, is mended when a later version goes to billing, waived when a person lets it go
    as it is, and opens again when a fault comes back. They are kept in a database of their own (SCRUB_CASE_STORE),
    which workers never need. Needs the extra: pip install 'claim-scrubber[desk]'.
    """


app.command("list")(listing.list_)
app.command("show")(showing.show)
app.command("try")(trying.try_)
app.command("pend")(acts.pend)
app.command("assign")(acts.assign)
app.command("note")(acts.note)
app.command("close")(acts.close)
app.command("waive")(waiving.waive)
app.command("repair")(repairing.repair)
app.command("reopen")(acts.reopen)
app.command("purge")(keeping.purge)
app.command("preserve")(keeping.preserve)
app.command("release")(keeping.release)
app.command("rebuild")(keeping.rebuild)
