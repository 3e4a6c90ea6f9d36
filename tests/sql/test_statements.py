"""The statements in sql/: each is told of and used."""

from __future__ import annotations

import re
from pathlib import Path

from drugmon.data import queries

SQL = Path(__file__).parents[2] / "sql"
PACKAGE = Path(queries.__file__).parent.parent


def test_every_statement_has_a_comment_and_is_used() -> None:
    code = "".join(file.read_text() for file in PACKAGE.rglob("*.py"))
    for file in SQL.glob("*.sql"):
        _, *parts = re.split(r"^-- name: (\w+)$", file.read_text(), flags=re.MULTILINE)
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            assert text.startswith("\n-- "), f"{file.name}: {name} lacks its comment"
            assert text.rstrip().endswith(";"), f"{file.name}: {name} lacks its semicolon"
            assert f'"{name}"' in code, f"{file.name}: nothing runs {name}"
