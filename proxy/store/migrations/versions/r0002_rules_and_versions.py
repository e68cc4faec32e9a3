"""Signatures know the rule of the config that ignores them, and the versions of the new backend that showed them.

Revision: 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("signatures", sa.Column("rule", sa.Text(), server_default="", nullable=False))
    op.add_column("signatures", sa.Column("ruled_at", sa.Double(), nullable=True))
    op.add_column("signatures", sa.Column("versions", sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("signatures") as table:
        for name in ("versions", "ruled_at", "rule"):
            table.drop_column(name)
