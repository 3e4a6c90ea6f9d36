"""What a report is asked for, in the words of people. Light to import, as its help shows it.

`drugmon.workflows.report.config` reads the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drugmon.data.options import DatabaseOptions, FolderOptions, SourceOptions, VerdictOptions
from drugmon.grading import GradingChoice
from drugmon.options import NO_FLAG, group, option
from drugmon.reports.keep import Keep

OF_ADAPTER: Final = "adapter"
"""The word for the reference that an adapter brings along."""


@dataclass(frozen=True)
class WindowOptions:
    """Which rows are judged; all where nothing is said."""

    since: str | None = option(
        None, "Only rows from this day or time on.", kind=str, metavar="DATE"
    )
    until: str | None = option(None, "Only rows before this day or time.", kind=str, metavar="DATE")
    last: str | None = option(None, "Only the last 36h, 7d or 2w.", kind=str, metavar="TIME")
    run: str | None = option(
        None, "Only rows that this run scored; last is the newest.", kind=str, metavar="ID"
    )


@dataclass(frozen=True)
class JudgementOptions:
    """What the rows are compared with, how they are dated and grouped, and what fails."""

    reference: str = option(
        OF_ADAPTER,
        "Compare with the adapter's held-out reviews, the N runs before, or scored reviews.",
        metavar="adapter|previous:N|PATH",
        key="reference",
    )
    date_column: str | None = option(
        None,
        "What dates a row.",
        kind=str,
        metavar="COLUMN",
        unset="when it was scored",
        key="date_column",
    )
    by: tuple[str, ...] = option(
        ("drug", "condition"),
        "Columns whose values are looked at one by one.",
        metavar="COLUMNS",
        key="by",
    )
    fail_on: tuple[str, ...] | None = option(
        None,
        "Which of freshness,volume,balance,drift,quality decide, or none.",
        kind=tuple,
        metavar="AREAS",
        unset="all",
        key="fail_on",
    )
    gate: Path | None = option(
        None, "TOML with other thresholds.", kind=Path, unset="packaged ones", key="gate"
    )


@dataclass(frozen=True)
class PageOptions:
    """Where the pages go, and what they are called.

    Raises:
        UsageError: no page would stay.
    """

    out: Path = option(
        Path("reports"), "The folder of all reports.", kind=Path, is_folder=True, key="out"
    )
    name: str | None = option(
        None, "What pages, history and index call the source.", kind=str, flag=NO_FLAG
    )
    keep: Keep | int | None = option(
        None, "Which reports of the source stay in `out`.", kind=Keep, flag=NO_FLAG
    )
    evidently: bool = option(
        True,
        "Whether evidently's pages lie beside the page; they take most of the time.",
        flag=NO_FLAG,
        key="evidently",
    )

    def __post_init__(self) -> None:
        if isinstance(self.keep, int):
            Keep(self.keep)


@dataclass(frozen=True)
class ReportOptions:
    """What to judge, against what, by which thresholds, and where the page goes."""

    source: str
    database: DatabaseOptions = group(DatabaseOptions)
    verdicts: VerdictOptions = group(VerdictOptions)
    adapter: str | None = option(
        None, "The adapter that judged.", kind=str, unset="the one that the rows name"
    )
    window: WindowOptions = group(WindowOptions)
    judgement: JudgementOptions = group(JudgementOptions)
    pages: PageOptions = group(PageOptions)
    history: Path | None = option(
        None,
        "The history of files.",
        kind=Path,
        unset=".drugmon/history.duckdb by the source",
    )
    reading: SourceOptions = group(SourceOptions)
    folders: FolderOptions = group(FolderOptions)
    grading: GradingChoice = group(GradingChoice)
