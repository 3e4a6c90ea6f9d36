"""What the commands of a single module are asked for. Light to import, as their help shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drugmon.config import DEFAULT_ADAPTER, DEMO_NIGHTS, EngineConfig
from drugmon.data.options import DatabaseOptions, FolderOptions, SourceOptions, VerdictOptions
from drugmon.data.stores.uri import Location
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT
from drugmon.errors import UsageError
from drugmon.options import group, option


@dataclass(frozen=True)
class ShowConfig:
    """Which rows of what are shown.

    Attributes:
        source: a scored file, a glob or folder of them, or a database with a table.
        since, until, date_column: which rows by date, read as a report reads dates.
        slice: a column and a name, read as a report reads names.
        shown_columns: columns to show beside the verdicts; None for id, drug and rating.

    Raises:
        UsageError: the condition, a date or the name is none, or the limit is below 1.
    """

    source: str
    database: DatabaseOptions = group(DatabaseOptions)
    where: str | None = option(None, "Only rows that meet this condition.", kind=str, metavar="SQL")
    since: str | None = option(
        None, "Only rows from this day or time on.", kind=str, metavar="DATE"
    )
    until: str | None = option(None, "Only rows before this day or time.", kind=str, metavar="DATE")
    date_column: str | None = option(
        None, "What dates a row.", kind=str, metavar="COLUMN", unset="when it was scored"
    )
    slice: str | None = option(
        None, "Only rows with this name, in any case.", kind=str, metavar="COLUMN=NAME"
    )
    sort: tuple[str, ...] = option((), "Sort by these; -NAME falls.", metavar="COLUMNS")
    shown_columns: tuple[str, ...] | None = option(
        None,
        "Columns to show beside the verdicts.",
        kind=tuple,
        flag="--columns",
        metavar="COLUMNS",
        unset="id, drug, rating",
    )
    verdicts: VerdictOptions = group(VerdictOptions)
    texts: bool = option(False, "Show the words of the reviews too.")
    limit: int = option(20, "How many rows to show.", low=1)
    reading: SourceOptions = group(SourceOptions)
    folders: FolderOptions = group(FolderOptions)

    def __post_init__(self) -> None:
        from drugmon.data.selection import Selection
        from drugmon.workflows.report.window import ask_window

        Selection(self.where, self.limit)
        ask_window(self.since, self.until, None, None)
        if self.slice is not None and not self.slice.partition("=")[2].strip():
            raise UsageError(
                f"--slice {self.slice}: names nothing; write a column and a name, such as "
                "drug=metformin"
            )


@dataclass(frozen=True)
class HistoryConfig:
    """Whose history: a scored file or its source, a folder, a history file, or a database.

    That of what is in a store lies on this machine. A table keeps what concerns it, `limit` the
    newest runs and nights.
    """

    path: Location = Path()
    database: DatabaseOptions = group(DatabaseOptions)
    limit: int | None = option(30, "How many nights and runs, the newest.", low=1)


@dataclass(frozen=True)
class InitConfig:
    """What to look at, how to read it, and where the settings go.

    Raises:
        UsageError: options that do not fit together.
    """

    source: str
    out: Path = option(
        Path("nightly.toml"),
        "Where the settings go; a file that is there is left alone.",
        kind=Path,
    )
    adapter: str = option(DEFAULT_ADAPTER, "A shipped adapter, or a folder.")
    database: DatabaseOptions = group(DatabaseOptions)
    reading: SourceOptions = group(SourceOptions)
    folders: FolderOptions = group(FolderOptions)

    def __post_init__(self) -> None:
        if self.database.table and self.folders.partitions:
            raise UsageError("--partitions is for folders of files; leave out --table")
        if self.source == "-":
            raise UsageError("a nightly job needs files or a table, not standard input")
        if self.database.table and self.reading.text_format != DEFAULT_TEXT_FORMAT:
            raise UsageError(
                "--encoding, --quoting and --delimiter are for text files; leave out --table"
            )


@dataclass(frozen=True)
class DemoConfig:
    """Where the demo goes, how many of its nights are reported (the newest), and how to score.

    Raises:
        UsageError: `nights` is out of range.
    """

    folder: Path
    nights: int = option(DEMO_NIGHTS, "How many nights.", low=1, high=DEMO_NIGHTS)
    adapter: str = option(DEFAULT_ADAPTER, "A shipped adapter, or a folder.")
    engine: EngineConfig = group(EngineConfig)

    def __post_init__(self) -> None:
        if not 1 <= self.nights <= DEMO_NIGHTS:
            raise UsageError(f"--nights {self.nights}: give 1 to {DEMO_NIGHTS}")
