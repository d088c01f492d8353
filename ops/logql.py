"""LogQL for the dashboards and the alerts. Every field is looked up in the field lists of the log lines.

All logs of the service have the one label `service_name="claim-scrubber"`; which kind of line it is stands on the line
(`event.action`), so that audit log and operational log may come through one pipe or two.

Counting: Loki cannot count distinct decision ids over many claims. So a line that decides counts 1 and a line that
takes one back (`claim.superseded`) counts -1, which is exact but for a crash between log and commit: that leaves the
claims of one batch in the log twice. `scrub report` counts by decision id.

Binary operations are in brackets throughout: nobody has to know which binds tighter. And whatever is unwrapped has a
grouping that is not empty: for an empty one Loki makes a series of every line.
"""

from __future__ import annotations

from difflib import get_close_matches

from worker.audit.lines import DECIDES, AuditLine
from worker.logs.fields import fields_of
from worker.monitoring.line import reconciliation_fields

_ONE = "service_name"
"""The label that all lines share: grouping by it is grouping by nothing."""
STREAM = f'{{{_ONE}="claim-scrubber"}}'
FIELDS = {**reconciliation_fields(), **fields_of(AuditLine)}
LISTED = 6
"""LogQL cannot take a list apart: the first so many entries of one are looked at, each by its place."""

_TAKEN_BACK = '{{ if eq .event_action "claim.superseded" }}'
_COUNT = f"| label_format count=`{_TAKEN_BACK}-1{{{{ else }}}}1{{{{ end }}}}` | unwrap count"
_CENTS = f"| label_format cents=`{_TAKEN_BACK}-{{{{ end }}}}{{{{ .claim_charge_cents }}}}` | unwrap cents"
_EXPECTED = _CENTS.replace("claim_charge_cents", "claim_expected_cents")


def label(name: str) -> str:
    """The field as Loki's `json` stage names it.

    Raises:
        KeyError: no log line has such a field.
    """
    if name not in FIELDS:
        near = get_close_matches(name, FIELDS, n=1)
        raise KeyError(f"no log line has a field {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return FIELDS[name].label


def found(*names: str) -> str:
    """The stream, cut down to lines with one of these actions."""
    return f'{STREAM} |~ `"event.action":"({"|".join(names)})"`'


def actions(*names: str) -> str:
    """The same with their fields as labels."""
    return f"{found(*names)} | json"


_DECISIONS = actions(*DECIDES, "claim.superseded")


def _filters(conditions: dict[str, str]) -> str:
    """`field: "=~value"` as filters; a condition is an operator and a value."""
    stages = ""
    for name, condition in conditions.items():
        operator = next(sign for sign in ("=~", "!~", "!=", "=") if condition.startswith(sign))
        stages += f' | {label(name)}{operator}"{condition.removeprefix(operator)}"'
    return stages


def _by(names: tuple[str, ...]) -> str:
    return f" by ({', '.join(label(name) for name in names) or _ONE})"


def decisions(over: str, *by: str, **conditions: str) -> str:
    """How many decisions; `conditions` by the last part of a `claim.` field, as in disposition="=billing"."""
    wanted = {"claim.disposition": "!=", **{f"claim.{name}": value for name, value in conditions.items()}}
    return f"sum{_by(by)} (sum_over_time({_DECISIONS}{_filters(wanted)} {_COUNT} [{over}]))"


def held(**conditions: str) -> str:
    """The lines of claims that went to rework: claim number, payer, charge in cents."""
    wanted = {"claim.disposition": "=rework", **{f"claim.{name}": value for name, value in conditions.items()}}
    shown = " ".join(f"{{{{.{label(name)}}}}}" for name in ("claim.claim_id", "claim.payer", "claim.charge_cents"))
    return f'{actions("claim.scrubbed")}{_filters(wanted)} | line_format "{shown}"'


def dollars(over: str, *by: str, **conditions: str) -> str:
    """Their charges."""
    wanted = {"claim.charge_cents": "!=", **{f"claim.{name}": value for name, value in conditions.items()}}
    return f"sum{_by(by)} (sum_over_time({_DECISIONS}{_filters(wanted)} {_CENTS} [{over}])) / 100"


def expected_dollars(over: str, *by: str, **conditions: str) -> str:
    """The least that they are expected to bring, of those of which that can be said of every line."""
    whole = {"claim.expected_cents": "!=", "claim.expected_kind": "!=part"}
    wanted = {**whole, **{f"claim.{name}": value for name, value in conditions.items()}}
    return f"sum{_by(by)} (sum_over_time({_DECISIONS}{_filters(wanted)} {_EXPECTED} [{over}])) / 100"


def clean_rate(over: str, *by: str, **conditions: str) -> str:
    """Clean claim rate from 0 to 1. A group without one clean claim has 0, and does not vanish."""
    every = decisions(over, *by, requeued="!=true", **conditions)
    passed = {"disposition": "=billing", "observed": "=~(billing)?"}  # empty: it was not only observed
    clean = decisions(over, *by, requeued="!=true", **{**conditions, **passed})
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
        stages += rf'| json {paths}, entry="[\"{name}\"][{place}]" | entry!=""{_filters(wanted)}'
        stages += f' | {label("claim.charge_cents")}!=""' if money else ""
        stages += f" | label_format place=`{place}` {_CENTS if money else _COUNT}"
        parts.append(f"sum by (entry, place) (sum_over_time({stages} [{over}]))")
    total = f"sum by (entry) ({' or '.join(parts)})"
    return f"{total} / 100" if money else total


def lines(over: str, *names: str, having: str = "", rate: bool = False) -> str:
    """How many lines with one of these actions; `having`: a field that they carry; `rate`: a second."""
    stages = actions(*names) + (f' | {label(having)}!=""' if having else "")
    return f"sum({'rate' if rate else 'count_over_time'}({stages} [{over}]))"


def processes(over: str) -> str:
    """How many processes wrote lines of the audit log that decide."""
    decided = actions(*DECIDES)
    return f"count(sum by ({label('audit.chain')}) (count_over_time({decided} [{over}])))"


def complaints(over: str = "") -> str:
    """Warnings and errors of the operational log, or with `over` how many by level."""
    level = label("log.level")
    found = f'{STREAM} |~ `"log.level":"(warning|error|critical)"` | json | {label("event.action")}!~"claim.*"'
    return f"sum by ({level}) (count_over_time({found} [{over}]))" if over else found


def books(field: str, over: str, function: str = "max", by: str = "") -> str:
    """The largest (or smallest) value that the line of the maintenance gave; `by`: for each value of that field."""
    group = label(by) if by else _ONE
    return f"{function}_over_time({actions('queue.books')} | unwrap {label(field)} [{over}]) by ({group})"


def latency(share: float, over: str) -> str:
    """The quantile of the time from the inbox to the verdict, milliseconds."""
    decided = actions(*DECIDES)
    return f"quantile_over_time({share}, {decided} | unwrap {label('queue.latency_ms')} [{over}]) by ({_ONE})"
