"""What a run of scoring is asked for. Light to import, as the command's help shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drugmon.config import CascadeOptions, ClusterConfig, EngineConfig, ModelOptions
from drugmon.data.options import DatabaseOptions, FolderOptions, SourceOptions
from drugmon.data.stores.uri import is_uri, parse_uri
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT
from drugmon.errors import UsageError
from drugmon.grading import GradingChoice
from drugmon.options import group, option

if TYPE_CHECKING:
    from drugmon.data.selection import Selection
    from drugmon.data.verdicts.columns import VerdictColumns


@dataclass(frozen=True)
class ScoreConfig:
    """What to score, with what, and where to write; `drugmon.options.build` fills its groups.

    Raises:
        UsageError: options that do not fit together.
    """

    source: str
    model: ModelOptions = group(ModelOptions)
    cascade: CascadeOptions = group(CascadeOptions)
    out: str | None = option(
        None,
        "Where to write; its extension sets the format.",
        kind=str,
        metavar="PATH",
        key="out",
    )
    in_place: bool = option(
        False, "Replace the input, or fill columns of the table.", key="in_place"
    )
    database: DatabaseOptions = group(DatabaseOptions)
    id_column: str | None = option(
        None,
        "The table's key.",
        kind=str,
        flag="--id",
        metavar="COLUMN",
        unset="found",
        key="id",
    )
    delta_version: int | None = option(
        None, "The version of a Delta table to read.", kind=int, low=0, unset="the newest"
    )
    where: str | None = option(
        None,
        "Score only rows that meet a SQL condition.",
        kind=str,
        metavar="CONDITION",
        key="where",
    )
    limit: int | None = option(None, "Score at most so many rows.", kind=int, low=1)
    rescore: bool = option(False, "Score every row again.")
    overwrite: bool = option(
        False, "Replace own columns that are called like verdicts.", key="overwrite"
    )
    prefix: str = option(
        "",
        "What names of verdict columns begin with, such as dm_, beside own ones called so.",
        metavar="NAME_",
        key="prefix",
    )
    dry_run: bool = option(False, "Tell how many rows would be scored; write nothing.")
    history: Path | None = option(
        None,
        "Where runs over files are recorded.",
        kind=Path,
        unset=".drugmon/history.duckdb by the output",
        key="history",
    )
    reading: SourceOptions = group(SourceOptions)
    folders: FolderOptions = group(FolderOptions)
    grading: GradingChoice = group(GradingChoice)
    engine: EngineConfig = group(EngineConfig)
    cluster: ClusterConfig = group(ClusterConfig)

    def __post_init__(self) -> None:
        table = self.database.table
        refused: dict[str, object] = {
            "--out is for files; a table's verdicts go beside the table": table and self.out,
            "--delta-version is for Delta tables; leave out --table": (
                table and self.delta_version is not None
            ),
            "--encoding, --quoting and --delimiter are for text files; leave out --table": (
                table and self.reading.text_format != DEFAULT_TEXT_FORMAT
            ),
            "--partitions is for folders of files; leave out --table": (
                table and self.folders.partitions
            ),
            "--history is for files; runs over a table are recorded in its database": (
                table and self.history
            ),
            "standard input goes to standard output; leave out --out, --in-place and --table": (
                self.source == "-" and (self.out or self.in_place or table)
            ),
            "--table is for a database on this machine; copy it here, and back afterwards": (
                table and is_uri(self.source)
            ),
            "--in-place would drop the rows that --where and --limit leave out; use --out": (
                self.in_place and not self.selection.everything and not table
            ),
            "--in-place writes UTF-8, which --encoding would misread the next time; use --out": (
                self.in_place and self.reading.text_format.encoding
            ),
        }
        if self.cluster.is_remote:
            refused |= self._refused_by_workers()
        for reason, applies in refused.items():
            if applies:
                raise UsageError(reason)
        self.cascade.check(self.model)
        self._check_id()
        for place in filter(is_uri, (self.source, self.out)):
            parse_uri(str(place))
        if self.prefix:
            self.verdicts  # noqa: B018 - one that will not do is refused here

    @property
    def verdicts(self) -> VerdictColumns:
        """What the verdict columns are called."""
        from drugmon.data.verdicts.columns import VerdictColumns

        return VerdictColumns(self.prefix, self.overwrite)

    def _check_id(self) -> None:
        """A file has no key; whether a folder is a Delta table is seen when it is opened."""
        if self.id_column is None or self.database.table:
            return
        from drugmon.data.sources import is_file_name

        if is_file_name(self.out or self.source):
            raise UsageError("--id is for tables; give --table, or a Delta table as --out")

    def _refused_by_workers(self) -> dict[str, object]:
        """What workers of a cluster cannot do, and whether it is asked for."""
        table = self.database.table
        return {
            "--engine ray writes a folder of parts; leave out --in-place": (
                self.in_place and not table
            ),
            "--engine ray writes a folder of parts; name it, as in --out scored": (
                not table and not self.out
            ),
            "--engine ray reads files and tables; score standard input without it": (
                self.source == "-"
            ),
            "--engine ray writes a folder that all machines see, and none in a store; name one and "
            "copy it there": self.out is not None and is_uri(self.out),
            "--engine ray writes a folder of parts, no Delta table; name one, or leave it out": (
                self.out is not None and _is_delta(self.out)
            ),
            "--id is for tables; let --column id=NAME tell what tells rows of files apart": (
                self.id_column is not None and not table
            ),
            "--limit counts rows that meet --where, which workers cannot; leave out one": (
                self.where and self.limit is not None and not table
            ),
        }

    @property
    def selection(self) -> Selection:
        """Which rows are meant."""
        from drugmon.data.selection import Selection

        return Selection(where=self.where, limit=self.limit)


def _is_delta(out: str) -> bool:
    """Whether an output is a Delta table, or is called as if it were to become one."""
    from drugmon.data.stores.delta import EXTENSION, is_delta

    path = Path(out)
    return not is_uri(out) and (path.suffix == EXTENSION or is_delta(path))
