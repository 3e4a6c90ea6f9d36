"""What tells one review of a table from the others: its id, or its texts where there is no id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from drugmon.data.duckdb.relation import Relation
from drugmon.data.queries import Sql, statement
from drugmon.errors import SourceError
from drugmon.wording import name_told, names_told

KEY: Final = "drugmon_key"
"""The column of the snapshot, of what is staged, and of the companion; always a VARCHAR."""

_TEXT_KEY: Final = "^[0-9a-f]{32}(#[0-9]+)?$"
_ID_NAMES: Final = ("id", "review_id", "uniqueid")
_NOT_AS_TEXT: Final = "VARIANT"
"""A type whose values are others when they are read back from text, where 1 and '1' are one."""


@dataclass(frozen=True)
class Key:
    """What tells reviews apart: `text` as an expression over `review`, `match` for a join.

    `match` compares a review with its `verdict` in the companion, in the key's own type. `texts`
    is the expression that equal texts share, where these are the key. Where some do, `numbered`,
    each copy has a key of its own, in the order of the rows.
    """

    text: Sql
    match: Sql
    texts: Sql | None = None
    numbered: bool = False

    def over(self, relation: tuple[str, ...]) -> Sql:
        """What `review` has to stand for where the key is used."""
        if not self.numbered or self.texts is None:
            return Sql(statement("select_path", relation=relation))
        return Sql(statement("number_copies", relation=relation, key=self.texts))

    @property
    def order(self) -> Sql:
        """What keeps the order of the relation's rows."""
        return Sql(statement("in_order") if self.numbered else "")

    def is_like(self, keys: pa.Array, of_texts: bool | None) -> bool:
        """Whether keys are of the same kind: of texts, or of an id.

        Args:
            keys: these, (n,).
            of_texts: whether they are of texts; None for by their look, in which an id may be like
                them.
        """
        if of_texts is None:
            look = pc.match_substring_regex(keys, _TEXT_KEY)
            of_texts = bool(pc.all(look, min_count=0).as_py())
        return of_texts == (self.texts is not None)


def text_key(texts: Sequence[str]) -> Key:
    """Return the key over text columns, for statements that call the table `review`."""
    parts = [Sql(statement("text_key_part", text=as_text(text))) for text in texts]
    key = Sql(statement("text_key", parts=parts))
    return replace(_by_text(key), texts=key)


def numbered_key(connection: duckdb.DuckDBPyConnection, relation: Relation, key: Key) -> Key:
    """A key of texts for rows of which each has a verdict of its own, copies too."""
    if key.texts is None:
        return key
    sql = statement("has_copies", relation=relation.path, key=key.texts)
    if not connection.execute(sql).fetchall()[0][0]:
        return key  # the view on them is the quicker
    numbered = _by_text(Sql(statement("numbered_key", key=key.texts)))
    return replace(numbered, texts=key.texts, numbered=True)


def review_key(
    connection: duckdb.DuckDBPyConnection,
    relation: Relation,
    id_column: str | None,
    texts: Mapping[str, str],
    where: str,
) -> Key:
    """Return the key: of `id_column`, else the primary key, else an id, else the texts.

    A column called id, review_id or uniqueID serves where it has no null and no value twice.

    Args:
        connection: to the database.
        relation: the table or view.
        id_column: of `--id`; None to find one.
        texts: its columns of texts, by field.
        where: the table, for messages.

    Raises:
        SourceError: `id_column` does not exist, has nulls, has a value twice, or is a VARIANT.
    """
    if id_column is not None:
        return _by_column(relation, _checked(connection, relation, id_column, where))
    if relation.primary_key is not None:
        return _by_column(relation, relation.primary_key)
    for name in relation.columns:
        usable = name.lower() in _ID_NAMES and _NOT_AS_TEXT not in relation.columns[name]
        if usable and _problems(connection, relation, name) == (0, 0):
            return _by_column(relation, name)
    return numbered_key(connection, relation, text_key(list(texts.values())))


def as_text(column: str) -> Sql:
    """Return a column as text, for statements that call the table `review`."""
    return Sql(statement("as_text", column=("review", column)))


def _by_column(relation: Relation, name: str) -> Key:
    kind = relation.columns[name]
    if kind == "VARCHAR":
        return _by_text(as_text(name))
    match = statement("match_typed", column=("review", name), type=Sql(kind))
    return Key(as_text(name), Sql(match))


def _by_text(key: Sql) -> Key:
    return Key(key, Sql(statement("match_text", key=key)))


def _checked(
    connection: duckdb.DuckDBPyConnection, relation: Relation, id_column: str, where: str
) -> str:
    names = {name.lower(): name for name in relation.columns}
    name = names.get(id_column.lower())
    if name is None:
        raise SourceError(
            f"{where}: no column {name_told(id_column)} for --id; it has: "
            f"{names_told(relation.columns)}"
        )
    if _NOT_AS_TEXT in relation.columns[name]:
        raise SourceError(
            f"{where}: --id column {name_told(name)} holds {relation.columns[name]}, which as text "
            "tells no rows apart; choose another, or cast it in a view"
        )
    nulls, duplicates = _problems(connection, relation, name)
    if nulls:
        raise SourceError(
            f"{where}: --id column {name_told(name)} is null in {nulls:,} rows; choose another"
        )
    if duplicates:
        raise SourceError(
            f"{where}: --id column {name_told(name)} is not unique: {duplicates:,} values stand in "
            "several rows; remove the duplicates or choose another column"
        )
    return name


def _problems(
    connection: duckdb.DuckDBPyConnection, relation: Relation, column: str
) -> tuple[int, int]:
    sql = statement("key_problems", relation=relation.path, column=column)
    nulls, duplicates = connection.execute(sql).fetchall()[0]
    return nulls, duplicates
