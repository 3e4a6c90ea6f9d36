"""The named SQL statements: every statement that drugmon runs is written in sql/*.sql.

A file holds statements, each opened by `-- name: NAME` and a comment. Values are bound by DuckDB;
`{placeholders}` stand for identifiers, which `statement` quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from glob import escape
from pathlib import Path
from typing import Final, TypeAlias

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_FOLDERS: Final = (_PACKAGE / "_sql", _PACKAGE.parent / "sql")  # in a wheel, in a checkout
_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")

Part: TypeAlias = str | tuple[str, ...]
"""An identifier, a qualified name, or `Sql`."""


class Sql(str):
    """SQL that goes into a statement as it is: another statement, or the user's own condition."""


def query(name: str) -> str:
    """Return the statement called `name`, without its comment and its semicolon.

    Raises:
        KeyError: no file holds a statement of that name.
    """
    return _statements()[name]


def quote_identifier(*parts: str) -> str:
    """Quote a name for SQL; several parts make a qualified name: `"schema"."table"`."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def path_for_duckdb(path: Path) -> str:
    """Return a path for `read_parquet` and its like, which take a path for a glob or a URI."""
    return escape(str(path.absolute()))


def statement(name: str, /, **values: Part | Sequence[Part]) -> str:
    """Return the statement called `name` with its placeholders filled.

    Args:
        name: the statement's name.
        values: for each placeholder an identifier (a `str`), a qualified name (a tuple of its
            parts), `Sql`, or a list of any of these, which is put in with commas between.

    Raises:
        KeyError: there is no such statement, or one of its placeholders has no value.
    """
    return _PLACEHOLDER.sub(lambda match: _render(values[match[1]]), query(name))


def _render(value: Part | Sequence[Part]) -> str:
    if isinstance(value, Sql):
        return value
    if isinstance(value, str):
        return quote_identifier(value)
    if isinstance(value, tuple):
        return quote_identifier(*value)
    return ", ".join(_render(item) for item in value)


@cache
def _statements() -> dict[str, str]:
    folder = next(folder for folder in _FOLDERS if folder.is_dir())
    statements: dict[str, str] = {}
    for file in sorted(folder.glob("*.sql")):
        _, *parts = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            if name in statements:
                raise ValueError(f"{file}: the statement {name} has been defined already")
            statements[name] = _strip_comment(text)
    return statements


def _strip_comment(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return "\n".join(lines).strip().removesuffix(";")
