"""What the tests of drugmon.data share: made-up verdicts, and one way to score a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.columns import resolve_columns
from drugmon.data.duckdb.tables import Table
from drugmon.data.formats import open_reader, open_writer, read_windows
from drugmon.data.history.output import Output
from drugmon.data.history.records import RunRecord
from drugmon.data.reviews import Texts
from drugmon.data.selection import Selection
from drugmon.data.sources import FileSource
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.atomic import replacing
from drugmon.data.verdicts.columns import make_verdicts
from drugmon.data.verdicts.fingerprint import Fingerprinter

SCORED_AT = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)


def make(rows: int, seed: int = 0) -> pa.RecordBatch:
    """Verdicts of `rows` reviews; every fifth benefits verdict is null."""
    probabilities = np.random.default_rng(seed).dirichlet([1, 1, 1], (rows, 4)).astype(np.float32)
    labels = probabilities.argmax(-1).astype(np.int8)
    labels[::5, 0] = -1
    prints = [f"{row + seed:032x}" for row in range(rows)]
    return make_verdicts(labels, probabilities, "tiny@0123", SCORED_AT, prints)


def score(
    source: Path,
    target: Path,
    *,
    size: int = 3,
    seed: int = 0,
    text_format: TextFormat = DEFAULT_TEXT_FORMAT,
    **options: Any,
) -> pa.Table:
    """Write `source` with made-up verdicts to `target`, in windows; return the verdicts."""
    out = FileSource.of(target)
    done = []
    with open_reader(FileSource.of(source), text_format) as reader:
        columns = resolve_columns(reader.columns, options, reader.where)
        with (
            replacing(target) as path,
            open_writer(path, out.format, out.compression, reader) as writer,
        ):
            for window in read_windows(reader, columns, size):
                verdicts = make(len(window.texts), seed + window.start)
                writer.write(window.rows, verdicts)
                done.append(verdicts)
    return pa.Table.from_batches(done)


@pytest.fixture(scope="session", name="make_some_verdicts")
def _make() -> Callable[..., pa.RecordBatch]:
    return make


@pytest.fixture(scope="session", name="score_file")
def _score() -> Callable[..., pa.Table]:
    return score


def a_run(**changes: Any) -> RunRecord:
    """Return the record of a made-up run."""
    values: dict[str, Any] = {
        "run_id": "r1",
        "command": "score",
        "started_at": SCORED_AT,
        "finished_at": SCORED_AT,
        "source": "reviews",
        "output": Output(Path("/data/reviews_scored")),
        "adapter": "tiny@1",
        "total": 3,
        "scored": 2,
        "reused": 0,
        "empty": 1,
        "seconds": 0.5,
        "drugmon_version": "0.1.0",
    }
    return RunRecord(**{**values, **changes})


class Nights:
    """Scores a table of a database, night after night, with made-up verdicts."""

    scored_at = SCORED_AT
    a_run = staticmethod(a_run)

    def __init__(self, folder: Path) -> None:
        self.database = folder / "reviews.duckdb"
        self._folder = folder

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        """Run statements as the owner of the database would."""
        with duckdb.connect(self.database) as connection:
            return connection.execute(text).fetchall()

    def stage(
        self,
        table: Table,
        selection: Selection = Selection(),  # noqa: B008
        adapter: str = "tiny@1",
        scored_at: datetime = SCORED_AT,
    ) -> Path:
        """Snapshot and stage; the overall label tells the length of the first text."""
        snapshot, staged = self._folder / "aside[1]" / "a.parquet", self._folder / "b [x].parquet"
        table.snapshot(selection, snapshot)
        reviews = pq.read_table(snapshot)
        fingerprinter = Fingerprinter(adapter)
        names = [name for name in reviews.column_names if not name.startswith("drugmon_")]
        rows = [[row[name] for name in names] for row in reviews.to_pylist()]
        prints = [fingerprinter.of(Texts(*row, *[None] * (4 - len(row)))) for row in rows]
        labels = np.full((len(rows), 4), -1, np.int8)
        labels[:, 3] = [len(row[0] or "") % 3 for row in rows]
        thirds = np.full((len(rows), 4, 3), 1 / 3, np.float32)
        verdicts = make_verdicts(labels, thirds, adapter, scored_at, prints)
        keyed = pa.table({"drugmon_key": reviews["drugmon_key"]})
        for name in verdicts.schema.names:
            keyed = keyed.append_column(name, verdicts.column(name))
        pq.write_table(keyed, staged)
        return staged

    def score(self, name: str, *, full: bool = True, **options: Any) -> None:
        """Score a table whole, or with `selection=`."""
        staging = {
            key: options.pop(key) for key in ("selection", "adapter", "scored_at") if key in options
        }
        table = Table(self.database, name, **options)
        table.commit(self.stage(table, **staging), full, a_run())


@pytest.fixture(name="nights")
def _nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)
