"""What every source of one score run shares: adapter, engine, progress and record."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa

from drugmon import __version__
from drugmon.data.history.runs import RunRecord
from drugmon.data.prefetch import prefetched
from drugmon.data.reviews import Window
from drugmon.data.selection import Selection
from drugmon.data.verdicts.reuse import Reuse
from drugmon.errors import SourceError
from drugmon.models.adapters.manifest import Manifest
from drugmon.scoring.scorer import Plan, Scorer, Tally
from drugmon.workflows.score.compute import LazyEngine

WINDOW_ROWS: Final = 8192
"""Rows in memory at a time."""


@dataclass(frozen=True)
class Progress:
    """Where a run is: `done` of `total` rows (None: unknown), `scored` of them by the model."""

    source: str
    done: int
    total: int | None
    scored: int


@dataclass(frozen=True)
class ScoreRun:
    """One run over one or more sources."""

    manifest: Manifest
    engine: LazyEngine
    selection: Selection
    rescore: bool
    dry_run: bool
    on_progress: Callable[[Progress], None]
    overwrite: bool = False
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @property
    def labels(self) -> Mapping[str, Mapping[str, str]]:
        """The label of each level of every graded column, as the adapter was taught."""
        labels: Mapping[str, Mapping[str, str]] = self.manifest.recipe["labels"]
        return labels

    def scorer(
        self,
        source: str,
        total: int | None,
        reuse: Reuse,
        keep: Callable[[pa.RecordBatch], None] | None = None,
    ) -> Scorer:
        """A scorer that reports its progress on `source`."""

        def report(tally: Tally, done: int) -> None:
            self.on_progress(Progress(source, tally.total + done, total, tally.scored + done))

        return Scorer(self.manifest.identity, self.engine.get, reuse, keep, report)

    def count(self, windows: Iterable[Window], scorer: Scorer) -> Tally:
        """What a dry run tells: the tally of `windows` as if they had been scored."""
        for window in windows:
            scorer.pending(window.texts)
        return scorer.tally

    def record(self, source: str, output: str, tally: Tally, began: datetime) -> RunRecord:
        """The record of what was done with one source."""
        now = datetime.now(UTC)
        return RunRecord(
            run_id=self.run_id,
            command="score",
            started_at=began,
            finished_at=now,
            source=source,
            output=output,
            adapter=self.manifest.identity,
            total=tally.total,
            scored=tally.scored,
            reused=tally.reused,
            empty=tally.empty,
            seconds=(now - began).total_seconds(),
            drugmon_version=__version__,
        )


def planned(
    windows: Iterable[Window], scorer: Scorer
) -> closing[Generator[tuple[Window, Plan], None, None]]:
    """Windows and what is to be done about them, read and looked up while the one before computes.

    Leaving the block waits for the window that is being read.
    """
    return closing(prefetched((window, scorer.plan(window.texts)) for window in windows))


def no_rows(where: str, selection: Selection) -> SourceError:
    """The error for a source of which the selection takes nothing."""
    return SourceError(
        f"{where}: has no rows that meet --where {selection.where}; there is nothing to score"
    )
