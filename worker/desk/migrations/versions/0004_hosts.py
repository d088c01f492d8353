"""On which machine an act was begun: its audit line is there, and others do not know whether it stands. Of a decision,
whether it is of another patient than the claim that was held.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds both; an empty host: nobody knows any more."""
    op.add_column("acts", sa.Column("host", sa.Text, nullable=False, server_default=""))
    op.add_column("decisions", sa.Column("stranger", sa.Integer, nullable=False, server_default="0"))
