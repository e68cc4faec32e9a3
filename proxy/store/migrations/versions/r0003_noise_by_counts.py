"""How often pairs differ at a place, with new and between two answers of legacy.

Revision: 0003, after 0002. What was called noise because it was seen once is judged by counts from now on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "noise_routes",
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("self_pairs", sa.BigInteger(), nullable=False),
        sa.Column("new_pairs", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("route", name=op.f("pk_noise_routes")),
    )
    op.create_table(
        "noise_places",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("self_shown", sa.BigInteger(), nullable=False),
        sa.Column("new_shown", sa.BigInteger(), nullable=False),
        sa.Column("both_shown", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_noise_places")),
    )
    op.create_index("ix_noise_places_route", "noise_places", ["route"], unique=False)
    op.execute(
        "UPDATE signatures SET state = 'new', who = '', reason = '' WHERE state = 'noise' AND who = 'changeover'"
    )


def downgrade() -> None:
    op.drop_table("noise_places")
    op.drop_table("noise_routes")
