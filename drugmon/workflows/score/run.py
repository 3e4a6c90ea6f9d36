"""What every source of one score run shares: adapter, engine, progress and record."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pyarrow as pa

from drugmon.data.history.files import sound_history
from drugmon.data.history.output import Output
from drugmon.data.history.records import RunRecord
from drugmon.data.reviews import Window
from drugmon.data.selection import Selection
from drugmon.data.verdicts.columns import PLAIN, VerdictColumns
from drugmon.data.verdicts.journal import Journal
from drugmon.data.verdicts.reuse import Reuse
from drugmon.errors import BusyError, SinkError, SourceError
from drugmon.grading import Grading, GradingChoice
from drugmon.models.adapters.manifest import Manifest
from drugmon.scoring.cascade.cascade import Cascade
from drugmon.scoring.lazy_engine import LazyEngine
from drugmon.scoring.scorer import Scorer, Tally
from drugmon.version import __version__
from drugmon.workflows.score.cluster import Cluster
from drugmon.workflows.score.fresh_rows import RunNumbers


@dataclass(frozen=True)
class ScoreProgress:
    """Where a run is: `done` of `total` rows (None: unknown), `scored` of them by the model."""

    source: str
    done: int
    total: int | None
    scored: int


@dataclass(frozen=True)
class RunSpan:
    """When work on one source began, and since when its verdicts are of this run.

    The second is earlier where the run goes on with one that was cut off before its record.
    """

    began: datetime
    since: datetime

    @classmethod
    def of(
        cls, began: datetime, journal: Journal, output: Output, past: Iterable[RunRecord]
    ) -> Self:
        """The span of a run that began at `began`; `past` are the runs that are recorded.

        What lies in the journal and was scored after the last record of `output` is in none.

        Args:
            began: when the run began.
            journal: what an unfinished run has left.
            output: what is written.
            past: the runs that are recorded.
        """
        finished = (run.finished_at for run in past if run.output == output)
        return cls(began, min(began, journal.since(max(finished, default=None)) or began))


class OverallProgress:
    """Progress over several files as if they were one.

    Args:
        to_come: the number of rows of each file that are taken, None where that is unknown.
        on_progress: called with where all of it is; the total is unknown while that of a file is.
    """

    def __init__(
        self, to_come: Iterable[int | None], on_progress: Callable[[ScoreProgress], None]
    ) -> None:
        self._to_come = list(to_come)
        self._on_progress = on_progress
        self._done = self._scored = 0
        self._current = ScoreProgress("", 0, 0, 0)

    def begin(self, source: str) -> None:
        """Go on with the next file."""
        self._current = ScoreProgress(source, 0, self._to_come.pop(0), 0)

    def update(self, progress: ScoreProgress) -> None:
        """Take the progress of the current file, and tell that of all."""
        self._current = progress
        totals = [self._done, progress.total, *self._to_come]
        told = [rows for rows in totals if rows is not None]
        done, scored = self._done + progress.done, self._scored + progress.scored
        total = sum(told) if len(told) == len(totals) else None
        self._on_progress(ScoreProgress(progress.source, done, total, scored))

    def end(self, tally: Tally | None) -> None:
        """Count what was done with the current file; None where it failed."""
        now = self._current
        if tally is not None:
            self.update(ScoreProgress(now.source, tally.total, tally.total, tally.scored))
        self._done += self._current.done
        self._scored += self._current.scored


@dataclass(frozen=True)
class ScoreRun:
    """One run over one or more sources; a `cluster` scores in place of the `engine`.

    `manifest` is that of the adapter, in a `cascade` of the first one.
    """

    manifest: Manifest
    engine: LazyEngine
    selection: Selection
    rescore: bool
    dry_run: bool
    on_progress: Callable[[ScoreProgress], None]
    warn: Callable[[str], None]
    verdicts: VerdictColumns = PLAIN
    choice: GradingChoice = field(default_factory=GradingChoice)
    cluster: Cluster | None = None
    cascade: Cascade | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @property
    def identity(self) -> str:
        """`name@digest` of what scores, in a cascade of both adapters."""
        return self.cascade.identity if self.cascade else self.manifest.identity

    @property
    def grading(self) -> Grading:
        """What the graded columns mean: as the adapter was taught, unless the user says so."""
        return self.choice.over(self.manifest.grading)

    def past(
        self, database: Path, lock_timeout: float, *, needed: bool
    ) -> Sequence[RunRecord] | None:
        """The runs in the history file that this run will write; a damaged one is set aside.

        None where an older one cannot be brought up to date, or copied before: it is told, and the
        run does without it, as scores are worth more than their record.

        Args:
            database: the file.
            lock_timeout: seconds to wait for another process that has it open.
            needed: whether the run depends on them; otherwise it begins while the file is busy.

        Raises:
            SourceError: the history is of a later version of drugmon, or cannot be read.
            BusyError: it is busy, and needed.
        """
        try:
            return sound_history(database, lock_timeout if needed else 0, self.warn).runs
        except SinkError as error:
            self.warn(f"this run will not be recorded: {error}")
            return None
        except BusyError:
            if needed:
                raise
            return []

    def scorer(
        self,
        source: str,
        total: int | None,
        reuse: Reuse,
        keep: Callable[[pa.RecordBatch], None] | None = None,
    ) -> Scorer:
        """A scorer that reports its progress on `source`.

        Args:
            source: as progress calls it.
            total: its rows; None where that takes reading them.
            reuse: what is scored already.
            keep: told every batch of new verdicts.
        """

        def report(tally: Tally, done: int) -> None:
            self.on_progress(ScoreProgress(source, tally.total + done, total, tally.scored + done))

        first = self.manifest.identity
        return Scorer(first, self.engine.get, reuse, keep, report, self.cascade)

    def count(self, windows: Iterable[Window], scorer: Scorer) -> Tally:
        """What a dry run tells: the tally of `windows` as if they had been scored."""
        for window in windows:
            scorer.pending(window.texts, window.rows)
        return scorer.tally

    def record(
        self, source: str, output: Output, tally: Tally, span: RunSpan, numbers: RunNumbers
    ) -> RunRecord:
        """The record of what was done with one source.

        Args:
            source: what was read, as messages call it.
            output: what was written.
            tally: its rows.
            span: when this began.
            numbers: of the rows scored since then, by this run and by one that it goes on with.
        """
        now = datetime.now(UTC)
        return RunRecord(
            run_id=self.run_id,
            command="score",
            started_at=span.since,
            finished_at=now,
            source=source,
            output=output,
            adapter=self.identity,
            total=tally.total,
            scored=numbers.scored,
            reused=tally.total - tally.empty - numbers.scored,
            empty=tally.empty,
            seconds=(now - span.began).total_seconds(),
            drugmon_version=__version__,
            targets=numbers.targets,
            sent_on=numbers.judged.get(self.identity, 0) if self.cascade else None,
        )


class NoRowsError(SourceError):
    """The selection takes nothing of a source."""


def no_rows(where: str, selection: Selection) -> NoRowsError:
    """The error for a source of which the selection takes nothing."""
    return NoRowsError(
        f"{where}: has no rows that meet --where {selection.where}; there is nothing to score"
    )
