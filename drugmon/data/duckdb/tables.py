"""A DuckDB table of reviews: read in one go, scored without a lock, written in one commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import duckdb
import pyarrow as pa

from drugmon.data.duckdb.companion import find_companion, has_text_keys, update_companion
from drugmon.data.duckdb.database import at_most, check_exists, connect
from drugmon.data.duckdb.in_place import check_in_place, update_in_place
from drugmon.data.duckdb.keys import KEY, Key, review_key, text_key
from drugmon.data.duckdb.relation import Relation
from drugmon.data.duckdb.snapshot import take_snapshot, text_columns
from drugmon.data.history.database import HistoryDatabase, writing_history
from drugmon.data.history.files import update_history
from drugmon.data.history.output import MAIN, Output
from drugmon.data.history.records import RunRecord
from drugmon.data.queries import statement
from drugmon.data.verdicts.arrivals import ROW_ID, ArrivalsByCount, ArrivalsByRow
from drugmon.data.verdicts.columns import PLAIN, VERDICT_COLUMNS, VerdictColumns
from drugmon.errors import SourceError

if TYPE_CHECKING:
    from drugmon.data.selection import Selection

SECONDS: Final = 3600
"""What looking at a table and copying its texts may take; the database is locked meanwhile."""

_BATCH_ROWS: Final = 65_536


class Table:
    """A table or view of reviews in a DuckDB database.

    The file is locked only inside `snapshot`, `commit` and the iteration of `previous`.

    Args:
        database: the file.
        name: `table` or `schema.table`, unquoted whatever characters it has.
        id_column: the key; without it the primary key, a unique id column, else the texts.
        lock_timeout: seconds to wait while another process has the file open.
        overrides: column names from `--column`, by field.
        in_place: write into the table itself instead of its companion; rows are then told apart by
            their texts.
        verdicts: what the verdicts are called.

    Raises:
        SourceError: there is no such file.
    """

    def __init__(
        self,
        database: Path,
        name: str,
        *,
        id_column: str | None = None,
        lock_timeout: float = 30.0,
        overrides: Mapping[str, str] | None = None,
        in_place: bool = False,
        verdicts: VerdictColumns = PLAIN,
    ) -> None:
        check_exists(database)
        self.database = database
        self.name = name
        self._id_column = id_column
        self._lock_timeout = lock_timeout
        self._overrides = overrides or {}
        self._in_place = in_place
        self._verdicts = verdicts
        self._key: Key | None = None
        self.arrivals: ArrivalsByRow | ArrivalsByCount = ArrivalsByCount(KEY)
        """Tells, for rows of the last snapshot, which were there; it is to note `previous`."""

    @cached_property
    def output(self) -> Output:
        """The table as the database knows it, however it was called.

        Raises:
            SourceError, BusyError: as for `snapshot`.
        """
        with self._connect(read_only=True) as connection:
            relation = Relation.find(connection, self.name, self.where)
        prefix = self._verdicts.prefix
        return Output.of_table(self.database, relation.schema, relation.name, prefix)

    @property
    def target(self) -> Path:
        """A path that stands for the table: no file, but what a journal is named after."""
        schema, table = self.output.schema or MAIN, self.output.table or self.name
        parts = [table] if schema == MAIN else [schema, table]
        name = ".".join(quote(part, safe=" ").replace(".", "%2E") for part in parts)
        return self.database.with_name(f"{self.database.name}.{name}")

    def recorded(self) -> list[RunRecord]:
        """The runs over this table, oldest first; its database's history is brought up to date.

        Raises:
            SourceError: the history is of a later version of drugmon, or damaged.
            SinkError: it cannot be brought up to date.
            BusyError: another process did not close the database in time.
        """
        update_history(self.database, self._lock_timeout)
        with self._connect(read_only=True) as connection:
            runs = HistoryDatabase(connection, self.database).runs()
        return [run for run in runs if run.output == self.output]

    @property
    def where(self) -> str:
        """What messages call the table."""
        return f"{self.database}, table {self.name}"

    def snapshot(self, selection: Selection, path: Path, seconds: float = SECONDS) -> int:
        """Copy keys and texts of the selected reviews to a Parquet file, in the table's order.

        Its columns are `drugmon_key` and those of benefits, side_effects, comments, text that the
        table has, all strings. In place, reviews with equal texts share a key; and where they have
        verdicts, there are the columns that `ArrivalsByRow` reads.

        Args:
            selection: which reviews.
            path: the file.
            seconds: what the copy may take.

        Returns:
            The number of reviews.

        Raises:
            SourceError: the database, table, text columns or id column cannot be used, or the copy
                takes more than `seconds`.
            SinkError: the companion's name is taken.
            UsageError: the condition of `--where` is wrong, or a view is to be changed in place.
            BusyError: another process did not close the database in time.
        """
        with self._connect(read_only=True) as connection, self._in_time(connection, seconds):
            relation = Relation.find(connection, self.name, self.where)
            self._verdicts.check(relation.columns, self.where)
            texts = text_columns(relation, self._overrides, self.where)
            verdicts = None
            if self._in_place:
                verdicts = self._verdicts if self._verdicts.are_in(relation.columns) else None
                check_in_place(relation, self.where)
                self._key = text_key(list(texts.values()))
            else:
                find_companion(connection, relation, self._verdicts)
                self._key = review_key(connection, relation, self._id_column, texts, self.where)
            self.arrivals = ArrivalsByRow() if verdicts else ArrivalsByCount(KEY)
            return take_snapshot(connection, relation, self._key, texts, selection, path, verdicts)

    def previous(self) -> Iterator[pa.RecordBatch]:
        """Yield the verdicts that earlier runs left; iterate at once, the file is locked meanwhile.

        Behind them stands the key as `ROW_ID`, where the snapshot's tells the same rows apart.

        Raises:
            SourceError, BusyError: as for `snapshot`.
        """
        with self._connect(read_only=True) as connection:
            relation: Relation | None = Relation.find(connection, self.name, self.where)
            names = self._verdicts
            if relation and not self._in_place:
                relation, names = find_companion(connection, relation, self._verdicts), PLAIN
            if relation and names.are_in(relation.columns):
                columns = [*names.names, *([] if self._in_place else [KEY])]
                sql = statement("select_columns", relation=relation.path, columns=columns)
                of_texts = None if self._in_place else has_text_keys(connection, relation)
                for batch in connection.sql(sql).to_arrow_reader(_BATCH_ROWS):
                    yield self._with_key(batch, of_texts)

    def commit(self, staged: Path, full: bool, run: RunRecord, profile: str | None = None) -> None:
        """Write verdicts and run record in one transaction; a kill leaves the old or the new state.

        Args:
            staged: Parquet with `drugmon_key` of the snapshot and the columns of `VERDICT_SCHEMA`.
            full: it has all reviews of the table, so verdicts of others are removed.
            run: the record of this run.
            profile: of what it scored, as JSON.

        Raises:
            SinkError: the database cannot be written; it is as it was.
            BusyError: another process did not close the database in time.
        """
        with (
            self._connect(read_only=False) as connection,
            writing_history(connection, self.database, self.where) as history,
        ):
            self._write(connection, staged, full)
            history.add_run(run, profile)

    def _with_key(self, batch: pa.RecordBatch, of_texts: bool | None) -> pa.RecordBatch:
        if self._in_place:
            return batch.rename_columns(list(VERDICT_COLUMNS))
        named = batch.rename_columns([*VERDICT_COLUMNS, ROW_ID])
        alike = self._key is not None and self._key.is_like(named[ROW_ID], of_texts)
        return named if alike else named.select(VERDICT_COLUMNS)

    @contextmanager
    def _in_time(self, connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
        try:
            with at_most(connection, seconds):
                yield
        except TimeoutError as error:
            raise SourceError(
                f"{self.where}: was not copied within {seconds:,} s, which a view may take that "
                "joins too much; make it a table, or take a part of it with --where or --limit"
            ) from error

    def _write(self, connection: duckdb.DuckDBPyConnection, staged: Path, full: bool) -> None:
        if self._key is None:
            raise RuntimeError("commit before snapshot")
        relation = Relation.find(connection, self.name, self.where)
        if self._in_place:
            update_in_place(connection, relation, self._verdicts, self._key.text, staged)
        else:
            update_companion(connection, relation, self._verdicts, self._key, staged, full)

    def _connect(self, *, read_only: bool) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        return connect(self.database, read_only=read_only, lock_timeout=self._lock_timeout)
