"""Who a version is of, as digests that exams are compared by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("version", sa.Column("identity", sa.JSON))
