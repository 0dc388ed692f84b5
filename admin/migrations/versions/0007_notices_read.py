"""Notices that shoppers have read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Let a notice say when it was read."""
    op.add_column("notices", sa.Column("read_at_ms", sa.BigInteger(), nullable=True))
