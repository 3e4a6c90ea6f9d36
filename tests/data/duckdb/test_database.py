from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drugmon.data.duckdb.database import at_most, connect, create, in_memory, writing
from drugmon.errors import DamagedError, DrugmonError, SinkError


@pytest.mark.parametrize("read_only", [True, False])
def test_what_is_no_database_is_named(tmp_path: Path, read_only: bool) -> None:
    def opened(path: Path) -> str:
        with (
            pytest.raises(DrugmonError) as raised,
            connect(path, read_only=read_only, lock_timeout=5),
        ):
            pass
        return str(raised.value)

    rubbish = tmp_path / "rubbish.duckdb"
    rubbish.write_bytes(b"rubbish" * 3000)
    assert opened(rubbish) == f"{rubbish}: not a DuckDB database file"
    missing = tmp_path / "missing.duckdb"
    assert opened(missing) == f"{missing}: no such database file; check the path"
    assert not missing.exists()
    assert opened(tmp_path) == f"{tmp_path}: no such database file; check the path"


def test_a_database_comes_into_being_whole_and_once(tmp_path: Path) -> None:
    database = tmp_path / "new folder" / "a.duckdb"
    create(database)
    with connect(database, read_only=False, lock_timeout=1) as connection:
        connection.execute("CREATE TABLE t (a INT)")
    create(database)
    with connect(database, read_only=True, lock_timeout=1) as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("t",)]
        zone = connection.execute("SELECT current_setting('TimeZone')").fetchall()
    assert zone == [("UTC",)]
    assert [path.name for path in database.parent.iterdir()] == ["a.duckdb"]


def test_what_a_killed_run_left_of_a_database_is_swept(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    names = (".a.duckdb.drugmon-17.tmp", ".a.duckdb.drugmon-17-0011aabb.tmp")
    for name in names:  # the second as a folder, with a half database
        (tmp_path / name).mkdir() if name is names[1] else (tmp_path / name).touch()
    (tmp_path / names[1] / "a.duckdb").touch()
    create(database)
    assert list(tmp_path.iterdir()) == [database]
    (tmp_path / names[0]).touch()  # killed when the database was whole already
    create(database)
    assert list(tmp_path.iterdir()) == [database]


def test_a_database_that_cannot_be_created_is_a_sink_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SinkError, match=r"a\.duckdb: cannot be created: "):
        create(tmp_path / "file" / "a.duckdb")


def test_a_transaction_that_fails_is_rolled_back(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    create(database)
    with (
        pytest.raises(SinkError, match=r"^a: cannot be written, it is as it was: Catalog Error"),
        connect(database, read_only=False, lock_timeout=1) as connection,
        writing(connection, "a"),
    ):
        connection.execute("CREATE TABLE t (a INT)")
        connection.execute("INSERT INTO nosuch VALUES (1)")
    with connect(database, read_only=True, lock_timeout=1) as connection:
        assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == []


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    database = tmp_path / "a.duckdb"
    create(database)
    newer = bytearray(database.read_bytes())
    newer[12] = 250  # the storage version
    database.write_bytes(newer)
    with (
        pytest.raises(DamagedError, match="a damaged DuckDB database: "),
        connect(database, read_only=True, lock_timeout=1),
    ):
        pass


def test_what_takes_too_long_is_broken_off() -> None:
    with in_memory(None) as connection:
        with pytest.raises(TimeoutError), at_most(connection, 0.05):
            connection.execute("SELECT sum(hash(range)) FROM range(1_000_000_000_000)").fetchall()
        with at_most(connection, 60):
            assert connection.execute("SELECT 1").fetchall() == [(1,)]


_SHOWN = """
import sys
from pathlib import Path
from drugmon.data.duckdb.database import connect, create, in_memory
create(Path(sys.argv[1]))
for opened in (in_memory(None), connect(Path(sys.argv[1]), read_only=False, lock_timeout=1)):
    with opened as connection:
        print(connection.execute("SELECT current_setting('enable_progress_bar')").fetchall())
"""


def test_no_bar_of_the_client_is_drawn_on_standard_output(tmp_path: Path) -> None:
    """The client takes a program without a file, as in a notebook, for one that wants a bar."""
    done = subprocess.run(
        [sys.executable, "-c", _SHOWN, tmp_path / "a.duckdb"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[(False,)]\n" * 2
