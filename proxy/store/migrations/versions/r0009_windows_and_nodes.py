"""From when on a route's evidence counts, how each node is, and which signatures are known to be fixed.

Revision: 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "route_days",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("route", "day", name="pk_route_days"),
    )
    op.create_index("ix_route_days_day", "route_days", ["day"])
    op.create_table(
        "route_windows",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=True),
        sa.Column("because", sa.JSON(), nullable=False),
        sa.Column("setup", sa.JSON(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("route", name="pk_route_windows"),
    )
    op.create_table(
        "nodes",
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("node", name="pk_nodes"),
    )
    op.create_index("ix_nodes_at", "nodes", ["at"])
    op.add_column("signatures", sa.Column("fixed_at", sa.Double(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("signatures") as table:
        table.drop_column("fixed_at")
    op.drop_table("nodes")
    op.drop_table("route_windows")
    op.drop_table("route_days")
