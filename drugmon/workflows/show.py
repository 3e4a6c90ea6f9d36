"""Show: rows of a scored source with their verdicts, and texts only where they are asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from drugmon.data.choosing import Kinds, check_rounds_nothing, choosing, fits, number_columns
from drugmon.data.columns import ColumnMap, resolve_columns
from drugmon.data.condition import SECONDS, took_too_long
from drugmon.data.copies import copied
from drugmon.data.duckdb.database import at_most, close_off, connect, first_line, in_memory
from drugmon.data.queries import Sql, query, statement
from drugmon.data.resolve import resolve_scored
from drugmon.data.verdicts.atomic import temporary_folder
from drugmon.data.verdicts.columns import VerdictChoice, VerdictColumns
from drugmon.data.verdicts.relations import (
    ScoredRelation,
    files_relation,
    label_counts,
    table_relation,
)
from drugmon.data.verdicts.scored import TEXTS, dated_within
from drugmon.data.verdicts.scored_views import date_column, moment_of
from drugmon.errors import SourceError, UsageError
from drugmon.labels import LABELS, TARGETS
from drugmon.monitoring.profiles.names import name_key
from drugmon.workflows.configs import ShowConfig
from drugmon.workflows.report.window import ask_window

CONTEXT: Final = ("id", "drug", "rating")
"""What tells rows apart, where no other columns are asked for."""

_SHOWN: Final = "drugmon_shown"
_ROW: Final = "drugmon_shown_row"
_CHOSEN: Final = "drugmon_chosen"
_VIEW: Final = "drugmon_chosen_rows"


@dataclass(frozen=True)
class Shown:
    """The first rows that were chosen, and the label counts of all that were.

    `context` has the columns that tell the rows apart; `verdicts` per row and target label and
    confidence, None where there is no verdict; `counts` per target and label, of the targets that
    have a verdict in some row.
    """

    context: dict[str, Sequence[object]]
    verdicts: list[dict[str, tuple[str, float] | None]]
    counts: dict[str, dict[str, int]]
    total: int
    adapters: tuple[str, ...]


def show(config: ShowConfig) -> Shown:
    """Read the verdicts that a score run left.

    Raises:
        SourceError: the source cannot be read or has no verdicts.
        UsageError: the condition does not fit, or a column is not there or holds texts.
    """
    with _opened(config) as (connection, source, where):
        columns, verdicts = source.columns, source.verdicts
        review_columns = verdicts.beside(columns)
        column_map = resolve_columns(review_columns, config.reading.columns, where, need_text=False)
        shown = _columns(config, column_map, columns, where)
        order = _order(config.sort, columns, where)
        _choose(connection, config.where, columns, where)
        dated_by = date_column(config.date_column, column_map, review_columns, where)
        dated_by = dated_by or verdicts.of("drugmon_scored_at")
        _keep_dated(connection, config, dated_by, columns, where)
        _keep_named(connection, config.slice, columns, where)
        total, counts = _counts(connection, verdicts)
        targets = [target for target in TARGETS if any(counts[target].values())]
        parts = ("sentiment", "confidence")
        labels = [verdicts.of(f"{target}_{part}") for target in targets for part in parts]
        sql = statement("list_chosen", columns=[*shown, *labels], view=_VIEW, order=order)
        rows = connection.execute(sql, {"most": config.limit}).fetchall()
        sql = statement("list_adapters", view=_VIEW, adapter=verdicts.of("drugmon_adapter"))
        adapters = connection.execute(sql).fetchall()
    names = list(found_names(shown, column_map, config))
    return Shown(
        context={name: [row[place] for row in rows] for place, name in enumerate(names)},
        verdicts=[_verdicts(row[len(shown) :], targets) for row in rows],
        counts={target: counts[target] for target in targets},
        total=total,
        adapters=tuple(name for (name,) in adapters),
    )


def found_names(shown: Sequence[str], column_map: ColumnMap, config: ShowConfig) -> Iterator[str]:
    """What columns are called on the screen: by meaning, but for those that were asked for."""
    meaning = {
        getattr(column_map, name): name for name in CONTEXT if getattr(column_map, name) is not None
    }
    for column in shown:
        yield column if config.shown_columns is not None else meaning.get(column, column)


@contextlib.contextmanager
def _opened(
    config: ShowConfig,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, ScoredRelation, str]]:
    """The source's rows as a table of a connection that reaches nothing else."""
    with contextlib.ExitStack() as stack:
        aside = stack.enter_context(temporary_folder())
        meant = VerdictChoice(config.verdicts.prefix)
        if config.database.table is not None:
            database = Path(config.source)
            opened = connect(database, read_only=True, lock_timeout=config.database.lock_timeout)
            connection = stack.enter_context(opened)
            where = f"{database}, table {config.database.table}"
            source = table_relation(connection, config.database.table, where, meant)
        else:
            files = copied(
                resolve_scored(config.source, partitions=config.folders.partitions), aside
            )
            connection = stack.enter_context(in_memory(aside / "spill"))
            one = len({file.output for file in files}) == 1
            where = files[0].name if one else f"{files[0].location.parent} and its files"
            text_format = config.reading.text_format
            source = files_relation(
                connection, files, text_format, aside=aside, where=where, choice=meant
            )
        try:
            connection.execute(statement("keep_shown", shown=_SHOWN, relation=source.relation))
            close_off(connection)
        except duckdb.Error as error:
            raise SourceError(f"{where}: cannot be read: {first_line(error)}") from error
        yield connection, source, where


