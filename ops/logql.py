"""LogQL for the dashboards and the alerts. Every field is looked up in the field lists of the log lines.

All logs of the service have the one label `service_name="claim-scrubber"`; which kind of line it is stands on the line
(`event.action`), so that audit log and operational log may come through one pipe or two.

Counting: Loki cannot count distinct decision ids over many claims. So a line that decides counts 1 and a line that
takes one back (`claim.superseded`) counts -1, which is exact but for a crash between log and commit: that leaves the
claims of one batch in the log twice. `scrub report` counts by decision id.

Binary operations are in brackets throughout: nobody has to know which binds tighter.
"""

from __future__ import annotations

from difflib import get_close_matches

from worker.auditline import AuditLine
from worker.linefields import fields_of
from worker.status import BooksLine

STREAM = '{service_name="claim-scrubber"}'
FIELDS = {**fields_of(BooksLine), **fields_of(AuditLine)}
LISTED = 6
"""LogQL cannot take a list apart: the first so many entries of one are looked at, each by its place."""

_TAKEN_BACK = '{{ if eq .event_action "claim.superseded" }}'
_COUNT = f"| label_format count=`{_TAKEN_BACK}-1{{{{ else }}}}1{{{{ end }}}}` | unwrap count"
_CENTS = f"| label_format cents=`{_TAKEN_BACK}-{{{{ end }}}}{{{{ .claim_charge_cents }}}}` | unwrap cents"


def label(name: str) -> str:
    """The field as Loki's `json` stage names it.

    Raises:
        KeyError: no log line has such a field.
    """
    if name not in FIELDS:
        near = get_close_matches(name, FIELDS, n=1)
        raise KeyError(f"no log line has a field {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return FIELDS[name].label


def actions(*names: str) -> str:
    """The stream, cut down to lines with one of these actions, with their fields as labels."""
    return f'{STREAM} |~ `"event.action":"({"|".join(names)})"` | json'


_DECISIONS = actions("claim.scrubbed", "claim.quarantined", "claim.superseded")


def _is(conditions: dict[str, str]) -> str:
    """`field: "=~value"` as filters; a condition is an operator and a value."""
    found = ""
    for name, condition in conditions.items():
        operator = next(sign for sign in ("=~", "!~", "!=", "=") if condition.startswith(sign))
        found += f' | {label(name)}{operator}"{condition.removeprefix(operator)}"'
    return found


def _by(names: tuple[str, ...]) -> str:
    return f" by ({', '.join(label(name) for name in names)})" if names else ""


def decisions(over: str, *by: str, offset: str = "", **conditions: str) -> str:
    """How many decisions; `conditions` by the last part of a `claim.` field, as in disposition="=billing"."""
    wanted = {"claim.disposition": "!=", **{f"claim.{name}": value for name, value in conditions.items()}}
    return f"sum{_by(by)} (sum_over_time({_DECISIONS}{_is(wanted)} {_COUNT} [{over}]{offset}))"


def dollars(over: str, *by: str, **conditions: str) -> str:
    """Their charges."""
    wanted = {"claim.charge_cents": "!=", **{f"claim.{name}": value for name, value in conditions.items()}}
    return f"sum{_by(by)} (sum_over_time({_DECISIONS}{_is(wanted)} {_CENTS} [{over}])) / 100"


def clean_rate(over: str, *by: str, offset: str = "", **conditions: str) -> str:
    """Clean claim rate from 0 to 1. A group without one clean claim has 0, and does not vanish."""
    every = decisions(over, *by, offset=offset, requeued="!=true", **conditions)
    clean = decisions(over, *by, offset=offset, requeued="!=true", **{**conditions, "disposition": "=billing"})
    return f"(({clean}) or ({every} * 0)) / ({every})"


def listed(name: str, over: str, *, money: bool = False, **conditions: str) -> str:
    """Decisions, or their charges in US dollars, by the entries of a list: each decision once an entry."""
    label(name)
    wanted = {f"claim.{key}": value for key, value in conditions.items()}
    read = {"event.action", "claim.disposition", "claim.charge_cents", *wanted}
    paths = ", ".join(rf'{label(field)}="[\"{field}\"]"' for field in sorted(read))
    parts = []
    for place in range(LISTED):
        stages = rf'{STREAM} |~ `"event.action":"claim.(scrubbed|superseded)"` |= `"{name}":["` '
        stages += rf'| json {paths}, entry="[\"{name}\"][{place}]" | entry!=""{_is(wanted)}'
        stages += f' | {label("claim.charge_cents")}!=""' if money else ""
        stages += f" | label_format place=`{place}` {_CENTS if money else _COUNT}"
        parts.append(f"sum by (entry, place) (sum_over_time({stages} [{over}]))")
    total = f"sum by (entry) ({' or '.join(parts)})"
    return f"{total} / 100" if money else total


def lines(over: str, *names: str, by: tuple[str, ...] = (), where: str = "", rate: bool = False) -> str:
    """How many lines with one of these actions."""
    return f"sum{_by(by)} ({'rate' if rate else 'count_over_time'}({actions(*names)}{where} [{over}]))"


def books(field: str, over: str, function: str = "max") -> str:
    """The largest (or smallest) value that the tender's line gave."""
    return f"{function}({function}_over_time({actions('queue.books')} | unwrap {label(field)} [{over}]))"
