"""Scored reviews as one relation, whatever holds them: files of any format, or a DuckDB table.

Every column goes by the name that drugmon has for it: the verdict columns, the texts, the grades,
drug and condition, `moment` for what dates a row, and `by_0`, `by_1`, ... for columns to slice by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import duckdb

from drugmon.data.duckdb.database import first_line
from drugmon.data.queries import Part, Sql, statement
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.columns import ANY_VERDICTS, VerdictChoice
from drugmon.data.verdicts.relations import literal
from drugmon.errors import SourceError
from drugmon.labels import TARGETS

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


def dated_within(since: datetime | None, until: datetime | None) -> list[str]:
    """Conditions over `moment` that take what is dated from `since` to before `until`.

    Args:
        since: the first moment, with a time zone; None for any.
        until: the first moment behind the window, with a time zone; None for any.
    """
    bounds = (("scored_since", since), ("scored_until", until))
    return [
        statement(name, moment=literal(moment.isoformat()))
        for name, moment in bounds
        if moment is not None
    ]


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
        unscored: rows of the source that no run has looked at, which the view leaves out.
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
    unscored: int = 0

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
        parts = dated_within(since, until)
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

    def looked_at(self, view: str) -> Scored:
        """The rows that a run has looked at: others have no verdict, whatever text they have."""
        labels = [f"{target}_sentiment" for target in TARGETS]
        condition = Sql(statement("is_unscored", labels=labels))
        ((unscored,),) = self.rows("count_unscored", condition=condition)
        if not unscored:
            return self
        self.execute(
            statement("view_looked_at", view=view, relation=self.view, condition=condition)
        )
        return replace(self, view=view, unscored=unscored)

    def without(self, view: str, other: Scored) -> tuple[Scored, int]:
        """The rows that `other` does not have too, and how many it has: known by text and time.

        Both are of one connection; where they share nothing, these are the rows as they are.
        """
        ((shared,),) = self.rows("count_shared", other=other.view)
        if not shared:
            return self, 0
        self.execute(statement("view_unshared", view=view, relation=self.view, other=other.view))
        return replace(self, view=view), shared

    def undated(self) -> int:
        """How many rows have no date in the source's own column that can be read."""
        return int(self.rows("count_undated")[0][0]) if self.dated else 0

    def scored_at(self) -> list[datetime]:
        """The moments of scoring that the rows tell, in UTC and in order, each once."""
        return [
            _EPOCH + timedelta(microseconds=moment) for (moment,) in self.rows("list_scored_at")
        ]
