"""What the page shows, counted from the loaded audit lines. Money in US cents, times in UTC, latencies in milliseconds.

Claims are counted once, by claim number and frequency code: the clean claim rate by their first verdict, findings and
charges by all of theirs together. Where decisions are counted (throughput, dispositions over time) it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from worker.errors import ReportEmpty
from worker.reporting.load import DECIDING, Row, Rows, ask
from worker.store.outletspecs import DISPOSITIONS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_STEPS = (1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 86_400, 7 * 86_400, 28 * 86_400)
"""Widths of a column of time, in seconds."""
_MOST_COLUMNS = 60


@dataclass(frozen=True, slots=True)
class Figures:
    """One field a panel; a row's keys are the columns of its query."""

    whole: Row
    lines: Row
    peak: int
    """Most decisions within one second of the clock."""
    step: int
    """Width of a column of time, seconds."""
    over_time: Rows
    by_payer: Rows
    clean_over_time: Rows
    findings: Rows
    denials: Rows
    foreseen: Rows
    """By payer, claims that were held for a denial, each once, and those of them that were mended and sent since."""
    undecided: Rows
    coverage: Rows
    """How much of the claims was looked at, by their newest verdicts."""
    gaps: Rows
    """What was not: by kind, and by the file to import."""
    flow: Rows
    quarantine: Rows
    books: Rows
    workers: Rows


