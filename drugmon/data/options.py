"""Options of commands that read reviews; nothing here imports anything heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drugmon.config import LOCK_TIMEOUT
from drugmon.data.textformat import TextFormat
from drugmon.options import group, option


@dataclass(frozen=True)
class SourceOptions:
    """How a source is read: which columns hold the fields, and how its text files are written."""

    columns: Mapping[str, str] = option(
        {},
        "Which column holds a field, such as benefits=pros; may be repeated.",
        flag="--column",
        metavar="FIELD=NAME",
        key="columns",
    )
    text_format: TextFormat = group(TextFormat)


@dataclass(frozen=True)
class VerdictOptions:
    """Which verdicts of a source are meant, where several models have judged it.

    Raises:
        UsageError: no names can begin so.
    """

    prefix: str | None = option(
        None,
        "What the names of the verdict columns begin with.",
        kind=str,
        metavar="NAME_",
        unset="what is there",
    )

    def __post_init__(self) -> None:
        from drugmon.data.verdicts.columns import VerdictChoice

        if self.prefix:
            VerdictChoice(self.prefix)


@dataclass(frozen=True)
class FolderOptions:
    """What the names of folders mean."""

    partitions: bool = option(
        False, "Take folders such as year=2026 for columns, and look into them.", key="partitions"
    )


@dataclass(frozen=True)
class DatabaseOptions:
    """Which table of a DuckDB database is meant, and how long another process may keep it busy."""

    table: str | None = option(
        None, "The table or view of a DuckDB database.", kind=str, metavar="NAME", key="table"
    )
    lock_timeout: float = option(
        LOCK_TIMEOUT,
        "How long to wait for a database that another process has open.",
        low=0,
        high=86_400,
        metavar="SECONDS",
        key="lock_timeout",
    )
