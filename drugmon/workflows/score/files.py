"""Score a file into a file, or JSONL on standard input onto standard output."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from drugmon.data.columns import ColumnMap, resolve_columns
from drugmon.data.copies import fetched
from drugmon.data.formats import (
    Reader,
    Writer,
    open_reader,
    open_stream_writer,
    open_writer,
    read_stream,
    read_verdicts,
    read_windows,
    spooled,
)
from drugmon.data.history.files import record_run
from drugmon.data.history.output import Output
from drugmon.data.history.places import history_of
from drugmon.data.options import SourceOptions
from drugmon.data.partitions import (
    Partition,
    names_in,
    not_told_by,
    refuse_as_fields,
    refuse_twice,
)
from drugmon.data.prefetch import written_behind
from drugmon.data.reviews import Window
from drugmon.data.selection import Selection, select
from drugmon.data.sources import FileSource, StandardInput
from drugmon.data.targets import Target
from drugmon.data.textformat import TextFormat
from drugmon.data.verdicts.arrivals import ArrivalsByCount
from drugmon.data.verdicts.journal import Journal
from drugmon.data.verdicts.reuse import Reuse
from drugmon.errors import SinkError, SourceError
from drugmon.scoring.scorer import Tally
from drugmon.scoring.windows import WINDOW_ROWS, planned
from drugmon.workflows.score.aside import folder_aside
from drugmon.workflows.score.fresh_rows import FreshRows
from drugmon.workflows.score.run import RunSpan, ScoreRun, no_rows


def score_file(
    run: ScoreRun,
    source: FileSource,
    target: Target,
    reading: SourceOptions,
    *,
    history: Path | None,
    lock_timeout: float,
) -> Tally:
    """Score `source` into `target`, which is replaced whole at the end, and record the run.

    Either may be in a store: what is there is fetched before, and put back after.

    Args:
        run: with what, and which rows.
        source: the file.
        target: the output.
        reading: how `source` is read.
        history: where the run is recorded; None for the place beside `target`.
        lock_timeout: seconds to wait for another process that has the history open.

    Raises:
        DrugmonError: `target` is as it was; what was scored waits in the journal. Where only the
            record could not be written, the message names the history.
    """
    began = datetime.now(UTC)
    to_read = replace(source, partition=not_told_by(target.file.location, source.partition))
    with fetched(to_read) as file, open_reader(file, reading.text_format, run.verdicts) as reader:
        total = run.selection.size_of(reader.total)
        columns = _columns(reader, reading.columns, source.partition, to_read.partition)
        windows = _selected(reader, columns, run.selection, source.partition)
        earlier, to = reading.text_format.of_output(source, target.file), target.file
        if run.dry_run:
            reuse = _reuse(run, target, earlier, columns, reader.columns)
            return run.count(windows, run.scorer(source.name, total, reuse))
        output = Output.of_file(to.location, run.verdicts.prefix)
        database = history or history_of(to.location)
        with Journal(target.state, to.name) as journal:
            past = run.past(database, lock_timeout, needed=journal.recovered)
            span = RunSpan.of(began, journal, output, past or [])
            reuse = _reuse(run, target, earlier, columns, reader.columns, journal, span.since)
            scorer = run.scorer(source.name, total, reuse, journal.append)
            with (
                folder_aside(journal) as aside,
                FreshRows(aside, span.since, columns, source.partition) as fresh,
            ):
                with (
                    target.replacing(file.path, reader.columns) as temporary,
                    open_writer(temporary, to.format, to.compression, reader) as writer,
                    planned(windows, scorer) as ahead,
                    written_behind(_writing(writer, fresh)) as write,
                ):
                    for window, plan in ahead:
                        write(window, scorer.score(plan))
                numbers = fresh.numbers(run.grading)
            record = run.record(source.name, output, scorer.tally, span, numbers)
            if past is not None:
                record_run(record, database, lock_timeout, profile=numbers.profile, warn=run.warn)
            journal.finish()
    return scorer.tally


def score_stream(
    run: ScoreRun,
    stdin: BinaryIO,
    stdout: BinaryIO,
    reading: SourceOptions,
) -> Tally:
    """Score JSONL as it comes; each window is flushed before the next is waited for.

    Args:
        run: with what, and which rows.
        stdin: the lines.
        stdout: what the lines with verdicts go to.
        reading: how the lines are read.

    Raises:
        DrugmonError: what was written before stays written.
    """
    where = StandardInput().name
    scorer = run.scorer(where, None, Reuse([]))
    with contextlib.ExitStack() as stack:
        if run.selection.where is None:
            growing = read_stream(
                stdin,
                reading.columns,
                reading.text_format.encoding,
                WINDOW_ROWS,
                verdicts=run.verdicts,
            )
            windows = select(growing, run.selection, where)
        else:
            source = spooled(stdin, stack.enter_context(folder_aside(None)))
            reader = stack.enter_context(open_reader(source, reading.text_format, run.verdicts))
            columns = _columns(reader, reading.columns)
            windows = select(read_windows(reader, columns, WINDOW_ROWS), run.selection, where)
        if run.dry_run:
            return run.count(windows, scorer)
        with open_stream_writer(stdout, run.verdicts) as writer:
            for window in windows:
                writer.write(window.rows, scorer.score(scorer.plan(window.texts)))
    return scorer.tally


def _columns(
    reader: Reader,
    overrides: Mapping[str, str],
    partition: Partition = (),
    held: Partition = (),
) -> ColumnMap:
    """What the columns hold; a delivery without rows, maybe without a header, has nothing.

    Folders tell no texts and no ids. Own columns that are called like verdicts are refused, and
    those that folders are too.

    Args:
        reader: the open source.
        overrides: field to column name, from `--column`.
        partition: the columns that its folders are.
        held: those of them that the reader gives.
    """
    reader.verdict_columns.check(reader.names, reader.where)
    if reader.total == 0:
        return ColumnMap()
    told = [name for name in names_in(partition) if name not in names_in(held)]
    refuse_twice(told, reader.columns, reader.where)
    columns = resolve_columns([*reader.columns, *told], overrides, reader.where)
    refuse_as_fields(partition, columns, reader.verdict_columns.names, reader.where)
    return columns


def _selected(
    reader: Reader, columns: ColumnMap, selection: Selection, partition: Partition
) -> Iterator[Window]:
    """Yield what the selection takes; a condition that nothing meets is an error as a rule."""
    empty, windows = True, read_windows(reader, columns, WINDOW_ROWS)
    for window in select(windows, selection, reader.where, partition):
        empty = False
        yield window
    must_take = selection.where is not None and not selection.may_take_nothing
    if empty and must_take and reader.total:
        raise no_rows(reader.where, selection)


def _writing(writer: Writer, fresh: FreshRows) -> Callable[[Window, pa.RecordBatch], None]:
    def write(window: Window, verdicts: pa.RecordBatch) -> None:
        writer.write(window.rows, verdicts)
        fresh.add(window, verdicts)

    return write


def _reuse(
    run: ScoreRun,
    target: Target,
    text_format: TextFormat,
    columns: ColumnMap,
    names: Sequence[str],
    journal: Journal | None = None,
    since: datetime | None = None,
) -> Reuse:
    """The verdicts of an earlier output and of an unfinished run; none with `--rescore`."""
    if run.rescore:
        return Reuse()
    # A key that the source lacks is refused where the target is opened.
    arrivals = ArrivalsByCount(key if (key := target.key) in names else columns.named_id)
    earlier = _earlier(run, target, text_format, arrivals, journal)
    return Reuse(earlier, arrivals=arrivals, since=since)


def _earlier(
    run: ScoreRun,
    target: Target,
    text_format: TextFormat,
    arrivals: ArrivalsByCount,
    journal: Journal | None,
) -> Iterator[pa.Table | pa.RecordBatch]:
    with target.earlier(arrivals.id_column) as earlier:
        try:
            if earlier is not None:
                verdicts = read_verdicts(earlier, text_format, run.verdicts, arrivals.id_column)
                yield from arrivals.noting(verdicts)
        except SourceError as error:
            raise SinkError(
                f"the earlier output cannot be reused: {error}; --rescore replaces it"
            ) from error
    if journal is not None:
        yield from journal.read()
