"""Where histories lie, and how they write the paths of what lies beside them.

A path within the history's own folder is kept relative to it, so that the folder may be moved; of a
table in the database of the history nothing is kept, so that the database may be renamed. A URI is
kept as it is; the history of what is in a store lies on this machine.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from drugmon.data.history.output import MAIN, Output
from drugmon.data.partitions import above_partitions
from drugmon.data.stores.shadow import state_of
from drugmon.data.stores.uri import Location, StoreUri, is_uri, parse_location

_FOLDER: Final = ".drugmon"
_FILE: Final = "history.duckdb"


def history_of(output: Location) -> Path:
    """Return where the runs that write the file or the object `output` are recorded."""
    return state_of(output).parent / _FOLDER / _FILE


def history_of_folder(folder: str) -> Path:
    """Return where the runs are recorded that write files of all partitions of a folder."""
    location = parse_location(folder)
    assert isinstance(location, Path | StoreUri)
    return history_of(location / "any")


def histories_of(output: Location) -> list[Path]:
    """Return where runs that wrote the file `output` may be recorded, the likeliest place first.

    That is beside it, or in the folder above those that are columns, where all files of a
    partitioned folder were scored at once.
    """
    places = dict.fromkeys((history_of(output), history_of(above_partitions(output) / "any")))
    return sorted(places, key=lambda database: not database.exists())


def home_of(database: Path) -> Path:
    """Return the folder that a history is about: where it lies, or above where it is hidden."""
    folder = Path(os.path.realpath(database)).parent
    return folder.parent if folder.name == _FOLDER else folder


def stored_path(output: Output, database: Path) -> str | None:
    """Return the path of `output` as the history in `database` keeps it; None for itself."""
    if output.table is not None and output.path == Path(os.path.realpath(database)):
        return None
    if not isinstance(output.path, Path):
        return str(output.path)
    home = home_of(database)
    path = output.path.relative_to(home) if output.path.is_relative_to(home) else output.path
    return _text(path)


def read_output(
    path: str | None, schema: str | None, table: str | None, prefix: str, database: Path
) -> Output | None:
    """Return what `stored_path` kept, with schema and table; None where nothing was kept.

    Args:
        path: as it was stored.
        schema: a table's schema.
        table: a table's name.
        prefix: what the names of the verdict columns begin with.
        database: the history, which relative paths are relative to.
    """
    if path is None:
        return None if table is None else Output.of_table(database, schema or MAIN, table, prefix)
    if is_uri(path):
        return Output.of_file(path, prefix)
    whole = home_of(database) / path
    if table is None:
        return Output.of_file(whole, prefix)
    return Output.of_table(whole, schema or MAIN, table, prefix)


def _text(path: Path) -> str:
    """A name that is no UTF-8 gets escapes for what is none."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
