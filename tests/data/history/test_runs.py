from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb

from drugmon.data.history.runs import read_runs, write_run


def test_records_come_back_oldest_first_in_utc(tmp_path: Path, nights: Any) -> None:
    # The file is called like the schema.
    with duckdb.connect(tmp_path / "drugmon.duckdb") as connection:
        assert read_runs(connection) == []
        late = datetime(2026, 3, 2, 1, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
        last = nights.a_run(run_id="r2", finished_at=late)
        write_run(connection, last)
        write_run(connection, nights.a_run())
        runs = read_runs(connection)
    assert runs == [nights.a_run(), last]
    assert runs[1].finished_at.tzinfo is UTC
