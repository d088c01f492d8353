"""What claims are expected to bring: null until it is asked for, by `worker.desk.pricing`, which has a rule book."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds their columns to the cases."""
    op.add_column("cases", sa.Column("expected_kind", sa.String(8)))
    op.add_column("cases", sa.Column("expected_low", sa.BigInteger))
    op.add_column("cases", sa.Column("expected_high", sa.BigInteger))
    op.create_index("cases_by_expected", "cases", ["expected_kind"])
