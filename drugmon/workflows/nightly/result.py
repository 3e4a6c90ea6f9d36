"""How a night went: per source, and in one line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from drugmon.errors import DrugmonError
from drugmon.monitoring.checks.summary import Status, worst
from drugmon.workflows.score.score import ScoreResult

BUG, GATE_FAILED = 3, 4
"""Exit codes; that of a failure is the error tree's."""


@dataclass
class SourceNight:
    """How the night went for one source, filled step by step.

    Attributes:
        name: the source's.
        score: what was scored; None where that failed.
        status: what its report came to; None where there is no report.
        page: the report's page.
        rows: how many reviews it judges.
        failures: what went wrong, a sentence each.
        bug: whether one of them is a bug in drugmon.
    """

    name: str
    score: ScoreResult | None = None
    status: Status | None = None
    page: Path | None = None
    rows: int | None = None
    failures: list[str] = field(default_factory=list)
    bug: bool = False


@dataclass(frozen=True)
class NightResult:
    """How a night went; `pages` is the page to open in the morning."""

    sources: tuple[SourceNight, ...]
    pages: Path
    seconds: float

    @property
    def gate(self) -> Status:
        """The worst status of the reports; unjudged without any."""
        statuses = [source.status for source in self.sources if source.status is not None]
        return worst(statuses)

    @property
    def failed(self) -> int:
        """How many sources were not scored, or not reported."""
        return sum(bool(source.failures) for source in self.sources)

    @property
    def exit_code(self) -> int:
        """The worst that happened: 3 a bug, 1 a failure, 4 the gate, 0 ok."""
        if any(source.bug for source in self.sources):
            return BUG
        if self.failed:
            return DrugmonError.exit_code
        return GATE_FAILED if self.gate is Status.FAIL else 0

    @property
    def outcome(self) -> str:
        """In one word: ok, warn or failed."""
        if self.exit_code:
            return "failed"
        return "warn" if self.gate is Status.WARN else "ok"

    @property
    def line(self) -> str:
        """The night in one line; logs put `drugmon nightly: ` before it, to be found by grep."""
        scores = [source.score for source in self.sources if source.score]
        scored = sum(score.scored for score in scores)
        reused = sum(score.reused for score in scores)
        return (
            f"{self.outcome} sources={len(self.sources)} failed={self.failed} "
            f"scored={scored} reused={reused} gate={self.gate} seconds={self.seconds:.1f} "
            f"pages={self.pages}"
        )
