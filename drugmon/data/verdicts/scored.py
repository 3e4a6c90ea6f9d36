"""Scored reviews as one relation, whatever holds them: files of any format, or a DuckDB table.

Every column goes by the name that drugmon has for it: the verdict columns, the texts, the grades,
drug and condition, `moment` for what dates a row, and `by_0`, `by_1`, ... for columns to slice by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb

from drugmon.data.columns import ColumnMap, resolve_columns
from drugmon.data.duckdb.companion import VIEW
from drugmon.data.duckdb.database import first_line
from drugmon.data.duckdb.relation import Relation
from drugmon.data.partitions import above_partitions
from drugmon.data.queries import Part, Sql, statement
from drugmon.data.sources import FileSource
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.columns import (
    ANY_VERDICTS,
    VERDICT_SCHEMA,
    VerdictChoice,
    VerdictColumns,
)
from drugmon.data.verdicts.relations import ScoredRelation, files_relation, literal, with_verdicts
from drugmon.errors import SourceError, UsageError
from drugmon.labels import ASPECTS
from drugmon.wording import names_told, path_told

TEXTS: Final = ("benefits", "side_effects", "comments", "text")
GRADES: Final = (
    *("rating", "effectiveness", "side_effects_grade"),
    *("benefits_label", "side_effects_label", "comments_label", "overall_label"),
)
CONTEXT: Final = (*TEXTS, *GRADES, "drug", "condition")
"""The columns beside verdicts that a source may have."""

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199
"""What lies beyond these years is no date of a review: sql/scored.sql has the same."""

_ALL: Final = Sql("true")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Reading:
    """How a source is to be taken.

    `columns` are `--column` choices; `date_column` dates a row, where that is not the time of its
    scoring; `by` are columns to slice by, where `drug` and `condition` go by meaning; `verdicts`
    are the verdict columns that are meant.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    date_column: str | None = None
    by: Sequence[str] = ()
    text_format: TextFormat = DEFAULT_TEXT_FORMAT
    verdicts: VerdictChoice = ANY_VERDICTS


@dataclass(frozen=True)
class Scored:
    """A view of scored reviews.

    Attributes:
        connection: where the view is.
        view: its name; the columns are those that this module tells of.
        name: what people call the source, without the machine's path.
        where: what messages call it.
        has: the columns of `CONTEXT` that the source has.
        by: the view's column of every column to slice by that the source has.
        dated: whether `moment` is the source's own date.
        condition: which rows of the whole source the view takes, as SQL.
        prefix: what the source's own names of the verdict columns begin with.
        table: schema and name of the table that was scored; None for files.
        columns: the source's own column of every column to slice by.
        date_column: the source's own column that dates the rows; None for the time of scoring.
    """

    connection: duckdb.DuckDBPyConnection
    view: str
    name: str
    where: str
    has: frozenset[str]
    by: Mapping[str, str]
    dated: bool
    condition: Sql = _ALL
    prefix: str = ""
    table: tuple[str, str] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    date_column: str | None = None

    def rows(self, name: str, /, **values: Part | Sequence[Part]) -> list[tuple[Any, ...]]:
        """Run the named statement over the view and return its rows.

        Raises:
            SourceError: DuckDB cannot read what the source holds.
        """
        return self.execute(statement(name, view=self.view, **values))

    def execute(
        self, sql: str, values: Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run SQL about the view and return its rows.

        Raises:
            SourceError: DuckDB cannot read what the source holds.
        """
        try:
            return self.connection.execute(sql, values or None).fetchall()
        except duckdb.Error as error:
            raise SourceError(f"{self.where}: cannot be read: {first_line(error)}") from error

    def window(
        self,
        view: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        spans: Sequence[tuple[datetime, datetime]] | None = None,
        without: Scored | None = None,
    ) -> Scored:
        """The rows dated from `since` to before `until`, or scored within one of the `spans`.

        Args:
            view: the name of the view that is made.
            since: the first moment, with a time zone; None for any.
            until: the first moment behind the window, with a time zone; None for any.
            spans: first and last moment of scoring; None for any.
            without: another window of the same rows, none of whose rows are taken.
        """
        parts = []
        if since is not None:
            parts.append(statement("scored_since", moment=literal(since.isoformat())))
        if until is not None:
            parts.append(statement("scored_until", moment=literal(until.isoformat())))
        if spans is not None:
            between = [
                statement(
                    "scored_between", since=literal(a.isoformat()), until=literal(b.isoformat())
                )
                for a, b in spans
            ]
            parts.append(f"({' OR '.join(between) or 'false'})")
        if without is not None:
            parts.append(statement("not_in_window", condition=without.condition))
        condition = Sql(f"({' AND '.join(parts) or 'true'})")
        self.execute(statement("view_window", view=view, relation=self.view, condition=condition))
        return replace(self, view=view, condition=condition)

    def without(self, view: str, other: Scored) -> tuple[Scored, int]:
        """The rows that `other` does not have too, and how many it has: known by text and time.

        Both are of one connection; where they share nothing, these are the rows as they are.
        """
        ((shared,),) = self.rows("count_shared", other=other.view)
        if not shared:
            return self, 0
        self.execute(statement("view_unshared", view=view, relation=self.view, other=other.view))
        return replace(self, view=view), shared

    def scored_at(self) -> list[datetime]:
        """The moments of scoring that the rows tell, in UTC and in order, each once."""
        return [
            _EPOCH + timedelta(microseconds=moment) for (moment,) in self.rows("list_scored_at")
        ]


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
    date = _date_column(reading.date_column, fields, names, where)
    by = _by_columns(reading.by, fields, names, where)
    selected = [_verdict(verdicts, field.name, str(field.type)) for field in VERDICT_SCHEMA]
    selected += [_field(fields, field) for field in CONTEXT]
    selected += [_optional(column, f"by_{number}") for number, column in enumerate(by.values())]
    dated_by = date or verdicts.of("drugmon_scored_at")
    is_time = columns[dated_by].upper().startswith(("TIMESTAMP", "DATE"))
    read = "moment_of" if is_time else "moment_of_text"
    selected.append(Sql(statement(read, column=dated_by, as_name="moment")))
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
    return made


def _verdict(verdicts: VerdictColumns, name: str, kind: str) -> Sql:
    types = {"string": "VARCHAR", "float": "FLOAT"}
    into = Sql(types.get(kind, "TIMESTAMP WITH TIME ZONE"))
    return Sql(statement("cast_column", column=verdicts.of(name), type=into, as_name=name))


def _field(fields: ColumnMap, field: str) -> Sql:
    aspects = [name for name in ASPECTS if getattr(fields, name) is not None]
    if field != "text" or fields.text is None or not aspects:
        return _optional(getattr(fields, field), field)
    columns = [getattr(fields, name) for name in aspects]
    return Sql(statement("lone_text", text=fields.text, aspects=columns, as_name=field))


def _optional(column: str | None, as_name: str) -> Sql:
    if column is None:
        return Sql(statement("null_column", type=Sql("VARCHAR"), as_name=as_name))
    return Sql(statement("cast_column", column=column, type=Sql("VARCHAR"), as_name=as_name))


def _date_column(
    asked: str | None, fields: ColumnMap, names: Sequence[str], where: str
) -> str | None:
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
