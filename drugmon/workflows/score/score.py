"""Score: read reviews, reuse what is scored already, score the rest, write all verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, TypedDict

from drugmon.config import EngineConfig
from drugmon.data.duckdb.tables import Table
from drugmon.data.formats import known_rows
from drugmon.data.selection import Selection
from drugmon.data.sources import (
    FileSource,
    StandardInput,
    make_out_folder,
    output_paths,
    resolve_source,
)
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.errors import BusyError, SinkError, SourceError, UsageError
from drugmon.grading import GradingChoice
from drugmon.models.adapters.zero_shot import open_model
from drugmon.scoring.scorer import Tally
from drugmon.wording import path_told
from drugmon.workflows.score.compute import LazyEngine
from drugmon.workflows.score.files import score_file, score_stream
from drugmon.workflows.score.run import OverallProgress, Progress, ScoreRun
from drugmon.workflows.score.table import score_table


@dataclass(frozen=True)
class ScoreConfig:
    """What to score, with what (no adapter and no base: the default adapter), where to write.

    `rule` decides the labels, None is the adapter's own.

    Raises:
        UsageError: options that do not fit together.
    """

    source: str
    adapter: str | None = None
    base: str | None = None
    rule: str | None = None
    out: str | None = None
    in_place: bool = False
    table: str | None = None
    id_column: str | None = None
    lock_timeout: float = 30.0
    columns: Mapping[str, str] = field(default_factory=dict)
    where: str | None = None
    limit: int | None = None
    rescore: bool = False
    overwrite: bool = False
    dry_run: bool = False
    text_format: TextFormat = DEFAULT_TEXT_FORMAT
    history: Path | None = None
    grading: GradingChoice = field(default_factory=GradingChoice)
    engine: EngineConfig = field(default_factory=EngineConfig)

    def __post_init__(self) -> None:
        refused = {
            "--out is for files; a table's verdicts go beside the table": self.table and self.out,
            "--id is for tables; give --table": self.id_column and not self.table,
            "--encoding, --quoting and --delimiter are for text files; leave out --table": (
                self.table and self.text_format != DEFAULT_TEXT_FORMAT
            ),
            "--history is for files; runs over a table are recorded in its database": (
                self.table and self.history
            ),
            "standard input goes to standard output; leave out --out, --in-place and --table": (
                self.source == "-" and (self.out or self.in_place or self.table)
            ),
            "--in-place would drop the rows that --where and --limit leave out; use --out": (
                self.in_place and not self.selection.everything and not self.table
            ),
            "--in-place writes UTF-8, which --encoding would misread the next time; use --out": (
                self.in_place and self.text_format.encoding
            ),
        }
        for reason, applies in refused.items():
            if applies:
                raise UsageError(reason)

    @property
    def selection(self) -> Selection:
        """Which rows are meant."""
        return Selection(where=self.where, limit=self.limit)


@dataclass(frozen=True)
class ScoreResult:
    """What a run did.

    Attributes:
        outputs: what was written.
        compute: device and number format; None where nothing had to be scored.
        failures: why files among several were not scored, a sentence each; the others were.
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


def score(
    config: ScoreConfig,
    *,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
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
    adapter = open_model(config.adapter, config.base, config.rule)
    adapter.verify()
    with LazyEngine(adapter, config.engine, warn) as engine:
        run = ScoreRun(
            adapter.manifest,
            engine,
            config.selection,
            config.rescore,
            config.dry_run,
            on_progress,
            warn,
            config.overwrite,
            config.grading,
        )
        done, failures = _score_sources(config, run, stdin, stdout)
    outputs, tallies = list(done), list(done.values())
    for output, tally in done.items():
        if not tally.total and config.selection.everything:
            warn(f"{output}: its source has no rows, nothing was scored")
    return ScoreResult(
        run_id=run.run_id,
        adapter=adapter.manifest.identity,
        outputs=tuple(outputs),
        total=sum(tally.total for tally in tallies),
        scored=sum(tally.scored for tally in tallies),
        reused=sum(tally.reused for tally in tallies),
        empty=sum(tally.empty for tally in tallies),
        seconds=time.monotonic() - began,
        dry_run=config.dry_run,
        compute=engine.compute,
        failures=tuple(failures),
    )


def _score_sources(
    config: ScoreConfig, run: ScoreRun, stdin: BinaryIO | None, stdout: BinaryIO | None
) -> tuple[dict[str, Tally], list[str]]:
    """What was done for each output of the source, and why files among several have none."""
    if config.table is not None:
        table = Table(
            Path(config.source),
            config.table,
            id_column=config.id_column,
            lock_timeout=config.lock_timeout,
            overrides=config.columns,
            in_place=config.in_place,
            overwrite=config.overwrite,
        )
        return {table.where: score_table(run, table)}, []
    reading: _Reading = {"overrides": config.columns, "text_format": config.text_format}
    sources = resolve_source(config.source)
    if isinstance(sources, StandardInput):
        if stdin is None or stdout is None:
            raise UsageError("standard input or output is closed; open both, or name files")
        return {"standard output": score_stream(run, stdin, stdout, **reading)}, []
    return _score_files(config, run, sources, reading)


def _score_files(
    config: ScoreConfig, run: ScoreRun, sources: Sequence[FileSource], reading: _Reading
) -> tuple[dict[str, Tally], list[str]]:
    """The same for files, one after the other."""
    targets = output_paths(sources, config.out, config.in_place)
    _refuse_shrinking(config, targets)
    if not config.dry_run:
        make_out_folder(config.out)
    to: _Recording = {"history": config.history, "lock_timeout": config.lock_timeout}
    done: dict[str, Tally] = {}
    failures = []
    rows = [run.selection.size_of(known_rows(source)) for source in sources]
    overall = OverallProgress(rows, run.on_progress)
    run = replace(run, on_progress=overall.update)
    for source, target in zip(sources, targets, strict=True):
        overall.begin(source.name)
        try:
            tally = score_file(run, source, target, **to, **reading)
            done[path_told(target)] = tally
            overall.end(tally)
        except (SourceError, SinkError, UsageError, BusyError) as error:
            if len(sources) == 1:
                raise
            overall.end(None)
            failures.append(str(error))  # a bad file does not keep those after it from a verdict
    if not done:
        raise SourceError(f"none of {len(sources)} files was scored: {'; '.join(failures)}")
    return done, failures


class _Reading(TypedDict):
    """How the columns and bytes of a source are to be taken."""

    overrides: Mapping[str, str]
    text_format: TextFormat


class _Recording(TypedDict):
    """Where a run over a file is recorded, and how long that may wait for another process."""

    history: Path | None
    lock_timeout: float


def _refuse_shrinking(config: ScoreConfig, targets: Sequence[Path]) -> None:
    """A part of the rows may not replace an earlier output that was not named for it."""
    if config.selection.everything or config.out or config.dry_run:
        return
    for target in targets:
        if target.exists():
            raise UsageError(
                f"{target} exists, and --where or --limit would replace it with a part of the "
                "rows; name another file with --out"
            )
