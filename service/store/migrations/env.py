"""Runs the migrations on the connection that `store.database` hands over."""

from __future__ import annotations

from alembic import context


def run() -> None:
    """Bring the database to the wanted revision inside the caller's transaction."""
    context.configure(connection=context.config.attributes["connection"])
    with context.begin_transaction():
        context.run_migrations()


# Alembic runs this file under this name; whatever else imports it (a collector of doctests) has no database to offer.
if __name__ == "env_py":
    run()
