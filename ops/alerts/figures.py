"""The alerts for Prometheus, on the figures of `scrub status` and `scrub doctor`.

One that the log has as well has its name, and so its entry in ops/runbook.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import yaml

from ops.alerts.rules import FULL_LINES, HELD_SECONDS, OLDEST_SECONDS, STANDSTILL_SECONDS

UNREAD = 100_000
"""Entries: a tenth of SCRUB_OUTLET_LIMIT, at which workers stop."""
LATE = 3 * 3600
"""Seconds for which a figure of an hourly run may be missing."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule. `wait`: how long the expression must hold before somebody is called."""

    name: str
    expression: str
    severity: Literal["critical", "warning", "info"]
    summary: str
    wait: str = "0m"

    @property
    def runbook(self) -> str:
        """Where it stands what to do."""
        return f"ops/runbook.md#{self.name.lower()}"


def doctor(about: str, *levels: str) -> str:
    """What the doctor found in a place, at these levels."""
    return " or ".join(f'scrub_doctor_{level}{{about=~"{about}"}} > 0' for level in levels)


def alerts() -> tuple[Alert, ...]:
    """All of them, the worst first."""
    return (
        Alert("BooksDoNotBalance", "scrub_unreconciled > 0", "critical", "The books are off by {{ $value }}", "1m"),
        Alert("NoFigures", "absent(scrub_accepted_total)", "critical", "Redis, or who asks it, gives no figures", "5m"),
        Alert("NoWorker", "scrub_workers_alive == 0", "critical", "No worker is alive, or none can connect", "2m"),
        Alert(
            "NothingDecided", f"scrub_standstill_seconds > {STANDSTILL_SECONDS}", "critical",
            "Claims wait and none was decided for {{ $value }} seconds",
        ),
        Alert(
            "WorkersWait", f"scrub_hold_seconds > {HELD_SECONDS}", "critical",
            "The workers have waited for room for {{ $value }} seconds",
        ),
        Alert(
            "AuditUnwritable", doctor("audit folder|disk", "ill"), "critical",
            "An audit file cannot be written, or its disk is full: {{ $labels.about }}",
        ),
        Alert("DiskFills", doctor("disk", "poor"), "warning", "A disk of claim-scrubber fills"),
        Alert("ProducerDeletesClaims", "scrub_producers_deleted > 0", "critical", "A producer deletes its own claims"),
        Alert(
            "ProducersWait", f"avg_over_time(scrub_full[5m]) > {FULL_LINES / 30}", "warning",
            "Producers are told to wait",
        ),
        Alert(
            "OldestClaimTooOld", f"scrub_oldest_seconds > {OLDEST_SECONDS}", "critical",
            "A claim is without a decision for {{ $value }} seconds", "2m",
        ),
        Alert(
            "OutletUnread", f'scrub_outlet_unread{{outlet!~"quarantine|files"}} > {UNREAD}', "warning",
            "{{ $value }} entries of {{ $labels.outlet }} are unread", "15m",
        ),
        Alert(
            "TablesStale", doctor("tables|gaps", "poor", "ill"), "info",
            "Official tables do not speak of today, or claims were judged without one",
        ),
        Alert("SourcePastReview", doctor("sources|watch", "poor", "ill"), "info", "A source is past its review date"),
        Alert(
            "CertificateEnds", doctor("certificates", "poor", "ill"), "warning",
            "A certificate ends within 30 days, or is over",
        ),
        Alert("PasswordOld", doctor("passwords", "poor", "ill"), "info", "A password of Redis is older than a year"),
        Alert("SnapshotsLate", doctor("snapshots", "poor", "ill"), "warning", "The nightly snapshots no longer come"),
        Alert(
            "NoDoctor", f"absent_over_time(scrub_doctor_ill[{LATE // 3600}h])", "warning",
            "Nobody has run scrub doctor for hours",
        ),
    )  # fmt: skip


def document() -> str:
    """The rule file for Prometheus."""
    rules: list[dict[str, Any]] = [
        {
            "alert": alert.name,
            "expr": alert.expression,
            "for": alert.wait,
            "labels": {"severity": alert.severity, "service": "claim-scrubber"},
            "annotations": {"summary": alert.summary, "runbook": alert.runbook},
        }
        for alert in alerts()
    ]
    groups = {"groups": [{"name": "claim-scrubber", "interval": "1m", "rules": rules}]}
    return "# Written by `make boards`; change ops/alerts/figures.py.\n" + yaml.safe_dump(
        groups, sort_keys=False, width=10_000
    )
