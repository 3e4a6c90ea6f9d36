"""Report: compare scored reviews with a reference, judge them, write the page and the history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from drugmon.monitoring.summary import Status, Summary

REFERENCE_OF_ADAPTER = "adapter"
"""Names the adapter's own profile as the reference."""


@dataclass(frozen=True)
class ReportConfig:
    """What to judge, against what, by which thresholds, and where the page goes.

    Attributes:
        source: a scored file, a glob or folder of them, or a database with `table`.
        table: the scored table; its companion is joined, or its own verdict columns are read.
        adapter: a name or folder; None for the adapter that the rows name.
        reference: `adapter`, `previous:N` (the N runs before), or a file of scored reviews.
        since: the first day or time of the window, ISO 8601; read in UTC where it has no zone.
        until: the first day or time behind the window.
        last: the window's length up to now, such as `7d`, `36h` or `2w`.
        run: the id of a score run whose rows are meant, or `last`.
        date_column: what dates a row; None for the time when it was scored.
        by: columns whose values are looked at one by one; `drug` and `condition` go by meaning.
        out: the folder that holds the reports.
        fail_on: the areas that decide the status; None for what the gate's file says.
        gate: a TOML file of thresholds; None for the packaged ones.
        history: another place for the history of files.
        columns: column names by field, as for scoring.
        lock_timeout: seconds to wait for a database that another process has open.
        encoding: of text files.
        scored: the ids of the score runs behind the source, where the caller has just made them.
        failures: sentences on what went wrong before, such as a source that was not scored; each
            is a failed check of the area `freshness`.
        now: the time to judge freshness and `last` by; None for the clock's.
    """

    source: str
    table: str | None = None
    adapter: str | None = None
    reference: str = REFERENCE_OF_ADAPTER
    since: str | None = None
    until: str | None = None
    last: str | None = None
    run: str | None = None
    date_column: str | None = None
    by: tuple[str, ...] = ("drug", "condition")
    out: Path = Path("reports")
    fail_on: tuple[str, ...] | None = None
    gate: Path | None = None
    history: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    lock_timeout: float = 30.0
    encoding: str | None = None
    scored: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    now: datetime | None = None


@dataclass(frozen=True)
class ReportResult:
    """The report's numbers, its page `<out>/<date>-<run>/index.html`, and the index of all."""

    summary: Summary
    page: Path
    index: Path

    @property
    def failed(self) -> bool:
        """Whether the gate failed: exit code 4."""
        return self.summary.status is Status.FAIL


def report(
    config: ReportConfig,
    *,
    on_progress: Callable[[str], None] = lambda _step: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> ReportResult:
    """Judge what `config` names and write its page, `summary.json` and history.

    Args:
        config: what, against what, and where to.
        on_progress: told what is being done, a few words at a time.
        warn: told of what the user should know although the report goes on.

    Raises:
        DrugmonError: any expected failure; no page folder is left half-written.
    """
    raise NotImplementedError
