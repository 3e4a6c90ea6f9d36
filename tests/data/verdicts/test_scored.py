from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.duckdb.database import in_memory
from drugmon.data.resolve import resolve_scored
from drugmon.data.verdicts.scored import Reading
from drugmon.data.verdicts.scored_views import scored_files


@pytest.mark.parametrize(
    ("name", "decoy"),
    [
        ("r[1].scored.parquet", "r1.scored.parquet"),
        ("r*.scored.parquet", "rr.scored.parquet"),
        ("r?.scored.parquet", "rr.scored.parquet"),
        ("a'b.scored.parquet", "ab.scored.parquet"),
        ("rating=9/r.scored.parquet", "r.scored.parquet"),
        ("s3:/r.scored.parquet", "r.scored.parquet"),
        ("file:/r.scored.parquet", "r.scored.parquet"),
    ],
)
def test_a_path_that_exists_is_that_path(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scored_reviews: Callable[..., pa.Table],
    name: str,
    decoy: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    table = scored_reviews(20, seed=1)
    pq.write_table(table, tmp_path / name)
    pq.write_table(scored_reviews(3, seed=2), tmp_path / decoy)
    with in_memory(tmp_path / "spill") as connection:
        sources = resolve_scored(name)
        scored = scored_files(connection, sources, Reading(), aside=tmp_path, view="v")
        ratings = scored.execute("SELECT rating FROM v")
    assert sorted(rating for (rating,) in ratings) == sorted(table["rating"].to_pylist())
