"""On which machine an act was begun: its audit line is there, and others do not know whether it stands."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds it to the acts; empty: nobody knows any more."""
    op.add_column("acts", sa.Column("host", sa.Text, nullable=False, server_default=""))