def _columns(
    config: ShowConfig, column_map: ColumnMap, columns: Mapping[str, str], where: str
) -> list[str]:
    """The source's columns to show.

    Raises:
        UsageError: one is not there, or holds texts that were not asked for.
    """
    texts = [name for field in TEXTS if (name := getattr(column_map, field)) is not None]
    if config.shown_columns is None:
        context = [name for field in CONTEXT if (name := getattr(column_map, field)) is not None]
        return [*context, *(texts if config.texts else ())]
    chosen = [_column(name, columns, "--columns", where) for name in config.shown_columns]
    for name in chosen:
        if name in texts and not config.texts:
            raise UsageError(
                f"--columns {name}: holds the words of reviews; add --texts to show them"
            )
    return chosen


def _order(sort: Sequence[str], columns: Mapping[str, str], where: str) -> list[Sql]:
    items = [
        Sql(
            statement(
                "order_falling" if name.startswith("-") else "order_rising",
                column=_column(name.removeprefix("-"), columns, "--sort", where),
            )
        )
        for name in sort
    ]
    return [*items, Sql(query("order_as_read"))]


def _column(name: str, columns: Mapping[str, str], option: str, where: str) -> str:
    alike = [column for column in columns if column.lower() == name.lower()]
    if name in columns or len(alike) == 1:
        return name if name in columns else alike[0]
    raise UsageError(f"{option} {name}: {where} has no such column")


def _choose(
    connection: duckdb.DuckDBPyConnection,
    condition: str | None,
    columns: Mapping[str, str],
    where: str,
) -> None:
    text = condition or "true"

    def makes_sense(kinds: Kinds) -> bool:
        return fits(connection, _SHOWN, _ROW, text, kinds)

    try:
        texts = [name for name, kind in columns.items() if kind == "VARCHAR"]
        kinds = number_columns(connection, _SHOWN, texts, text, makes_sense)
        check_rounds_nothing(connection, _SHOWN, text, kinds)
        sql = statement(
            "choose_shown", chosen=_CHOSEN, selected=Sql(choosing(_SHOWN, _ROW, text, kinds))
        )
        with at_most(connection, SECONDS):
            connection.execute(sql)
    except TimeoutError:
        raise took_too_long(str(condition), where) from None
    except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
        # DuckDB's own words would show the value, which may be a review.
        raise UsageError(
            f"--where {condition}: a value of {where} cannot be converted; use TRY_CAST"
        ) from error
    except duckdb.Error as error:
        raise UsageError(f"--where {condition}: {first_line(error)} (in {where})") from error
    connection.execute(statement("view_chosen", view=_VIEW, shown=_SHOWN, chosen=_CHOSEN))


def _keep_dated(
    connection: duckdb.DuckDBPyConnection,
    config: ShowConfig,
    dated_by: str,
    columns: Mapping[str, str],
    where: str,
) -> None:
    """Of the chosen rows, keep those whose date lies in the window that is asked for.

    Raises:
        UsageError: the column dates no row at all.
    """
    asked = ask_window(config.since, config.until, None, None)
    conditions = dated_within(asked.since, asked.until)
    if not conditions:
        return
    moment = moment_of(dated_by, columns)
    sql = statement("count_dated", moment=moment, shown=_SHOWN)
    ((rows, dated),) = connection.execute(sql).fetchall()
    if rows and not dated:
        raise UsageError(
            f"--date-column {dated_by}: no row of {where} has a date there; name another column"
        )
    condition = Sql(" AND ".join(conditions))
    names = {"chosen": _CHOSEN, "shown": _SHOWN}
    connection.execute(statement("leave_out_undated", moment=moment, condition=condition, **names))


def _keep_named(
    connection: duckdb.DuckDBPyConnection,
    named: str | None,
    columns: Mapping[str, str],
    where: str,
) -> None:
    """Of the chosen rows, keep those whose name is the same to a report.

    Raises:
        UsageError: there is no such column.
    """
    if named is None:
        return
    column, _, name = named.partition("=")
    # A name of a column may have the sign in it.
    column = max((c for c in columns if named.startswith(f"{c}=")), key=len, default=column)
    column, name = _column(column, columns, "--slice", where), named[len(column) + 1 :]
    cell = Sql(statement("cast_column", column=column, type=Sql("VARCHAR"), as_name="name"))
    listed = connection.execute(statement("list_names", name=cell, shown=_SHOWN)).fetchall()
    key = name_key(name)
    alike = [cell for (cell,) in listed if key is not None and name_key(cell) == key]
    sql = statement("leave_out_unnamed", chosen=_CHOSEN, shown=_SHOWN, column=column)
    connection.execute(sql, {"names": alike})


def _counts(
    connection: duckdb.DuckDBPyConnection, verdicts: VerdictColumns
) -> tuple[int, dict[str, dict[str, int]]]:
    sql = statement("count_chosen", counts=label_counts(verdicts), view=_VIEW)
    ((total, *numbers),) = connection.execute(sql).fetchall()
    counts = iter(numbers)
    return total, {target: {label: next(counts) for label in LABELS} for target in TARGETS}


def _verdicts(
    cells: Sequence[object], targets: Sequence[str]
) -> dict[str, tuple[str, float] | None]:
    verdicts: dict[str, tuple[str, float] | None] = {}
    for place, target in enumerate(targets):
        label, confidence = cells[2 * place : 2 * place + 2]
        # A table may have been copied into another type, such as DECIMAL.
        judged = isinstance(label, str) and confidence is not None
        verdicts[target] = (str(label), float(str(confidence))) if judged else None
    return verdicts
