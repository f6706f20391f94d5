from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import ResourceClosedError

from service.errors import TryAgain, Unusable
from service.store import migrate
from service.store.database import Database
from service.store.index import Index
from service.store.migrate import newest
from service.store.schema import metadata, study
from tests.store.builders import START

OPEN = "import sys; from service.store.index import Index; Index.open(sys.argv[1]).close()"
COUNT = """
import sys
from sqlalchemy import text
from service.store.database import Database
database = Database.open(sys.argv[1])
for _ in range(20):
    with database.write() as connection:
        number = connection.scalar(text("SELECT attempts FROM delivery"))
        connection.execute(text("UPDATE delivery SET attempts = :n"), {"n": number + 1})
database.close()
"""


def test_the_migrations_make_exactly_the_tables_of_the_schema(url: str) -> None:
    """A new database is made from the schema at once: that must be what the steps from the first one on lead to."""
    database = Database.open(url)
    with database.write() as connection:
        made_at_once = described(connection)
        metadata.drop_all(connection)
        connection.execute(text("DELETE FROM alembic_version"))
    database.close()
    database = Database.open(url)
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert described(connection) == made_at_once
    database.close()


def test_a_new_database_is_at_todays_revision(url: str) -> None:
    database = Database.open(url)
    with database.read() as connection:
        assert MigrationContext.configure(connection).get_current_heads() == (newest(),)
    database.close()
    assert ScriptDirectory(str(Path(migrate.__file__).parent / "migrations")).get_current_head() == newest()


def described(connection: Connection) -> set[str]:
    """Every column with its type and the value that the database gives by itself, every index and uniqueness."""
    inspector, found = inspect(connection), set()
    for table in inspector.get_table_names():
        for column in inspector.get_columns(table):
            found.add(f"{table} {column['name']} {column['type']} {column['nullable']} {column['default']}")
        for one in (*inspector.get_indexes(table), *inspector.get_unique_constraints(table)):
            conditions = [str(value) for value in one.get("dialect_options", {}).values()]
            found.add(f"{table} {one['name']} {one['column_names']} {one.get('unique')} {conditions}")
        found.add(f"{table} {inspector.get_pk_constraint(table)['constrained_columns']}")
    return found


def test_opening_again_changes_nothing(index: Index, url: str) -> None:
    index.event("1.2.3", "word", "sentence", START)
    with Index.open(url) as again:
        assert again.counts() == index.counts()


def test_several_processes_may_open_a_new_database_at_once(url: str) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", OPEN, url], stderr=subprocess.PIPE) for _ in range(2)]

    assert [process.communicate()[1] for process in processes] == [b""] * 2
    assert [process.returncode for process in processes] == [0] * 2


def test_writers_of_several_processes_take_turns(url: str) -> None:
    """Reading and then writing in one transaction loses no update, whoever else does the same."""
    database = Database.open(url)
    with database.write() as connection:
        connection.execute(text("INSERT INTO delivery (sop_instance_uid, destination, state) VALUES ('1', 'a', 'pending')"))
    processes = [subprocess.Popen([sys.executable, "-c", COUNT, url]) for _ in range(2)]

    assert [process.wait() for process in processes] == [0, 0]
    with database.read() as connection:
        assert connection.scalar(text("SELECT attempts FROM delivery")) == 40
    database.close()


def test_a_reader_does_not_wait_for_the_writer(url: str) -> None:
    database = Database.open(url)
    with database.write() as writer, database.read() as reader:
        writer.execute(
            study.insert().values(study_instance_uid="1", state="done", first_received_at=START, last_received_at=START)
        )
        assert reader.execute(study.select()).all() == []
    database.close()


def test_a_failed_transaction_leaves_nothing(url: str) -> None:
    database = Database.open(url)
    with pytest.raises(ResourceClosedError), database.write() as connection:
        connection.execute(text("INSERT INTO association_study VALUES ('1', '2')")).scalar_one()
    with database.read() as connection:
        assert connection.execute(text("SELECT * FROM association_study")).all() == []
    database.close()


def test_a_database_of_a_newer_program_is_refused(url: str) -> None:
    database = Database.open(url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()

    with pytest.raises(Unusable, match="newer version"):
        Database.open(url)


def test_sqlite_in_memory_is_refused() -> None:
    with pytest.raises(Unusable, match="file"):
        Database.open("sqlite://")


@pytest.mark.parametrize("url", ["nonsense", "mysql://user:secret@127.0.0.1/index"])
def test_a_url_that_names_no_database_of_ours_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Unusable) as refusal:
        Database.open(url)
    assert refusal.value.code == "store.url"
    assert "secret" not in str(refusal.value)


def test_a_damaged_file_is_said_to_be_damaged_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite"
    file.write_bytes(b"no database " * 1000)
    with pytest.raises(TryAgain) as fault:
        Database.open(f"sqlite:///{file}")
    assert fault.value.code == "store.damaged"
    assert file.read_bytes() == b"no database " * 1000


def test_a_server_that_does_not_answer_can_be_tried_again() -> None:
    with pytest.raises(TryAgain, match="cannot be reached"):
        Database.open("postgresql://nobody@127.0.0.1:1/none")


def test_a_fault_never_quotes_values(tmp_path: Path) -> None:
    """Values of a statement may name a patient, and faults end in logs."""
    database = Database.open(f"sqlite:///{tmp_path}/index.db")
    with pytest.raises(TryAgain) as caught, database.write() as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (:name)"), {"name": "DOE^JANE"})
    database.close()

    assert "DOE" not in str(caught.value.__cause__)


def test_rows_that_only_the_index_holds_are_synced(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/index.db")
    with database.write() as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL
    with database.write(synced=False) as connection:
        assert connection.scalar(text("PRAGMA synchronous")) == 1  # NORMAL
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
    database.close()


def test_others_cannot_read_the_database(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path}/folder/index.db")
    with database.write() as connection:
        connection.execute(text("INSERT INTO association_study VALUES ('1', '2')"))
    modes = [path.stat().st_mode & 0o007 for path in (tmp_path / "folder").iterdir()]
    database.close()

    assert modes == [0] * len(modes)
    assert len(modes) >= 3
