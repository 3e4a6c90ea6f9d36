"""What a user's own DuckDB client needs in the environment that drugmon installs."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb


def test_times_with_a_zone_can_be_fetched() -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        (row,) = connection.execute("SELECT TIMESTAMPTZ '2026-11-27 03:15:00+00'").fetchall()
    assert row == (datetime(2026, 11, 27, 3, 15, tzinfo=UTC),)
