"""Score a file into a file, or JSONL on standard input onto standard output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from drugmon.data.columns import resolve_columns
from drugmon.data.formats import (
    Reader,
    Writer,
    open_reader,
    open_stream_reader,
    open_stream_writer,
    open_writer,
    read_verdicts,
    read_windows,
)
from drugmon.data.history.histories import record_run
from drugmon.data.prefetch import written_behind
from drugmon.data.reviews import Window
from drugmon.data.selection import Selection, select
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.atomic import replacing
from drugmon.data.verdicts.journal import Journal
from drugmon.data.verdicts.reuse import Reuse
from drugmon.errors import SinkError, SourceError
from drugmon.scoring.scorer import Tally
from drugmon.workflows.score.aside import folder_aside
from drugmon.workflows.score.fresh_rows import FreshRows
from drugmon.workflows.score.run import WINDOW_ROWS, ScoreRun, no_rows, planned


def score_file(
    run: ScoreRun,
    source: FileSource,
    target: Path,
    *,
    overrides: Mapping[str, str],
    encoding: str | None,
    history: Path | None,
    lock_timeout: float,
) -> Tally:
    """Score `source` into `target`, which is replaced whole at the end, and record the run.

    Raises:
        DrugmonError: `target` is as it was; what was scored waits in the journal. Where only the
            record could not be written, the message names the history.
    """
    began = datetime.now(UTC)
    with open_reader(source, encoding) as reader:
        nothing = no_rows(source.name, run.selection)
        total = run.selection.size_of(reader.total)
        windows = _not_empty(_windows(reader, overrides, run.selection), nothing)
        if run.dry_run:
            return run.count(windows, run.scorer(source.name, total, _known(run, target)))
        with Journal(target) as journal:
            reuse = _known(run, target, journal)
            scorer = run.scorer(source.name, total, reuse, journal.append)
            to = FileSource.of(target)
            columns = resolve_columns(reader.columns, overrides, reader.where)
            with (
                folder_aside(journal) as aside,
                FreshRows(aside, began, columns) as fresh,
            ):
                with (
                    replacing(target) as temporary,
                    open_writer(temporary, to.format, to.compression, reader) as writer,
                    planned(windows, scorer) as ahead,
                    written_behind(_writing(writer, fresh)) as write,
                ):
                    for window, plan in ahead:
                        write(window, scorer.score(plan))
                numbers = fresh.numbers(run.run_id, str(target), run.labels)
            record = run.record(source.name, str(target), scorer.tally, began)
            record_run(record, target, history, lock_timeout, numbers=numbers)
            journal.finish()
    return scorer.tally


def score_stream(
    run: ScoreRun,
    stdin: BinaryIO,
    stdout: BinaryIO,
    *,
    overrides: Mapping[str, str],
    encoding: str | None,
) -> Tally:
    """Score JSONL as it comes; each window is flushed before the next is waited for.

    Raises:
        DrugmonError: what was written before stays written.
    """
    with open_stream_reader(stdin, encoding) as reader:
        windows = _windows(reader, overrides, run.selection)
        scorer = run.scorer(reader.where, None, Reuse([]))
        if run.dry_run:
            return run.count(windows, scorer)
        with open_stream_writer(stdout) as writer:
            for window in windows:
                writer.write(window.rows, scorer.score(scorer.plan(window.texts)))
    return scorer.tally


def _windows(
    reader: Reader, overrides: Mapping[str, str], selection: Selection
) -> Iterator[Window]:
    columns = resolve_columns(reader.columns, overrides, reader.where)
    return select(read_windows(reader, columns, WINDOW_ROWS), selection, reader.where)


def _writing(writer: Writer, fresh: FreshRows) -> Callable[[Window, pa.RecordBatch], None]:
    def write(window: Window, verdicts: pa.RecordBatch) -> None:
        writer.write(window.rows, verdicts)
        fresh.add(window, verdicts)

    return write


def _not_empty(windows: Iterator[Window], error: SourceError) -> Iterator[Window]:
    """Yield the windows; raise the error where there is none."""
    empty = True
    for window in windows:
        empty = False
        yield window
    if empty:
        raise error


def _known(run: ScoreRun, target: Path, journal: Journal | None = None) -> Reuse:
    """The verdicts of an earlier output and of an unfinished run; none with `--rescore`."""
    return Reuse([] if run.rescore else _earlier(target, journal))


def _earlier(target: Path, journal: Journal | None) -> Iterator[pa.Table | pa.RecordBatch]:
    if target.exists() and target.stat().st_size:
        try:
            yield from read_verdicts(FileSource.of(target))
        except SourceError as error:
            raise SinkError(
                f"the earlier output cannot be reused: {error}; --rescore replaces it"
            ) from error
    if journal is not None:
        yield from journal.read()
