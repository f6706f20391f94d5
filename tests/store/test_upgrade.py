"""Old and new programs side by side on one index: what a newer one does to it leaves the older one at work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from service.errors import Unusable
from service.store import migrate
from service.store.database import Database
from service.store.index import Index
from service.store.orders import Share
from service.store.records import Begin, DeliveryState, State
from service.store.schema import metadata
from tests.store.builders import STUDY, arrival, at, made, mark

EXPANDED = (
    "ALTER TABLE study ADD COLUMN future TEXT",
    "ALTER TABLE version ADD COLUMN future TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE instance ADD COLUMN future INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE machine ADD COLUMN future TEXT",
    "ALTER TABLE delivery ADD COLUMN future TEXT",
    "CREATE TABLE future (name TEXT PRIMARY KEY)",
    "CREATE INDEX event_of_the_future ON event (word)",
    "UPDATE alembic_version SET version_num = '9999'",
)


def a_journey(index: Index, study: str, number: int) -> None:
    """What listener and worker do with a study, by all the tables that they write."""
    index.association_opened(study, "192.0.2.1", "SCANNER", at(0))
    index.add_instance(arrival(number, study=study, association=study))
    index.association_closed(study, at(5))
    version = index.close_version(study, at(60))
    index.machines.join("worker-1", "here", "0.1.0", "2", at(60))
    index.machines.beat("worker-1", 1, at(61))
    assert [one.study_instance_uid for one in index.work.claim(Share("worker-1"))] == [study]
    index.work.start((study, version.content_version, 1), "worker-1", "At it.")
    index.save_result(study, version.content_version, {"tumors": []}, [made(uid=f"1.9.{number}")], at(70))
    index.work.reached((study, version.content_version, 1), Begin.DELIVER)
    index.plan_deliveries(study, version.content_version, ["archive"], at(70))
    index.set_state(study, version.content_version, State.DELIVERING, "Being sent.", attempt=1)
    mark(index, (f"1.9.{number}", "archive"), DeliveryState.VERIFIED, 0, "there", at(71))
    index.settle(version, State.DONE, "The results are at: archive.", at(72))


def test_a_program_that_runs_goes_on_while_a_newer_one_expands_the_index(index: Index, url: str) -> None:
    """It reads what was, and writes what it knows; only started again it must be the newer one."""
    a_journey(index, STUDY, 1)
    database = Database.open(url)
    with database.write() as connection:
        for statement in EXPANDED:
            connection.execute(text(statement))
    database.close()

    a_journey(index, "1.2.9", 2)
    assert {one.state for one in index.studies(5)} == {State.DONE}
    with pytest.raises(Unusable, match="written by a newer version of this program: install that version"):
        Index.open(url)


def steps(connection: Connection) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """Each revision with the tables and columns that the index has then."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    for script in reversed(list(ScriptDirectory.from_config(config).walk_revisions())):
        command.upgrade(config, script.revision)
        inspector = inspect(connection)
        yield (
            script.revision,
            {table: {str(one["name"]): one for one in inspector.get_columns(table)} for table in inspector.get_table_names()},
        )


def test_every_step_only_adds_what_an_older_program_may_leave_out(tmp_path: Path) -> None:
    """Tables and columns stay as they were, and a new column of an old table may be empty or has a value by itself."""
    database = Database.open(f"sqlite:///{tmp_path / 'index.sqlite'}")
    with database.write() as connection:
        metadata.drop_all(connection)
        connection.execute(text("DELETE FROM alembic_version"))
        before: dict[str, dict[str, Any]] = {}
        for revision, now in steps(connection):
            for table, columns in before.items():
                assert columns.items() <= described(now.get(table, {})).items(), f"{revision} changes {table}"
                new = [one for name, one in now[table].items() if name not in columns]
                assert [one for one in new if not one["nullable"] and one["default"] is None] == [], (
                    f"{revision} adds to {table}"
                )
            before = {table: described(columns) for table, columns in now.items()}
    database.close()


def described(columns: dict[str, Any]) -> dict[str, str]:
    return {name: f"{one['type']} {one['nullable']} {one['default']}" for name, one in columns.items()}
