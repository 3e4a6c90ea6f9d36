"""What a run writes, told apart from everything else: a file, or one table of a database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from drugmon.data.stores.uri import Location, StoreUri, parse_location

MAIN: Final = "main"
"""The schema of a table that was named without one."""


@dataclass(frozen=True, eq=False)
class Output:
    """One file, or one table of a database file; two are equal where they mean the same thing.

    Make it with `of_file` and `of_table`, which settle what a path means.

    Attributes:
        path: the file or the database, absolute, its links resolved; the URI of what is in a store.
            A report of several files has the folder or the pattern that names them.
        schema: the table's; None for a file.
        table: its name as the database has it; None for a file. As in DuckDB, case tells no tables
            and no schemas apart.
        prefix: what the names of its verdict columns begin with: under each prefix, verdicts have
            a history of their own.
    """

    path: Location
    schema: str | None = None
    table: str | None = None
    prefix: str = ""

    @classmethod
    def of_file(cls, path: Location | str, prefix: str = "") -> Self:
        """The file at `path`, or the object at a URI, whether it is there or not."""
        location = parse_location(path)
        if isinstance(location, StoreUri):
            return cls(location.as_folder, prefix=prefix)
        assert isinstance(location, Path)
        return cls(_real(location), prefix=prefix)

    @classmethod
    def of_table(cls, database: Path | str, schema: str, table: str, prefix: str = "") -> Self:
        """A table of the database file at `database`.

        Args:
            database: the file.
            schema: the table's.
            table: its name.
            prefix: what the names of its verdict columns begin with.
        """
        return cls(_real(database), schema, table, prefix)

    @property
    def name(self) -> str:
        """What people call it, without the machine's path: schema main goes without saying."""
        return self._told(self.path.name)

    @property
    def table_name(self) -> str | None:
        """The table's name, with its schema where that is not main."""
        if self.table is None or self.schema in (None, MAIN):
            return self.table
        return f"{self.schema}.{self.table}"

    def __str__(self) -> str:
        return self._told(str(self.path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Output) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[Location, str, str, str]:
        return (self.path, (self.schema or "").lower(), (self.table or "").lower(), self.prefix)

    def _told(self, path: str) -> str:
        table = "" if self.table is None else f", table {self.table_name}"
        return path + table + (f", prefix {self.prefix}" if self.prefix else "")


def _real(path: Path | str) -> Path:
    """The path as it is kept: bytes of a name that are no UTF-8 are written out, as `\\xe9`."""
    return Path(os.fsencode(os.path.realpath(path)).decode("utf-8", "backslashreplace"))
