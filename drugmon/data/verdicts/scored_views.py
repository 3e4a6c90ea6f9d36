"""Views of scored reviews: a source's own columns under the names that drugmon has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from drugmon.data.columns import ColumnMap, resolve_columns
from drugmon.data.duckdb.companion import VIEW
from drugmon.data.duckdb.relation import Relation
from drugmon.data.partitions import above_partitions
from drugmon.data.queries import Sql, statement
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import VERDICT_SCHEMA, VerdictColumns
from drugmon.data.verdicts.no_text import lone_text
from drugmon.data.verdicts.relations import ScoredRelation, files_relation, with_verdicts
from drugmon.data.verdicts.scored import CONTEXT, Reading, Scored
from drugmon.errors import UsageError
from drugmon.labels import ASPECTS
from drugmon.wording import names_told, path_told


def scored_files(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[FileSource],
    reading: Reading,
    *,
    aside: Path,
    view: str,
) -> Scored:
    """View scored files; those of text formats are laid down as Parquet in the folder `aside`.

    Args:
        connection: in which the view is made.
        sources: the files.
        reading: how their columns are read.
        aside: a folder that is gone at the end.
        view: the view's name.

    Raises:
        SourceError: a file cannot be read, or holds no verdicts.
        UsageError: a named column is not there.
    """
    first, one = sources[0], len({source.output for source in sources}) == 1
    folder = above_partitions(first.location) if first.partition else first.location.parent
    where = first.name if one else f"{folder} and its files"
    relation = files_relation(
        connection,
        sources,
        reading.text_format,
        aside=aside,
        where=where,
        choice=reading.verdicts,
    )
    # The same every night, however many files there are by then.
    name = path_told(first.output.name if one else f"files in {folder.name}")
    return _scored(connection, relation, reading, view=view, name=name, where=where)


def scored_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    reading: Reading,
    *,
    where: str,
    view: str,
) -> Scored:
    """View a scored table: one with verdict columns, or the table that a companion belongs to.

    Args:
        connection: to the database.
        table: its name, or schema.name.
        reading: how its columns are read.
        where: the table, for messages.
        view: the view's name.

    Raises:
        SourceError: there is no such table, or nothing scored it.
        UsageError: a named column is not there.
    """
    relation, verdicts = with_verdicts(connection, table, where, reading.verdicts)
    reviews = _reviews_of(connection, Relation.find(connection, table, where), verdicts)
    path = Sql(statement("select_path", relation=relation.path))
    scored = _scored(
        connection,
        ScoredRelation(path, relation.columns, verdicts),
        reading,
        view=view,
        name=reviews.name,
        where=where,
        keep=relation.is_view,
    )
    return replace(scored, table=(reviews.schema, reviews.name))


def _reviews_of(
    connection: duckdb.DuckDBPyConnection, relation: Relation, verdicts: VerdictColumns
) -> Relation:
    """The table of reviews that `relation` is, or that it is drugmon's view of."""
    end = VIEW + verdicts.suffix
    if relation.is_view and relation.name.lower().endswith(end):
        path = (relation.catalog, relation.schema, relation.name[: -len(end)])
        return Relation.at(connection, path) or relation
    return relation


def _scored(
    connection: duckdb.DuckDBPyConnection,
    source: ScoredRelation,
    reading: Reading,
    *,
    view: str,
    name: str,
    where: str,
    keep: bool = False,
) -> Scored:
    columns, verdicts = source.columns, source.verdicts
    names = verdicts.beside(columns)
    fields = resolve_columns(names, reading.columns, where, need_text=False)
    date = date_column(reading.date_column, fields, names, where)
    by = _by_columns(reading.by, fields, names, where)
    selected = [_verdict(verdicts, field.name, str(field.type)) for field in VERDICT_SCHEMA]
    selected += [_field(fields, field) for field in CONTEXT]
    selected += [
        _name(column, columns[column], f"by_{number}") for number, column in enumerate(by.values())
    ]
    selected.append(moment_of(date or verdicts.of("drugmon_scored_at"), columns))
    made = Scored(
        connection,
        view,
        name,
        where,
        frozenset(field for field in CONTEXT if getattr(fields, field) is not None),
        {name: f"by_{number}" for number, name in enumerate(by)},
        date is not None,
        prefix=verdicts.prefix,
        columns=by,
        date_column=date,
    )
    how = "keep_scored" if keep else "view_scored"
    made.execute(statement(how, view=view, columns=selected, relation=source.relation))
    return made.looked_at(f"{view}_looked_at")


def _verdict(verdicts: VerdictColumns, name: str, kind: str) -> Sql:
    types = {"string": "VARCHAR", "float": "FLOAT"}
    into = Sql(types.get(kind, "TIMESTAMP WITH TIME ZONE"))
    return Sql(statement("cast_column", column=verdicts.of(name), type=into, as_name=name))


def _field(fields: ColumnMap, field: str) -> Sql:
    aspects = [name for name in ASPECTS if getattr(fields, name) is not None]
    if field != "text" or fields.text is None or not aspects:
        return _optional(getattr(fields, field), field)
    columns = [getattr(fields, name) for name in aspects]
    return lone_text(fields.text, columns, field)


def _name(column: str, kind: str, as_name: str) -> Sql:
    """A column to slice by: a number that is none, as pandas leaves it, is no name."""
    is_float = kind.upper() in ("FLOAT", "DOUBLE")
    name = "cast_number" if is_float else "cast_column"
    return Sql(statement(name, column=column, type=Sql("VARCHAR"), as_name=as_name))


def _optional(column: str | None, as_name: str) -> Sql:
    if column is None:
        return Sql(statement("null_column", type=Sql("VARCHAR"), as_name=as_name))
    return Sql(statement("cast_column", column=column, type=Sql("VARCHAR"), as_name=as_name))


def moment_of(column: str, columns: Mapping[str, str]) -> Sql:
    """The item `moment`: when a row is of.

    Args:
        column: what dates it.
        columns: the types of all columns.
    """
    is_time = columns[column].upper().startswith(("TIMESTAMP", "DATE"))
    return Sql(
        statement("moment_of" if is_time else "moment_of_text", column=column, as_name="moment")
    )


def date_column(
    asked: str | None, fields: ColumnMap, names: Sequence[str], where: str
) -> str | None:
    """The source's own column that dates the rows; None for the time of scoring.

    Args:
        asked: of `--date-column`; `date` stands for what the source calls so.
        fields: the source's columns by meaning.
        names: all of them.
        where: the source, for messages.

    Raises:
        UsageError: there is no such column.
    """
    if asked is None:
        return None
    if asked in names:
        return asked
    alike = [name for name in names if name.lower() == asked.lower()]
    if len(alike) == 1:
        return alike[0]
    if asked == "date" and fields.date is not None:
        return fields.date
    raise UsageError(
        f"--date-column {asked}: {where} has no such column; it has {names_told(names)}"
    )


def _by_columns(
    asked: Sequence[str], fields: ColumnMap, names: Sequence[str], where: str
) -> dict[str, str]:
    """The source's column of every name; `drug` and `condition` may be missing."""
    chosen = {}
    for name in asked:
        if name in ("drug", "condition"):
            column = getattr(fields, name) or (name if name in names else None)
            if column is not None:
                chosen[name] = column
        elif name in names:
            chosen[name] = name
        else:
            raise UsageError(f"--by {name}: {where} has no such column; it has {names_told(names)}")
    return chosen
