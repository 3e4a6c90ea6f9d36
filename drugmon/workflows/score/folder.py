"""Score files into one folder of parts, on the workers of a cluster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from drugmon.data.duckdb.database import in_memory
from drugmon.data.folder import VERSION, FolderManifest, FolderPart
from drugmon.data.formats import open_slice, read_verdicts, read_windows
from drugmon.data.history.files import record_run
from drugmon.data.history.output import Output
from drugmon.data.history.places import history_of
from drugmon.data.reviews import Window
from drugmon.data.selection import select
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.arrivals import ArrivalsByCount
from drugmon.data.verdicts.atomic import sink_errors, temporary_folder
from drugmon.data.verdicts.columns import VerdictChoice
from drugmon.data.verdicts.journal import Journal
from drugmon.data.verdicts.parts import PartsFolder, Piece, in_order
from drugmon.data.verdicts.reuse import Reuse
from drugmon.data.verdicts.scored import Reading
from drugmon.data.verdicts.scored_views import scored_files
from drugmon.errors import SinkError, SourceError
from drugmon.scoring.scorer import Tally
from drugmon.scoring.windows import WINDOW_ROWS
from drugmon.version import __version__
from drugmon.workflows.score.cluster import Cluster
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.fresh_rows import NO_NUMBERS, RunNumbers, numbers_of
from drugmon.workflows.score.pieces import Sources, open_sources
from drugmon.workflows.score.progress import PiecesProgress
from drugmon.workflows.score.run import RunSpan, ScoreRun, no_rows


def score_folder(
    config: ScoreConfig,
    run: ScoreRun,
    cluster: Cluster,
    sources: Sequence[FileSource],
    target: Path,
) -> Tally:
    """Score `sources` into the folder `target`, which changes whole at the end; record the run.

    Args:
        config: how the sources are read, and where the run is recorded.
        run: with what, and which rows.
        cluster: the workers.
        sources: the files, of one schema.
        target: the folder.

    Raises:
        DrugmonError: `target` holds what it held; finished parts wait in it for the next run.
    """
    began, named = datetime.now(UTC), config.source
    folder = PartsFolder(target)
    if run.dry_run:
        with temporary_folder() as aside:
            opened = open_sources(run, sources, aside, config.reading)
            return _count(run, folder, opened, opened.pieces(run, cluster.part_rows), named)
    output, database = (
        Output.of_file(target, run.verdicts.prefix),
        config.history or history_of(target),
    )
    wait = config.database.lock_timeout
    with Journal(target):  # for its lock: parts are kept where they are made
        folder = PartsFolder(target)
        past = run.past(database, wait, needed=False)
        recorded = [record.finished_at for record in past or [] if record.output == output]
        with folder.making(began) as since:
            span = RunSpan(began, began if any(at > since for at in recorded) else since)
            opened = open_sources(run, sources, folder.unfinished, config.reading)
            parts, made, tally = _parts(run, cluster, folder, opened, named)
            _check_rows(run, opened, parts, named)
            reading = Reading(
                columns=config.reading.columns,
                by=("drug", "condition"),
                verdicts=VerdictChoice(run.verdicts.prefix),
            )
            numbers = _numbers(run, folder, made, reading, span)
            folder.commit(_manifest(run, parts))
            record = run.record(named, output, tally, span, numbers)
            if past is not None:
                record_run(record, database, wait, profile=numbers.profile, warn=run.warn)
    return tally


def _parts(
    run: ScoreRun, cluster: Cluster, folder: PartsFolder, opened: Sources, named: str
) -> tuple[list[FolderPart], list[FolderPart], Tally]:
    """The part of every piece; those of them that this run, or the one before it, has made."""
    pieces = opened.pieces(run, cluster.part_rows)
    if run.rescore:
        folder.forget()
    finished = {} if run.rescore else folder.finished()
    earlier_parts = ({} if run.rescore else folder.kept()) | finished
    wanted = {piece.key: earlier_parts[piece.key] for piece in pieces if piece.key in earlier_parts}
    progress = PiecesProgress(run, named, None if run.selection.where else opened.rows)
    for part in wanted.values():
        progress.kept(part)
    todo = [piece for piece in pieces if piece.key not in wanted]
    reuse = _reuse(run, folder, finished, wanted, opened) if todo else Reuse()
    _check_room(folder, todo)
    made = {key: part for key, part in finished.items() if key in wanted}
    aside = folder.unfinished
    with cluster.parts(todo, opened.columns, reuse, aside, progress.at_hand) as done:
        for part in done:
            progress.finished(part)
            made[part.key] = part
    return in_order(pieces, wanted | made), list(made.values()), progress.tally


def _reuse(
    run: ScoreRun,
    folder: PartsFolder,
    finished: Mapping[str, FolderPart],
    wanted: Mapping[str, FolderPart],
    opened: Sources,
) -> Reuse:
    """Verdicts of parts that do not stay as they are: rows may have moved, and kept their texts.

    Workers do not know of each other's rows, so that only ids tell a copy from the row that it is
    one of.
    """
    if run.rescore:
        return Reuse()
    arrivals = ArrivalsByCount(opened.columns.named_id)
    parts = [*(folder.earlier.parts if folder.earlier else ()), *finished.values()]
    replaced = [part for part in parts if part.key not in wanted]
    verdicts = arrivals.noting(_earlier(run, folder, replaced, arrivals.id_column))
    return Reuse(verdicts, arrivals=arrivals)


def _earlier(
    run: ScoreRun, folder: PartsFolder, parts: Sequence[FolderPart], id_column: str | None
) -> Iterator[pa.Table]:
    for part in parts:
        source = FileSource.of(folder.place(part))
        try:
            yield from read_verdicts(source, verdicts=run.verdicts, id_column=id_column)
        except SourceError as error:
            run.warn(f"its rows are scored again: {error}")


def _check_rows(run: ScoreRun, opened: Sources, parts: Sequence[FolderPart], named: str) -> None:
    """Count what was written against the sources."""
    rows = sum(part.rows for part in parts)
    if run.selection.where is not None:
        if not rows and opened.rows:
            raise no_rows(named, run.selection)
    elif rows != opened.rows:
        raise SinkError(
            f"{named}: has {opened.rows:,} rows, and {rows:,} were written; nothing was changed, "
            "look at the disk, and run again"
        )


def _check_room(folder: PartsFolder, pieces: Sequence[Piece]) -> None:
    """Refuse what cannot end well: the parts are no smaller than what they are made from."""
    files = {piece.source.path for piece in pieces}
    with sink_errors(folder.path):
        needed = sum(path.stat().st_size for path in files)
        free = shutil.disk_usage(folder.unfinished).free
    if free < needed:
        raise SinkError(
            f"{folder.path}: {free / 1e9:.1f} GB are free, and the parts need about "
            f"{needed / 1e9:.1f} GB; make room, or choose another place with --out"
        )


def _numbers(
    run: ScoreRun, folder: PartsFolder, made: Sequence[FolderPart], reading: Reading, span: RunSpan
) -> RunNumbers:
    """The numbers of the rows that were scored since the run began."""
    files = [FileSource.of(folder.place(part)) for part in made if part.rows]
    if not files:
        return NO_NUMBERS
    aside = folder.unfinished
    with in_memory(aside / "spill") as connection:
        scored = scored_files(connection, files, reading, aside=aside, view="made")
        return numbers_of(scored.window("fresh", since=span.since), run.grading)


def _manifest(run: ScoreRun, parts: Sequence[FolderPart]) -> FolderManifest:
    return FolderManifest(
        version=VERSION,
        run_id=run.run_id,
        adapter=run.identity,
        drugmon_version=__version__,
        written_at=datetime.now(UTC),
        rows=sum(part.rows for part in parts),
        parts=tuple(parts),
    )


def _count(
    run: ScoreRun, folder: PartsFolder, opened: Sources, pieces: Sequence[Piece], named: str
) -> Tally:
    """What a dry run tells; it is counted here, without workers."""
    finished = {} if run.rescore else folder.finished()
    earlier_parts = ({} if run.rescore else folder.kept()) | finished
    wanted = {piece.key: earlier_parts[piece.key] for piece in pieces if piece.key in earlier_parts}
    progress = PiecesProgress(run, named, None if run.selection.where else opened.rows)
    for part in wanted.values():
        progress.kept(part)
    scorer = run.scorer(named, None, _reuse(run, folder, finished, wanted, opened))
    scorer.tally = progress.tally
    for piece in pieces:
        if piece.key not in wanted:
            run.count(_windows(run, piece, opened), scorer)
    return scorer.tally


def _windows(run: ScoreRun, piece: Piece, opened: Sources) -> Iterator[Window]:
    with open_slice(piece.source, piece.start, piece.stop, run.verdicts) as reader:
        windows = read_windows(reader, opened.columns, WINDOW_ROWS, piece.start)
        yield from select(windows, run.selection, reader.where)
