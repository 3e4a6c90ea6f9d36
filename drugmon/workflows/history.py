"""History: the score runs and reports that were recorded, read from where they were kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from drugmon.data.duckdb.database import connect
from drugmon.data.duckdb.relation import Relation, is_there
from drugmon.data.folder import is_output_folder
from drugmon.data.history.files import read_history
from drugmon.data.history.output import MAIN, Output
from drugmon.data.history.places import histories_of, history_of
from drugmon.data.history.records import ReportRecord, RunRecord
from drugmon.data.outputs import output_path
from drugmon.data.sources import DELTA, FileSource
from drugmon.data.stores.uri import Location, StoreUri
from drugmon.errors import SourceError
from drugmon.workflows.configs import HistoryConfig


@dataclass(frozen=True)
class History:
    """What was recorded in `database`, oldest first."""

    database: Path
    runs: tuple[RunRecord, ...]
    nights: tuple[ReportRecord, ...]


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
    recorded = read_history(database, config.database.lock_timeout)
    runs, nights = list(recorded.runs), list(recorded.reports)
    outputs = _outputs(config, database)
    if outputs is not None:
        runs = [run for run in runs if _of_any_prefix(run.output) in outputs]
        run_ids = {run.run_id for run in runs}
        nights = [
            night
            for night in nights
            # Of nights that do not tell what they judged, it is known by what was scored.
            if _of_any_prefix(night.output) in outputs
            or (night.output is None and not run_ids.isdisjoint(night.scored_runs))
        ]
    if not runs and not nights:
        what = f" of {config.database.table or config.path.name}" if outputs is not None else ""
        raise SourceError(f"{database}: no run or report{what} is recorded there")
    newest = slice(-config.limit if config.limit else None, None)
    return History(database, tuple(runs[newest]), tuple(nights[newest]))


def _database(path: Location) -> Path:
    if isinstance(path, StoreUri):
        return histories_of(path)[0] if _is_file_of_reviews(path) else history_of(path / "any")
    assert isinstance(path, Path)
    if is_output_folder(path) or _is_file_of_reviews(path):
        return histories_of(path)[0]
    return history_of(path / "any") if path.is_dir() else path


def _outputs(config: HistoryConfig, database: Path) -> set[Output] | None:
    """What a run or a report may be of; None where all are meant."""
    if config.database.table:
        return {_table(config.database.table, database, config.database.lock_timeout)}
    path = config.path
    if isinstance(path, Path) and is_output_folder(path):
        return {Output.of_file(path)}
    if not _is_file_of_reviews(path):
        return None
    scored = output_path(FileSource.of(path), None, in_place=False)
    return {Output.of_file(path), Output.of_file(scored)}


def _of_any_prefix(output: Output | None) -> Output | None:
    return output and replace(output, prefix="")


def _table(name: str, database: Path, lock_timeout: float) -> Output:
    """The table that is called `name`; one that is gone may still have its history."""
    where = f"{database}, table {name}"
    with connect(database, read_only=True, lock_timeout=lock_timeout) as connection:
        if not is_there(connection, name):
            schema, dot, table = name.partition(".")
            return Output.of_table(database, *((schema, table) if dot else (MAIN, name)))
        relation = Relation.find(connection, name, where)
    return Output.of_table(database, relation.schema, relation.name)


def _is_file_of_reviews(path: Location) -> bool:
    try:
        file = FileSource.of(path)
    except SourceError:
        return False
    return file.format == DELTA or not (isinstance(path, Path) and path.is_dir())