_WHOLE = """
SELECT count(*) AS decisions, count(*) FILTER (last) AS claims,
  count(*) FILTER (first) AS firsts, count(*) FILTER (first AND verdict = 'billing') AS clean,
  {OF_EACH},
  coalesce(sum(cents) FILTER (last AND disposition = 'rework'), 0)::BIGINT AS held_cents,
  count(expected) FILTER (last AND disposition = 'rework') AS priced,
  coalesce(sum(expected) FILTER (last AND disposition = 'rework'), 0)::BIGINT AS expected,
  coalesce(sum(expected_high) FILTER (last AND disposition = 'rework'), 0)::BIGINT AS expected_high,
  coalesce(sum(cents) FILTER (last AND disposition = 'billing'), 0)::BIGINT AS billed_cents,
  count(*) FILTER (last AND observed IS NOT NULL) AS observed,
  count(*) FILTER (last AND observed = 'rework' AND disposition = 'billing') AS let_go,
  coalesce(sum(cents) FILTER (last AND observed = 'rework' AND disposition = 'billing'), 0)::BIGINT AS let_go_cents,
  count(*) FILTER (last AND disposition = 'rework' AND len(undetermined) > 0) AS undetermined,
  count(*) FILTER (coverage = 'common_only' AND last) AS common_only,
  count(*) FILTER (cents IS NULL) AS without_charge,
  count(*) FILTER (attempt > 0) AS taken_over,
  count(*) FILTER (requeued) AS requeued,
  approx_quantile(latency, 0.5)::BIGINT AS p50, approx_quantile(latency, 0.99)::BIGINT AS p99,
  max(latency) AS longest, approx_quantile(nanoseconds, 0.5)::BIGINT AS nanoseconds,
  min(moment) AS start, max(moment) AS stop
FROM decision
""".replace(
    "{OF_EACH}", ", ".join(f"count(*) FILTER (last AND disposition = '{name}') AS {name}" for name in DISPOSITIONS)
)
_LINES = """
SELECT count(*) AS lines,
  count(*) FILTER (action IS NULL OR NOT (action LIKE 'claim.%' OR action = 'audit.opened')) AS passed_over,
  count(*) FILTER (action = 'claim.repeated') AS repeated,
  count(*) FILTER (action = 'claim.superseded') AS superseded,
  count(*) FILTER ({DECIDING}) - (SELECT count(*) FROM decision)
    - count(*) FILTER (action = 'claim.superseded' AND disposition IS NOT NULL) AS twice
FROM line
""".replace("{DECIDING}", DECIDING)
_OVER_TIME = """
SELECT time_bucket(to_seconds($step), moment) AS t, payer, disposition, count(*) AS n
FROM decision GROUP BY ALL ORDER BY ALL
"""
_BY_PAYER = """
SELECT payer, count(*) AS n, {OF_EACH}, count(*) FILTER (verdict = 'billing') AS clean,
  coalesce(sum(cents) FILTER (disposition = 'rework'), 0)::BIGINT AS held_cents,
  count(expected) FILTER (disposition = 'rework') AS priced,
  coalesce(sum(cents) FILTER (disposition = 'rework' AND expected IS NOT NULL), 0)::BIGINT AS priced_cents,
  coalesce(sum(expected) FILTER (disposition = 'rework'), 0)::BIGINT AS expected,
  coalesce(sum(expected_high) FILTER (disposition = 'rework'), 0)::BIGINT AS expected_high
FROM decision WHERE first GROUP BY payer ORDER BY payer = '', n DESC, payer
""".replace("{OF_EACH}", ", ".join(f"count(*) FILTER (disposition = '{name}') AS {name}" for name in DISPOSITIONS))
_CLEAN_OVER_TIME = """
SELECT time_bucket(to_seconds($step), moment) AS t, payer, count(*) AS n,
  count(*) FILTER (verdict = 'billing') AS clean
FROM decision WHERE first GROUP BY ALL ORDER BY ALL
"""
# Once a claim, however often it was sent in: its charge is at stake once.
_FINDINGS = """
WITH found AS (
  SELECT bill, unnest(list_distinct(list_concat(blocks, warns))) AS code, cents, blocks, warns, undetermined
  FROM decision WHERE len(blocks) > 0 OR len(warns) > 0),
once AS (
  SELECT code, bill, max(cents) AS cents, max(list_contains(blocks, code)) AS blocks,
    max(list_contains(warns, code)) AS warns, max(list_contains(undetermined, code)) AS undetermined
  FROM found GROUP BY code, bill)
SELECT code, count(*) FILTER (blocks) AS claims, coalesce(sum(cents) FILTER (blocks), 0)::BIGINT AS cents,
  count(*) FILTER (undetermined) AS undetermined, count(*) FILTER (warns AND NOT blocks) AS warned
FROM once GROUP BY code ORDER BY cents DESC, claims DESC, warned DESC, code
"""
_DENIALS = """
WITH once AS (
  SELECT code, bill, max(cents) AS cents FROM (SELECT bill, unnest(denials) AS code, cents FROM decision
    WHERE disposition = 'rework')
  GROUP BY code, bill)
SELECT code, count(*) AS claims, coalesce(sum(cents), 0)::BIGINT AS cents FROM once
GROUP BY code ORDER BY claims DESC, cents DESC, code
"""
# By claim number alone: a replacement is the same claim mended, and what a payer would have denied was its first one.
_FORESEEN = """
WITH held AS (
  SELECT coalesce(claim, CAST(id AS VARCHAR)) AS one, arg_min(payer, place) AS payer, arg_min(cents, place) AS cents
  FROM decision WHERE disposition = 'rework' AND len(denials) > 0 GROUP BY one),
newest AS (
  SELECT coalesce(claim, CAST(id AS VARCHAR)) AS one, arg_max(disposition, place) AS disposition
  FROM decision GROUP BY one)
SELECT payer, count(*) AS claims, coalesce(sum(cents), 0)::BIGINT AS cents,
  count(*) FILTER (disposition = 'billing') AS mended,
  coalesce(sum(cents) FILTER (disposition = 'billing'), 0)::BIGINT AS mended_cents
FROM held JOIN newest USING (one) GROUP BY payer ORDER BY payer
"""
_UNDECIDED = """
WITH once AS (
  SELECT 'undetermined' AS kind, unnest(undetermined) AS code, bill, cents FROM decision
  UNION ALL SELECT 'unchecked', payer, bill, cents FROM decision WHERE disposition = 'unchecked'),
claims AS (SELECT kind, code, bill, max(cents) AS cents FROM once GROUP BY ALL)
SELECT kind, code, count(*) AS claims, coalesce(sum(cents), 0)::BIGINT AS cents FROM claims
GROUP BY ALL ORDER BY kind, claims DESC, code
"""
_COVERAGE = """
SELECT coverage, count(*) AS claims FROM decision WHERE last AND coverage IS NOT NULL
GROUP BY coverage ORDER BY claims DESC, coverage
"""
_GAPS = """
WITH found AS (
  SELECT 'import' AS kind, unnest(list_distinct(wanted)) AS what FROM decision WHERE last
  UNION ALL SELECT 'gap', unnest(list_distinct(gaps)) FROM decision WHERE last)
SELECT kind, what, count(*) AS claims FROM found GROUP BY ALL ORDER BY kind DESC, claims DESC, what
"""
# What waited: taken in by then, and not decided. Only what was decided in the end is known.
_FLOW = """
WITH moves AS (
  SELECT moment, 1 AS decided, -1 AS change, latency FROM decision WHERE taken_in IS NOT NULL
  UNION ALL SELECT make_timestamp(taken_in * 1000), 0, 1, NULL FROM decision WHERE taken_in IS NOT NULL),
running AS (SELECT *, sum(change) OVER (ORDER BY moment, change DESC ROWS UNBOUNDED PRECEDING) AS waiting FROM moves)
SELECT time_bucket(to_seconds($step), moment) AS t, sum(decided)::BIGINT AS decided, sum(decided) / $step AS rate,
  approx_quantile(latency, 0.5)::BIGINT AS p50, approx_quantile(latency, 0.99)::BIGINT AS p99, max(latency) AS longest,
  max(waiting)::BIGINT AS waiting
FROM running GROUP BY t ORDER BY t
"""
_PEAK = "SELECT max(n) AS n FROM (SELECT count(*) AS n FROM decision GROUP BY date_trunc('second', moment))"
_QUARANTINE = """
SELECT coalesce(error, '') AS reason, count(*) AS n, max(moment) AS latest
FROM decision WHERE disposition = 'quarantine' GROUP BY reason ORDER BY n DESC, reason
"""
_BOOKS = """
SELECT book, left(digest, 12) AS digest, count(*) AS n, min(moment) AS start, max(moment) AS stop
FROM decision GROUP BY ALL ORDER BY stop DESC, digest
"""
_WORKERS = """
SELECT host, pid, version, count(*) FILTER ({DECIDING}) AS n,
  min(moment) AS start, max(moment) AS stop
FROM line WHERE chain IS NOT NULL GROUP BY host, pid, version, chain ORDER BY stop DESC, n DESC, pid
""".replace("{DECIDING}", DECIDING)


