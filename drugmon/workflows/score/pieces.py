"""The sources of one folder as pieces: of one schema, as Parquet, cut where workers take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from drugmon.data.columns import ColumnMap, resolve_columns
from drugmon.data.condition import is_settled
from drugmon.data.copies import pinned
from drugmon.data.formats import Reader, open_reader
from drugmon.data.options import SourceOptions
from drugmon.data.partitions import refuse_as_fields
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.atomic import sink_errors
from drugmon.data.verdicts.fingerprint import SCORING_VERSION
from drugmon.data.verdicts.parts import Piece, cut
from drugmon.errors import SourceError
from drugmon.scoring.windows import WINDOW_ROWS
from drugmon.workflows.score.run import ScoreRun


@dataclass(frozen=True)
class Sources:
    """Files of one schema, with the rows that are taken of each, and where their texts are."""

    files: tuple[tuple[FileSource, int], ...]
    states: tuple[str, ...]
    columns: ColumnMap

    @property
    def rows(self) -> int:
        """Of all files."""
        return sum(rows for _, rows in self.files)

    def pieces(self, run: ScoreRun, size: int) -> list[Piece]:
        """All rows, cut by `size`; equal keys where a part would come out the same."""
        what = [SCORING_VERSION, run.identity, run.selection.where]
        named = [asdict(self.columns), run.verdicts.prefix, run.verdicts.overwrite]
        if run.cascade:  # a part may hold verdicts of the first adapter that are doubted now
            named += [run.cascade.context, run.cascade.doubt.to_dict()]
        if run.selection.where is not None and not is_settled(run.selection.where):
            named.append(run.run_id)  # it may take other rows than it took the last time
        how = msgspec.json.encode([*what, *named]).decode()
        return [
            piece
            for (file, rows), state in zip(self.files, self.states, strict=True)
            for piece in cut(file, rows, size, [state, how])
        ]


def open_sources(
    run: ScoreRun,
    sources: Sequence[FileSource],
    aside: Path,
    reading: SourceOptions,
) -> Sources:
    """Look into every file; those of text, of a store and Delta tables are laid down as Parquet.

    Files without rows are left out where others have some.

    Args:
        run: what the verdicts are called, and how many rows are taken.
        sources: the files.
        aside: the folder for what is laid down, which all machines see.
        reading: how they are read.

    Raises:
        SourceError: a file cannot be read, its columns are called like verdicts, or differ from
            those of the others.
        UsageError: the named columns do not fit.
    """
    files: list[tuple[FileSource, int]] = []
    states, columns, left = [], ColumnMap(), run.selection.limit
    first: tuple[str, pa.Schema] | None = None
    for number, source in enumerate(sources):
        path = aside / f"source-{number}.parquet"
        here, state = pinned(replace(source, called=source.name), path.with_suffix(".copy"))
        file = _as_parquet(run, here, path, reading)
        with open_reader(file, verdicts=run.verdicts) as reader:
            run.verdicts.check(reader.names, reader.where)
            rows = reader.total or 0
            if not rows and (files or source is not sources[-1]):
                continue
            if rows and first is None:
                first = reader.where, reader.schema
                columns = resolve_columns(reader.columns, reading.columns, reader.where)
                refuse_as_fields(file.partition, columns, run.verdicts.names, reader.where)
            if rows and first is not None:
                _check_same(reader, *first)
            taken = rows if left is None else min(rows, left)
            left = None if left is None else left - taken
            states.append(f"{state} {reading.text_format} {file.partition}")
            files.append((file, taken))
        if left == 0:
            break
    return Sources(tuple(files), tuple(states), columns)


def _check_same(reader: Reader, where: str, schema: pa.Schema) -> None:
    """One output has one schema: names and types of all files are those of the first one."""
    if reader.schema.equals(schema):
        return
    types, others = _types(reader.schema), _types(schema)
    named = [name for name in [*others, *types] if types.get(name) != others.get(name)]
    name = named[0] if named else next(iter(types), "")
    raise SourceError(
        f"{reader.where}: its column {name} is {types.get(name, 'not there')}, and in {where} it "
        f"is {others.get(name, 'not there')}; write the files with the same columns, in one order"
    )


def _types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema}


def _as_parquet(
    run: ScoreRun, source: FileSource, path: Path, reading: SourceOptions
) -> FileSource:
    """The file, one of text laid down at `path` without the verdicts that it may have."""
    if source.format == "parquet":
        return source
    plain = replace(source, partition=())
    with open_reader(plain, reading.text_format, run.verdicts) as reader:
        run.verdicts.check(reader.names, reader.where)
        with sink_errors(path), pq.ParquetWriter(path, reader.schema, compression="lz4") as writer:
            for rows in reader.windows(WINDOW_ROWS):
                writer.write_table(rows.to_arrow().cast(reader.schema))
    return replace(plain, path=path, format="parquet", compression=None, partition=source.partition)
