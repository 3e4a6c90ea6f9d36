"""History: the score runs and reports that were recorded, read from where they were kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drugmon.data.history.histories import (
    history_of,
    read_history,
    read_nights,
    read_run_numbers,
)
from drugmon.data.sources import FileSource, output_path
from drugmon.errors import SourceError

Row = Mapping[str, Any]


@dataclass(frozen=True)
class HistoryConfig:
    """Whose history: a scored file or its source, a folder, a history file, or a database.

    `table` keeps what concerns one table, `limit` the newest runs and nights.
    """

    path: Path = Path()
    table: str | None = None
    limit: int | None = None
    lock_timeout: float = 30.0


@dataclass(frozen=True)
class History:
    """What was recorded in `database`, oldest first.

    A run is a `RunRecord` as a mapping, with `targets` by name where its numbers were kept; a night
    is what `read_nights` gives.
    """

    database: Path
    runs: tuple[Row, ...]
    nights: tuple[Row, ...]


def history(config: HistoryConfig) -> History:
    """Read the history that `config` names.

    Raises:
        SourceError: nothing is recorded there, or the file is no DuckDB database.
        BusyError: another process did not close it in time.
    """
    database = _database(config.path)
    if not database.exists():
        raise SourceError(
            f"{database}: no history; drugmon score makes one beside its output, or name another"
        )
    runs = _runs(database, config.lock_timeout)
    nights = read_nights(database, config.lock_timeout)
    names = _names(config)
    if names:
        runs = [run for run in runs if _concerns(names, run["source"], run["output"])]
        known = {run["run_id"] for run in runs}
        nights = [
            night
            for night in nights
            # A night may call its source by another name: then it is known by what was scored.
            if _concerns(names, night["source"]) or not known.isdisjoint(night["scored_runs"])
        ]
    if not runs and not nights:
        what = f" of {config.table or config.path.name}" if names else ""
        raise SourceError(f"{database}: no run or report{what} is recorded there")
    newest = slice(-config.limit if config.limit else None, None)
    return History(database, tuple(runs[newest]), tuple(nights[newest]))


def _database(path: Path) -> Path:
    if path.is_dir():
        return history_of(path / "any")
    return history_of(path) if _is_file_of_reviews(path) else path


def _runs(database: Path, lock_timeout: float) -> list[Row]:
    targets: dict[tuple[str, str], dict[str, Row]] = {}
    for each in read_run_numbers(database, lock_timeout):
        targets.setdefault((each.run_id, each.output), {})[each.target] = asdict(each)
    return [
        {**asdict(run), "targets": targets.get((run.run_id, run.output), {})}
        for run in read_history(database, lock_timeout)
    ]


def _names(config: HistoryConfig) -> set[str]:
    """What the source or the output of a run may be called; empty where all are meant."""
    if config.table:
        return {config.table}
    if not _is_file_of_reviews(config.path) or config.path.is_dir():
        return set()
    scored = output_path(FileSource.of(config.path), None, in_place=False)
    return {config.path.name, scored.name}


def _concerns(names: Iterable[str], *recorded: str) -> bool:
    return any(
        each == name or each.endswith((f"/{name}", f":{name}", f" {name}"))
        for each in recorded
        for name in names
    )


def _is_file_of_reviews(path: Path) -> bool:
    try:
        FileSource.of(path)
    except SourceError:
        return False
    return True
