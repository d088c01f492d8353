"""Audit files into a DuckDB database on disk: each decision once, whatever the size of the log.

The log may hold a decision twice (a crash between log and commit) and holds what was taken back (`claim.superseded`).
A decision stands where more lines decide it than take it back; of several lines the newest is kept.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.audit.lines import DECIDES, AuditLine
from worker.errors import ReportFailed, ReportNeedsExtra
from worker.logs.fields import Kind, fields_of
from worker.process.signals import held

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Row = Mapping[str, Any]
Rows = list[Row]

MEMORY = "512MB"
"""DuckDB goes to the disk beyond this; the process is some 150 MB larger."""
_TYPES: dict[Kind, str] = {
    "text": "VARCHAR", "whole": "BIGINT", "decimal": "DOUBLE", "flag": "BOOLEAN", "texts": "VARCHAR[]",
    "wholes": "BIGINT[]",
}  # fmt: skip
_READ = (
    "@timestamp", "event.action", "event.duration", "error.code", "host.name", "process.pid", "service.version",
    "claim.claim_id", "claim.decision_id", "claim.frequency_code", "claim.payer", "claim.disposition", "claim.observed",
    "claim.coverage", "claim.gaps", "claim.wanted", "claim.charge_cents", "claim.expected_cents",
    "claim.expected_high_cents", "claim.expected_kind", "claim.requeued", "rule.block", "rule.warn",
    "rule.undetermined",
    "rule.denials", "book.version", "book.digest", "queue.entry", "queue.attempt", "queue.latency_ms", "audit.chain",
)  # fmt: skip

# An entry is named `partition:stream:milliseconds-number`; the partition where there are several, the stream where it
# is not the inbox. One number that sorts as the stream does: batches share their timestamp. On a stream of its own the
# id is its sender's word, and on the inner one a later moment: there the line says for how long it waited.
_LINES = """
CREATE TABLE line AS SELECT * EXCLUDE (entry_id, received),
  CASE WHEN coalesce(received, try_cast(split_part(entry_id, '-', 1) AS BIGINT)) BETWEEN 0 AND 253402300799999
    THEN coalesce(received, split_part(entry_id, '-', 1)::BIGINT) END AS taken_in,
  coalesce(coalesce(received, try_cast(split_part(entry_id, '-', 1) AS UBIGINT))::HUGEINT * 1048576
         + try_cast(split_part(entry_id, '-', 2) AS UBIGINT), 0) AS place