def count(database: DuckDBPyConnection, files: str) -> Figures:
    """The figures of what is loaded; `files` names it in a refusal.

    Raises:
        ReportEmpty: there is no decision in it.
    """
    (whole,) = ask(database, _WHOLE)
    if not whole["decisions"]:
        raise ReportEmpty(files=files)
    step = _step(whole["start"], whole["stop"])
    timed = {"step": step}
    return Figures(
        whole=whole,
        lines=ask(database, _LINES)[0],
        peak=ask(database, _PEAK)[0]["n"],
        step=step,
        over_time=ask(database, _OVER_TIME, timed),
        by_payer=ask(database, _BY_PAYER),
        clean_over_time=ask(database, _CLEAN_OVER_TIME, timed),
        findings=ask(database, _FINDINGS),
        denials=ask(database, _DENIALS),
        foreseen=ask(database, _FORESEEN),
        undecided=ask(database, _UNDECIDED),
        coverage=ask(database, _COVERAGE),
        gaps=ask(database, _GAPS),
        flow=ask(database, _FLOW, timed),
        quarantine=ask(database, _QUARANTINE),
        books=ask(database, _BOOKS),
        workers=ask(database, _WORKERS),
    )


def _step(start: datetime, stop: datetime) -> int:
    span = (stop - start).total_seconds()
    return next((step for step in _STEPS if span / step <= _MOST_COLUMNS), _STEPS[-1])
