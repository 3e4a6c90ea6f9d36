"""The sources of one folder as pieces: of one schema, as Parquet, cut where workers take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from drugmon.data.columns import ColumnMap, resolve_columns
from drugmon.data.formats import Reader, open_reader
from drugmon.data.options import SourceOptions
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.atomic import sink_errors
from drugmon.data.verdicts.fingerprint import SCORING_VERSION
from drugmon.data.verdicts.parts import Piece, cut, state_of
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
    """Look into every file; those of text are laid down as Parquet.

    Files without rows are left out where others have some.

    Args:
        run: what the verdicts are called, and how many rows are taken.
        sources: the files.
        aside: the folder for those of text.
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
        if not source.is_here:
            raise SourceError(
                f"{source.name}: workers take files that all machines see; copy it to one, or "
                "leave out --engine ray"
            )
        with open_reader(source, reading.text_format, run.verdicts) as reader:
            run.verdicts.check(reader.names, reader.where)
            rows = reader.total or 0
            if not rows and (files or source is not sources[-1]):
                continue
            if rows and first is None:
                first = reader.where, reader.schema
                columns = resolve_columns(reader.columns, reading.columns, reader.where)
            if rows and first is not None:
                _check_same(reader, *first)
            taken = rows if left is None else min(rows, left)
            left = None if left is None else left - taken
            states.append(f"{state_of(source.path)} {reading.text_format}")
            files.append((_as_parquet(reader, source, aside / f"source-{number}.parquet"), taken))
        if left == 0:
            break
    return Sources(tuple(files), tuple(states), columns)


def _check_same(reader: Reader, where: str, schema: pa.Schema) -> None:
    """One output has one schema: names and types of all files are those of the first one."""
    if reader.schema.equals(schema):
        return
    own, others = _types(reader.schema), _types(schema)
    named = [name for name in [*others, *own] if own.get(name) != others.get(name)]
    name = named[0] if named else next(iter(own), "")
    raise SourceError(
        f"{reader.where}: its column {name} is {own.get(name, 'not there')}, and in {where} it is "
        f"{others.get(name, 'not there')}; write the files with the same columns, in one order"
    )


def _types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema}


def _as_parquet(reader: Reader, source: FileSource, path: Path) -> FileSource:
    if source.format == "parquet":
        return source
    with sink_errors(path), pq.ParquetWriter(path, reader.schema, compression="lz4") as writer:
        for rows in reader.windows(WINDOW_ROWS):
            writer.write_table(rows.to_arrow().cast(reader.schema))
    return replace(FileSource.of(path), called=source.name)
