"""The companion of a DuckDB table: `<table>_sentiment`, and the view `<table>_scored` over both.

Verdicts under a prefix, such as `dm_`, have a companion and a view of their own, called
`<table>_sentiment_dm` and `<table>_scored_dm`; only the view's columns bear the prefix.
"""

from __future__ import annotations

import contextlib
from hashlib import blake2b
from pathlib import Path
from typing import Final

import duckdb

from drugmon.data.duckdb.keys import KEY, Key
from drugmon.data.duckdb.relation import Relation
from drugmon.data.queries import Sql, path_for_duckdb, query, quote_identifier, statement
from drugmon.data.verdicts.columns import VERDICT_COLUMNS, VerdictColumns
from drugmon.errors import SinkError, UsageError

COMPANION: Final = "_sentiment"
VIEW: Final = "_scored"

_COLUMNS: Final = [KEY, *VERDICT_COLUMNS]
_OURS: Final = "made by drugmon"
_TEXTS, _ID = "texts", "an id"
"""What the keys of a companion are of, as is noted on it."""


def companions_of(
    connection: duckdb.DuckDBPyConnection, relation: Relation
) -> list[VerdictColumns]:
    """The verdict columns of the views that, by their names, drugmon keeps beside a relation."""
    view = relation.name.lower() + VIEW
    companions = []
    for schema, name, _ in connection.execute(query("list_tables")).fetchall():
        if schema == relation.schema and name.lower().startswith(view):
            suffix = name.lower().removeprefix(view)
            with contextlib.suppress(UsageError):
                companions.append(VerdictColumns(f"{suffix.removeprefix('_')}_" if suffix else ""))
    return companions


def find_companion(
    connection: duckdb.DuckDBPyConnection, relation: Relation, verdicts: VerdictColumns
) -> Relation | None:
    """Return the companion, None before the first run.

    Raises:
        SinkError: the companion's or the view's name is taken by something of somebody else.
    """
    companion = Relation.at(connection, relation.sibling(COMPANION + verdicts.suffix))
    if companion and (companion.is_view or not set(_COLUMNS) <= companion.columns.keys()):
        raise _taken(companion.name)
    view = relation.sibling(VIEW + verdicts.suffix)
    noted = _note_on(connection, view)
    if noted is not None and not noted.startswith(_OURS):
        raise _taken(view[-1])
    return companion


def has_text_keys(connection: duckdb.DuckDBPyConnection, companion: Relation) -> bool | None:
    """Whether the keys of a companion are of texts; None where an earlier version noted nothing."""
    noted = (_note_on(connection, companion.path) or "").removeprefix(f"{_OURS}, keys of ")
    return {_TEXTS: True, _ID: False}.get(noted)


def update_companion(
    connection: duckdb.DuckDBPyConnection,
    relation: Relation,
    verdicts: VerdictColumns,
    key: Key,
    staged: Path,
    full: bool,
) -> None:
    """Bring companion and view in line with the staged verdicts, in the caller's transaction.

    Args:
        connection: to the table's database.
        relation: the table or view that was scored.
        verdicts: what the view calls the verdicts; the companion bears the prefix in its name.
        key: what tells its reviews apart.
        staged: Parquet of `drugmon_key` and `VERDICT_SCHEMA`.
        full: `staged` has every review of the source, so that others are gone from it.
    """
    path = relation.sibling(COMPANION + verdicts.suffix)
    source = {"staged": path_for_duckdb(staged)}
    if find_companion(connection, relation, verdicts) is None:
        sql = statement("create_companion", companion=path, columns=_COLUMNS)
        connection.execute(sql, source)
    sql = statement("collect_fresh", companion=path, columns=_COLUMNS)
    connection.execute(sql, source)
    connection.execute(statement("delete_replaced", companion=path))
    if full:
        connection.execute(statement("delete_gone", companion=path), source)
    connection.execute(statement("insert_fresh", companion=path))
    kind = _TEXTS if key.texts else _ID
    if not (_note_on(connection, path) or "").endswith(f"keys of {kind}"):
        connection.execute(statement("comment_companion", companion=path, kind=Sql(kind)))
    _update_view(connection, relation, verdicts, key)


def _update_view(
    connection: duckdb.DuckDBPyConnection, relation: Relation, verdicts: VerdictColumns, key: Key
) -> None:
    """Create the view, or create it again where the source's columns or the key have changed."""
    view = relation.sibling(VIEW + verdicts.suffix)
    columns = [Sql(quote_identifier("review", name)) for name in verdicts.beside(relation.columns)]
    columns += [
        Sql(statement("view_column", column=("verdict", name), as_name=verdicts.of(name)))
        for name in VERDICT_COLUMNS
    ]
    sql = statement(
        "create_view",
        view=view,
        columns=columns,
        relation=key.over(relation.path[1:]),
        companion=relation.sibling(COMPANION + verdicts.suffix)[1:],
        match=key.match,
    )
    # DuckDB refuses a view whose columns have changed their types, hence the types.
    made_from = repr((sql.replace(quote_identifier(*view), ""), relation.columns))
    definition = blake2b(made_from.encode(), digest_size=8).hexdigest()
    if not (_note_on(connection, view) or "").endswith(definition):
        connection.execute(sql)
        connection.execute(statement("comment_view", view=view, definition=Sql(definition)))


def _note_on(connection: duckdb.DuckDBPyConnection, path: tuple[str, str, str]) -> str | None:
    """Return the comment on a table or view, "" where it has none, None where it is not there."""
    _, schema, name = path
    names = {"schema": schema, "name": name}
    rows = connection.execute(query("comment_on"), names).fetchall()
    return (rows[0][0] or "") if rows else None


def _taken(name: str) -> SinkError:
    return SinkError(
        f"{name} exists and was not made by drugmon, so it stays as it is; rename it and run again"
    )
