"""Score a DuckDB table: copy its texts aside, score them without a lock, commit all at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from drugmon.data.columns import resolve_columns
from drugmon.data.duckdb.tables import Table
from drugmon.data.formats import open_reader, read_windows
from drugmon.data.prefetch import written_behind
from drugmon.data.reviews import Window
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.atomic import sink_errors
from drugmon.data.verdicts.columns import VERDICT_SCHEMA
from drugmon.data.verdicts.journal import Journal
from drugmon.data.verdicts.reuse import Reuse
from drugmon.scoring.scorer import Scorer, Tally
from drugmon.scoring.windows import WINDOW_ROWS, planned
from drugmon.workflows.score.aside import folder_aside
from drugmon.workflows.score.fresh_rows import FreshRows
from drugmon.workflows.score.run import RunSpan, ScoreRun, no_rows

_KEY = "drugmon_key"


def score_table(run: ScoreRun, table: Table) -> Tally:
    """Score `table` into its companion, or into itself where it was opened in place.

    Raises:
        DrugmonError: the database is as it was; what was scored waits in the journal.
    """
    began = datetime.now(UTC)
    with contextlib.ExitStack() as stack:
        journal = None if run.dry_run else stack.enter_context(Journal(table.target))
        past = [] if run.dry_run else table.recorded()
        aside = stack.enter_context(folder_aside(journal))
        snapshot, staged = aside / "snapshot.parquet", aside / "staged.parquet"
        total = table.snapshot(run.selection, snapshot)
        reuse = Reuse([] if run.rescore else _earlier(table, journal))
        scorer = run.scorer(table.where, total, reuse, journal.append if journal else None)
        if not total:
            if run.selection.where is not None:
                raise no_rows(table.where, run.selection)
            return scorer.tally  # nothing was delivered, which is no error
        with open_reader(FileSource.of(snapshot)) as reader:
            columns = resolve_columns(reader.columns, {}, table.where)
            windows = read_windows(reader, columns, WINDOW_ROWS)
            if journal is None:
                return run.count(windows, scorer)
            span = RunSpan.of(began, journal, table.output, past)
            with FreshRows(aside, span.since, None) as fresh:
                _stage(windows, scorer, staged, fresh)
                numbers = fresh.numbers(run.grading)
        record = run.record(str(table.database), table.output, scorer.tally, span, numbers)
        full = run.selection.everything
        table.commit(staged, full=full, run=record, profile=numbers.profile)
        journal.finish()
    return scorer.tally


def _stage(windows: Iterator[Window], scorer: Scorer, staged: Path, fresh: FreshRows) -> None:
    """Write the key and the verdicts of every review to a Parquet file, and show it to `fresh`."""
    schema = VERDICT_SCHEMA.insert(0, pa.field(_KEY, pa.string()))
    with sink_errors(staged), pq.ParquetWriter(staged, schema, compression="zstd") as writer:

        def write(window: Window, verdicts: pa.RecordBatch) -> None:
            keys = pa.array(window.rows.column(_KEY), pa.string())
            batch = pa.RecordBatch.from_arrays([keys, *verdicts.columns], schema=schema)
            writer.write_batch(batch)
            fresh.add(window, verdicts)

        with planned(windows, scorer) as ahead, written_behind(write) as later:
            for window, plan in ahead:
                later(window, scorer.score(plan))


def _earlier(table: Table, journal: Journal | None) -> Iterator[pa.RecordBatch]:
    yield from table.previous()
    if journal is not None:
        yield from journal.read()
