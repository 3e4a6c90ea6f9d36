"""The record: verdicts of what passed through, in a table that `drugmon report` judges."""

from __future__ import annotations

import logging
import threading
from collections import deque
from pathlib import Path
from typing import Final

import pyarrow as pa

from drugmon.data.duckdb.database import connect, create, writing
from drugmon.data.duckdb.relation import Relation
from drugmon.data.queries import Sql, statement
from drugmon.data.verdicts.columns import VERDICT_COLUMNS, VERDICT_SCHEMA
from drugmon.errors import DrugmonError, SinkError
from drugmon.serving.service.rows import Row
from drugmon.serving.service.schemas import Review
from drugmon.wording import encodable

TABLE: Final = "served"
_FIELDS: Final = pa.schema(
    [
        ("id", pa.string()),
        ("drug", pa.string()),
        ("condition", pa.string()),
        ("rating", pa.float64()),
    ]
)
_TEXTS: Final = ("benefits", "side_effects", "comments", "text")
_TYPES: Final = {"VARCHAR": pa.string(), "DOUBLE": pa.float64()}

EVERY: Final = 5.0
"""Seconds between two writes: what a kill -9 loses."""

MOST: Final = 100_000
"""Rows that are kept in memory while another process has the database open."""

_LOCK_TIMEOUT: Final = 2.0
_log = logging.getLogger("drugmon.service")


class Recorder:
    """Keeps rows, and writes them every few seconds in a thread of its own.

    The database is open only while it is written to, so that reports can read it.

    Args:
        database: the DuckDB file; it is made where there is none.
        texts: whether the texts are kept too.
        every: seconds between two writes.
        most: rows that wait in memory while another process has the database open.

    Raises:
        SinkError: the database cannot be written, or its table `served` is somebody else's.
        BusyError: another process has it open.
    """

    def __init__(self, database: Path, texts: bool, every: float = EVERY, most: int = MOST) -> None:
        self._database, self._every, self._most = database, every, most
        kept = [(name, pa.string()) for name in (_TEXTS if texts else ())]
        self._schema = pa.schema([*_FIELDS, *kept, *VERDICT_SCHEMA])
        self._rows: deque[Row] = deque(maxlen=most)
        self._ending, self._turn = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._run, name="drugmon-record", daemon=True)
        self.dropped = 0
        create(database)
        self._prepare()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, review: Review, row: Row) -> None:
        """Keep a review's verdict; the oldest one is lost where too many wait to be written."""
        self.dropped += len(self._rows) == self._most
        kept = review.model_dump()
        kept["id"] = None if review.id is None else str(review.id)
        self._rows.append({**kept, **row})

    def close(self) -> None:
        """Write the rest; what is written already is not written again."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._write()
        if self._rows:
            _log.error("%d verdicts could not be recorded", len(self._rows))

    def _run(self) -> None:
        while not self._ending.wait(self._every):
            self._write()

    def _write(self) -> None:
        with self._turn:
            self._write_waiting()

    def _write_waiting(self) -> None:
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        if not rows:
            return
        try:
            self._insert(_table(rows, self._schema))
        except Exception as error:  # with any other one the thread, and what it holds, would go
            # Of others only the kind is told: their words may hold a value.
            reason = error if isinstance(error, DrugmonError) else type(error).__name__
            _log.warning("not recorded yet, and tried again: %s", reason)
            room = self._most - len(self._rows)
            self.dropped += max(0, len(rows) - room)
            self._rows.extendleft(reversed(rows[-room:] if room else []))

    def _prepare(self) -> None:
        """Make the table, or add to it what it lacks."""
        empty = self._schema.empty_table()
        where = f"{self._database}, table {TABLE}"
        with connect(self._database, read_only=False, lock_timeout=_LOCK_TIMEOUT) as connection:
            connection.register("drugmon_served", empty)
            with writing(connection, where):
                connection.execute(statement("create_served", served=TABLE))
                relation = Relation.find(connection, TABLE, where)
                if not set(VERDICT_COLUMNS) <= relation.columns.keys() or relation.is_view:
                    raise SinkError(
                        f"{where}: was not made by drugmon serve, so it stays as it is; record "
                        "into another file"
                    )
                for field in self._schema:
                    if field.name not in relation.columns:
                        kind = next(name for name, type_ in _TYPES.items() if type_ == field.type)
                        connection.execute(
                            statement(
                                "add_column",
                                relation=relation.path,
                                column=field.name,
                                type=Sql(kind),
                            )
                        )

    def _insert(self, rows: pa.Table) -> None:
        with connect(self._database, read_only=False, lock_timeout=_LOCK_TIMEOUT) as connection:
            connection.register("drugmon_served", rows)
            with writing(connection, f"{self._database}, table {TABLE}"):
                connection.execute(statement("insert_served", served=TABLE))


def _table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    columns = []
    for field in schema:
        cells = [row.get(field.name) for row in rows]
        if pa.types.is_timestamp(field.type):
            columns.append(pa.array(cells, pa.string()).cast(field.type))
        elif pa.types.is_string(field.type):
            columns.append(
                pa.array(
                    [encodable(cell) if isinstance(cell, str) else None for cell in cells],
                    field.type,
                )
            )
        else:
            columns.append(pa.array(cells, field.type))
    return pa.table(columns, schema=schema)
