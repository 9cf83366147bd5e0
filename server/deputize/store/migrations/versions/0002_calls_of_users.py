"""The calls of a user are found for the account page, newest first.

Those that he was asked about apart, so that nobody pushes them out of sight by many others.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the indexes; each call is in one of them."""
    op.execute("CREATE INDEX calls_asked ON calls (user_id, seq) WHERE description IS NOT NULL")
    op.execute("CREATE INDEX calls_unasked ON calls (user_id, seq) WHERE description IS NULL")
