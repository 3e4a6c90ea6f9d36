"""The texts of a DuckDB table at one moment, copied aside so that nothing stays locked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from drugmon.data.choosing import check_rounds_nothing
from drugmon.data.columns import resolve_columns
from drugmon.data.duckdb.database import close_off, first_line
from drugmon.data.duckdb.keys import Key, as_text
from drugmon.data.duckdb.relation import Relation
from drugmon.data.queries import Sql, statement
from drugmon.data.verdicts.columns import VerdictColumns
from drugmon.errors import DrugmonError, SinkError, SourceError, UsageError
from drugmon.wording import name_told

if TYPE_CHECKING:
    from drugmon.data.selection import Selection

_TEXTS: Final = ("benefits", "side_effects", "comments", "text")
# The messages of other errors may quote values, and those may be review texts.
_ABOUT_THE_STATEMENT: Final = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
)


def text_columns(relation: Relation, overrides: Mapping[str, str], where: str) -> dict[str, str]:
    """Return the relation's text columns by drugmon's names for them.

    Raises:
        SourceError: there is none, or one holds something else than strings.
        UsageError: an override names no field or no column.
    """
    columns = resolve_columns(list(relation.columns), overrides, where)
    texts = {name: getattr(columns, name) for name in _TEXTS if getattr(columns, name) is not None}
    for name, column in list(texts.items()):
        kind = relation.columns[column]
        if kind != "VARCHAR" and not kind.startswith("ENUM("):
            if name == "text" and len(texts) > 1:
                del texts[name]  # beside aspects, what is called `review` may be a number
                continue
            raise SourceError(
                f"{where}: column {name_told(column)} holds {kind}, a review text must be a "
                f"VARCHAR; name another column with --column {name}=NAME"
            )
    return texts


def take_snapshot(
    connection: duckdb.DuckDBPyConnection,
    relation: Relation,
    key: Key,
    texts: Mapping[str, str],
    selection: Selection,
    path: Path,
    verdicts: VerdictColumns | None = None,
) -> int:
    """Copy the keys and texts of the selected reviews to a Parquet file and return their number.

    Args:
        connection: to the database.
        relation: the table or view.
        key: what tells its rows apart.
        texts: its columns of texts, by field.
        selection: which rows.
        path: the file.
        own: the verdict columns that the relation has, of which fingerprint and time are copied
            too; None for none.

    Raises:
        UsageError: the condition of the selection is wrong.
        SinkError: the file cannot be written.
        SourceError: the relation cannot be read.
    """
    columns = [
        Sql(statement("text_column", text=as_text(column), as_name=name))
        for name, column in texts.items()
    ]
    if verdicts is not None:
        named = {name: verdicts.of(f"drugmon_{name}") for name in ("fingerprint", "scored_at")}
        columns.append(Sql(statement("own_verdict", **named)))
    sql = statement(
        "snapshot",
        key=key.text,
        columns=columns,
        relation=key.over(relation.path),
        order=key.order,
        condition=Sql(selection.where or "true"),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not relation.is_view:  # a view may itself be one of files
            close_off(connection, folder=path.parent)
        if selection.where is not None:
            check_rounds_nothing(connection, key.over(relation.path), selection.where)
        result = connection.execute(sql, {"limit": selection.limit, "path": str(path.absolute())})
        return int(result.fetchall()[0][0])
    except (OSError, duckdb.IOException) as error:
        raise SinkError(f"{path}: cannot be written: {first_line(error)}") from error
    except duckdb.InterruptException:  # by a signal, or as it took too long
        raise
    except duckdb.Error as error:
        raise _read_failure(relation, selection.where, error) from error


def _read_failure(relation: Relation, condition: str | None, error: duckdb.Error) -> DrugmonError:
    about_statement = isinstance(error, _ABOUT_THE_STATEMENT)
    says = first_line(error) if about_statement else f"{type(error).__name__} at one of the rows"
    if condition is None:
        return SourceError(f"{relation.name}: cannot be read: {says}")
    return UsageError(f"--where {condition}: {says}")
