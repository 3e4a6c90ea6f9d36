"""Where a run over many pieces is, and what became of its rows."""

from __future__ import annotations

from drugmon.data.folder import FolderPart
from drugmon.scoring.cluster.pool import Counts
from drugmon.scoring.scorer import Tally
from drugmon.workflows.score.run import ScoreProgress, ScoreRun


class PiecesProgress:
    """Where a run over many pieces is, and what became of its rows.

    Args:
        run: is told.
        source: what is scored.
        total: its rows; None where a condition chooses among them.
    """

    def __init__(self, run: ScoreRun, source: str, total: int | None) -> None:
        self._run, self._source, self._total = run, source, total
        self.tally = Tally()

    def kept(self, part: FolderPart) -> None:
        """Count a part that was there already."""
        self.tally.reused += part.rows - part.empty
        self.tally.empty += part.empty

    def finished(self, part: FolderPart) -> None:
        """Count a part that was made now."""
        self.tally.scored += part.scored
        self.tally.sent_on += part.sent_on
        self.tally.empty += part.empty
        self.tally.reused += part.rows - part.scored - part.empty

    def at_hand(self, counts: Counts) -> None:
        """Tell where the run is; `counts` are of the pieces that workers have at hand."""
        done, scored = self.tally.total + counts.done, self.tally.scored + counts.scored
        self._run.on_progress(ScoreProgress(self._source, done, self._total, scored))
