"""How often one of a noise run's three answers stood alone at a place: new's, legacy's first, legacy's second.

Revision: 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAMES = ("new_alone", "first_alone", "again_alone")


def upgrade() -> None:
    for name in _NAMES:
        op.add_column("noise_places", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("noise_places") as table:
        for name in _NAMES:
            table.drop_column(name)
