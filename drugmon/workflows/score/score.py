"""Score: read reviews, reuse what is scored already, score the rest, write all verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypedDict

from drugmon.config import EngineConfig
from drugmon.data.duckdb.tables import Table
from drugmon.data.selection import Selection
from drugmon.data.sources import StandardInput, make_out_folder, output_paths, resolve_source
from drugmon.errors import UsageError
from drugmon.models.adapters.zero_shot import open_model
from drugmon.scoring.scorer import Tally
from drugmon.workflows.score.compute import LazyEngine
from drugmon.workflows.score.files import score_file, score_stream
from drugmon.workflows.score.run import Progress, ScoreRun
from drugmon.workflows.score.table import score_table


@dataclass(frozen=True)
class ScoreConfig:
    """What to score, with what (no adapter and no base: the default adapter), where to write.

    Raises:
        UsageError: options that do not fit together.
    """

    source: str
    adapter: str | None = None
    base: str | None = None
    out: str | None = None
    in_place: bool = False
    table: str | None = None
    id_column: str | None = None
    lock_timeout: float = 30.0
    columns: Mapping[str, str] = field(default_factory=dict)
    where: str | None = None
    limit: int | None = None
    rescore: bool = False
    dry_run: bool = False
    encoding: str | None = None
    history: Path | None = None
    engine: EngineConfig = field(default_factory=EngineConfig)

    def __post_init__(self) -> None:
        refused = {
            "--out is for files; a table's verdicts go beside the table": self.table and self.out,
            "--id is for tables; give --table": self.id_column and not self.table,
            "--encoding is for text files; leave it out with --table": self.table and self.encoding,
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
                self.in_place and self.encoding
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
    """What a run did; `compute` is None where nothing had to be scored."""

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
    adapter = open_model(config.adapter, config.base)
    adapter.verify()
    with LazyEngine(adapter, config.engine, warn) as engine:
        run = ScoreRun(
            adapter.manifest, engine, config.selection, config.rescore, config.dry_run, on_progress
        )
        outputs, tallies = _score_sources(config, run, stdin, stdout)
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
    )


def _score_sources(
    config: ScoreConfig, run: ScoreRun, stdin: BinaryIO | None, stdout: BinaryIO | None
) -> tuple[list[str], list[Tally]]:
    """The outputs of the source, and what was done for each."""
    if config.table is not None:
        table = Table(
            Path(config.source),
            config.table,
            id_column=config.id_column,
            lock_timeout=config.lock_timeout,
            overrides=config.columns,
            in_place=config.in_place,
        )
        return [table.where], [score_table(run, table)]
    reading: _Reading = {"overrides": config.columns, "encoding": config.encoding}
    sources = resolve_source(config.source)
    if isinstance(sources, StandardInput):
        if stdin is None or stdout is None:
            raise UsageError("standard input needs its two streams")
        return ["standard output"], [score_stream(run, stdin, stdout, **reading)]
    targets = output_paths(sources, config.out, config.in_place)
    _refuse_shrinking(config, targets)
    if not config.dry_run:
        make_out_folder(config.out)
    to: _Recording = {"history": config.history, "lock_timeout": config.lock_timeout}
    return [str(target) for target in targets], [
        score_file(run, source, target, **to, **reading)
        for source, target in zip(sources, targets, strict=True)
    ]


class _Reading(TypedDict):
    """How the columns and bytes of a source are to be taken."""

    overrides: Mapping[str, str]
    encoding: str | None


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
