"""The alerts: what is wrong, from when on, how bad it is. What to do is in ops/runbook.md, under their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import yaml

from ops import logql

OLDEST_SECONDS = 300
"""A claim that waits longer is late; a consumer takes up work within a second."""
STANDSTILL_SECONDS = 30
"""A batch takes 20 at most (SCRUB_SOFT_TIME_LIMIT), and usually a few milliseconds."""
HELD_SECONDS = 300
"""For as long a consumer may be away without anybody's doing."""
FULL_LINES = 24
"""Of the thirty that maintenance logs in five minutes."""
QUARANTINE_AN_HOUR = 10
DROP = 0.8
"""Of the clean claim rate of seven days, the last included (Grafana's grammar has no `offset` behind `unwrap`)."""
LEAST_CLAIMS = 50
"""A day, below which a rate says nothing."""
SILENCE = "2m"
"""Maintenance logs every 10 seconds, in whichever worker it runs."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule. `wait`: how long the expression must hold before somebody is called."""

    name: str
    expression: str
    severity: Literal["critical", "warning", "info"]
    summary: str
    description: str
    wait: str = "0m"

    @property
    def runbook(self) -> str:
        """Where it stands what to do."""
        return f"ops/runbook.md#{self.name.lower()}"


def alerts() -> tuple[Alert, ...]:
    """All of them, the worst first."""
    balance = logql.label("queue.balance")
    maintained = logql.actions("queue.books")
    payer, rate = "claim.payer", "Clean claim rate (HFMA CL-1)"
    day = logql.clean_rate("1d", payer)
    week = logql.clean_rate("7d", payer)
    enough = logql.decisions("1d", payer, requeued="!=true")
    return (
        Alert(
            "BooksDoNotBalance",
            f"sum(count_over_time({maintained} | {balance} != 0 [2m])) > 0",
            "critical",
            "The books do not balance",
            "Accepted claims and what became of them differ: a claim may be lost, or counted twice.",
        ),
        Alert(
            "NoWorker",
            f"absent_over_time({logql.found('queue.books')} [{SILENCE}])",
            "critical",
            "No worker",
            f"No worker has logged the books for {SILENCE}. Claims wait, none is lost.",
        ),
        Alert(
            "NothingDecided",
            f"{logql.books('queue.standstill_s', '1m')} > {STANDSTILL_SECONDS}",
            "critical",
            "Claims wait and none is decided",
            f"Workers could take claims, and decided none for more than {STANDSTILL_SECONDS} seconds.",
        ),
        Alert(
            "WorkersWait",
            f"{logql.books('queue.held_s', '1m', by='queue.held_by')} > {HELD_SECONDS}",
            "critical",
            "The workers wait for room{{ with $labels.queue_held_by }}; most unread is the outlet {{ . }}{{ end }}",
            f"Workers have taken none for more than {HELD_SECONDS} seconds: Redis is full, or nobody reads an outlet.",
        ),
        Alert(
            "ProducerDeletesClaims",
            f"{logql.books('queue.deleted', SILENCE)} > 0",
            "critical",
            "A producer deletes its own claims",
            "Claims of a registered producer went away before a worker had them: its password is in wrong hands, or its"
            " program trims its stream.",
        ),
        Alert(
            "ProducersWait",
            f"sum(count_over_time({maintained} | {logql.label('queue.full')} = `true` [5m])) > {FULL_LINES}",
            "warning",
            "Producers are told to wait",
            "For most of five minutes there was no room for claims: a flood, too few workers, or an unread outlet.",
        ),
        Alert(
            "OldestClaimTooOld",
            f"{logql.books('queue.oldest_s', SILENCE, 'min')} > {OLDEST_SECONDS}",
            "critical",
            "A claim waits too long",
            f"The oldest claim has waited for more than {OLDEST_SECONDS} seconds: workers are stuck, or too few.",
        ),
        Alert(
            "AuditFileLost",
            f"sum(count_over_time({logql.actions('audit.opened')} | {logql.label('audit.lost')} =~ `.+` [10m])) > 0",
            "critical",
            "An audit file was lost under a worker",
            "An audit file was removed, moved or changed while a worker wrote to it. Claims go on, in a new file.",
        ),
        Alert(
            "RedisBehind",
            f"sum(count_over_time({logql.found('audit.behind')} [10m])) > 0",
            "critical",
            "Redis has forgotten decisions",
            "Redis was emptied, its append-only file was cut, or an older copy was restored: results are lost.",
        ),
        Alert(
            "QuarantineGrows",
            f"{logql.decisions('1h', disposition='=quarantine')} > {QUARANTINE_AN_HOUR}",
            "warning",
            "Quarantine grows",
            f"More than {QUARANTINE_AN_HOUR} claims went to quarantine within an hour: a sender changed its format, or"
            " claims kill their worker.",
        ),
        Alert(
            "CleanClaimRateDrops",
            f"(({day}) < ({DROP} * ({week}))) and ({enough} >= {LEAST_CLAIMS})",
            "warning",
            "Fewer claims of {{ $labels.claim_payer }} are clean",
            f"{rate} of a day below {DROP:.0%} of that of seven: the payer, the rules or a sender changed something.",
            wait="15m",
        ),
        Alert(
            "SourcePastReview",
            f"{logql.books('book.past_review', '10m')} > 0",
            "info",
            "A source of the rule book is past its review date",
            "Rules rest on a document that nobody has looked at since its review date.",
            wait="1h",
        ),
    )


def document() -> str:
    """The file for Loki's ruler."""
    rules: list[dict[str, Any]] = [
        {
            "alert": alert.name,
            "expr": alert.expression,
            "for": alert.wait,
            "labels": {"severity": alert.severity, "service": "claim-scrubber"},
            "annotations": {"summary": alert.summary, "description": alert.description, "runbook": alert.runbook},
        }
        for alert in alerts()
    ]
    groups = {"groups": [{"name": "claim-scrubber", "interval": "1m", "rules": rules}]}
    return "# Written by `make boards`; change ops/alerts/rules.py.\n" + yaml.safe_dump(
        groups, sort_keys=False, width=10_000
    )
