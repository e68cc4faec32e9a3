"""The rules under which a route's examples were judged, and where a change that somebody made came from.

Revision: 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("routes", sa.Column("judged_rules", sa.Text(), nullable=False, server_default=""))
    op.add_column("audit", sa.Column("origin", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("audit", "origin")
    op.drop_column("routes", "judged_rules")
