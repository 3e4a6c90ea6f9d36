"""What a report is asked for: parsed and checked when it is made, before anything is scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.errors import UsageError
from drugmon.grading import GradingChoice
from drugmon.monitoring.checks.gate import Gate, read_gate
from drugmon.workflows.report.window import Asked, ask_window

OF_ADAPTER: Final = "adapter"
"""The word for the reference that an adapter brings along."""

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
        return Files(text if folder is None else str(folder / text))
    number = text.removeprefix(_PREVIOUS)
    if not (number.isascii() and number.isdigit() and 0 < int(number[:10]) <= _MOST_RUNS):
        raise UsageError(f"reference {text}: give how many runs, 1 to {_MOST_RUNS:,}: previous:7")
    return Previous(int(number))


_MOST_RUNS: Final = 10_000


@dataclass(frozen=True)
class ScoredSource:
    """What is judged, and how it is read.

    Attributes:
        path: a scored file, a glob or folder of them, or a database with `table`.
        table: the scored table; its companion is joined, or its own verdict columns are read.
        columns: column names by field, as for scoring.
        text_format: of text files.
        date_column: what dates a row; None for the time when it was scored.
        by: columns whose values are looked at one by one; `drug` and `condition` go by meaning.
        history: another place for the history of files.
        lock_timeout: seconds to wait for a database that another process has open.
        grading: what the graded columns mean, where it is not what the adapter was taught.
    """

    path: str
    table: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    text_format: TextFormat = DEFAULT_TEXT_FORMAT
    date_column: str | None = None
    by: tuple[str, ...] = ("drug", "condition")
    history: Path | None = None
    lock_timeout: float = 30.0
    grading: GradingChoice = field(default_factory=GradingChoice)


@dataclass(frozen=True)
class Pages:
    """Where the pages go.

    Attributes:
        out: the folder that holds the reports.
        name: what pages, history and index call the source; None for the file's or table's name.
        keep: so many reports of the source stay in `out`, the newest; None for all.
        evidently: whether evidently's pages lie beside the page; they take most of the time.
    """

    out: Path = Path("reports")
    name: str | None = None
    keep: int | None = None
    evidently: bool = True


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
        pages: where the pages go.
        scoring: what is known of the scoring before.
        now: the time to judge freshness and a window's length by; None for the clock's.
        report_id: of the report, where somebody has to know it before; None for a new one.
    """

    source: ScoredSource
    window: Asked = field(default_factory=Asked)
    reference: Reference = field(default_factory=OfAdapter)
    adapter: str | None = None
    gate: Gate = field(default_factory=read_gate)
    pages: Pages = field(default_factory=Pages)
    scoring: Scoring = field(default_factory=Scoring)
    now: datetime | None = None
    report_id: str | None = None


def report_config(
    source: str,
    *,
    reference: str | Reference = OF_ADAPTER,
    since: str | None = None,
    until: str | None = None,
    last: str | None = None,
    run: str | None = None,
    fail_on: tuple[str, ...] | None = None,
    gate: Path | None = None,
    adapter: str | None = None,
    table: str | None = None,
    columns: Mapping[str, str] | None = None,
    text_format: TextFormat = DEFAULT_TEXT_FORMAT,
    date_column: str | None = None,
    by: tuple[str, ...] = ("drug", "condition"),
    history: Path | None = None,
    lock_timeout: float = 30.0,
    grading: GradingChoice | None = None,
    out: Path | str = Path("reports"),
    name: str | None = None,
    keep: int | None = None,
    evidently: bool = True,
    scored: tuple[str, ...] = (),
    failures: tuple[str, ...] = (),
    now: datetime | None = None,
    report_id: str | None = None,
) -> ReportConfig:
    """Make the configuration from the words that a command line or a settings file has.

    Args:
        source, table, columns, text_format, date_column, by, history, lock_timeout, grading: of
            `ScoredSource`.
        reference: `adapter`, `previous:N`, or the path of scored reviews.
        since, until, last, run: the window, as `ask_window` takes it.
        gate, fail_on: as `read_gate` takes them.
        adapter, now, report_id: as in `ReportConfig`.
        out, name, keep, evidently: of `Pages`.
        scored, failures: `runs` and `failures` of `Scoring`.

    Raises:
        UsageError: an option cannot be, or two of them exclude each other.
        SettingsError: the gate's file will not do.
    """
    described = (table, columns or {}, text_format, date_column, by, history, lock_timeout)
    return ReportConfig(
        source=ScoredSource(source, *described, grading or GradingChoice()),
        window=ask_window(since, until, last, run),
        reference=parse_reference(reference) if isinstance(reference, str) else reference,
        adapter=adapter,
        gate=read_gate(gate, fail_on),
        pages=Pages(Path(out), name, keep, evidently),
        scoring=Scoring(scored, failures),
        now=now,
        report_id=report_id,
    )
