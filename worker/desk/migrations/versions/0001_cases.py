"""Cases, their decisions and acts, and how far the outlets were read."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "cases",
        sa.Column("handle", sa.String(16), primary_key=True),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("claim_id", sa.Text, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("decision_id", sa.String(64), nullable=False),
        sa.Column("moment", sa.String(32), nullable=False),
        sa.Column("held_since", sa.String(32), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("pended_until", sa.Date),
        sa.Column("pended_by", sa.Text, nullable=False),
        sa.Column("closed_reason", sa.String(16)),
        sa.Column("payer", sa.Text),
        sa.Column("payer_name", sa.Text, nullable=False),
        sa.Column("charge_cents", sa.BigInteger, nullable=False),
        sa.Column("codes", sa.JSON, nullable=False),
        sa.Column("fault", sa.Text, nullable=False),
        sa.Column("service_from", sa.Date),
        sa.Column("last_day", sa.Date),
        sa.Column("last_day_rule", sa.Text),
        sa.Column("last_day_grade", sa.String(1)),
        sa.UniqueConstraint("scope", "claim_id"),
    )
    op.create_index("cases_by_state", "cases", ["state", "last_day"])
    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.String(64), primary_key=True),
        sa.Column("handle", sa.String(16), sa.ForeignKey("cases.handle"), nullable=False, index=True),
        sa.Column("moment", sa.String(32), nullable=False),
        sa.Column("disposition", sa.String(12), nullable=False),
        sa.Column("superseded", sa.Integer, nullable=False),
        sa.Column("codes", sa.JSON, nullable=False),
        sa.Column("content", sa.LargeBinary),
    )
    op.create_table(
        "acts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("handle", sa.String(16), sa.ForeignKey("cases.handle"), nullable=False, index=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("moment", sa.String(32), nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("until", sa.Date),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("reason", sa.String(16)),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "cursors",
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("entry", sa.String(48), nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
