"""`scrub certificate`: that a claim was checked and went to billing, signed and without patient data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from worker.cli.common.stores import opened
from worker.cli.common.terminal import Format, Style, complain, paint, plain, say, say_json, writer

if TYPE_CHECKING:
    from worker.certificate.checking import Checked, State
    from worker.certificate.making import Entry
    from worker.config.settings import Settings
    from worker.store.keyring import Ring

_STYLES: dict[State, Style] = {"sound": "green", "wrong": "bold red", "not looked at": "yellow"}


class _Issuing(TyperGroup):
    """`scrub certificate CLAIM` is `scrub certificate issue CLAIM`, by which a claim named like a command is had."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["issue", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_Issuing, help="Certificates of claims that went to billing.", no_args_is_help=True)
_Audit = Annotated[
    list[Path] | None,
    typer.Option("--audit", metavar="FILE", help="Audit files, or folders of them; several times for several."),
]


@app.callback()
def _group() -> None:
    """Certificates: how a claim that went to billing was checked, by which book, and where that is on record; signed,
    and without patient data. `scrub certificate CLAIM` issues one, `scrub certificate verify FILE` checks it.
    """


@app.command("issue")
def issue(
    claim: Annotated[str, typer.Argument(metavar="CLAIM", help="Its number (CLM01), or the id of the decision.")],
    key: Annotated[Path, typer.Option("--key", metavar="PEM", help="Ed25519 private key of who issues certificates.")],
    entry: Annotated[
        Path | None,
        typer.Option("--entry", metavar="FILE", help="Entries of billing as a consumer kept them, in place of Redis."),
    ] = None,
    audit: _Audit = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Where to; `-`: standard output. Default: by the decision."),
    ] = None,
) -> None:
    """Issues the certificate of a claim that went to billing.

    The outlet keeps claims for SCRUB_RETENTION days after they were read. Have certificates before that, or have the
    consumer of billing keep its entries whole: claim, report and salt are in them, and `--entry` takes them. The audit
    line is looked for in the audit folder, or in `--audit`. Needs the secret and the ring of audit keys.

    The private key is that of who answers for the certificates; no worker needs it. `openssl genpkey -algorithm ed25519
    -out issuer.pem` makes it, and `openssl pkey -in issuer.pem -pubout -out issuer-public.pem` what verifies.

    Exit codes: 0 it is written, 2 there is none of this claim, and why; or key, files or Redis cannot be used.

    Examples:

    * `scrub certificate PCN-00017 --key issuer.pem`
    * `scrub certificate PCN-00017 --key issuer.pem --entry billed-2026.ndjson --audit archive/2026`
    """
    from worker.books import archive
    from worker.books.signature import private_key
    from worker.certificate.content import written
    from worker.certificate.making import made
    from worker.config.settings import load_settings

    settings = load_settings()
    signing = private_key(key)
    files = _files(settings, audit)
    found = _entry(settings, claim, entry, files)
    certificate = made(found, files, _ring(settings), signing)
    content = written(certificate, signing)
    if out == Path("-"):
        with writer() as stream:
            stream.write(content)
        return
    file = archive.write(out or Path(f"certificate-{certificate.decision}.json"), content)
    gaps = len(certificate.verdict.gaps)
    said = (
        f"{len(certificate.verdict.findings)} findings, {gaps} gaps"
        if gaps
        else f"{len(certificate.verdict.findings)} findings"
    )
    if certificate.waivers:
        said += f", waived by a person: {', '.join(certificate.waivers[0].findings)}"
    say(f"{plain(str(file))}: decision {certificate.decision} by book {certificate.book.digest[:12]}, {said}")


def _entry(settings: Settings, claim: str, entry: Path | None, files: Sequence[Path]) -> Entry:
    from worker.books import archive
    from worker.certificate.making import entry_in_file, entry_in_outlet, whole

    if entry:
        return whole(entry_in_file(entry, claim), lambda digest: archive.find(settings.books_path, digest))
    with opened(settings) as store:
        return entry_in_outlet(store, claim, files)


