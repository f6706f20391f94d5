"""Why a version has no result, where an object was made that says so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("version", sa.Column("refusal", sa.Text, nullable=False, server_default=""))
