"""The calls of a user are found, newest first, for the account page."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the index."""
    op.execute("CREATE INDEX calls_user ON calls (user_id, seq)")
