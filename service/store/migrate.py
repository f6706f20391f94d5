"""The schema brought up to date: made whole in a new database, step by step in an older one, and left alone where it is right.

The usual start finds today's revision. It then costs one query, and the library of the steps is not even loaded.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from service.errors import Unusable
from service.store.schema import metadata

_FOLDER = Path(__file__).parent / "migrations"
_TABLE = "alembic_version"  # the library's own, as it makes it
_REVISION = Table(_TABLE, MetaData(), Column("version_num", String(32), primary_key=True)).c.version_num


def migrate(connection: Connection) -> None:
    """Bring the database to today's schema, inside the caller's transaction.

    Raises:
        Unusable: It was written by a newer version of this program.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        _make(connection)
    elif _TABLE not in tables or connection.scalar(select(_REVISION)) != newest():
        _step_by_step(connection)


def newest() -> str:
    """Today's revision, by the names of its files: "0007" for r0007_output.py."""
    return max(path.name for path in (_FOLDER / "versions").glob("r*.py"))[1:5]


def _make(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    _REVISION.table.create(connection)
    connection.execute(insert(_REVISION.table).values(version_num=newest()))


def _step_by_step(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        sentence = "The index was written by a newer version of this program: install that version or restore a backup."
        raise Unusable("store.newer", sentence) from error
