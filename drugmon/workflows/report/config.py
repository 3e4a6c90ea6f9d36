"""What a report is asked for: parsed and checked when it is made, before anything is scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from drugmon.data.options import DatabaseOptions, SourceOptions
from drugmon.data.stores.uri import is_uri
from drugmon.errors import UsageError
from drugmon.grading import GradingChoice
from drugmon.monitoring.checks.gate import Gate, read_gate
from drugmon.options import build
from drugmon.workflows.report.options import OF_ADAPTER, PageOptions, ReportOptions
from drugmon.workflows.report.window import Asked, ask_window

_PREVIOUS: Final = "previous:"


@dataclass(frozen=True)
class OfAdapter:
    """Compare with the reviews that the adapter was not trained on."""


@dataclass(frozen=True)
class Previous:
    """Compare with the `count` runs before the window."""

    count: int


@dataclass(frozen=True)
class Files:
    """Compare with scored reviews: a file, a glob, or a folder."""

    path: str


Reference = OfAdapter | Previous | Files


def parse_reference(text: str, folder: Path | None = None) -> Reference:
    """Read `adapter`, `previous:7`, or the path of scored reviews, which may be within `folder`.

    Raises:
        UsageError: it says previous, and no number of runs.
    """
    if text == OF_ADAPTER:
        return OfAdapter()
    if not text.startswith(_PREVIOUS):
        if not text.strip():
            raise UsageError("the reference is empty: give adapter, previous:7, or a scored file")
        return Files(text if folder is None or is_uri(text) else str(folder / text))
    number = text.removeprefix(_PREVIOUS)
    if not (number.isascii() and number.isdigit() and 0 < int(number[:10]) <= _MOST_RUNS):
        raise UsageError(f"reference {text}: give how many runs, 1 to {_MOST_RUNS:,}: previous:7")
    return Previous(int(number))


_MOST_RUNS: Final = 10_000


@dataclass(frozen=True)
class ScoredSource:
    """What is judged, and how it is read.

    Attributes:
        path: a scored file, a glob or folder of them, or a database with a table.
        database: the scored table; its companion is joined, or its own verdict columns are read.
        reading: how columns and text files are read, as for scoring.
        date_column: what dates a row; None for the time when it was scored.
        by: columns whose values are looked at one by one; `drug` and `condition` go by meaning.
        history: another place for the history of files.
        grading: what the graded columns mean, where it is not what the adapter was taught.
        prefix: of the verdict columns that are judged; None for those that are there.
        partitions: whether folders `name=value` are columns, of a reference in files too.
    """

    path: str
    database: DatabaseOptions = field(default_factory=DatabaseOptions)
    reading: SourceOptions = field(default_factory=SourceOptions)
    date_column: str | None = None
    by: tuple[str, ...] = ("drug", "condition")
    history: Path | None = None
    grading: GradingChoice = field(default_factory=GradingChoice)
    prefix: str | None = None
    partitions: bool = False


@dataclass(frozen=True)
class Scoring:
    """What the caller knows of the scoring before the report.

    Attributes:
        runs: the ids of the score runs behind the source, where the caller has just made them.
        failures: sentences on what went wrong, such as a source that was not scored; each is a
            failed check of the area `freshness`.
    """

    runs: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportConfig:
    """What to judge, against what, by which thresholds, and where the page goes.

    Attributes:
        source: what is judged.
        window: which of its rows.
        reference: what they are compared with.
        adapter: the name or folder of what judged; None for the adapter that the rows name.
        gate: the thresholds.
        pages: where the pages go, and what they are called.
        scoring: what is known of the scoring before.
        now: the time to judge freshness and a window's length by; None for the clock's.
        report_id: of the report, where somebody has to know it before; None for a new one.
    """

    source: ScoredSource
    window: Asked = field(default_factory=Asked)
    reference: Reference = field(default_factory=OfAdapter)
    adapter: str | None = None
    gate: Gate = field(default_factory=read_gate)
    pages: PageOptions = field(default_factory=PageOptions)
    scoring: Scoring = field(default_factory=Scoring)
    now: datetime | None = None
    report_id: str | None = None


def report_config(
    source: str,
    *,
    scoring: Scoring | None = None,
    now: datetime | None = None,
    report_id: str | None = None,
    **words: object,
) -> ReportConfig:
    """Read the words that Python has for a report.

    Args:
        source: what is judged.
        words: options of `ReportOptions` and its groups, and arguments of `read_options`.

    Raises:
        UsageError: there is no such option, one cannot be, or two exclude each other.
        SettingsError: the gate's file will not do.
    """
    options = build(ReportOptions, source=source, **words)
    return read_options(options, scoring=scoring, now=now, report_id=report_id)


def read_options(
    options: ReportOptions,
    *,
    scoring: Scoring | None = None,
    now: datetime | None = None,
    report_id: str | None = None,
) -> ReportConfig:
    """Make the configuration from the words that a command line or a settings file has.

    Args:
        options: the words.
        scoring, now, report_id: as in `ReportConfig`.

    Raises:
        UsageError: an option cannot be, or two of them exclude each other.
        SettingsError: the gate's file will not do.
    """
    asked, judgement = options.window, options.judgement
    return ReportConfig(
        source=ScoredSource(
            options.source,
            options.database,
            options.reading,
            judgement.date_column,
            judgement.by,
            options.history,
            options.grading,
            options.verdicts.prefix,
            options.folders.partitions,
        ),
        window=ask_window(asked.since, asked.until, asked.last, asked.run),
        reference=parse_reference(judgement.reference),
        adapter=options.adapter,
        gate=read_gate(judgement.gate, judgement.fail_on),
        pages=options.pages,
        scoring=scoring or Scoring(),
        now=now,
        report_id=report_id,
    )
