"""What all routes together served in each minute, by side: how the migration went over months.

Revision: 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table(
        "served_minutes",
        sa.Column("minute", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("legacy", sa.BigInteger(), nullable=False),
        sa.Column("new", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "node", name="pk_served_minutes"),
        sqlite_with_rowid=False,
    )
    minutes = sa.table(
        "route_minutes", sa.column("minute"), sa.column("node"), sa.column("counts", sa.JSON(none_as_null=True))
    )

    def served(side: str) -> sa.ColumnElement[int]:
        # As text first: PostgreSQL's JSON gives nothing else, and its integers end at two thousand million.
        number = sa.cast(minutes.c.counts[f"served.{side}"].as_string(), sa.BigInteger)
        return sa.func.coalesce(sa.func.sum(number), 0)

    known = sa.select(minutes.c.minute, minutes.c.node, served("legacy"), served("new"))
    op.execute(
        table.insert().from_select(
            ["minute", "node", "legacy", "new"], known.group_by(minutes.c.minute, minutes.c.node)
        )
    )


def downgrade() -> None:
    op.drop_table("served_minutes")
