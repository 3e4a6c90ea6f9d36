"""Score a DuckDB table: copy its texts aside, score them without a lock, commit all at once."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from drugmon.data.columns import ColumnMap, resolve_columns
from drugmon.data.duckdb.tables import Table
from drugmon.data.formats import open_reader, read_verdicts, read_windows
from drugmon.data.prefetch import written_behind
from drugmon.data.reviews import Window
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.arrivals import ArrivalsByCount
from drugmon.data.verdicts.atomic import sink_errors
from drugmon.data.verdicts.columns import VERDICT_SCHEMA
from drugmon.data.verdicts.journal import Journal
from drugmon.data.verdicts.parts import cut
from drugmon.data.verdicts.reuse import Reuse
from drugmon.scoring.scorer import Scorer, Tally
from drugmon.scoring.windows import WINDOW_ROWS, planned
from drugmon.workflows.score.aside import folder_aside
from drugmon.workflows.score.fresh_rows import FreshRows
from drugmon.workflows.score.progress import PiecesProgress
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
        if not total:
            if run.selection.where is not None:
                raise no_rows(table.where, run.selection)
            return Tally()  # nothing was delivered, which is no error
        span = RunSpan(began, began)
        if journal is not None:
            span = RunSpan.of(began, journal, table.output, past)
        reuse = _reuse(run, table, journal, span.since)
        with open_reader(FileSource.of(snapshot)) as reader:
            columns = resolve_columns(reader.columns, {}, table.where)
            windows = read_windows(reader, columns, WINDOW_ROWS)
            if journal is None:
                return run.count(windows, run.scorer(table.where, total, reuse))
            source = replace(FileSource.of(snapshot), called=table.where)
            parts, tally = _parts(run, source, total, columns, reuse, journal)
            scorer = run.scorer(table.where, total, reuse, journal.append)
            scored = _by_workers(windows, parts) if parts else _here(windows, scorer)
            with FreshRows(aside, span.since, columns) as fresh, contextlib.closing(scored):
                _stage(scored, staged, fresh)
                numbers = fresh.numbers(run.grading)
        tally = tally or scorer.tally
        record = run.record(str(table.database), table.output, tally, span, numbers)
        full = run.selection.everything
        table.commit(staged, full=full, run=record, profile=numbers.profile)
        journal.finish()
    return tally


def _parts(
    run: ScoreRun,
    source: FileSource,
    total: int,
    columns: ColumnMap,
    reuse: Reuse,
    journal: Journal,
) -> tuple[list[Path], Tally | None]:
    """What workers make of the reviews, and what became of these; nothing without a cluster.

    Nothing either where no review is new. The journal has the verdicts of every part that is done,
    as of a run on one machine.
    """
    if run.cluster is None or not _has_new(run, source, columns, reuse):
        return [], None
    folder = source.path.with_name("parts")
    with sink_errors(folder):
        folder.mkdir(mode=0o700)
    progress = PiecesProgress(run, source.name, total)
    pieces = cut(source, total, run.cluster.part_rows, [])
    with run.cluster.parts(pieces, columns, reuse, folder, progress.at_hand) as done:
        for part in done:
            progress.finished(part)
            for verdicts in read_verdicts(FileSource.of(folder / part.name)):
                for batch in verdicts.to_batches():
                    journal.append(batch)
    return [folder / piece.name for piece in pieces], progress.tally


def _has_new(run: ScoreRun, source: FileSource, columns: ColumnMap, reuse: Reuse) -> bool:
    scorer = run.scorer(source.name, None, reuse)
    with open_reader(source) as reader:
        windows = read_windows(reader, columns, WINDOW_ROWS)
        return any(scorer.pending(window.texts) for window in windows)


def _here(
    windows: Iterator[Window], scorer: Scorer
) -> Generator[tuple[Window, pa.RecordBatch], None, None]:
    with planned(windows, scorer) as ahead:
        for window, plan in ahead:
            yield window, scorer.score(plan)


def _by_workers(
    windows: Iterator[Window], parts: Sequence[Path]
) -> Generator[tuple[Window, pa.RecordBatch], None, None]:
    """The windows with their verdicts, which lie in parts of another size."""
    tables = (table for part in parts for table in read_verdicts(FileSource.of(part)))
    waiting = VERDICT_SCHEMA.empty_table()
    for window in windows:
        rows = len(window.rows)
        while waiting.num_rows < rows:
            waiting = pa.concat_tables([waiting, next(tables)])
        verdicts = waiting.slice(0, rows).combine_chunks().to_batches()
        waiting = waiting.slice(rows)
        yield window, verdicts[0]


def _stage(scored: Iterator[tuple[Window, pa.RecordBatch]], staged: Path, fresh: FreshRows) -> None:
    """Write the key and the verdicts of every review to a Parquet file, and show it to `fresh`."""
    schema = VERDICT_SCHEMA.insert(0, pa.field(_KEY, pa.string()))
    with sink_errors(staged), pq.ParquetWriter(staged, schema, compression="zstd") as writer:

        def write(window: Window, verdicts: pa.RecordBatch) -> None:
            keys = pa.array(window.rows.column(_KEY), pa.string())
            batch = pa.RecordBatch.from_arrays([keys, *verdicts.columns], schema=schema)
            writer.write_batch(batch)
            fresh.add(window, verdicts)

        with written_behind(write) as later:
            for window, verdicts in scored:
                later(window, verdicts)


def _reuse(run: ScoreRun, table: Table, journal: Journal | None, since: datetime) -> Reuse:
    """The verdicts of earlier runs and of an unfinished one; none with `--rescore`."""
    if run.rescore:
        return Reuse()
    return Reuse(_earlier(table, journal), arrivals=table.arrivals, since=since)


def _earlier(table: Table, journal: Journal | None) -> Iterator[pa.RecordBatch]:
    previous, arrivals = table.previous(), table.arrivals
    yield from arrivals.noting(previous) if isinstance(arrivals, ArrivalsByCount) else previous
    if journal is not None:
        yield from journal.read()
