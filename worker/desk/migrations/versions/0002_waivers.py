"""Waivers: which decision an act is on, and what it sends to the workers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds their columns to the acts."""
    op.add_column("acts", sa.Column("decision_id", sa.String(64), nullable=False, server_default=""))
    op.add_column("acts", sa.Column("sends", sa.LargeBinary))
