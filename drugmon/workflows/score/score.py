"""Score: read reviews, reuse what is scored already, score the rest, write all verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final

from drugmon.data.duckdb.tables import Table
from drugmon.data.formats import known_rows, open_reader
from drugmon.data.history.places import history_of_folder
from drugmon.data.outputs import means_folder, output_paths
from drugmon.data.resolve import as_one, is_pattern, names_folder, resolve_source
from drugmon.data.selection import Selection
from drugmon.data.sources import DELTA, FileSource, StandardInput
from drugmon.data.stores.delta import Merge
from drugmon.data.stores.uri import Location
from drugmon.data.targets import is_there, make_folder_of, make_out_folder, open_target
from drugmon.data.verdicts.columns import PLAIN
from drugmon.errors import BusyError, SinkError, SourceError, UsageError
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.adapters.zero_shot import open_model
from drugmon.scoring.cascade.cascade import Cascade, open_cascade
from drugmon.scoring.cluster.connection import import_ray
from drugmon.scoring.lazy_engine import LazyEngine
from drugmon.scoring.scorer import Tally
from drugmon.wording import path_told
from drugmon.workflows.score.cluster import Cluster
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.files import score_file, score_stream
from drugmon.workflows.score.folder import score_folder
from drugmon.workflows.score.run import (
    NoRowsError,
    OverallProgress,
    ScoreProgress,
    ScoreRun,
    no_rows,
)
from drugmon.workflows.score.table import score_table

_MOST_TOLD: Final = 3
"""Failures of files that one line tells, where none was scored: they tend to be the same."""


@dataclass(frozen=True)
class ScoreResult:
    """What a run did.

    Attributes:
        outputs: what was written.
        compute: device and number format; None where nothing had to be scored.
        failures: why files among several were not scored, a sentence each; the others were.
        sent_on: the rows among `scored` that both adapters of a cascade judged; None without a
            second adapter, and for a dry run, which does not know.

    Example:
        >>> import drugmon, polars
        >>> polars.DataFrame({"review": ["It helped.", "It helped.", " "]}).write_csv("three.csv")
        >>> result = drugmon.score("three.csv")
        >>> result.outputs, result.total, result.scored, result.empty
        (('three.scored.csv',), 3, 2, 1)
    """

    run_id: str
    adapter: str
    outputs: tuple[str, ...]
    total: int
    scored: int
    reused: int
    empty: int
    seconds: float
    dry_run: bool
    compute: str | None
    failures: tuple[str, ...] = ()
    sent_on: int | None = None


def score(
    config: ScoreConfig,
    *,
    on_progress: Callable[[ScoreProgress], None] = lambda _progress: None,
    warn: Callable[[str], None] = lambda _warning: None,
    stdin: BinaryIO | None = None,
    stdout: BinaryIO | None = None,
) -> ScoreResult:
    """Score one SOURCE as `config` says; each output is replaced or committed whole.

    Args:
        config: what, with what, and where to.
        on_progress: called after every batch.
        warn: told of what the user should know although the run goes on.
        stdin: binary stream of the source `-`.
        stdout: binary stream of its output.

    Raises:
        DrugmonError: any expected failure; outputs that were not finished by then are as they were,
            and what was scored for them is kept for the next run.
    """
    began = time.monotonic()
    adapter = open_model(config.model)
    adapter.verify()
    cascade = open_cascade(adapter, config.cascade)
    with LazyEngine(adapter, config.engine, warn, cascade) as engine:
        run = ScoreRun(
            adapter.manifest,
            engine,
            config.selection,
            config.rescore,
            config.dry_run,
            on_progress,
            warn,
            config.verdicts,
            config.grading,
            _cluster(config, adapter, cascade, warn),
            cascade,
        )
        done, failures = _score_sources(config, run, stdin, stdout)
    outputs, tallies = list(done), list(done.values())
    for output, tally in done.items():
        if not tally.total and config.selection.everything:
            warn(f"{output}: its source has no rows, nothing was scored")
    return ScoreResult(
        run_id=run.run_id,
        adapter=run.identity,
        outputs=tuple(outputs),
        total=sum(tally.total for tally in tallies),
        scored=sum(tally.scored for tally in tallies),
        reused=sum(tally.reused for tally in tallies),
        empty=sum(tally.empty for tally in tallies),
        seconds=time.monotonic() - began,
        dry_run=config.dry_run,
        compute=run.cluster.compute if run.cluster else engine.compute,
        failures=tuple(failures),
        sent_on=sum(tally.sent_on for tally in tallies) if cascade and not config.dry_run else None,
    )


def _score_sources(
    config: ScoreConfig, run: ScoreRun, stdin: BinaryIO | None, stdout: BinaryIO | None
) -> tuple[dict[str, Tally], list[str]]:
    """What was done for each output of the source, and why files among several have none."""
    if config.database.table is not None:
        table = Table(
            Path(config.source),
            config.database.table,
            id_column=config.id_column,
            lock_timeout=config.database.lock_timeout,
            overrides=config.reading.columns,
            in_place=config.in_place,
            verdicts=config.verdicts,
        )
        return {table.where: score_table(run, table)}, []
    partitions = config.folders.partitions
    sources = resolve_source(config.source, config.delta_version, partitions=partitions)
    if isinstance(sources, StandardInput):
        if stdin is None or stdout is None:
            raise UsageError("standard input or output is closed; open both, or name files")
        return {"standard output": score_stream(run, stdin, stdout, config.reading)}, []
    if run.cluster is not None:
        target = Path(config.out or "")
        return {path_told(target): score_folder(config, run, run.cluster, sources, target)}, []
    return _score_files(config, run, sources)


def _score_files(
    config: ScoreConfig, run: ScoreRun, sources: Sequence[FileSource]
) -> tuple[dict[str, Tally], list[str]]:
    """The same for files, one after the other."""
    sources = as_one(sources)
    locations = output_paths(sources, config.out, config.in_place)
    _refuse_shrinking(config, locations)
    if not config.dry_run:
        make_out_folder(config.out)
    done: dict[str, Tally] = {}
    failures: list[str] = []
    without: list[tuple[FileSource, Location]] = []
    overall = OverallProgress(_sizes(sources, run.selection), run.on_progress)
    run = replace(run, on_progress=overall.update)
    for source, location in zip(sources, locations, strict=True):
        left = run.selection.after(sum(tally.total for tally in done.values()))
        if left is None:
            break
        overall.begin(source.name)
        try:
            name, tally = _score_one(config, replace(run, selection=left), source, location)
            done[name] = tally
            overall.end(tally)
        except (SourceError, SinkError, UsageError, BusyError) as error:
            if len(sources) == 1:
                raise
            overall.end(None)
            # A condition may mean some of the folders; a bad file does not keep those after it
            # from a verdict.
            if source.partition and isinstance(error, NoRowsError):
                without.append((source, location))
            else:
                failures.append(str(error))
    if not done and not failures:
        raise no_rows(config.source, run.selection)
    if not done:
        more = [f"and {len(failures) - _MOST_TOLD:,} more"] if len(failures) > _MOST_TOLD else []
        told = "; ".join([*failures[:_MOST_TOLD], *more])
        raise SourceError(f"none of {len(sources):,} files was scored: {told}")
    if not config.dry_run and config.selection.limit is None:
        failures += _emptied(config, run, without)
    return done, failures


def _score_one(
    config: ScoreConfig,
    run: ScoreRun,
    source: FileSource,
    location: Location,
) -> tuple[str, Tally]:
    """What the output of one file is called, and what was done for it."""
    if source.partition and not config.dry_run:
        make_folder_of(location)
    merge = Merge(
        key=config.id_column,
        full=config.selection.everything,
        verdicts=run.verdicts.names,
        in_place=config.in_place,
        notes={"drugmon_run": run.run_id, "drugmon_adapter": run.identity},
    )
    target = open_target(location, merge)
    tally = score_file(
        run,
        source,
        target,
        config.reading,
        history=config.history or _history(config),
        lock_timeout=config.database.lock_timeout,
    )
    return target.file.name, tally


def _emptied(
    config: ScoreConfig, run: ScoreRun, without: Sequence[tuple[FileSource, Location]]
) -> Iterator[str]:
    """Take what the condition took once out of the outputs of folders of which it takes nothing.

    Yields why that failed, where it did.
    """
    run = replace(run, selection=replace(run.selection, may_take_nothing=True))
    for source, location in without:
        try:
            if is_there(location) and _may_have_rows(config, source, FileSource.of(location)):
                _score_one(config, run, source, location)
        except (SourceError, SinkError, UsageError, BusyError) as error:
            yield str(error)


def _may_have_rows(config: ScoreConfig, source: FileSource, output: FileSource) -> bool:
    """Whether an output has rows; that of what is not on this machine is not looked at."""
    rows = known_rows(output)
    if rows is None and output.is_here:
        text_format = config.reading.text_format.of_output(source, output)
        with open_reader(output, text_format, config.verdicts) as reader:
            rows = reader.total
    return rows != 0


def _sizes(sources: Sequence[FileSource], selection: Selection) -> Iterator[int | None]:
    """How many rows of each file are taken; None where that takes reading it."""
    left: Selection | None = selection
    for source in sources:
        size = left.size_of(known_rows(source)) if left else 0
        left = left.after(size or 0) if left else None
        yield size


def _history(config: ScoreConfig) -> Path | None:
    """One history for all partitions of a folder; None for one beside each output."""
    several = names_folder(config.source) or is_pattern(config.source)
    if not (config.folders.partitions and several) or (config.out and not means_folder(config.out)):
        return None
    folder = config.out or (config.source if names_folder(config.source) else None)
    return history_of_folder(folder) if folder else None


def _cluster(
    config: ScoreConfig, adapter: Adapter, cascade: Cascade | None, warn: Callable[[str], None]
) -> Cluster | None:
    """The workers that are to score; that Ray is there is seen before anything is read."""
    if not config.cluster.is_remote:
        return None
    if not config.dry_run:
        import_ray()
    verdicts, selection = config.verdicts, config.selection
    if config.database.table:  # its snapshot has what is selected, and no columns of its own
        verdicts, selection = PLAIN, Selection()
    return Cluster(
        config.cluster, config.engine, adapter, config.model, verdicts, selection, warn, cascade
    )


def _refuse_shrinking(config: ScoreConfig, locations: Sequence[Location]) -> None:
    """A part of the rows may not replace an earlier output that was not named for it."""
    if config.selection.everything or config.out or config.dry_run:
        return
    for location in locations:
        if is_there(location) and FileSource.of(location).format != DELTA:
            raise UsageError(
                f"{location} exists, and --where or --limit would replace it with a part of the "
                "rows; name another file with --out"
            )
