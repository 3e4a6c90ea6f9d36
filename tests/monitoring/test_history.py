from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drugmon.data.runs import RunRecord
from drugmon.errors import SourceError
from drugmon.monitoring.history import history_of, read_history, record_run

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = RunRecord("r1", "score", AT, AT, "a.csv", "b.csv", "tiny@1", 3, 2, 0, 1, 0.5, "0.1.0")


def test_runs_are_kept_beside_the_output(tmp_path: Path) -> None:
    output = tmp_path / "reviews.scored.csv"
    assert read_history(history_of(output)) == []
    record_run(RUN, output)
    record_run(replace(RUN, run_id="r2"), output)
    assert [run.run_id for run in read_history(tmp_path / ".drugmon" / "history.duckdb")] == [
        "r1",
        "r2",
    ]
    assert read_history(history_of(output))[0] == RUN


def test_another_place_can_be_named(tmp_path: Path) -> None:
    place = tmp_path / "elsewhere" / "drugmon.duckdb"
    record_run(RUN, tmp_path / "b.csv", place)
    assert read_history(place) == [RUN]
    assert not (tmp_path / ".drugmon").exists()


def test_a_history_that_cannot_be_is_named(tmp_path: Path) -> None:
    rubbish = tmp_path / "history.duckdb"
    rubbish.write_bytes(b"rubbish" * 3000)
    with pytest.raises(SourceError, match=r"history\.duckdb: not a DuckDB database file$"):
        read_history(rubbish)
    with pytest.raises(SourceError, match=r"history\.duckdb: not a DuckDB database file$"):
        record_run(RUN, tmp_path / "b.csv", rubbish)
