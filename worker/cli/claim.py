"""`scrub claim`: where one claim is, how it was decided and why, now or months later."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.common.stores import opened
from worker.cli.common.terminal import Format, columns, complain, dollars, flush, hung, paint, plain, say, say_json

if TYPE_CHECKING:
    from worker.audit.claimlines import ClaimLine
    from worker.config.settings import Settings
    from worker.desk.cases import Case
    from worker.pipeline.whereabouts import InOutlet, Waiting

_ACTS = {
    "claim.left": "its file was written without a verdict on it",
    "claim.repeated": "the same event again; the decision stood",
    "claim.superseded": "taken back: it was not committed, or judged again",
    "quarantine.requeued": "put on the queue again",
    "quarantine.dropped": "dropped from quarantine",
    "history.imported": "entered into the ledger by a person",
    "history.rejected": "entered into the ledger as rejected by a person",
    "claim.waived": "let go by a person in spite of what blocks it",
    "case.pended": "pended",
    "case.assigned": "assigned",
    "case.noted": "a note was written",
    "case.closed": "closed",
    "case.reopened": "opened again",
    "case.preserved": "kept from purging",
    "case.released": "no longer kept from purging",
    "case.purged": "its case was purged: claim, notes and reasons are gone from the case store",
    "claim.repaired": "written otherwise by a person, to be judged again",
}
_HELD = ("open", "pended")
_FAULTS = 2
"""That rules of one code are shown with, of an audit line."""


def claim(
    claim_id: Annotated[
        str,
        typer.Argument(metavar="CLAIM", help="Claim number (CLM01). -: a line of stdin, seen by no list of processes."),
    ],
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no Redis: what the audit log of this machine says, and nothing else.")
    ] = False,
    format: Annotated[Format, typer.Option(help="text for people; json: one object.")] = "text",
) -> None:
    """Shows where a claim is, how it was decided each time and by what, its case, what people did, and what is next.

    Findings are those of its outlet entry while that is there; later the audit log has codes, lines and the values that
    they were found by, and it is said what is gone. Each audit line is verified. The audit folder is this machine's:
    what workers of other machines decided is shown as far as the outlets have it. All that waits and all outlets are
    read, and nothing is taken.

    Exit codes: 0 it is known, 1 it is not known here, or an audit line of it is not as it was written, 2 Redis or the
    audit files cannot be used.

    Examples:

    * `scrub claim PCN-0001`
    * `scrub claim --offline PCN-0001`
    * `echo PCN-0001 | scrub claim --format json -`
    """
    from worker.config.settings import load_settings

    wanted = sys.stdin.readline().strip() if claim_id == "-" else claim_id
    if not wanted:
        raise typer.BadParameter("expected the number of a claim", param_hint="CLAIM")
    settings = load_settings()
    waits, out, lines = _found(wanted, settings, offline)
    cases = [] if offline else _cases(wanted, settings)
    if format == "json":
        say_json(_as_json(wanted, waits, out, lines, cases))
    else:
        say(*_told(wanted, settings, waits, out, lines, cases, offline=offline))
    flush()
    unsound = [one for one in lines if one.state != "sound"]
    raise typer.Exit(1 if unsound or not (waits or out or lines) else 0)


def _cases(claim_id: str, settings: Settings) -> list[Case]:
    """The cases of the number, as they were brought in last; of a store that is not there, none is made."""
    from importlib.util import find_spec

    from rules.errors import ScrubError

    if find_spec("sqlalchemy") is None or find_spec("alembic") is None:
        return []
    from contextlib import closing

    from worker.desk.casestore import CaseStore, revision_at

    try:
        if revision_at(settings.case_store_url, settings.case_store_password_file) is None:
            return []
        with (
            closing(CaseStore(settings.case_store_url, settings.case_store_password_file)) as store,
            store.session() as session,
        ):
            return session.of_number(claim_id)
    except ScrubError as error:
        complain(str(error))
        return []


def _case(one: Case, order: Sequence[str]) -> str:
    """How the case is, in a line."""
    from worker.cli.rework.common import last_day_of, today

    day = today()
    state, parts = one.state_on(day), list[str]()
    if one.closed_reason:
        parts.append(one.closed_reason)
    if state == "pended":
        parts.append(f"until {one.pended_until}")
    parts.append(f"owner {plain(one.owner) or 'nobody'}")
    if state in _HELD:
        parts.append(f"last day to file {last_day_of(one, day)}")
    if one.scope:
        parts.append(f"facility {plain(one.scope)}")
    if order and one.decision_id != order[0]:
        parts.append("not brought up to the last decision yet, which `scrub rework show` does")
    return f"case {one.handle}: {state}; {'; '.join(parts)}"


def _found(claim_id: str, settings: Settings, offline: bool) -> tuple[list[Waiting], list[InOutlet], list[ClaimLine]]:
    from worker.audit import chains, claimlines
    from worker.pipeline import whereabouts
    from worker.store.keyring import load_rings

    def lines(heads: Any) -> list[ClaimLine]:
        return claimlines.claim_lines(settings.audit_path, claim_id, load_rings(settings.secret_path).audit, heads)

    if offline:
        return [], [], lines(None)
    with opened(settings) as store:
        waits, out = whereabouts.waiting(store, claim_id), whereabouts.in_outlets(store, claim_id)
        return waits, out, lines(chains.known(store.redis, store.keys))


def _told(
    claim_id: str,
    settings: Settings,
    waits: Sequence[Waiting],
    out: Sequence[InOutlet],
    lines: Sequence[ClaimLine],
    cases: Sequence[Case],
    *,
    offline: bool,
) -> Iterator[str]:
    from worker.audit.claimlines import standing

    decided = {one.decision_id: one for one in standing(lines)}
    entries = {one.entry.decision_id: one for one in out}
    order = sorted({*decided, *entries}, key=lambda name: _moment(decided.get(name), entries.get(name)), reverse=True)
    yield f"{paint(plain(claim_id), 'bold')}  {_state(order, waits, decided, entries)}"
    for one in waits:
        yield "  " + hung(plain(_waits(one)), 2)
    for case in cases:
        yield "  " + hung(_case(case, order), 2)
    for name in order:
        yield ""
        yield from _decision(decided.get(name), entries.get(name), settings, offline)
    acts = [one for one in lines if one.line["event.action"] in _ACTS]
    if acts:
        yield ""
        yield from columns([(f"  {_short(one.moment)}", _act(one)) for one in acts], ("dim",))
    yield ""
    if not (waits or order or acts):
        where = settings.audit_path if offline else f"on the queue, in an outlet, or in {settings.audit_path}"
        yield hung(f"Nothing of a claim with this number is {'in ' if offline else ''}{where}. Numbers are compared "
                   "exactly. Files of other machines, and archived ones, are read there.", 0)  # fmt: skip
        return
    case_next = "".join(f" `scrub rework show {one.handle}` has its case." for one in cases if one.state in _HELD)
    yield f"Next: {hung(_closed(order, acts, decided) or _next(order, waits, decided, entries) + case_next, 6)}"


def _state(order: Sequence[str], waits: Sequence[Waiting], decided: Any, entries: Any) -> str:
    if waits:
        return paint("waits" if not any(one.worker for one in waits) else "in the hands of a worker", "yellow")
    if not order:
        return paint("not known", "bold red")
    return _disposition(decided.get(order[0]), entries.get(order[0]))


def _disposition(line: ClaimLine | None, out: InOutlet | None) -> str:
    from worker.cli.common.verdicts import STYLES

    name = out.outlet if out else str(line.line.get("claim.disposition", "?")) if line else "?"
    return paint(name, STYLES.get(name))


def _waits(one: Waiting) -> str:
    who = f"worker {one.worker} has it" if one.worker else "no worker has it yet"
    return f"inbox entry {one.entry}: {who}" + ("" if one.readable else "; it cannot be read as a claim")


def _moment(line: ClaimLine | None, out: InOutlet | None) -> str:
    return line.moment if line else str(out.entry.event["time"]) if out else ""


def _short(moment: str) -> str:
    return f"{moment[:19]}Z"


def _decision(line: ClaimLine | None, out: InOutlet | None, settings: Settings, offline: bool) -> Iterator[str]:
    """One decision: where it went, who has read it, its audit line, and what was found."""
    name = line.decision_id if line else out.entry.decision_id if out else ""
    yield f"{_short(_moment(line, out))}  {_disposition(line, out)}  decision {name}"
    if line:
        book = line.line
        by = f"book {book['book.version']} ({book['book.digest'][:12]})" if "book.version" in book else "no book"
        sound = paint(line.state, "green" if line.state == "sound" else "bold red")
        yield f"  audit:   {plain(line.file.name)} line {line.number}, {sound}; {by}"
    elif not offline:
        yield "  audit:   no file here has its line: another machine decided it, or the file is elsewhere"
    if out:
        groups = ", ".join(plain(_handled(one)) for one in out.groups) or "no group of consumers reads it"
        yield f"  outlet:  {out.outlet} entry {out.entry.id}: {groups}"
        yield from _of_entry(out)
    else:
        gone = (
            "Redis was not asked" if offline else "its entry is gone: acknowledged by all, and older than outlets keep"
        )
        yield f"  outlet:  {gone}"
        if line:
            yield from _of_line(line, settings)


def _handled(one: Any) -> str:
    if one.state == "in hand":
        return f"{one.consumer} of group {one.group} has it, and has not acknowledged it"
    return f"{one.state} by group {one.group}"


def _of_entry(out: InOutlet) -> Iterator[str]:
    from worker.cli.common.payments import beside_charge
    from worker.cli.common.verdicts import explained, in_order, waiver
    from worker.cli.tail import claim_of, quarantined, report_of

    if "report" not in out.entry.data:
        yield from quarantined(out.entry)
        return
    report = report_of(out.entry.data["report"])
    if report.reason:
        yield "  " + hung(plain(f"{report.reason}."), 2)
    yield from waiver(report)
    if claim := claim_of(out.entry.data["claim"]):
        yield from beside_charge(claim, out.entry.data.get("expected", ()))
    for finding in in_order(report.findings):
        yield from explained(finding)


def _of_line(line: ClaimLine, settings: Settings) -> Iterator[str]:
    """What the audit log keeps of the findings: code and line, the values, and the title as the book has it today."""
    from worker.audit.lines import payment_in
    from worker.desk.tabled import expected_text

    found = line.line
    if reason := found.get("error.code"):
        yield f"  why:     {plain(reason)}"
    if waived := found.get("claim.waived"):
        yield f"  waived:  {plain(', '.join(waived))} (decision {found.get('claim.waived_decision', '?')})"
    if repaired := found.get("claim.repaired"):
        yield f"  repaired: {plain(', '.join(repaired))} (decision {found.get('claim.repaired_decision', '?')})"
    if refused := found.get("claim.repair_refused"):
        yield "  " + hung(plain(f"not repaired: {refused}."), 2)
    if refused := found.get("claim.waiver_refused"):
        yield "  " + hung(plain(f"not waived: {refused}."), 2)
    for sentence in found.get("claim.problems", ()):
        yield "  " + hung(plain(sentence), 2)
    if found.get("claim.disposition") == "rework" and (cents := found.get("claim.charge_cents")) is not None:
        yield f"  charge:  {_money(cents)}, expected: {expected_text(payment_in(found), _money)}"
    from rules.terms import SEVERITIES

    titles = _titles(settings) if found.get("rule.found") else {}
    evidence = found.get("rule.evidence", [])
    for one in found.get("rule.found", ()):
        at = one.rstrip("?")
        code, _, number = at.partition("@")
        severity = next((name for name in SEVERITIES if code in found.get(f"rule.{name}", ())), "")  # type: ignore[operator]
        cannot = " (could not be determined)" if one.endswith("?") else ""
        place = f"line {number}" if number else "claim"
        yield f"  {place:<8}{severity:<6}  {paint(code, 'bold')}  {hung(plain(titles.get(code, '') + cannot), 26)}"
        if values := [said.partition(" ")[2] for said in evidence if said.partition(" ")[0] == at]:
            yield " " * 18 + hung(plain("; ".join(values)), 18, "dim")
    if found.get("rule.found"):
        gone = "messages, fixes and sources are not in the audit log; `scrub rules show CODE` has the rule as it is now"
        yield "  " + hung(gone, 2, "dim")


def _money(cents: int) -> str:
    return dollars(Decimal(cents) / 100)


@cache
def _titles(settings: Settings) -> dict[str, str]:
    """What is wrong, by code; a line has no more than the code, which several rules may share."""
    from rules.errors import ScrubError
    from worker.cli.common.books import untried_book

    found: dict[str, dict[str, None]] = {}
    try:
        for rule in untried_book(settings.book).rules:
            found.setdefault(rule.code, {})[rule.fault or rule.title] = None
    except ScrubError as error:  # the codes are there all the same
        complain(str(error))
    return {code: "; or: ".join(list(texts)[:_FAULTS]) for code, texts in found.items()}


def _act(one: ClaimLine) -> str:
    line = one.line
    assigned = line["event.action"] == "case.assigned"
    to = f" to {line.get('case.owner') or 'nobody'}" if assigned else ""
    about = ("case.reason", "user.name", "event.reason", "case.owner", "case.until")
    more = "".join(f"; {line.get(key)}" for key in about if line.get(key) and not (assigned and key == "case.owner"))
    state = "" if one.state == "sound" else f"  ({one.file.name} line {one.number}: {one.state})"
    return plain(f"{_ACTS[line['event.action']]}{to}{more}{state}")


def _closed(order: Sequence[str], acts: Sequence[ClaimLine], decided: Any) -> str:
    """Where nothing was decided since its case was closed."""
    last = next((one for one in reversed(acts) if one.line["event.action"] in ("case.closed", "case.reopened")), None)
    if last is None or last.line["event.action"] == "case.reopened":
        return ""
    decision = decided.get(order[0]) if order else None
    if decision and decision.moment > last.moment:
        return ""
    return f"Nothing: its case was closed ({last.line.get('case.reason', 'without a reason')})."


def _next(order: Sequence[str], waits: Sequence[Waiting], decided: Any, entries: Any) -> str:
    from worker.store.outletspecs import SPECS

    if waits:
        return "Wait: a worker decides it. `scrub status` says whether one is alive."
    if not order:
        return "Nothing is known of a decision."
    last, out = decided.get(order[0]), entries.get(order[0])
    name = out.outlet if out else last.line.get("claim.disposition", "") if last else ""
    if name == "quarantine" and out:
        return f"`scrub quarantine show {out.entry.id}` says why it could not be read, and what to do."
    if name == "billing" and last and last.line.get("claim.exit") == "file":
        return "Nothing: it is clean as far as it was looked at, and leaves with its file."
    return SPECS[name].following if name in SPECS else "Nothing is known of it."


def _as_json(
    claim_id: str,
    waits: Sequence[Waiting],
    out: Sequence[InOutlet],
    lines: Sequence[ClaimLine],
    cases: Sequence[Case],
) -> dict[str, Any]:
    from dataclasses import asdict

    from worker.audit.claimlines import standing

    return {
        "claim_id": claim_id,
        "cases": [asdict(one) for one in cases],
        "waiting": [asdict(one) for one in waits],
        "outlets": [
            {"outlet": one.outlet, "entry": one.entry.id, "groups": [asdict(group) for group in one.groups],
             "event": one.entry.event}
            for one in out
        ],
        "standing": [one.decision_id for one in standing(lines)],
        "audit": [
            {"file": one.file.name, "number": one.number, "state": one.state, "line": one.line} for one in lines
        ],
    }  # fmt: skip