def _files(settings: Settings, given: Sequence[Path] | None) -> list[Path]:
    """The audit files given, and those of folders; of none those of the audit folder."""
    from worker.audit.ends import ends

    found = list[Path]()
    for one in given or [settings.audit_path]:
        found += [end.file for end in ends(one)] if one.is_dir() or not given else [one]
    return found


def _ring(settings: Settings) -> Ring:
    """The audit keys, of which none is made here."""
    from worker.errors import SecretUnusable
    from worker.store.keyring import load_ring

    if not settings.secret_path.exists():
        raise SecretUnusable(file=settings.secret_path, reason="it is not there")
    return load_ring(settings.secret_path, "audit")


@app.command("verify")
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Certificates.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", metavar="PEM", help="Public keys of issuers; default: those of SCRUB_CERTIFICATE_KEY."),
    ] = None,
    book: Annotated[
        Path | None,
        typer.Option("--book", metavar="FILE", help="The book, packed, its folder, or a book archive of a worker."),
    ] = None,
    audit: _Audit = None,
    entry: Annotated[
        Path | None,
        typer.Option("--entry", metavar="FILE", help="The entries with claim and salt, as their consumer kept them."),
    ] = None,
    format: Annotated[Format, typer.Option(help="text for people; json: one object a certificate.")] = "text",
) -> None:
    """Checks certificates, without Redis and however old: no byte is another than its issuer signed.

    With its book (`--book`, else the archive here): that it is the book, and the findings are of its rules. With audit
    files (`--audit`): that they are sound up to its line, and that line says the same; needs the secret and the ring
    of audit keys, in which keys of before stay. With the entry (`--entry`): that it is of this claim, and the claim,
    judged again by the book, has the same verdict. What was not looked at is said.

    Exit codes: 0 all that was looked at is sound, 1 something is not, 2 a file or key cannot be read.

    Examples:

    * `scrub certificate verify certificate-*.json --key issuer-public.pem`
    * `scrub certificate verify c.json --book archive/books --audit archive/audit --entry billed-2026.ndjson`
    """
    from rules.errors import ScrubError
    from worker.certificate.checking import Against, checked
    from worker.config.settings import load_settings

    settings = load_settings()
    keys = key or settings.certificate_key
    if keys is None:
        raise typer.BadParameter("expected the public keys, here or in SCRUB_CERTIFICATE_KEY", param_hint="--key")
    ring = _ring(settings) if audit else None
    against = Against(keys, settings.books_path, settings.tables_path, book, audit or (), ring, entry)
    code = 0
    for file in files:
        try:
            found = list(checked(_content(file), plain(str(file)), against))
        except (OSError, ScrubError) as error:
            complain(plain(str(error)))
            code = 2
            continue
        _show(file, found, format)
        code = max(code, 1 if any(one.state == "wrong" for one in found) else 0)
    raise typer.Exit(code)


def _content(file: Path) -> bytes:
    from worker.certificate.content import MOST
    from worker.errors import CertificateUnreadable

    try:
        with file.open("rb") as stream:
            content = stream.read(MOST + 1)
    except OSError as error:
        raise CertificateUnreadable(file=file, reason=error.strerror or "no permission") from None
    if len(content) > MOST:
        raise CertificateUnreadable(file=file, reason=f"it has more than {MOST:,} bytes")
    return content


def _show(file: Path, found: Sequence[Checked], format: Format) -> None:
    wrong = any(one.state == "wrong" for one in found)
    if format == "json":
        parts = {one.part: {"state": one.state, "sentence": one.sentence} for one in found}
        say_json({"file": str(file), "sound": not wrong, **parts})
        return
    unseen = [one.part for one in found if one.state == "not looked at"]
    word = paint("wrong", "bold red") if wrong else paint("sound", "yellow" if unseen else "green")
    more = f" as far as it was looked at ({', '.join(unseen)} {'was' if len(unseen) == 1 else 'were'} not)"
    say(f"{plain(str(file))}: {word}{more if unseen and not wrong else ''}")
    for one in found:
        say(f"  {one.part}: {paint(one.state, _STYLES[one.state])}: {plain(one.sentence)}")
