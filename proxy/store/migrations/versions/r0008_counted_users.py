"""How many users each route has, kept beside it instead of counted whenever somebody looks; the audit by its subject.

Revision: 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("legacy_users", "new_users"):
        op.add_column("routes", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("routes", sa.Column("recounted_at", sa.Double(), nullable=False, server_default="0"))
    for side in ("legacy", "new"):
        op.execute(
            f"UPDATE routes SET {side}_users = "  # noqa: S608 - both sides stand above
            f"(SELECT count(*) FROM users WHERE users.route = routes.route AND users.side = '{side}')"
        )
    op.create_index("ix_audit_subject", "audit", ["subject", "id"])


def downgrade() -> None:
    op.drop_index("ix_audit_subject", "audit")
    with op.batch_alter_table("routes") as table:
        for name in ("legacy_users", "new_users", "recounted_at"):
            table.drop_column(name)
