"""The tables of the case store. Moments are ISO 8601 texts in UTC, money is in US cents, so that each database has them
alike; what others name has no greatest length, since a database would refuse what is longer. `worker/desk/migrations`
makes them.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

cases = Table(
    "cases",
    metadata,
    Column("handle", String(16), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("claim_id", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("version", Integer, nullable=False),
    Column("decision_id", String(64), nullable=False),
    Column("moment", String(32), nullable=False),
    Column("held_since", String(32), nullable=False),
    Column("owner", Text, nullable=False),
    Column("pended_until", Date),
    Column("pended_by", Text, nullable=False),
    Column("closed_reason", String(16)),
    Column("payer", Text),
    Column("payer_name", Text, nullable=False),
    Column("charge_cents", BigInteger, nullable=False),
    Column("codes", JSON, nullable=False),
    Column("fault", Text, nullable=False),
    Column("service_from", Date),
    Column("last_day", Date),
    Column("last_day_rule", Text),
    Column("last_day_grade", String(1)),
    Column("expected_kind", String(8)),  # null: an earlier release folded it, and nobody asked yet
    Column("expected_low", BigInteger),  # null: unknown
    Column("expected_high", BigInteger),
    UniqueConstraint("scope", "claim_id"),
    Index("cases_by_state", "state", "last_day"),
    Index("cases_by_expected", "expected_kind"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("decision_id", String(64), primary_key=True),
    Column("handle", String(16), ForeignKey("cases.handle"), nullable=False, index=True),
    Column("moment", String(32), nullable=False),
    Column("disposition", String(12), nullable=False),
    Column("superseded", Integer, nullable=False),
    Column("stranger", Integer, nullable=False, server_default="0"),  # of another patient than what is held
    Column("codes", JSON, nullable=False),
    Column("content", LargeBinary),  # claim and report as JSON, packed by zlib; null: only the audit log had it
)

acts = Table(
    "acts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("handle", String(16), ForeignKey("cases.handle"), nullable=False, index=True),
    Column("state", String(8), nullable=False),  # of `worker.desk.casestore.ActState`
    Column("kind", String(8), nullable=False),
    Column("moment", String(32), nullable=False),
    Column("account", Text, nullable=False),
    Column("until", Date),
    Column("owner", Text, nullable=False),
    Column("reason", String(16)),
    Column("decision_id", String(64), nullable=False),  # of a waiver: what is waived; else empty
    Column("sends", LargeBinary),  # of a waiver that was begun: what goes to the workers, packed by zlib; null: it went
    Column("text", Text, nullable=False),  # stays here: the audit log has its keyed digest
    Column("host", Text, nullable=False, server_default=""),  # where it was begun
)

cursors = Table(
    "cursors",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("entry", String(48), nullable=False),  # the last that was folded
    Column("count", BigInteger, nullable=False),  # how many were folded or are gone, of those that Redis has counted
)