FROM (SELECT
  try_cast("@timestamp" AS TIMESTAMP) AS moment,
  "event.action" AS action,
  try_cast("claim.decision_id" AS UUID) AS id,
  "claim.claim_id" AS claim,
  coalesce("claim.frequency_code", '1') AS frequency,
  coalesce("claim.payer", '') AS payer,
  "claim.disposition" AS disposition,
  "claim.observed" AS observed,
  coalesce("claim.observed", "claim.disposition") AS verdict,
  "claim.coverage" AS coverage,
  coalesce("claim.gaps", []) AS gaps,
  coalesce("claim.wanted", []) AS wanted,
  "claim.charge_cents" AS cents,
  CASE WHEN "claim.expected_kind" IS DISTINCT FROM 'part' THEN "claim.expected_cents" END AS expected,
  CASE WHEN "claim.expected_kind" IS DISTINCT FROM 'part'
    THEN coalesce("claim.expected_high_cents", "claim.expected_cents") END AS expected_high,
  coalesce("claim.requeued", false) AS requeued,
  coalesce("rule.block", []) AS blocks,
  coalesce("rule.warn", []) AS warns,
  coalesce("rule.undetermined", []) AS undetermined,
  coalesce("rule.denials", []) AS denials,
  "error.code" AS error,
  "event.duration" AS nanoseconds,
  "book.version" AS book,
  "book.digest" AS digest,
  "queue.attempt" AS attempt,
  "queue.latency_ms" AS latency,
  split_part("queue.entry", ':', -1) AS entry_id,
  CASE WHEN regexp_matches("queue.entry", '^([0-9]+:)?[a-z]')
    THEN epoch_ms(try_cast("@timestamp" AS TIMESTAMP)) - coalesce("queue.latency_ms", 0) END AS received,
  "audit.chain" AS chain,
  "host.name" AS host,
  "process.pid" AS pid,
  "service.version" AS version
FROM read_ndjson(?, columns = {columns}, ignore_errors = true))
"""
DECIDING = "action IN ({})".format(", ".join(f"'{action}'" for action in DECIDES))
"""In SQL: the line decides a claim."""
# Nearly every decision has one line; only the few others are sorted.
_STEPS = (
    """CREATE TABLE several AS
    SELECT id FROM line WHERE id IS NOT NULL AND disposition IS NOT NULL GROUP BY id HAVING count(*) > 1""",
    """CREATE TABLE verdict AS
    SELECT * FROM line WHERE {DECIDING} AND id IS NOT NULL AND id NOT IN (FROM several)
    UNION ALL BY NAME
    SELECT * EXCLUDE (newest, decided, taken_back) FROM (
      SELECT *, row_number() OVER (PARTITION BY id, {DECIDING} ORDER BY moment DESC) AS newest,
        count(*) FILTER ({DECIDING}) OVER (PARTITION BY id) AS decided,
        count(*) FILTER (action = 'claim.superseded') OVER (PARTITION BY id) AS taken_back
      FROM line WHERE disposition IS NOT NULL AND id IN (FROM several))
    WHERE {DECIDING} AND newest = 1 AND decided > taken_back""".replace("{DECIDING}", DECIDING),
    # A claim is a claim number of one frequency code; what has no number is a claim of its own.
    """CREATE TABLE decision AS SELECT *,
      place = min(place) OVER same AND NOT requeued AS first, place = max(place) OVER same AS last
    FROM (SELECT *, CASE WHEN claim IS NULL THEN CAST(id AS VARCHAR) ELSE claim || ' ' || frequency END AS bill
          FROM verdict)
    WINDOW same AS (PARTITION BY bill)""",
    "DROP TABLE verdict",
)


@contextmanager
def loaded(files: Sequence[Path]) -> Iterator[DuckDBPyConnection]:
    """A database with the tables `line` (every line) and `decision` (each decision that stands).

    Its files hold claim numbers: they lie in a folder that only this user may enter, and go with the block.

    Raises:
        ReportNeedsExtra: DuckDB is not installed.
        ReportFailed: it broke off, also within the block.
        OSError: a file cannot be read.
    """
    try:
        with held():  # a signal in the middle of setting its extension up would abort the process
            import duckdb
    except ImportError:
        raise ReportNeedsExtra from None
    for file in files:
        with file.open("rb"):
            pass
    known = fields_of(AuditLine)
    columns = {name: _TYPES[known[name].kind] for name in _READ}
    with tempfile.TemporaryDirectory(prefix="scrub-report-") as folder:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "temp_directory": f"{folder}/spill",
            "preserve_insertion_order": "false",
        }
        database = duckdb.connect(f"{folder}/lines.db", config=settings)
        try:
            database.execute("SET enable_progress_bar = false; SET autoinstall_known_extensions = false")
            ask(database, _LINES.format(columns=columns), [[_verbatim(file) for file in files]])
            for step in _STEPS:
                ask(database, step)
            yield database
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise ReportFailed(reason=str(error).splitlines()[0], limit=MEMORY) from None
        except duckdb.Error as error:  # its text may hold what stands on a line
            raise ReportFailed(reason=type(error).__name__, limit=MEMORY) from None
        finally:
            # A second signal leaves a query running, and DuckDB refuses to close under it. It goes with the process.
            with suppress(duckdb.Error):
                database.close()


def ask(database: DuckDBPyConnection, query: str, arguments: Any = None) -> Rows:
    """The rows of a query; Ctrl-C and other signals end it at once.

    DuckDB would look for signals itself, late, and lose the exception that their handler raises. So it works in a
    thread, where it does not, and whatever comes here stops it.
    """

    def work() -> Rows:
        found = database.execute(query, arguments) if arguments else database.execute(query)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            return future.result()
        except BaseException:
            database.interrupt()
            raise


def _verbatim(file: Path) -> str:
    """The file's name so that DuckDB takes no character of it for a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", str(file))
